//! Connecting.

use super::client::Channel;
use super::stream::{Socket, Stream};
use crate::address::Address;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

/// An end that does not answer at all is given up after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to an address, encrypted if so configured. Does so once, and a channel whose connection has ended stays so:
/// the process at the other end is gone.
///
/// # Errors
/// Nobody listens there, or the other end is not who it should be.
pub async fn connect(address: &Address, tls: Option<Arc<rustls::ClientConfig>>) -> Result<Channel, ConnectError> {
    let fail = |why| ConnectError { address: address.clone(), why };
    let opened = tokio::time::timeout(PATIENCE, open(address, tls)).await;
    let stream = opened.map_err(|_| fail(Why::NoAnswer))?.map_err(fail)?;
    Channel::open(stream).await.map_err(|error| fail(Why::NoHttp(error.to_string())))
}

async fn open(address: &Address, tls: Option<Arc<rustls::ClientConfig>>) -> Result<Stream, Why> {
    let socket = match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address.as_str()).await.map_err(Why::NotThere)?;
            stream.set_nodelay(true).map_err(Why::NotThere)?;
            Socket::Tcp(stream)
        }
        #[cfg(unix)]
        Address::Unix(path) => Socket::Unix(UnixStream::connect(path).await.map_err(Why::NotThere)?),
        #[cfg(not(unix))]
        Address::Unix(_) => {
            return Err(Why::NotThere(io::Error::new(io::ErrorKind::Unsupported, "there are no Unix sockets here")));
        }
    };
    let Some(tls) = tls else { return Ok(Stream::plain(socket)) };
    let name =
        rustls::pki_types::ServerName::try_from("localhost").map_err(|error| Why::Refused(io::Error::other(error)))?;
    TlsConnector::from(tls).connect(name, socket).await.map(Stream::encrypted).map_err(Why::Refused)
}

/// Why there is no connection.
#[derive(Debug)]
pub struct ConnectError {
    /// To where.
    pub address: Address,
    why: Why,
}

#[derive(Debug)]
enum Why {
    NotThere(io::Error),
    NoAnswer,
    Refused(io::Error),
    NoHttp(String),
}

impl ConnectError {
    /// Whether something listens there, but not the one that should: its certificate is another, or it does not take ours.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.why, Why::Refused(_))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to the {} address {}: ", self.address.network(), self.address)?;
        match &self.why {
            Why::NotThere(error) => error.fmt(f),
            Why::NoAnswer => write!(f, "no answer within {PATIENCE:?}"),
            Why::Refused(error) => write!(f, "the two ends do not agree on encryption: {error}"),
            Why::NoHttp(why) => write!(f, "what is there speaks no gRPC: {why}"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.why {
            Why::NotThere(error) | Why::Refused(error) => Some(error),
            Why::NoAnswer | Why::NoHttp(_) => None,
        }
    }
}
