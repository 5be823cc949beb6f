//! One of the two clusters, and what of its answers is its own: ids and addresses that the other cannot have.

use anyhow::Result;
use bytes::BytesMut;
use gregor_harness::Cluster;
use gregor_harness::rpc::Rpc;
use kafka_protocol::messages::{
    ApiKey, MetadataRequest, RequestHeader, RequestKind, ResponseHeader, ResponseKind,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, StrBytes};
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::value::{Value, parse};

/// Cases that name a producer who does not exist take a larger id than this.
const PRODUCER_IDS_MAX: i64 = 100_000;

/// What came of a request.
#[derive(Debug)]
pub enum Exchange {
    /// An answer.
    Answer(Box<ResponseKind>),
    /// The connection was closed.
    Closed,
    /// The answer cannot be read in the version asked for.
    Unreadable(String),
}

/// One cluster.
#[derive(Debug)]
pub struct Side {
    /// Its brokers.
    pub cluster: Cluster,
    cluster_id: String,
    topic_ids: BTreeMap<String, Uuid>,
    /// Member ids and the like that answers gave and later requests need.
    pub remembered: BTreeMap<&'static str, String>,
    /// Producer id and epoch of the transactional producer.
    pub producer: (i64, i16),
}

impl Side {
    /// A cluster whose state is as it should be.
    pub async fn new(cluster: Cluster) -> Result<Side> {
        let mut side = Side {
            cluster,
            cluster_id: String::new(),
            topic_ids: BTreeMap::new(),
            remembered: BTreeMap::new(),
            producer: (-1, -1),
        };
        side.learn().await?;
        Ok(side)
    }

    /// Asks for topic ids again.
    pub async fn learn(&mut self) -> Result<()> {
        let mut rpc = Rpc::connect(&self.cluster.brokers[0].address()).await?;
        let metadata = rpc.call(12, &MetadataRequest::default().with_topics(None)).await?;
        self.cluster_id = metadata.cluster_id.map(|id| id.to_string()).unwrap_or_default();
        for topic in metadata.topics {
            self.topic_ids
                .insert(topic.name.map(|name| name.to_string()).unwrap_or_default(), topic.topic_id);
        }
        Ok(())
    }

    /// The id of a topic.
    pub fn topic_id(&self, name: &str) -> Uuid {
        self.topic_ids.get(name).copied().unwrap_or_default()
    }

    /// What an earlier answer gave.
    pub fn recall(&self, what: &'static str) -> StrBytes {
        StrBytes::from_string(self.remembered.get(what).cloned().unwrap_or_default())
    }

    /// Sends a request on a connection of its own. The error is about the request: it does not fit its version.
    pub async fn exchange(
        &self,
        broker: usize,
        key: ApiKey,
        version: i16,
        request: &RequestKind,
    ) -> Result<Exchange> {
        const CORRELATION_ID: i32 = 5;
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(CORRELATION_ID)
            .with_client_id(Some(StrBytes::from_static_str("conformance")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, key.request_header_version(version))?;
        request.encode(&mut frame, version)?;
        let mut rpc = Rpc::connect(&self.cluster.brokers[broker].address()).await?;
        rpc.send_frame(&frame).await?;
        let Ok(mut answer) = rpc.receive_frame().await else { return Ok(Exchange::Closed) };
        let decoded = ResponseHeader::decode(&mut answer, key.response_header_version(version))
            .and_then(|_| ResponseKind::decode(key, &mut answer, version));
        Ok(decoded.map_or_else(
            |error| Exchange::Unreadable(error.to_string()),
            |answer| Exchange::Answer(Box::new(answer)),
        ))
    }

    /// An answer without what may differ.
    pub fn settle(&self, answer: &ResponseKind) -> Value {
        parse(&format!("{answer:#?}")).settle("", &|field, text| self.stand_in(field, text))
    }

    /// What stands for a value that only this cluster can have.
    fn stand_in(&self, field: &str, text: String) -> String {
        if field == "port" {
            return self.broker_of(&text).map_or(text, |broker| format!("<port of {broker}>"));
        }
        let bare = text.trim_start_matches("Some(").trim_end_matches(')').trim_matches('"');
        if bare == self.cluster_id && !bare.is_empty() {
            return "<cluster id>".to_owned();
        }
        if let Some((name, _)) = self.topic_ids.iter().find(|(_, id)| !id.is_nil() && id.to_string() == bare)
        {
            return format!("<id of {name}>");
        }
        if let Some((what, _)) = self.remembered.iter().find(|(_, value)| !value.is_empty() && *value == bare)
        {
            return format!("<{what}>");
        }
        // Our texts are our own; that there is one is compared.
        if field == "documentation" && text != "None" {
            return "<a text>".to_owned();
        }
        // Brokers take ids from blocks, and skip what they had not used.
        if field == "producer_id" && bare.parse().is_ok_and(|id: i64| (0..PRODUCER_IDS_MAX).contains(&id)) {
            return "<producer id>".to_owned();
        }
        match bare.parse::<i64>() {
            // Milliseconds of these years; what a case itself sent lies before.
            Ok(number) if number > 1_700_000_000_000 && number < 4_000_000_000_000 => "<now>".to_owned(),
            _ => self.without_places(text),
        }
    }

    fn broker_of(&self, port: &str) -> Option<i32> {
        let broker = self
            .cluster
            .brokers
            .iter()
            .find(|broker| broker.address().rsplit_once(':').is_some_and(|(_, own)| own == port))?;
        Some(broker.id())
    }

    /// Paths and addresses inside messages.
    fn without_places(&self, mut text: String) -> String {
        for broker in &self.cluster.brokers {
            text =
                text.replace(&broker.data_dir().display().to_string(), &format!("<dir of {}>", broker.id()));
            text = text.replace(&broker.address(), &format!("<address of {}>", broker.id()));
            if let Some((_, port)) = broker.address().rsplit_once(':') {
                text = text.replace(&format!(":{port}"), &format!(":<port of {}>", broker.id()));
            }
        }
        for (name, id) in self.topic_ids.iter().filter(|(_, id)| !id.is_nil()) {
            text = text.replace(&id.to_string(), &format!("<id of {name}>"));
        }
        for (what, value) in self.remembered.iter().filter(|(_, value)| !value.is_empty()) {
            text = text.replace(value.as_str(), &format!("<{what}>"));
        }
        text.replace(self.cluster.ensemble.connect_string().as_str(), "<zookeeper>")
    }
}
