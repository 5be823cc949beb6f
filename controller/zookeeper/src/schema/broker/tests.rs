use super::*;

fn endpoint(listener: &str, protocol: SecurityProtocol, host: &str, port: u16) -> EndPoint {
    EndPoint { listener: ListenerName::new(listener), protocol, host: host.to_owned(), port }
}

fn registration() -> BrokerRegistration {
    BrokerRegistration {
        endpoints: vec![
            endpoint("CLIENTS", SecurityProtocol::Plaintext, "b1.example.net", 9092),
            endpoint("INTERNAL", SecurityProtocol::SaslSsl, "2001:db8::7", 9093),
        ],
        rack: Some("az-1".to_owned()),
        jmx_port: -1,
        features: BTreeMap::new(),
    }
}

#[test]
fn writes_version_5() {
    assert_eq!(
        String::from_utf8(encode(&registration(), Timestamp(1_727_771_234_567))).unwrap(),
        concat!(
            r#"{"version":5,"host":"b1.example.net","port":9092,"jmx_port":-1,"timestamp":"1727771234567","#,
            r#""endpoints":["CLIENTS://b1.example.net:9092","INTERNAL://[2001:db8::7]:9093"],"#,
            r#""listener_security_protocol_map":{"CLIENTS":"PLAINTEXT","INTERNAL":"SASL_SSL"},"#,
            r#""rack":"az-1","features":{}}"#
        )
    );
}

#[test]
fn a_broker_without_plaintext_has_no_host_and_no_rack_member_when_unset() {
    let secure = BrokerRegistration {
        endpoints: vec![endpoint("SSL", SecurityProtocol::Ssl, "h", 1)],
        rack: None,
        ..registration()
    };
    let text = String::from_utf8(encode(&secure, Timestamp(5))).unwrap();
    assert!(text.contains(r#""host":null,"port":-1"#), "{text}");
    assert!(!text.contains("rack"), "{text}");
    assert_eq!(decode(text.as_bytes()), Ok(secure));
}

#[test]
fn round_trips() {
    let mut with_features = registration();
    with_features.features.insert("f".to_owned(), FeatureRange { min_version: 1, max_version: 3 });
    for value in [registration(), with_features] {
        assert_eq!(decode(&encode(&value, Timestamp(1))), Ok(value));
    }
}

#[test]
fn reads_old_versions() {
    let v1 = decode(br#"{"version":1,"host":"h","port":9092,"jmx_port":9999,"timestamp":"1"}"#).unwrap();
    assert_eq!(v1.endpoints, [endpoint("PLAINTEXT", SecurityProtocol::Plaintext, "h", 9092)]);
    let v2 = decode(
        br#"{"version":2,"host":"h","port":9092,"jmx_port":-1,"timestamp":"1","endpoints":["PLAINTEXT://h:1","SSL://h:2"]}"#,
    )
    .unwrap();
    assert_eq!(v2.endpoints.get(1), Some(&endpoint("SSL", SecurityProtocol::Ssl, "h", 2)));
    let with_null_rack = br#"{"version":5,"host":null,"port":-1,"jmx_port":-1,"endpoints":[],"rack":null}"#;
    assert_eq!(decode(with_null_rack).unwrap().rack, None);
}

#[test]
fn refuses_what_kafka_cannot_read() {
    for text in [
        "",
        "null",
        r#"{"version":0,"jmx_port":1}"#,
        r#"{"version":5,"endpoints":["A://h:1"],"listener_security_protocol_map":{"A":"PLAINTEXT"}}"#, // no jmx_port
        r#"{"version":2,"jmx_port":1,"endpoints":["CUSTOM://h:1"]}"#,
        r#"{"version":5,"jmx_port":1,"endpoints":["A://h:1"],"listener_security_protocol_map":{}}"#,
        r#"{"version":5,"jmx_port":1,"endpoints":["PLAINTEXT://h:70000"]}"#,
        r#"{"version":2,"jmx_port":1,"endpoints":["PLAINTEXT://h"]}"#,
        r#"{"version":2,"jmx_port":1,"endpoints":["PLAINTEXT://h:1","plaintext://h:2"]}"#,
        r#"{"version":1,"jmx_port":1,"host":"h","port":-1}"#,
    ] {
        assert!(decode(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn children_are_broker_ids() {
    assert_eq!(parse_child("1001"), Some(BrokerId(1001)));
    assert_eq!(parse_child("-1"), None);
    assert_eq!(parse_child("x"), None);
    assert_eq!(path(BrokerId(7)), "/brokers/ids/7");
}
