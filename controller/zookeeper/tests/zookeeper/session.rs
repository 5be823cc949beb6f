use std::time::Duration;

use gregor_zookeeper::client::Connector;
use gregor_zookeeper::{
    ConnectError, CreateMode, Generation, MultiError, Session, SessionConfig, SessionState, Write,
    ZooKeeperError,
};

use crate::fixture::{RecordingConnector, Server, eventually, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_chroot_is_created_and_hidden() {
    let server = Server::start().await;
    let inside = Session::connect(&server.config("/clusters/one", 10_000)).await.unwrap();
    inside.create("/node", b"data", CreateMode::Persistent).await.unwrap();
    let created = inside.create("/seq_", b"", CreateMode::PersistentSequential).await.unwrap();
    assert_eq!(created.path, "/seq_0000000001");

    let outside = server.session().await;
    assert_eq!(outside.get("/clusters/one/node").await.unwrap().data, b"data");
    // A second broker finds the chroot there.
    let again = Session::connect(&server.config("/clusters/one/", 10_000)).await.unwrap();
    assert_eq!(again.get("/node").await.unwrap().data, b"data");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_connect_fails_in_time_and_says_where() {
    let mut server = Server::start().await;
    server.kill();
    let config =
        SessionConfig { connection_timeout: Duration::from_millis(700), ..server.config("/k", 10_000) };
    let error = soon("the connect fails", Session::connect(&config)).await.err().unwrap();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
    assert!(error.to_string().contains("within 700 ms"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_errors_are_told_apart() {
    let server = Server::start().await;
    let session = server.session().await;
    assert_eq!(session.create("/a/b", b"", CreateMode::Persistent).await, Err(ZooKeeperError::NoNode));
    session.ensure_path("/a/b").await.unwrap();
    session.ensure_path("/a/b").await.unwrap();
    assert_eq!(session.create("/a/b", b"", CreateMode::Persistent).await, Err(ZooKeeperError::NodeExists));
    assert_eq!(session.delete("/a", None).await, Err(ZooKeeperError::NotEmpty));
    assert_eq!(session.find("/x").await, Ok(None));
    assert_eq!(session.exists("/x").await, Ok(None));
    let stat = session.set("/a/b", b"1", None).await.unwrap();
    let stale = stat.version.0 - 1;
    let result = session.set("/a/b", b"2", Some(gregor_model::ZnodeVersion(stale))).await;
    assert_eq!(result, Err(ZooKeeperError::BadVersion));
    let writes = [
        Write::Set { path: "/a/b".to_owned(), data: b"3".to_vec(), version: Some(stat.version) },
        Write::Create { path: "/a".to_owned(), data: Vec::new(), mode: CreateMode::Persistent },
    ];
    let error = session.write_many(&writes).await.unwrap_err();
    assert_eq!(error, MultiError::Operation { index: 1, error: ZooKeeperError::NodeExists });
    assert_eq!(session.get("/a/b").await.unwrap().data, b"1", "nothing of a failed multi is done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_after_a_restart_of_the_server() {
    let mut server = Server::start().await;
    let session = server.session().await;
    session.create("/counter", b"", CreateMode::Persistent).await.unwrap();
    session.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    let generation = session.status().generation;
    server.kill();
    let requests: Vec<_> = (0..50)
        .map(|n| {
            let session = session.clone();
            tokio::spawn(async move {
                let data = n.to_string();
                session.create(&format!("/n{n}"), data.as_bytes(), CreateMode::Persistent).await
            })
        })
        .collect();
    let mut statuses = session.statuses();
    soon("disconnected", statuses.wait_for(|s| s.state == SessionState::Disconnected)).await.unwrap();
    server.restart().await;
    for request in requests {
        soon("the request is answered", request).await.unwrap().unwrap();
    }
    assert_eq!(session.status().generation, generation);
    let own = session.exists("/mine").await.unwrap().unwrap();
    assert_eq!(own.ephemeral_owner, Some(session.id().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_the_client_gave_up_is_taken_over() {
    let mut server = Server::start().await;
    let config = server.config("", 1_500);
    let connector = RecordingConnector::new(&config);
    let session = Session::connect_with(&config, connector.clone()).await.unwrap();
    session.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    let pinned = session.pinned();
    let id = session.id().await.unwrap();

    // Down for longer than 7/5 of the session timeout: the client declares the session expired by itself.
    server.kill();
    let waiting = tokio::spawn({
        let pinned = pinned.clone();
        async move { pinned.exists("/mine").await }
    });
    eventually("the client gives up", async || *connector.reattachments.lock() > 0).await;
    server.restart().await;

    let found = soon("the waiting request is answered", waiting).await.unwrap().unwrap();
    assert_eq!(found.unwrap().ephemeral_owner, Some(id), "same session, its ephemeral node alive");
    assert_eq!(session.id().await.unwrap(), id);
    assert_eq!(session.status().generation, Generation(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_session_is_followed_by_a_new_one() {
    let server = Server::start().await;
    let config = server.config("", 4_000);
    let connector = RecordingConnector::new(&config);
    let session = Session::connect_with(&config, connector.clone()).await.unwrap();
    session.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    let pinned = session.pinned();
    let mut statuses = session.statuses();

    connector.expire().await;
    let renewed = statuses.wait_for(|s| s.generation > Generation(1) && s.state == SessionState::Connected);
    soon("a new session", renewed).await.unwrap();
    assert_eq!(pinned.exists("/mine").await, Err(ZooKeeperError::SessionExpired));
    assert_eq!(session.exists("/mine").await, Ok(None));
    session.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    assert!(session.pinned().exists("/mine").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_removes_ephemeral_nodes_at_once() {
    let server = Server::start().await;
    let (first, second) = (server.session().await, server.session().await);
    first.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    first.close().await;
    assert_eq!(second.exists("/mine").await, Ok(None));
    assert_eq!(first.exists("/mine").await, Err(ZooKeeperError::Closed));
    assert_eq!(first.status().state, SessionState::Closed);

    second.create("/mine", b"", CreateMode::Ephemeral).await.unwrap();
    drop(second);
    let third = server.session().await;
    eventually("dropping the last handle closes, too", async || third.exists("/mine").await == Ok(None))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_the_server_will_not_take_is_given_up() {
    let server = Server::start().await;
    let session = server.session().await;
    let large = vec![b'x'; 3 << 20];
    let result = soon("given up", session.create("/large", &large, CreateMode::Persistent)).await;
    assert!(
        matches!(result, Err(ZooKeeperError::RequestTooLarge { bytes }) if bytes > 3 << 20),
        "{result:?}"
    );
    assert_eq!(session.exists("/large").await, Ok(None), "the session lives on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_connector_refuses_to_take_over_an_ended_session() {
    let server = Server::start().await;
    let connector = RecordingConnector::new(&server.config("", 4_000));
    let client = connector.connect().await.unwrap();
    client.close().await;
    let result = connector.reattach(client.as_ref()).await;
    assert_eq!(result.err(), Some(ZooKeeperError::SessionExpired));
}
