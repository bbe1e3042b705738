//! Further connections between the two ends, in either direction, each under a number that one end tells the other.
//!
//! Who accepts opens a new socket and sends its address on the broker's stream; who dials waits for it there.

mod link;
mod pending;

use crate::address::{Address, AddressError};
use crate::environment::SocketPlace;
use crate::proto::go_plugin::ConnInfo;
use crate::tls::Mutual;
use crate::transport::{Channel, ConnectError, Connections, Listener, connect, serve};
use pending::Pending;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tonic::service::Routes;

/// So long is waited for the other end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Opens further connections to the other end. Cheap to clone. Ends with [`close`](Self::close), or with the connection
/// that it came by.
#[derive(Clone, Debug)]
pub struct Broker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    last: AtomicU32,
    /// `None` when it is closed: the stream to the other end then ends as well.
    outgoing: Mutex<Option<mpsc::Sender<ConnInfo>>>,
    pending: Pending,
    tls: Option<Mutual>,
    sockets: SocketPlace,
    closed: watch::Sender<bool>,
}

impl Broker {
    fn new(tls: Option<Mutual>, sockets: SocketPlace) -> (Self, mpsc::Receiver<ConnInfo>) {
        // What is accepted before the other end opens the stream waits here.
        let (outgoing, queue) = mpsc::channel(64);
        let inner = Inner {
            last: AtomicU32::new(0),
            outgoing: Mutex::new(Some(outgoing)),
            pending: Pending::default(),
            tls,
            sockets,
            closed: watch::Sender::new(false),
        };
        (Self(Arc::new(inner)), queue)
    }

    /// A number that this end has not used. It goes to the other end by whatever call is to make it dial or accept.
    #[must_use]
    pub fn next_id(&self) -> u32 {
        self.0.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Listens for the other end, and tells it where. Connections are encrypted as the first one is only with
    /// [`serve`](Self::serve); here with [`Listener::incoming`] of [`tls`](Self::tls).
    ///
    /// # Errors
    /// There can be no socket, or the broker is closed.
    pub async fn accept(&self, id: u32) -> Result<Listener, BrokerError> {
        let listener = Listener::usual(&self.0.sockets, None).await.map_err(BrokerError::Listen)?;
        let address = listener.address();
        let info = ConnInfo {
            service_id: id,
            network: address.network().to_owned(),
            address: address.to_string(),
            knock: None,
        };
        self.send(info).await?;
        Ok(listener)
    }

    /// Serves to the other end, until what is returned is dropped or the broker is closed.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub async fn serve(&self, id: u32, routes: Routes) -> Result<Served, BrokerError> {
        let listener = self.accept(id).await?;
        let incoming = listener.incoming(self.0.tls.as_ref().map(|tls| tls.server.clone()));
        let mut closed = self.0.closed.subscribe();
        let connections = Connections::new();
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            let until = async move {
                let _ = closed.wait_for(|closed| *closed).await;
            };
            if let Err(error) = serve(routes, incoming, &counted, until).await {
                log::warn!("the service {id} of the broker has ended: {error}");
            }
        });
        Ok(Served { task: Some(task), connections })
    }

    /// Connects to what the other end accepts or serves under a number, and waits 5 seconds for that.
    ///
    /// # Errors
    /// It does not say where in that time, or cannot be reached there.
    pub async fn dial(&self, id: u32) -> Result<Channel, BrokerError> {
        let mut closed = self.0.closed.subscribe();
        let info = tokio::select! {
            info = tokio::time::timeout(PATIENCE, self.0.pending.take(id)) => {
                info.map_err(|_| BrokerError::NoAddress { id, waited: PATIENCE })?
            }
            _ = closed.wait_for(|closed| *closed) => return Err(BrokerError::Closed),
        };
        let address = Address::parse(&info.network, &info.address).map_err(BrokerError::Address)?;
        let tls = self.0.tls.as_ref().map(|tls| tls.client.clone());
        connect(&address, tls).await.map_err(BrokerError::Connect)
    }

    /// How connections are encrypted, if they are.
    #[must_use]
    pub fn tls(&self) -> Option<&Mutual> {
        self.0.tls.as_ref()
    }

    /// Ends what is served by it, and whoever waits.
    pub fn close(&self) {
        self.outgoing().take();
        self.0.closed.send_replace(true);
    }

    async fn send(&self, info: ConnInfo) -> Result<(), BrokerError> {
        let outgoing = self.outgoing().clone().ok_or(BrokerError::Closed)?;
        outgoing.send(info).await.map_err(|_| BrokerError::Closed)
    }

    fn outgoing(&self) -> MutexGuard<'_, Option<mpsc::Sender<ConnInfo>>> {
        self.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is served by the broker. It ends when this is dropped.
#[derive(Debug)]
pub struct Served {
    /// `None` when it is detached.
    task: Option<tokio::task::JoinHandle<()>>,
    connections: Connections,
}

impl Served {
    /// Until the other end has connected, and has ended all its connections since.
    pub async fn until_left(&self) {
        let mut open = self.connections.watch();
        let _ = open.wait_for(|open| open.ever > 0 && open.now == 0).await;
    }

    /// Ends it, and returns when its socket is removed. Connections last until their ends close them.
    pub async fn end(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Serves on until the broker is closed.
    pub fn detach(mut self) {
        self.task = None;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Why there is no further connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum BrokerError {
    /// There can be no socket.
    Listen(io::Error),
    /// The other end has not said where it accepts.
    NoAddress {
        /// Under which number.
        id: u32,
        /// So long was waited.
        waited: Duration,
    },
    /// What it said is no address.
    Address(AddressError),
    /// It cannot be reached there.
    Connect(ConnectError),
    /// The broker, or the connection that it came by, has ended.
    Closed,
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => write!(f, "the broker cannot listen: {error}"),
            Self::NoAddress { id, waited } => {
                write!(
                    f,
                    "the other end has not said within {waited:?} where it accepts connections with the number {id}"
                )
            }
            Self::Address(error) => write!(f, "the other end accepts at an address of no use: {error}"),
            Self::Connect(error) => error.fmt(f),
            Self::Closed => f.write_str("the broker is closed"),
        }
    }
}

impl std::error::Error for BrokerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen(error) => Some(error),
            Self::Address(error) => Some(error),
            Self::Connect(error) => Some(error),
            Self::NoAddress { .. } | Self::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests;
