//! `partition.metadata` (`PartitionMetadataFile`): the topic's id.

use gregor_model::TopicId;

use super::text::BadCheckpoint;

/// The file, one in each partition's directory.
pub const NAME: &str = "partition.metadata";

/// Parses the file.
///
/// # Errors
/// What Kafka does not read either.
pub fn parse(bytes: &[u8]) -> Result<TopicId, BadCheckpoint> {
    let text = std::str::from_utf8(bytes).map_err(|_| BadCheckpoint::NotText)?;
    let mut lines = text.lines();
    let mut field = |name: &str| {
        let line = lines.next().unwrap_or_default();
        let value = line.split_once(':').filter(|(key, _)| *key == name).map(|(_, value)| value);
        value
            .filter(|value| value.starts_with(char::is_whitespace))
            .map(str::trim)
            .ok_or_else(|| BadCheckpoint::Line(line.to_owned()))
    };
    let version = field("version")?;
    if version.parse::<i32>().map_or(true, |version| version < 0) {
        return Err(BadCheckpoint::Version(version.to_owned()));
    }
    let id = field("topic_id")?;
    TopicId::parse(id).ok_or_else(|| BadCheckpoint::Line(id.to_owned()))
}

/// The file of `id`; it has no newline at its end.
pub fn format(id: TopicId) -> Vec<u8> {
    format!("version: 0\ntopic_id: {id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_in_kafkas_bytes() {
        let text = b"version: 0\ntopic_id: ABEiM0RVZneImaq7zN3u_w";
        let id = parse(text).unwrap();
        assert_eq!(id.uuid().to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(format(id), text);
    }

    #[test]
    fn refuses_what_kafka_refuses() {
        for text in [
            "",
            "version: 0",
            "version: -1\ntopic_id: ABEiM0RVZneImaq7zN3u_w",
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
            "version: 0\ntopic_id:ABEiM0RVZneImaq7zN3u_w",
            "topic_id: ABEiM0RVZneImaq7zN3u_w",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(parse(b"version: 3\ntopic_id: ABEiM0RVZneImaq7zN3u_w\n").is_ok());
    }
}
