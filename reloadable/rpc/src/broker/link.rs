//! The broker's stream, by which addresses go to and fro; the plugin serves it, the host calls it.

use super::Broker;
use crate::environment::SocketPlace;
use crate::proto::go_plugin::ConnInfo;
use crate::proto::go_plugin::conn_info::Knock;
use crate::proto::go_plugin::grpc_broker_client::GrpcBrokerClient;
use crate::proto::go_plugin::grpc_broker_server::{GrpcBroker, GrpcBrokerServer};
use crate::tls::Mutual;
use crate::transport::Channel;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

type Queue = ReceiverStream<ConnInfo>;

impl Broker {
    /// The host's: calls the plugin, from a task of its own, since a plugin answers only once it has an address to send.
    #[must_use]
    pub fn connect(channel: Channel, tls: Option<Mutual>, sockets: SocketPlace) -> Self {
        let (broker, queue) = Self::new(tls, sockets);
        let called = broker.clone();
        tokio::spawn(async move {
            let mut closed = called.0.closed.subscribe();
            let run = async {
                let stream = GrpcBrokerClient::new(channel).start_stream(ReceiverStream::new(queue)).await;
                match stream {
                    Ok(stream) => called.receive(stream.into_inner()).await,
                    Err(status) => log::debug!("the plugin has no broker: {}", status.message()),
                }
            };
            tokio::select! {
                () = run => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
            called.close();
        });
        broker
    }

    /// The plugin's, with the service that the host calls.
    #[must_use]
    pub fn offer(tls: Option<Mutual>, sockets: SocketPlace) -> (Self, GrpcBrokerServer<impl GrpcBroker>) {
        let (broker, queue) = Self::new(tls, sockets);
        let queue = Arc::new(Mutex::new(Some(ReceiverStream::new(queue))));
        (broker.clone(), GrpcBrokerServer::new(Offered { broker, queue }))
    }

    /// Takes what the other end sends, until it ends or the broker is closed.
    async fn receive(&self, mut stream: Streaming<ConnInfo>) {
        let mut closed = self.0.closed.subscribe();
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                _ = closed.wait_for(|closed| *closed) => return,
            };
            match next {
                Some(Ok(info)) => self.received(info).await,
                Some(Err(status)) => {
                    log::debug!("the broker's stream has ended: {}", status.message());
                    return;
                }
                None => return,
            }
        }
    }

    pub(super) async fn received(&self, info: ConnInfo) {
        match &info.knock {
            None => self.0.pending.put(info),
            Some(Knock { ack: false, .. }) => {
                let error = "several services on one connection are not offered; set GRPCBrokerMultiplex to false";
                let knock = Knock { knock: true, ack: true, error: error.to_owned() };
                let answer = ConnInfo { service_id: info.service_id, knock: Some(knock), ..ConnInfo::default() };
                let _ = self.send(answer).await;
            }
            Some(_) => log::debug!("an answer about {} that nobody has asked for", info.service_id),
        }
    }
}

/// The service. One host at a time: a second one takes its turn when the first is gone.
struct Offered {
    broker: Broker,
    queue: Arc<Mutex<Option<Queue>>>,
}

#[tonic::async_trait]
impl GrpcBroker for Offered {
    type StartStreamStream = Outgoing;

    async fn start_stream(&self, request: Request<Streaming<ConnInfo>>) -> Result<Response<Outgoing>, Status> {
        let taken = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let queue = taken.ok_or_else(|| Status::failed_precondition("the broker has its host already"))?;
        let broker = self.broker.clone();
        tokio::spawn(async move { broker.receive(request.into_inner()).await });
        Ok(Response::new(Outgoing { queue: Some(queue), home: self.queue.clone() }))
    }
}

/// What goes to the host. The queue outlives its stream, for the next host.
pub(crate) struct Outgoing {
    queue: Option<Queue>,
    home: Arc<Mutex<Option<Queue>>>,
}

impl futures_core::Stream for Outgoing {
    type Item = Result<ConnInfo, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.queue {
            Some(queue) => Pin::new(queue).poll_next(context).map(|info| info.map(Ok)),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.queue.take();
    }
}
