//! What a consumer group keeps of a member itself (`ConsumerGroupMemberMetadataValue`).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use gregor_model::TopicName;

use super::SchemaError;
use super::primitive::{Reader, Writer};
use crate::InstanceId;

/// A member as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberValue {
    /// `group.instance.id` of a static member.
    pub instance: Option<InstanceId>,
    /// The client's rack.
    pub rack: Option<Arc<str>>,
    /// The client's `client.id`.
    pub client_id: Arc<str>,
    /// `/` and the client's address.
    pub client_host: Arc<str>,
    /// The topics it subscribes to.
    pub topics: BTreeSet<TopicName>,
    /// A pattern of topics; only kept, as version 0 of the protocol cannot give one.
    pub regex: Option<Arc<str>>,
    /// How long it may take to give partitions up, in ms.
    pub rebalance_timeout_ms: i32,
    /// The assignor it wants.
    pub assignor: Option<Arc<str>>,
    /// Of a member that speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

/// What only members that speak the classic protocol have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMember {
    /// After how much silence it is dead, in ms.
    pub session_timeout_ms: i32,
    /// The protocols it supports, with its metadata for each.
    pub protocols: Vec<(Arc<str>, Bytes)>,
}

impl MemberValue {
    pub(super) fn encode(&self, mut writer: Writer) -> Bytes {
        writer.compact_nullable_string(self.instance.as_ref().map(InstanceId::as_str));
        writer.compact_nullable_string(self.rack.as_deref());
        writer.compact_string(&self.client_id);
        writer.compact_string(&self.client_host);
        writer.compact_count(self.topics.len());
        self.topics.iter().for_each(|topic| writer.compact_string(topic.as_str()));
        writer.compact_nullable_string(self.regex.as_deref());
        writer.i32(self.rebalance_timeout_ms);
        writer.compact_nullable_string(self.assignor.as_deref());
        match &self.classic {
            Some(classic) => writer.one_tag(0, &classic.encode()),
            None => writer.no_tags(),
        }
        writer.finish()
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<MemberValue, SchemaError> {
        let instance = reader.nullable_string("instanceId", true)?.map(InstanceId::from);
        let rack = reader.nullable_string("rackId", true)?.map(Arc::from);
        let client_id = reader.string("clientId", true)?.into();
        let client_host = reader.string("clientHost", true)?.into();
        let mut topics = BTreeSet::new();
        for _ in 0..reader.count("subscribedTopicNames", true)? {
            topics.insert(TopicName::new(reader.string("topic", true)?));
        }
        let regex = reader.nullable_string("subscribedTopicRegex", true)?.map(Arc::from);
        let rebalance_timeout_ms = reader.i32("rebalanceTimeoutMs")?;
        let assignor = reader.nullable_string("serverAssignor", true)?.map(Arc::from);
        let mut classic = None;
        reader.tagged(|tag, field| {
            if tag == 0 {
                classic = ClassicMember::decode(&mut Reader::new(field))?;
            }
            Ok(())
        })?;
        Ok(MemberValue {
            instance,
            rack,
            client_id,
            client_host,
            topics,
            regex,
            rebalance_timeout_ms,
            assignor,
            classic,
        })
    }
}

impl ClassicMember {
    /// As a tagged field that could be null: a byte says that it is not.
    fn encode(&self) -> Bytes {
        let mut writer = Writer::headless();
        writer.i8(1);
        writer.i32(self.session_timeout_ms);
        writer.compact_count(self.protocols.len());
        for (name, metadata) in &self.protocols {
            writer.compact_string(name);
            writer.compact_bytes(metadata);
            writer.no_tags();
        }
        writer.no_tags();
        writer.finish()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Option<ClassicMember>, SchemaError> {
        if reader.i8("classicMemberMetadata")? < 0 {
            return Ok(None);
        }
        let session_timeout_ms = reader.i32("sessionTimeoutMs")?;
        let mut protocols = Vec::new();
        for _ in 0..reader.count("supportedProtocols", true)? {
            protocols.push((reader.string("name", true)?.into(), reader.bytes("metadata", true)?));
            reader.skip_tags(true)?;
        }
        reader.skip_tags(true)?;
        Ok(Some(ClassicMember { session_timeout_ms, protocols }))
    }
}
