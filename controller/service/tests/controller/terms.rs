use std::sync::Arc;

use gregor_controller_service::ControllerHandle;
use gregor_model::{BrokerId, ControllerEpoch};
use gregor_zookeeper::schema::{controller, feature};
use gregor_zookeeper::{CreateMode, Session, ZooKeeperError};
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AlterPartitionRequest, BrokerId as WireBrokerId, ControlledShutdownRequest,
};

use crate::brokers::{Brokers, Candidate};
use crate::fixture::{RecordingConnector, Server, eventually};

async fn active(controller: &ControllerHandle) {
    eventually("active", async || controller.is_active()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_elected_and_another_takes_over() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let first = Candidate::start(&server, 1, &brokers).await;
    active(&first.controller).await;
    let second = Candidate::start(&server, 2, &brokers).await;
    eventually("both brokers hear of both", async || {
        [1, 2].into_iter().all(|broker| {
            brokers.received(broker).iter().any(|request| match request {
                kafka_protocol::messages::RequestKind::UpdateMetadata(update) => {
                    update.live_brokers.len() == 2
                }
                _ => false,
            })
        })
    })
    .await;
    assert!(!second.controller.is_active());

    // Those who are not the controller answer so, each API in its way.
    let refused = second.controller.alter_partition(AlterPartitionRequest::default(), 3).await;
    assert_eq!(refused.error_code, 41);
    let refused = second.controller.controlled_shutdown(ControlledShutdownRequest::default()).await;
    assert_eq!(refused.error_code, 11);
    let refused = second.controller.allocate_producer_ids(AllocateProducerIdsRequest::default()).await;
    assert_eq!(refused.error_code, 41);

    first.stop().await;
    active(&second.controller).await;
    let epoch = second.session.get(controller::EPOCH_PATH).await.unwrap();
    assert_eq!(controller::decode_epoch(&epoch.data), Ok(ControllerEpoch(2)));
    let named = second.store().controller().await.unwrap().unwrap();
    assert_eq!(named.registration.broker, BrokerId(2));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_whose_process_is_gone_is_replaced_before_its_session_ends() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let first = Candidate::start(&server, 1, &brokers).await;
    active(&first.controller).await;
    let second = Candidate::start(&server, 2, &brokers).await;
    let third = Candidate::start(&server, 3, &brokers).await;
    let fourth = Candidate::start(&server, 4, &brokers).await;
    // They are known to all, so the second has long looked at who is the controller.
    eventually("all are told of", async || brokers.hears_of(1, 4)).await;
    eventually("the others watch over it", async || brokers.connections(1) >= 4).await;
    brokers.end(1);
    let others = [&second, &third, &fourth];
    eventually("one of the others is elected", async || {
        others.iter().any(|candidate| candidate.controller.is_active())
    })
    .await;
    let elected = others.iter().find(|candidate| candidate.controller.is_active()).unwrap();
    assert!(elected.store().broker(BrokerId(1)).await.unwrap().is_some(), "its session has not ended");
    eventually("it knows that the first is gone", async || {
        elected.controller.statistics().await.active_brokers == 3
    })
    .await;
    for candidate in [first, second, third, fourth] {
        candidate.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_is_pushed_out_resigns_and_stands_again() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let candidate = Candidate::start(&server, 1, &brokers).await;
    active(&candidate.controller).await;
    candidate.session.delete(controller::PATH, None).await.unwrap();
    eventually("elected again, with the next epoch", async || {
        let node = candidate.session.get(controller::EPOCH_PATH).await.unwrap();
        candidate.controller.is_active() && node.data == b"2"
    })
    .await;

    // Fenced: somebody raised the epoch. The next write finds out, and the office is given up and won back.
    candidate.session.set(controller::EPOCH_PATH, b"7", None).await.unwrap();
    let ask = || AllocateProducerIdsRequest::default().with_broker_id(WireBrokerId(1));
    assert_ne!(candidate.controller.allocate_producer_ids(ask()).await.error_code, 0);
    candidate.store().create_topic(&"t".into(), &crate::brokers::topic(&[&[1]])).await.unwrap();
    eventually("elected above the foreign epoch", async || {
        let node = candidate.session.get(controller::EPOCH_PATH).await.unwrap();
        candidate.controller.is_active() && node.data == b"8"
    })
    .await;
    candidate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_expiry_the_broker_registers_and_stands_again() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let config = server.config("/kafka", 6_000);
    let connector = RecordingConnector::new(&config);
    let session = Session::connect_with(&config, connector.clone()).await.unwrap();
    let candidate = Candidate::start_on(session, 1, &brokers).await;
    active(&candidate.controller).await;
    let before = candidate.epoch();
    connector.expire().await;
    eventually("registered with a new epoch and elected again", async || {
        let node = match candidate.session.get(controller::EPOCH_PATH).await {
            Ok(node) => node,
            Err(ZooKeeperError::SessionExpired) => return false,
            Err(error) => panic!("{error}"),
        };
        candidate.epoch() > before && candidate.controller.is_active() && node.data == b"2"
    })
    .await;
    let epoch = candidate.epoch();
    let ids =
        AllocateProducerIdsRequest::default().with_broker_id(WireBrokerId(1)).with_broker_epoch(epoch.0);
    eventually("the new term serves", async || {
        let answer = candidate.controller.allocate_producer_ids(ids.clone()).await;
        answer.error_code == 0 && answer.producer_id_len == 1000
    })
    .await;
    candidate.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_does_not_wait_for_zookeeper() {
    let mut server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let candidate = Candidate::start(&server, 1, &brokers).await;
    active(&candidate.controller).await;
    server.kill();
    crate::fixture::soon("stopped", candidate.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_fails_passes_the_office_on() {
    let server = Server::start().await;
    let brokers = Arc::new(Brokers::default());
    let session = Session::connect(&server.config("/kafka", 6_000)).await.unwrap();
    session.create(feature::PATH, b"junk", CreateMode::Persistent).await.unwrap();
    let candidate = Candidate::start(&server, 1, &brokers).await;
    eventually("given up, and won again", async || {
        let node = session.find(controller::EPOCH_PATH).await.unwrap();
        node.is_some_and(|node| controller::decode_epoch(&node.data).unwrap() >= ControllerEpoch(2))
    })
    .await;
    session.delete(feature::PATH, None).await.unwrap();
    eventually("in office", async || candidate.controller.statistics().await.active_brokers == 1).await;
    candidate.stop().await;
}
