//! Records of Kafka's own topics: whether coordinators can read them. Pure.

use gregor_coordinator::schema::consumer_group::ConsumerRecord;
use gregor_coordinator::schema::group::{GroupTopicKey, GroupValue};
use gregor_coordinator::schema::offset::OffsetValue;
use gregor_coordinator::schema::transaction::{TransactionValue, decode_key};
use gregor_model::TopicName;
use gregor_records::RecordRef;

/// What is wrong with a record of this topic, if the topic is internal and something is.
pub(crate) fn problem(topic: &TopicName, record: &RecordRef<'_>) -> Option<String> {
    match topic.as_str() {
        "__consumer_offsets" => of_group_topic(record),
        "__transaction_state" => of_transaction_topic(record),
        _ => None,
    }
}

fn of_group_topic(record: &RecordRef<'_>) -> Option<String> {
    let Some(key) = record.key else { return Some("it has no key".to_owned()) };
    let key = match GroupTopicKey::decode(key) {
        Ok(key) => key,
        Err(error) => return Some(format!("its key: {error}")),
    };
    let value = record.value?;
    let outcome = match key {
        GroupTopicKey::Offset(_) => OffsetValue::decode(value).map(drop),
        GroupTopicKey::Group(_) => GroupValue::decode(value).map(drop),
        GroupTopicKey::Consumer(_, key) => ConsumerRecord::decode(key, Some(value)).map(drop),
        GroupTopicKey::Unknown(_) => Ok(()),
    };
    outcome.err().map(|error| format!("its value: {error}"))
}

fn of_transaction_topic(record: &RecordRef<'_>) -> Option<String> {
    let Some(key) = record.key else { return Some("it has no key".to_owned()) };
    match decode_key(key) {
        Err(error) => Some(format!("its key: {error}")),
        Ok(None) => None,
        Ok(Some(_)) => {
            TransactionValue::decode(record.value?).err().map(|error| format!("its value: {error}"))
        }
    }
}
