//! One member of a group.

use std::sync::Arc;

use bytes::Bytes;

use super::super::request::{Join, Protocol, RequestId};
use crate::schema::consumer_group::{ClassicMember, MemberValue as ConsumerValue};
use crate::schema::group::MemberValue;
use crate::{InstanceId, MemberId};

/// A member (`MemberMetadata`). What is parked dies with the broker; the rest is stored with the group.
#[derive(Debug)]
pub(in crate::group) struct Member {
    pub(in crate::group) id: MemberId,
    pub(in crate::group) instance: Option<InstanceId>,
    pub(in crate::group) client_id: Arc<str>,
    pub(in crate::group) client_host: Arc<str>,
    pub(in crate::group) session_timeout_ms: i32,
    pub(in crate::group) rebalance_timeout_ms: i32,
    pub(in crate::group) protocols: Vec<Protocol>,
    pub(in crate::group) assignment: Bytes,
    /// Has joined, but no round has completed with it yet: it lives for a fixed time instead of a session.
    pub(in crate::group) is_new: bool,
    pub(in crate::group) parked_join: Option<RequestId>,
    pub(in crate::group) parked_sync: Option<RequestId>,
}

impl Member {
    pub(in crate::group) fn new(id: MemberId, join: &Join) -> Member {
        Member {
            id,
            instance: join.instance.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols.clone(),
            assignment: Bytes::new(),
            is_new: true,
            parked_join: None,
            parked_sync: None,
        }
    }

    /// A classic member of a consumer group that becomes a classic group.
    pub(in crate::group) fn of_consumer(
        id: MemberId,
        about: &ConsumerValue,
        classic: &ClassicMember,
    ) -> Member {
        let protocol = |(name, metadata): &(Arc<str>, Bytes)| Protocol {
            name: name.clone(),
            metadata: metadata.clone(),
        };
        Member {
            id,
            instance: about.instance.clone(),
            client_id: about.client_id.clone(),
            client_host: about.client_host.clone(),
            session_timeout_ms: classic.session_timeout_ms,
            rebalance_timeout_ms: about.rebalance_timeout_ms,
            protocols: classic.protocols.iter().map(protocol).collect(),
            assignment: Bytes::new(),
            is_new: false,
            parked_join: None,
            parked_sync: None,
        }
    }

    /// The member's metadata for a protocol; empty when it does not support it.
    pub(in crate::group) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|supported| *supported.name == *protocol);
        found.map(|supported| supported.metadata.clone()).unwrap_or_default()
    }

    pub(in crate::group) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|supported| *supported.name == *protocol)
    }

    /// Whether the member has a request waiting, which shows that it lives.
    pub(in crate::group) fn is_waiting(&self) -> bool {
        self.parked_join.is_some() || self.parked_sync.is_some()
    }

    pub(in crate::group) fn to_value(&self, protocol: Option<&str>, assignment: Bytes) -> MemberValue {
        MemberValue {
            member: self.id.clone(),
            instance: self.instance.clone(),
            client_id: (&*self.client_id).into(),
            client_host: (&*self.client_host).into(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: protocol.map(|protocol| self.metadata(protocol)).unwrap_or_default(),
            assignment,
        }
    }

    /// A loaded member supports only the protocol that was selected, as the record holds no other.
    pub(in crate::group) fn from_value(value: MemberValue, protocol: Option<&Arc<str>>) -> Member {
        let protocols = protocol.map(|name| Protocol { name: name.clone(), metadata: value.subscription });
        Member {
            id: value.member,
            instance: value.instance,
            client_id: (&*value.client_id).into(),
            client_host: (&*value.client_host).into(),
            session_timeout_ms: value.session_timeout_ms,
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            protocols: protocols.into_iter().collect(),
            assignment: value.assignment,
            is_new: false,
            parked_join: None,
            parked_sync: None,
        }
    }
}
