//! The file with an offset for each partition. Pure.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;

use crate::json::{Json, JsonError, parse};

/// The offset before which each partition's records are to go.
pub fn read(text: &str) -> Result<Vec<(TopicPartition, i64)>, JsonError> {
    let value = parse(text)?;
    let document = Json::document(&value);
    document.check_version()?;
    let mut offsets = BTreeMap::new();
    for entry in document.field("partitions")?.elements()? {
        let partition = entry.topic_partition()?;
        let offset = entry.field("offset")?.i64()?;
        if offsets.insert(partition.clone(), offset).is_some() {
            return Err(entry.invalid(format!("the partition {partition} is there twice")));
        }
    }
    Ok(offsets.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans() {
        let entry = r#"{"topic":"t","partition":0,"offset":5}"#;
        let plan = format!(r#"{{"partitions":[{entry}],"version":1}}"#);
        assert_eq!(read(&plan), Ok(vec![(TopicPartition::new("t", 0), 5)]));
        let twice = read(&format!(r#"{{"partitions":[{entry},{entry}]}}"#)).unwrap_err();
        assert_eq!(twice.to_string(), "partitions[1]: the partition t-0 is there twice");
    }
}
