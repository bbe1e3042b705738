//! A host's broker and a plugin's, joined by one connection in one process.

use super::{Broker, BrokerError};
use crate::address::AddressError;
use crate::echo::{call, echo};
use crate::environment::SocketPlace;
use crate::proto::go_plugin::ConnInfo;
use crate::proto::go_plugin::conn_info::Knock;
use crate::proto::go_plugin::grpc_broker_client::GrpcBrokerClient;
use crate::tls::{Identity, Mutual};
use crate::transport::{Channel, Connections, Listener, connect, serve};
use tokio_stream::wrappers::ReceiverStream;

struct Pair {
    host: Broker,
    plugin: Broker,
    sockets: tempfile::TempDir,
}

async fn main_connection(tls: Option<(Mutual, Mutual)>) -> (Channel, Broker, tempfile::TempDir) {
    let (host, plugin) = tls.unzip();
    let sockets = tempfile::tempdir().unwrap();
    let place = SocketPlace { folder: Some(sockets.path().to_owned()), group: None };
    let listener = Listener::unix(&place).unwrap();
    let address = listener.address().clone();
    let (broker, service) = Broker::offer(plugin.clone(), place);
    let incoming = listener.incoming(plugin.map(|tls| tls.server));
    let routes = echo("main ").add_service(service);
    tokio::spawn(async move { serve(routes, incoming, &Connections::new(), std::future::pending()).await });
    let channel = connect(&address, host.map(|tls| tls.client)).await.unwrap();
    (channel, broker, sockets)
}

async fn pair(tls: Option<(Mutual, Mutual)>) -> Pair {
    let (channel, plugin, sockets) = main_connection(tls.clone()).await;
    let place = SocketPlace { folder: Some(sockets.path().to_owned()), group: None };
    Pair { host: Broker::connect(channel, tls.map(|(host, _)| host), place), plugin, sockets }
}

fn encrypted() -> Option<(Mutual, Mutual)> {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let mutual = |own: &Identity, peer: &Identity| Mutual::new(own, peer.certificate()).unwrap();
    Some((mutual(&host, &plugin), mutual(&plugin, &host)))
}

#[tokio::test]
async fn either_end_serves_to_the_other_plain_and_encrypted() {
    for tls in [None, encrypted()] {
        let pair = pair(tls).await;
        for (serves, dials) in [(&pair.host, &pair.plugin), (&pair.plugin, &pair.host)] {
            let id = serves.next_id();
            let _served = serves.serve(id, echo("side ")).await.unwrap();
            let channel = dials.dial(id).await.unwrap();
            assert_eq!(call(channel, "one").await.unwrap(), b"side one");
        }
    }
}

#[tokio::test]
async fn who_dials_first_waits_for_who_accepts() {
    let pair = pair(None).await;
    let dialing = tokio::spawn({
        let host = pair.host.clone();
        async move { host.dial(7).await }
    });
    // Others come first, and are for others.
    let _other = pair.plugin.serve(8, echo("eight ")).await.unwrap();
    let _served = pair.plugin.serve(7, echo("seven ")).await.unwrap();
    let channel = dialing.await.unwrap().unwrap();
    assert_eq!(call(channel, "one").await.unwrap(), b"seven one");
}

#[tokio::test(start_paused = true)]
async fn who_dials_a_number_that_nobody_accepts_is_told_after_five_seconds() {
    let (broker, _queue) = Broker::new(None, SocketPlace::default());
    let began = tokio::time::Instant::now();
    let error = broker.dial(3).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 5);
    let words = "the other end has not said within 5s where it accepts connections with the number 3";
    assert_eq!(error.to_string(), words);
}

#[tokio::test]
async fn an_address_of_no_use_is_told() {
    let (broker, _queue) = Broker::new(None, SocketPlace::default());
    let info = |network: &str, address: &str| ConnInfo {
        service_id: 1,
        network: network.to_owned(),
        address: address.to_owned(),
        knock: None,
    };
    broker.received(info("quic", "127.0.0.1:1")).await;
    assert!(matches!(broker.dial(1).await, Err(BrokerError::Address(AddressError::UnknownNetwork(_)))));
    broker.received(info("unix", "/no/such/socket")).await;
    assert!(matches!(broker.dial(1).await, Err(BrokerError::Connect(_))));
}

#[tokio::test]
async fn a_closed_broker_ends_what_it_serves_and_whoever_waits() {
    let pair = pair(None).await;
    let served = pair.plugin.serve(1, echo("side ")).await.unwrap();
    let channel = pair.host.dial(1).await.unwrap();
    call(channel.clone(), "one").await.unwrap();
    let waiting = tokio::spawn({
        let plugin = pair.plugin.clone();
        async move { plugin.dial(2).await }
    });
    pair.plugin.close();
    assert!(matches!(waiting.await.unwrap(), Err(BrokerError::Closed)));
    assert!(matches!(pair.plugin.serve(3, echo("")).await, Err(BrokerError::Closed)));
    served.until_left().await;
    assert!(call(channel, "two").await.is_err());
}

#[tokio::test]
async fn what_is_served_ends_with_its_value_and_its_socket_is_removed() {
    let pair = pair(None).await;
    let count = || pair.sockets.path().read_dir().unwrap().count();
    assert_eq!(count(), 1, "that of the main connection");
    let served = pair.host.serve(1, echo("side ")).await.unwrap();
    let channel = pair.plugin.dial(1).await.unwrap();
    call(channel, "one").await.unwrap();
    assert_eq!(count(), 2);
    served.until_left().await;
    served.end().await;
    assert_eq!(count(), 1);
}

#[tokio::test]
async fn a_knock_is_answered_with_a_refusal() {
    let (channel, _broker, _sockets) = main_connection(None).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let knock = Knock { knock: true, ..Knock::default() };
    sender.send(ConnInfo { service_id: 5, knock: Some(knock), ..ConnInfo::default() }).await.unwrap();
    let answers = GrpcBrokerClient::new(channel).start_stream(ReceiverStream::new(receiver)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    let knock = answer.knock.unwrap();
    assert_eq!((answer.service_id, knock.knock, knock.ack), (5, true, true));
    assert!(knock.error.contains("not offered"), "{}", knock.error);
}

#[tokio::test]
async fn a_second_host_has_the_broker_once_the_first_is_gone() {
    let (channel, plugin, sockets) = main_connection(None).await;
    let place = || SocketPlace { folder: Some(sockets.path().to_owned()), group: None };
    let first = Broker::connect(channel.clone(), None, place());
    let _one = plugin.serve(1, echo("side ")).await.unwrap();
    first.dial(1).await.unwrap();
    let second = Broker::connect(channel.clone(), None, place());
    // Refused, as the first is still there; and told so by its end.
    assert!(matches!(second.dial(1).await, Err(BrokerError::Closed)));
    first.close();
    let mut third = loop {
        let (_sender, receiver) = tokio::sync::mpsc::channel(1);
        match GrpcBrokerClient::new(channel.clone()).start_stream(ReceiverStream::new(receiver)).await {
            Ok(answers) => break answers.into_inner(),
            // The end of the first stream is still on its way.
            Err(status) => assert_eq!(status.code(), tonic::Code::FailedPrecondition),
        }
    };
    let _two = plugin.serve(2, echo("side ")).await.unwrap();
    assert_eq!(third.message().await.unwrap().unwrap().service_id, 2);
}
