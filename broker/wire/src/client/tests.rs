use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gregor_model::{EndPoint, ListenerName, SecurityProtocol};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse, MetadataRequest,
};
use kafka_protocol::protocol::VersionRange;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::response::encode_response_plain;

/// A connection whose other end the test plays.
fn connection(options: ClientOptions) -> (Connection, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(ours);
    (Connection::start(reader, writer, options), theirs)
}

async fn request(stream: &mut DuplexStream) -> (i16, i16, i32) {
    let length = stream.read_i32().await.expect("a length");
    let mut frame = vec![0; usize::try_from(length).expect("a length")];
    stream.read_exact(&mut frame).await.expect("a frame");
    let mut frame = Bytes::from(frame);
    (frame.get_i16(), frame.get_i16(), frame.get_i32())
}

fn heartbeat(code: i16, correlation_id: i32) -> Bytes {
    encode_response_plain(4, correlation_id, &HeartbeatResponse::default().with_error_code(code))
        .expect("encodable")
}

async fn send(connection: &Connection) -> Result<i16, ClientError> {
    connection.send(HeartbeatRequest::default(), 4).await.map(|response| response.error_code)
}

#[tokio::test]
async fn many_in_flight_each_gets_its_own() {
    let (connection, mut peer) = connection(ClientOptions::default());
    let calls = async { tokio::join!(send(&connection), send(&connection), send(&connection)) };
    let play = async {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(request(&mut peer).await.2);
        }
        let answers: Vec<u8> = (10..).zip(&ids).flat_map(|(code, id)| heartbeat(code, *id)).collect();
        // In two pieces that end within a frame.
        peer.write_all(&answers[..20]).await.expect("written");
        peer.write_all(&answers[20..]).await.expect("written");
    };
    let (answers, ()) = tokio::join!(calls, play);
    assert_eq!((answers.0.ok(), answers.1.ok(), answers.2.ok()), (Some(10), Some(11), Some(12)));
    assert!(!connection.is_closed());
}

#[tokio::test]
async fn no_more_in_flight_than_allowed() {
    let (connection, mut peer) = connection(ClientOptions { in_flight_max: 1, ..ClientOptions::default() });
    let calls = async { tokio::join!(send(&connection), send(&connection)) };
    let play = async {
        let first = request(&mut peer).await.2;
        assert!(tokio::time::timeout(Duration::from_millis(20), peer.read_u8()).await.is_err());
        peer.write_all(&heartbeat(1, first)).await.expect("written");
        let second = request(&mut peer).await.2;
        peer.write_all(&heartbeat(2, second)).await.expect("written");
    };
    let (answers, ()) = tokio::join!(calls, play);
    assert_eq!((answers.0.ok(), answers.1.ok()), (Some(1), Some(2)));
}

#[tokio::test]
async fn whatever_is_no_answer_closes() {
    let wrong_id = heartbeat(0, 4711);
    let oversize = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);
    let negative = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]);
    let short = Bytes::from_static(&[0, 0, 0, 2, 0, 0]);
    let mut trailing = BytesMut::from(&heartbeat(0, 0)[..]);
    trailing.put_u8(9);
    trailing[3] += 1;
    for answer in [wrong_id, oversize, negative, short, trailing.freeze()] {
        let (connection, mut peer) = connection(ClientOptions::default());
        let play = async {
            request(&mut peer).await;
            peer.write_all(&answer).await.expect("written");
        };
        let (result, ()) = tokio::join!(send(&connection), play);
        assert!(result.is_err(), "{answer:?}");
        connection.closed().await;
        assert!(matches!(send(&connection).await, Err(ClientError::Disconnected(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn silence_closes_and_fails_the_others() {
    let (connection, _peer) = connection(ClientOptions::default());
    let patient = connection.send_with_timeout(HeartbeatRequest::default(), 4, Duration::from_secs(100));
    let (patient, impatient) = tokio::join!(patient, send(&connection));
    assert!(matches!(impatient, Err(ClientError::Timeout(timeout)) if timeout == Duration::from_secs(30)));
    assert!(matches!(patient, Err(ClientError::Disconnected(_))), "{patient:?}");
}

#[tokio::test]
async fn the_other_side_goes() {
    let (connection, peer) = connection(ClientOptions::default());
    drop(peer);
    assert!(matches!(send(&connection).await, Err(ClientError::Disconnected(_))));
    assert!(connection.is_closed());
}

#[tokio::test]
async fn dropping_the_last_handle_closes() {
    let (connection, mut peer) = connection(ClientOptions::default());
    let other = connection.clone();
    drop(connection);
    assert!(!other.is_closed());
    drop(other);
    assert_eq!(peer.read(&mut [0; 1]).await.expect("an end"), 0);
}

#[tokio::test]
async fn negotiation_falls_back_to_version_0() {
    let (connection, mut peer) = connection(ClientOptions::default());
    let play = async {
        let (key, version, id) = request(&mut peer).await;
        assert_eq!((key, version), (18, 3));
        let refusal = ApiVersionsResponse::default().with_error_code(35);
        peer.write_all(&encode_response_plain(0, id, &refusal).expect("encodable")).await.expect("written");
        let (_, version, id) = request(&mut peer).await;
        assert_eq!(version, 0);
        let entry = ApiVersion::default().with_api_key(3).with_min_version(2).with_max_version(9);
        let answer = ApiVersionsResponse::default().with_api_keys(vec![entry]);
        peer.write_all(&encode_response_plain(0, id, &answer).expect("encodable")).await.expect("written");
    };
    let (versions, ()) = tokio::join!(connection.api_versions(), play);
    let versions = versions.expect("negotiated");
    let common = |min, max| versions.latest_common(ApiKey::Metadata, VersionRange { min, max });
    assert_eq!(common(0, 12).ok(), Some(9));
    assert_eq!(common(0, 4).ok(), Some(4));
    assert!(common(0, 1).is_err());
    assert!(versions.latest_common(ApiKey::Fetch, VersionRange { min: 0, max: 17 }).is_err());
}

#[tokio::test]
async fn the_connector_speaks_plaintext_only_and_says_where_it_failed() {
    let endpoint = |protocol, port| EndPoint {
        listener: ListenerName::new("L"),
        protocol,
        host: "127.0.0.1".to_owned(),
        port,
    };
    let connector = PlaintextConnect::new(ClientOptions::default());
    let refused = connector.connect(&endpoint(SecurityProtocol::Ssl, 1), "me").await;
    assert!(matches!(refused, Err(ClientError::UnsupportedProtocol(SecurityProtocol::Ssl))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    assert!(connector.connect(&endpoint(SecurityProtocol::Plaintext, port), "me").await.is_ok());
    drop(listener);
    let error = connector
        .connect(&endpoint(SecurityProtocol::Plaintext, port), "me")
        .await
        .expect_err("nobody there");
    assert!(error.to_string().starts_with(&format!("cannot connect to 127.0.0.1:{port}: ")), "{error}");
}

#[tokio::test]
async fn requests_that_do_not_fit_their_version_are_not_sent() {
    let (connection, _peer) = connection(ClientOptions::default());
    let metadata = connection.send(MetadataRequest::default(), 99).await;
    assert!(matches!(metadata, Err(ClientError::Unencodable(_))));
    let negotiation = connection.send(ApiVersionsRequest::default(), 99).await;
    assert!(matches!(negotiation, Err(ClientError::Unencodable(_))));
    assert!(!connection.is_closed());
}
