//! What is printed of each broker (`NodeApiVersions.toString`). Pure.

use std::collections::BTreeMap;

use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::ApiVersion;

use super::names::{KnownApi, known};
use crate::admin::Node;

/// A broker, and what it said or why it did not.
#[derive(Clone, Debug)]
pub struct BrokerVersions {
    /// The broker.
    pub node: Node,
    /// Its answer to ApiVersions.
    pub versions: Result<ApiVersionsResponse, String>,
}

/// The lines of kafka-broker-api-versions.sh.
pub fn text(brokers: &[BrokerVersions]) -> String {
    let known = known();
    let show = |BrokerVersions { node, versions }: &BrokerVersions| match versions {
        Ok(answer) => format!("{node} -> (\n\t{}\n)\n", lines(&known, &answer.api_keys).join(",\n\t")),
        Err(reason) => format!("{node} -> ERROR: {reason}\n"),
    };
    brokers.iter().map(show).collect()
}

fn lines(known: &[KnownApi], spoken: &[ApiVersion]) -> Vec<String> {
    let mut lines: BTreeMap<i16, String> = known
        .iter()
        .filter(|api| api.is_for_clients)
        .map(|api| (api.key, format!("{}({}): UNSUPPORTED", api.name, api.key)))
        .collect();
    for api in spoken {
        let known = known.iter().find(|known| known.key == api.api_key);
        lines.insert(api.api_key, line(api, known));
    }
    lines.into_values().collect()
}

fn line(api: &ApiVersion, known: Option<&KnownApi>) -> String {
    let (oldest, newest) = (api.min_version, api.max_version);
    let versions = if oldest == newest { oldest.to_string() } else { format!("{oldest} to {newest}") };
    let Some(known) = known else { return format!("UNKNOWN({}): {versions}", api.api_key) };
    format!("{}({}): {versions} [{}]", known.name, known.key, usable(api, known))
}

fn usable(api: &ApiVersion, known: &KnownApi) -> String {
    let (oldest, newest) = known.versions;
    if newest < api.min_version {
        "unusable: node too new".to_owned()
    } else if api.max_version < oldest {
        "unusable: node too old".to_owned()
    } else {
        format!("usable: {}", newest.min(api.max_version))
    }
}

/// The same as JSON: brokers, each with its APIs or an error.
pub fn json(brokers: &[BrokerVersions]) -> serde_json::Value {
    let known = known();
    let api = |api: &ApiVersion| {
        let name = known.iter().find(|known| known.key == api.api_key).map(|known| known.name.clone());
        serde_json::json!({
            "key": api.api_key, "name": name, "minVersion": api.min_version, "maxVersion": api.max_version,
        })
    };
    let broker = |BrokerVersions { node, versions }: &BrokerVersions| {
        let (apis, error) = match versions {
            Ok(answer) => (answer.api_keys.iter().map(api).collect(), None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        serde_json::json!({
            "id": node.id, "host": node.host, "port": node.port, "rack": node.rack, "apis": apis, "error": error,
        })
    };
    serde_json::json!({ "brokers": brokers.iter().map(broker).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(key: i16, oldest: i16, newest: i16) -> ApiVersion {
        ApiVersion::default().with_api_key(key).with_min_version(oldest).with_max_version(newest)
    }

    #[test]
    fn a_line_per_api() {
        let known = known();
        for (spoken, expected) in [
            (api(0, 0, 11), "Produce(0): 0 to 11 [usable: 11]"),
            (api(0, 3, 12), "Produce(0): 3 to 12 [usable: 11]"),
            (api(0, 13, 14), "Produce(0): 13 to 14 [unusable: node too new]"),
            (api(64, 0, 0), "UnregisterBroker(64): 0 [usable: 0]"),
            (api(1000, 0, 2), "UNKNOWN(1000): 0 to 2"),
        ] {
            let found = known.iter().find(|known| known.key == spoken.api_key);
            assert_eq!(line(&spoken, found), expected);
        }
    }

    #[test]
    fn what_a_broker_does_not_speak_is_listed_if_clients_use_it() {
        let node = Node { id: 1, host: "h".to_owned(), port: 9092, rack: Some("r".to_owned()) };
        let answer = ApiVersionsResponse::default().with_api_keys(vec![api(3, 0, 12), api(1000, 0, 0)]);
        let shown = text(&[BrokerVersions { node: node.clone(), versions: Ok(answer) }]);
        assert!(shown.starts_with("h:9092 (id: 1 rack: r) -> (\n\tProduce(0): UNSUPPORTED,\n"), "{shown}");
        assert!(shown.contains("\tMetadata(3): 0 to 12 [usable: 12],\n"), "{shown}");
        assert!(shown.ends_with(",\n\tUNKNOWN(1000): 0\n)\n"), "{shown}");
        assert!(!shown.contains("\tVote("), "{shown}");
        let down = [BrokerVersions { node, versions: Err("refused".to_owned()) }];
        assert_eq!(text(&down), "h:9092 (id: 1 rack: r) -> ERROR: refused\n");
        assert_eq!(json(&down)["brokers"][0]["error"], "refused");
    }
}
