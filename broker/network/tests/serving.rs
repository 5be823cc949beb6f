//! A server on loopback with real clients: order, limits, files, bad frames, stopping.

mod fixture;

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use fixture::{Fixture, ask, commit, frame};
use gregor_model::ListenerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn answers_keep_the_order_though_one_waits() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    // The first waits until the gate opens; the others could be answered at once.
    client.write_all(&[ask("wait", 1), ask("now", 2), ask("now", 3)].concat()).await.expect("sent");
    fixture.waiting(1).await;
    assert!(tokio::time::timeout(Duration::from_millis(20), client.read_u8()).await.is_err());
    fixture.open_gate();
    for expected in 1..=3 {
        assert_eq!(fixture::answer(&mut client).await.0, expected);
    }
}

#[tokio::test]
async fn an_answer_is_not_held_back_while_the_next_request_waits() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    client.write_all(&[ask("now", 1), ask("wait", 2)].concat()).await.expect("sent");
    assert_eq!(fixture::answer(&mut client).await.0, 1);
    fixture.open_gate();
    assert_eq!(fixture::answer(&mut client).await.0, 2);
}

#[tokio::test]
async fn requests_that_may_overlap_wait_together_and_are_answered_in_order() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    let sent = [commit("wait", 1), commit("now", 2), commit("wait", 3), ask("wait", 4), commit("wait", 5)];
    client.write_all(&sent.concat()).await.expect("sent");
    fixture.waiting(2).await;
    fixture.open_gate();
    assert!(tokio::time::timeout(Duration::from_millis(20), client.read_u8()).await.is_err());
    fixture.open_gate();
    for expected in 1..=3 {
        assert_eq!(fixture::answer(&mut client).await.0, expected);
    }
    // The others follow one another.
    for (waiting, expected) in [(3, 4), (4, 5)] {
        fixture.waiting(waiting).await;
        fixture.open_gate();
        assert_eq!(fixture::answer(&mut client).await.0, expected);
    }
}

#[tokio::test]
async fn a_bad_frame_does_not_cancel_what_waits_before_it() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    let sent = [commit("wait", 1), commit("wait", 2), frame(8, 3, 3, &[0xff; 3])];
    client.write_all(&sent.concat()).await.expect("sent");
    fixture.waiting(2).await;
    fixture.open_gate();
    fixture.open_gate();
    for expected in 1..=2 {
        assert_eq!(fixture::answer(&mut client).await.0, expected);
    }
    fixture::assert_closed(&mut client).await;
}

#[tokio::test]
async fn no_answer_and_close() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    client.write_all(&[ask("silent", 1), ask("now", 2), ask("close", 3)].concat()).await.expect("sent");
    assert_eq!(fixture::answer(&mut client).await.0, 2);
    fixture::assert_closed(&mut client).await;
}

#[tokio::test]
async fn bad_frames_close_their_connection_only() {
    let fixture = Fixture::start(|config| config.request_bytes_max = 1000);
    let mut other = fixture.connect().await;
    let bad: [&[u8]; 7] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &1001i32.to_be_bytes(),
        &[0, 0, 0, 0],
        &frame(99, 0, 1, b""),
        &frame(3, 99, 1, b""),
        &frame(3, 1, 1, &[0x7f, 0xff, 0xff, 0xff]),
    ];
    for bytes in bad {
        let mut client = fixture.connect().await;
        client.write_all(&ask("now", 7)).await.expect("sent");
        client.write_all(bytes).await.expect("sent");
        assert_eq!(fixture::answer(&mut client).await.0, 7, "what was asked before is answered");
        fixture::assert_closed(&mut client).await;
    }
    other.write_all(&ask("now", 8)).await.expect("sent");
    assert_eq!(fixture::answer(&mut other).await.0, 8);
}

#[tokio::test]
async fn frames_may_come_byte_by_byte() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    client.set_nodelay(true).expect("set");
    for byte in [ask("now", 1), ask("now", 2)].concat() {
        client.write_all(&[byte]).await.expect("sent");
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture::answer(&mut client).await.0, 1);
    assert_eq!(fixture::answer(&mut client).await.0, 2);
}

