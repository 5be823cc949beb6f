//! The records against bytes that Apache Kafka 3.9 wrote, against damage, and against themselves.

use proptest::prelude::*;

use super::*;
use crate::schema::group::GroupTopicKey;
use crate::schema::group::tests::hex;

fn topic() -> TopicId {
    TopicId::parse("AQIDBAUGBwgJCgsMDQ4PEA").expect("an id")
}

fn partitions(partitions: &[i32]) -> Assignment {
    partitions.iter().map(|partition| (topic(), *partition)).collect()
}

fn member() -> MemberValue {
    MemberValue {
        instance: None,
        rack: Some("r".into()),
        client_id: "c1".into(),
        client_host: "/10.0.0.7".into(),
        topics: [TopicName::new("orders")].into(),
        regex: Some("".into()),
        rebalance_timeout_ms: 300_000,
        assignor: Some("uniform".into()),
        classic: None,
    }
}

fn classic_member() -> MemberValue {
    let protocols = vec![("range".into(), Bytes::from_static(&[1, 2, 3]))];
    MemberValue {
        instance: Some("i".into()),
        rack: None,
        regex: None,
        assignor: None,
        classic: Some(ClassicMember { session_timeout_ms: 45_000, protocols }),
        ..member()
    }
}

#[test]
fn bytes_as_kafka_writes_them() {
    #[track_caller]
    fn check(record: ConsumerRecord, key: &str, value: &str) {
        let (key, value) = (hex(key), hex(value));
        assert_eq!(record.encode_key(&"g1".into()), key);
        assert_eq!(record.encode_value().as_deref(), Some(&*value));
        let Ok(GroupTopicKey::Consumer(group, decoded)) = GroupTopicKey::decode(&key) else {
            panic!("not a key of a consumer group");
        };
        assert_eq!(group, "g1".into());
        assert_eq!(ConsumerRecord::decode(decoded.clone(), Some(&value)), Ok(record));
        for end in 0..value.len() {
            assert!(ConsumerRecord::decode(decoded.clone(), Some(&value[..end])).is_err(), "{end}");
        }
        let tombstone = ConsumerRecord::decode(decoded, None).expect("a tombstone has nothing to damage");
        assert_eq!((tombstone.encode_key(&group), tombstone.encode_value()), (key.into(), None));
    }
    let m1 = || MemberId::from("m1");
    check(ConsumerRecord::Epoch(Some(7)), "0003 00026731", "0000 00000007 00");
    let racks = [(0, ["a".into(), "b".into()].into())].into();
    let orders = SubscribedTopic { id: topic(), partitions: 3, racks };
    check(
        ConsumerRecord::Topics(Some(Arc::new([(TopicName::new("orders"), orders)].into()))),
        "0004 00026731",
        "000002 0102030405060708090a0b0c0d0e0f10 076f7264657273 00000003 02 00000000 03 0261 0262 00 00 00",
    );
    check(
        ConsumerRecord::Member(m1(), Some(Arc::new(member()))),
        "0005 00026731 00026d31",
        "0000 00 0272 036331 0a2f31302e302e302e37 02 076f7264657273 01 000493e0 08756e69666f726d 00",
    );
    check(
        ConsumerRecord::Member(m1(), Some(Arc::new(classic_member()))),
        "0005 00026731 00026d31",
        "0000 0269 00 036331 0a2f31302e302e302e37 02 076f7264657273 00 000493e0 00 \
         01 00 12 01 0000afc8 02 0672616e6765 04010203 00 00",
    );
    check(ConsumerRecord::TargetEpoch(Some(7)), "0006 00026731", "0000 00000007 00");
    check(
        ConsumerRecord::Target(m1(), Some(Arc::new(partitions(&[0, 2])))),
        "0007 00026731 00026d31",
        "0000 02 0102030405060708090a0b0c0d0e0f10 03 00000000 00000002 00 00",
    );
    let current = CurrentAssignment {
        epoch: 7,
        previous_epoch: 6,
        state: MemberState::UnrevokedPartitions,
        assigned: partitions(&[0]),
        revoking: partitions(&[2]),
    };
    check(
        ConsumerRecord::Current(m1(), Some(Arc::new(current))),
        "0008 00026731 00026d31",
        "0000 00000007 00000006 01 02 0102030405060708090a0b0c0d0e0f10 02 00000000 00 \
         02 0102030405060708090a0b0c0d0e0f10 02 00000002 00 00",
    );
}

#[test]
fn other_versions_are_refused() {
    let refused = Err(SchemaError::Version { what: "consumer group value", version: 1 });
    assert_eq!(ConsumerRecord::decode(ConsumerKey::Epoch, Some(&hex("0001 00000007 00"))), refused);
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), key in 0_usize..6) {
        let keys = [
            ConsumerKey::Epoch,
            ConsumerKey::Topics,
            ConsumerKey::Member("m".into()),
            ConsumerKey::TargetEpoch,
            ConsumerKey::Target("m".into()),
            ConsumerKey::Current("m".into()),
        ];
        let value: Vec<u8> = [0, 0].into_iter().chain(bytes).collect();
        // Any answer will do, as long as there is one.
        ConsumerRecord::decode(keys[key].clone(), Some(&value)).ok();
    }

    #[test]
    fn what_is_written_is_read(
        epochs in any::<(i32, i32)>(),
        assigned in proptest::collection::vec((1_u8..4, any::<i32>()), 0..20),
        revoking in proptest::collection::vec((1_u8..4, any::<i32>()), 0..20),
    ) {
        let set = |partitions: Vec<(u8, i32)>| -> Assignment {
            let id = |seed| TopicId::from_wire(uuid::Uuid::from_bytes([seed; 16])).expect("not zero");
            partitions.into_iter().map(|(topic, partition)| (id(topic), partition)).collect()
        };
        let current = CurrentAssignment {
            epoch: epochs.0,
            previous_epoch: epochs.1,
            state: MemberState::UnreleasedPartitions,
            assigned: set(assigned),
            revoking: set(revoking),
        };
        let record = ConsumerRecord::Current("m".into(), Some(Arc::new(current)));
        let value = record.encode_value();
        prop_assert_eq!(ConsumerRecord::decode(ConsumerKey::Current("m".into()), value.as_deref()), Ok(record));
    }
}
