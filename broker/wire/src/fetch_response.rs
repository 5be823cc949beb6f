//! FetchResponse into a rope: as the protocol crate encodes it, but with the records left where they are.
//!
//! Layout of `FetchResponse.json`, versions 0 to 17. The test holds it against the crate's encoder at every version.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::protocol::Encodable;

use crate::rope::{FileRegions, RopeBuilder};

/// The first version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;

/// The first version that names topics by id.
const TOPIC_IDS: i16 = 13;

pub(crate) fn encode(
    response: &FetchResponse,
    version: i16,
    regions: &FileRegions,
    rope: &mut RopeBuilder,
) -> Result<(), String> {
    if !(0..=17).contains(&version) {
        return Err("no such version".to_owned());
    }
    if version >= 1 {
        rope.run.put_i32(response.throttle_time_ms);
    }
    if version >= 7 {
        rope.run.put_i16(response.error_code);
        rope.run.put_i32(response.session_id);
    }
    put_length(&mut rope.run, response.responses.len(), version)?;
    for topic in &response.responses {
        encode_topic(topic, version, regions, rope)?;
    }
    if version >= FLEXIBLE {
        let endpoints = &response.node_endpoints;
        if version >= 16 && !endpoints.is_empty() {
            let mut field = BytesMut::new();
            put_length(&mut field, endpoints.len(), version)?;
            for endpoint in endpoints {
                endpoint.encode(&mut field, version).map_err(|error| error.to_string())?;
            }
            rope.run.put_u8(1);
            put_tagged(&mut rope.run, 0, &field)?;
        } else {
            rope.run.put_u8(0);
        }
    }
    Ok(())
}

fn encode_topic(
    topic: &FetchableTopicResponse,
    version: i16,
    regions: &FileRegions,
    rope: &mut RopeBuilder,
) -> Result<(), String> {
    let name = topic.topic.0.as_bytes();
    if version >= TOPIC_IDS {
        rope.run.put_slice(topic.topic_id.as_bytes());
    } else if version >= FLEXIBLE {
        put_length(&mut rope.run, name.len(), version)?;
        rope.run.put_slice(name);
    } else {
        rope.run.put_i16(i16::try_from(name.len()).map_err(|_| "the topic's name is too long")?);
        rope.run.put_slice(name);
    }
    put_length(&mut rope.run, topic.partitions.len(), version)?;
    for partition in &topic.partitions {
        encode_partition(partition, version, regions, rope)?;
    }
    if version >= FLEXIBLE {
        rope.run.put_u8(0);
    }
    Ok(())
}

fn encode_partition(
    partition: &PartitionData,
    version: i16,
    regions: &FileRegions,
    rope: &mut RopeBuilder,
) -> Result<(), String> {
    let run = &mut rope.run;
    run.put_i32(partition.partition_index);
    run.put_i16(partition.error_code);
    run.put_i64(partition.high_watermark);
    if version >= 4 {
        run.put_i64(partition.last_stable_offset);
        if version >= 5 {
            run.put_i64(partition.log_start_offset);
        }
        match &partition.aborted_transactions {
            None if version >= FLEXIBLE => run.put_u8(0),
            None => run.put_i32(-1),
            Some(aborted) => {
                put_length(run, aborted.len(), version)?;
                for transaction in aborted {
                    transaction.encode(run, version).map_err(|error| error.to_string())?;
                }
            }
        }
    }
    if version >= 11 {
        run.put_i32(partition.preferred_read_replica.0);
    }
    match &partition.records {
        None if version >= FLEXIBLE => run.put_u8(0),
        None => run.put_i32(-1),
        Some(records) => {
            put_length(run, records.len(), version)?;
            match regions.find(records) {
                Some(region) => rope.push(region.clone()),
                None => rope.push_shared(records),
            }
        }
    }
    if version >= FLEXIBLE { encode_partition_tags(partition, version, &mut rope.run) } else { Ok(()) }
}

fn encode_partition_tags(partition: &PartitionData, version: i16, run: &mut BytesMut) -> Result<(), String> {
    let mut fields: [Option<BytesMut>; 3] = [None, None, None];
    let encoded = |result: Result<(), String>, field: BytesMut| result.map(|()| Some(field));
    let mut field = BytesMut::new();
    if partition.diverging_epoch != Default::default() {
        let result = partition.diverging_epoch.encode(&mut field, version).map_err(|error| error.to_string());
        fields[0] = encoded(result, field.split())?;
    }
    if partition.current_leader != Default::default() {
        let result = partition.current_leader.encode(&mut field, version).map_err(|error| error.to_string());
        fields[1] = encoded(result, field.split())?;
    }
    if partition.snapshot_id != Default::default() {
        let result = partition.snapshot_id.encode(&mut field, version).map_err(|error| error.to_string());
        fields[2] = encoded(result, field.split())?;
    }
    run.put_u8(fields.iter().flatten().count() as u8);
    for (tag, field) in (0u8..).zip(fields) {
        if let Some(field) = field {
            put_tagged(run, tag, &field)?;
        }
    }
    Ok(())
}

fn put_tagged(run: &mut BytesMut, tag: u8, field: &[u8]) -> Result<(), String> {
    run.put_u8(tag);
    put_varint(run, u32::try_from(field.len()).map_err(|_| "a tagged field is too long")?);
    run.put_slice(field);
    Ok(())
}

/// The length of an array or byte string: compact (one more, as a varint) or 32 bits.
fn put_length(run: &mut BytesMut, length: usize, version: i16) -> Result<(), String> {
    let length = i32::try_from(length).map_err(|_| "more elements than a length can say")?;
    if version >= FLEXIBLE {
        put_varint(run, length.unsigned_abs() + 1);
    } else {
        run.put_i32(length);
    }
    Ok(())
}

fn put_varint(run: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        run.put_u8((value as u8) | 0x80);
        value >>= 7;
    }
    run.put_u8(value as u8);
}

#[cfg(test)]
mod tests;