#[tokio::test]
async fn unknown_versions_of_api_versions_are_answered() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    client.write_all(&frame(18, 99, 1, &[1, 2, 3])).await.expect("sent");
    let mut found = [0; 20];
    client.read_exact(&mut found).await.expect("an answer");
    assert_eq!(found, [0, 0, 0, 16, 0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
}

#[tokio::test]
async fn files_and_what_is_made_are_sent_byte_for_byte() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    for length in [0usize, 1, 1000, 32 * 1024 - 1, 32 * 1024, 3_000_000] {
        for request in [fixture::fetch(length, 5), fixture::fetch_made(length, 5)] {
            client.write_all(&request).await.expect("sent");
            let (id, body) = fixture::answer(&mut client).await;
            assert_eq!(id, 5);
            fixture.assert_fetched(length, body);
        }
    }
    // Pipelined: files, pieces and headers of several answers behind each other.
    let lengths = [40_000usize, 10, 2_000_000, 50_000, 300_000, 5];
    let fetch = |(at, length)| match at % 3 {
        0 => fixture::fetch_made(length, 6),
        _ => fixture::fetch(length, 6),
    };
    let requests: Vec<u8> = lengths.into_iter().enumerate().flat_map(fetch).collect();
    client.write_all(&requests).await.expect("sent");
    for length in lengths {
        fixture.assert_fetched(length, fixture::answer(&mut client).await.1);
    }
}

#[tokio::test]
async fn a_file_that_became_shorter_closes_the_connection() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    client.write_all(&fixture::fetch(fixture::FILE_BYTES + 100_000, 5)).await.expect("sent");
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.expect("an end");
    assert!(all.len() < fixture::FILE_BYTES + 100_000);
}

#[tokio::test]
async fn connections_per_address_are_limited() {
    let fixture = Fixture::start(|config| config.limits.per_ip_max = 2);
    let (mut first, mut second) = (fixture.connect().await, fixture.connect().await);
    for client in [&mut first, &mut second] {
        client.write_all(&ask("now", 1)).await.expect("sent");
        fixture::answer(client).await;
    }
    fixture::assert_closed(&mut fixture.connect().await).await;
    drop(first);
    fixture.connections(1).await;
    let mut third = fixture.connect().await;
    third.write_all(&ask("now", 3)).await.expect("sent");
    assert_eq!(fixture::answer(&mut third).await.0, 3);
}

#[tokio::test]
async fn the_broker_wide_limit_makes_clients_wait() {
    let fixture = Fixture::start(|config| config.limits.connections_max = 1);
    let first = fixture.connect().await;
    fixture.connections(1).await;
    let mut second = fixture.connect().await;
    second.write_all(&ask("now", 2)).await.expect("sent");
    assert!(tokio::time::timeout(Duration::from_millis(20), second.read_u8()).await.is_err());
    drop(first);
    assert_eq!(fixture::answer(&mut second).await.0, 2);
    fixture.server().listeners().limiter().set(&fixture::config());
    let mut third = fixture.connect().await;
    third.write_all(&ask("now", 3)).await.expect("sent");
    assert_eq!(fixture::answer(&mut third).await.0, 3);
}

#[tokio::test]
async fn brokers_take_the_place_of_the_client_that_was_silent_longest() {
    let fixture = Fixture::start(|config| {
        config.limits.connections_max = 2;
        config.listeners.push(fixture::listener("INTERNAL"));
        config.inter_broker = config.listeners[1].endpoint.listener.clone();
    });
    let (mut silent, mut busy) = (fixture.connect().await, fixture.connect().await);
    for client in [&mut silent, &mut busy] {
        client.write_all(&ask("now", 1)).await.expect("sent");
        fixture::answer(client).await;
    }
    let mut broker = fixture.connect_to("INTERNAL").await;
    broker.write_all(&ask("now", 2)).await.expect("sent");
    assert_eq!(fixture::answer(&mut broker).await.0, 2);
    fixture::assert_closed(&mut silent).await;
    busy.write_all(&ask("now", 3)).await.expect("sent");
    assert_eq!(fixture::answer(&mut busy).await.0, 3);
}

