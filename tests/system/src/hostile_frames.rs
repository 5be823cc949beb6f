//! What no client would send: 200,000 random, truncated and length-lying frames against a broker that others are using.

use anyhow::{Result, ensure};
use bytes::{BufMut as _, BytesMut};
use gregor_harness::cluster::{SETTLE, one_record, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, ClusterBuilder, Load, read_back, run_within};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest, RequestHeader,
};
use kafka_protocol::protocol::{Encodable as _, Request, StrBytes};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use std::time::Duration;

const FRAMES: usize = 200_000;
/// Sent before memory is first measured.
const WARM_UP_FRAMES: usize = 4_000;
const SENDERS: usize = 4;
const RSS_GROWTH_MAX: u64 = 64 << 20;
/// Connections that announce a large frame and then say nothing.
const SILENT_CONNECTIONS: usize = 200;
const TOPIC: &str = "orders";

#[test]
fn hostile_frames_harm_nobody_else() {
    if BrokerKind::chosen(1).is_ok_and(|kinds| kinds == [BrokerKind::Kafka]) {
        println!("skipped: Apache Kafka allocates what a frame announces, and runs out of heap");
        return;
    }
    run_within(Duration::from_secs(400), async |context| {
        let mut cluster =
            ClusterBuilder::new(1)?.property("auto.create.topics.enable", "false").start(context).await?;
        cluster.create_topic(TOPIC, 1, 1).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 200)?;
        load.wait_for_progress(100, SETTLE).await?;
        let address = cluster.brokers[0].address();
        // Against a broker that has seen some of it, so that buffers and code which it needs once are not counted.
        send_frames(&address, WARM_UP_FRAMES, 1).await?;
        let before = cluster.broker(0)?.process()?.resident_bytes()?;

        send_frames(&address, FRAMES, 2).await?;
        let after_frames = cluster.broker(0)?.process()?.resident_bytes()?;
        let silent = announce_and_say_nothing(&address).await?;
        let with_silent = cluster.broker(0)?.process()?.resident_bytes()?;
        drop(silent);

        println!(
            "resident: {before} bytes, after the frames {after_frames}, with silent connections {with_silent}"
        );
        let growth = after_frames.max(with_silent).saturating_sub(before);
        ensure!(growth < RSS_GROWTH_MAX, "resident memory grew by {growth} bytes");
        load.wait_for_progress(100, SETTLE).await?;
        let acknowledged = load.stop().await?;
        let topic = read_back::read_topic(&cluster.bootstrap(), TOPIC, 1).await?;
        read_back::check_acknowledged(&acknowledged, &topic)
    });
}

/// Sends `count` frames, each on a connection of its own: a broker closes at the first bad one, and would not read a second.
/// Seeds are fixed: a run that fails can be repeated.
async fn send_frames(address: &str, count: usize, seed: u64) -> Result<()> {
    let seeds = well_formed()?;
    let senders = (0..SENDERS).map(|sender| {
        let (address, seeds) = (address.to_owned(), seeds.clone());
        tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed * 1_000 + sender as u64);
            for _ in 0..count / SENDERS {
                let mut rpc = Rpc::connect(&address).await?;
                let frame = hostile_frame(&seeds, &mut random);
                // It may be refused half-way, that is the point. The broker sees our end of the connection in any case.
                let _ = rpc.send_raw(&frame).await;
                rpc.finish().await;
            }
            Ok::<(), anyhow::Error>(())
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await??;
    }
    Ok(())
}

fn hostile_frame(seeds: &[BytesMut], random: &mut StdRng) -> BytesMut {
    let mut body = match random.random_range(0..4) {
        0 => random_bytes(random, 64),
        1 => random_request(random),
        2 => {
            let mut body = seeds[random.random_range(0..seeds.len())].clone();
            body.truncate(random.random_range(0..=body.len()));
            body
        }
        _ => {
            let mut body = seeds[random.random_range(0..seeds.len())].clone();
            lie_about_a_length(&mut body, random);
            body
        }
    };
    let mut frame = BytesMut::new();
    match random.random_range(0..40) {
        0 => frame.put_i32(random.random::<i32>()),
        1 => frame.put_i32(-1),
        _ => frame.put_i32(body.len() as i32),
    }
    frame.unsplit(body.split());
    frame
}

fn random_bytes(random: &mut StdRng, most: usize) -> BytesMut {
    let mut body = BytesMut::zeroed(random.random_range(0..most));
    random.fill_bytes(&mut body);
    body
}

/// A good header of any API and version, then noise.
fn random_request(random: &mut StdRng) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_i16(random.random_range(-1..90));
    body.put_i16(random.random_range(-1..20));
    body.put_i32(random.random());
    body.put_i16(1);
    body.put_u8(b'x');
    body.put_u8(0);
    body.unsplit(random_bytes(random, 48));
    body
}

/// Overwrites somewhere with what a reader may take for a huge, negative or slightly wrong count.
fn lie_about_a_length(body: &mut BytesMut, random: &mut StdRng) {
    const LIES: [&[u8]; 6] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0x00, 0x10, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0x7f],
        &[0xff],
    ];
    let lie = LIES[random.random_range(0..LIES.len())];
    if body.len() > lie.len() + 8 {
        let at = random.random_range(8..body.len() - lie.len());
        body[at..at + lie.len()].copy_from_slice(lie);
    }
}

/// Good requests to damage.
fn well_formed() -> Result<Vec<BytesMut>> {
    let produce = ProduceRequest::default().with_acks(1).with_timeout_ms(1_000).with_topic_data(vec![
        TopicProduceData::default().with_name(topic_name("nowhere")).with_partition_data(vec![
            PartitionProduceData::default().with_records(Some(one_record("payload")?)),
        ]),
    ]);
    let fetch = FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![
        FetchTopic::default()
            .with_topic(topic_name(TOPIC))
            .with_partitions(vec![FetchPartition::default().with_partition_max_bytes(1_024)]),
    ]);
    let list_offsets = ListOffsetsRequest::default().with_topics(vec![
        ListOffsetsTopic::default()
            .with_name(topic_name(TOPIC))
            .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]),
    ]);
    let metadata = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic_name(TOPIC)))]));
    let api_versions = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("harness"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let mut frames = Vec::new();
    for version in [3, 8, 9] {
        frames.push(encoded(version, &produce)?);
    }
    for version in [4, 11, 12] {
        frames.push(encoded(version, &fetch)?);
    }
    for version in [1, 6] {
        frames.push(encoded(version, &list_offsets)?);
    }
    for version in [0, 1, 9, 12] {
        frames.push(encoded(version, &metadata)?);
    }
    frames.push(encoded(3, &api_versions)?);
    Ok(frames)
}

fn encoded<R: Request>(version: i16, request: &R) -> Result<BytesMut> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("hostile")));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version))?;
    request.encode(&mut body, version)?;
    Ok(body)
}

/// Connections that each announce almost `socket.request.max.bytes` (100 MiB), send a little of it, and wait.
async fn announce_and_say_nothing(address: &str) -> Result<Vec<Rpc>> {
    let mut connections = Vec::new();
    for _ in 0..SILENT_CONNECTIONS {
        let mut rpc = Rpc::connect(address).await?;
        let mut start = BytesMut::new();
        start.put_i32(100 * 1024 * 1024 - 1);
        start.put_bytes(0, 512);
        rpc.send_raw(&start).await?;
        connections.push(rpc);
    }
    // The broker has read those bytes once it answers a request that came after them.
    Rpc::connect(address).await?.call(3, &ApiVersionsRequest::default()).await?;
    Ok(connections)
}