#[tokio::test]
async fn silent_connections_are_closed_also_within_a_frame() {
    let fixture = Fixture::start(|config| config.idle_max = Some(Duration::from_millis(100)));
    let (mut silent, mut half) = (fixture.connect().await, fixture.connect().await);
    half.write_all(&ask("now", 1)[..9]).await.expect("sent");
    fixture::assert_closed(&mut silent).await;
    fixture::assert_closed(&mut half).await;
    fixture.connections(0).await;
}

#[tokio::test]
async fn stopping_answers_what_is_in_hand() {
    let mut fixture = Fixture::start(|_| {});
    let (mut idle, mut client) = (fixture.connect().await, fixture.connect().await);
    client.write_all(&[ask("wait", 1), ask("now", 2)].concat()).await.expect("sent");
    fixture.waiting(1).await;
    let stopping = tokio::spawn(fixture.take_server().stop(Duration::from_secs(60)));
    fixture::assert_closed(&mut idle).await;
    fixture.open_gate();
    assert_eq!(fixture::answer(&mut client).await.0, 1);
    fixture::assert_closed(&mut client).await;
    stopping.await.expect("stopped");
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    client.write_all(&ask("wait", 1)).await.expect("sent");
    fixture.waiting(1).await;
    fixture.take_server().stop(Duration::from_millis(10)).await;
    fixture::assert_closed(&mut client).await;
}

#[tokio::test]
async fn throttled_clients_get_their_answer_first_and_wait_then() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    let sent = std::time::Instant::now();
    client.write_all(&[ask("throttle", 1), ask("now", 2)].concat()).await.expect("sent");
    assert_eq!(fixture::answer(&mut client).await.0, 1);
    assert_eq!(fixture::answer(&mut client).await.0, 2);
    assert!(sent.elapsed() >= fixture::THROTTLE);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let fixture = Fixture::start(|_| {});
    let mut config = fixture::config();
    config.listeners[0].endpoint.port = fixture.port("PLAINTEXT");
    let error = gregor_network::BoundServer::bind(config).expect_err("in use").to_string();
    assert!(error.starts_with("listener PLAINTEXT://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn large_requests_arrive_whole() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect().await;
    let records = Bytes::from((0..5_000_000u32).map(|index| index as u8).collect::<Vec<_>>());
    // Produce version 3: a null transactional id, acks, timeout, one topic with one partition.
    let mut body = BytesMut::new();
    body.put_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9]);
    body.put_slice(&[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]);
    body.put_i32(i32::try_from(records.len()).expect("small"));
    body.put_slice(&records);
    client.write_all(&frame(0, 3, 4, &body)).await.expect("sent");
    fixture::answer(&mut client).await;
    assert_eq!(fixture.produced(), records);
}

#[tokio::test]
async fn listeners_come_and_go() {
    let mut fixture = Fixture::start(|_| {});
    let listeners = fixture.server().listeners();
    let mut stays = fixture.connect().await;
    let mut config = fixture::config();
    config.listeners.push(fixture::listener("EXTRA"));
    listeners.replace(config.clone()).await.expect("a free port");
    // The port of one that stays is what it was, though its configuration asks for any.
    let ports = listeners.ports();
    assert_eq!((ports.len(), listeners.stats().len()), (2, 2));
    assert_eq!(ports[&ListenerName::new("PLAINTEXT")], fixture.port("PLAINTEXT"));
    let extra = ("127.0.0.1", ports[&ListenerName::new("EXTRA")]);
    let mut goes = TcpStream::connect(extra).await.expect("served");
    goes.write_all(&ask("now", 1)).await.expect("sent");
    assert_eq!(fixture::answer(&mut goes).await.0, 1);

    // A port in use changes nothing.
    let mut taken = config.clone();
    let mut other = fixture::listener("OTHER");
    other.endpoint.port = extra.1;
    taken.listeners.push(other);
    assert!(listeners.replace(taken).await.is_err());
    assert_eq!(listeners.ports(), ports);

    config.listeners.pop();
    listeners.replace(config).await.expect("nothing to bind");
    fixture::assert_closed(&mut goes).await;
    assert!(TcpStream::connect(extra).await.is_err());
    stays.write_all(&ask("now", 2)).await.expect("sent");
    assert_eq!(fixture::answer(&mut stays).await.0, 2);
    fixture.take_server().stop(Duration::from_secs(5)).await;
}
