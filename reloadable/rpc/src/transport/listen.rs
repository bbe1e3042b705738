//! Listening, on a Unix socket or a port, and the connections that come.

use super::stream::{Socket, Stream};
use crate::address::{Address, fits};
use crate::environment::SocketPlace;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Whoever connects has so much time to show who it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest name that a socket gets.
const NAME: &str = "plugin0123456789";

/// Where connections come in. A Unix socket's file is removed when it is dropped.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    address: Address,
    file: Option<SocketFile>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// As go-plugin does: on a Unix socket where there are such, else on a port.
    ///
    /// # Errors
    /// See [`unix`](Self::unix) and [`tcp`](Self::tcp).
    pub async fn usual(place: &SocketPlace, ports: Option<RangeInclusive<u16>>) -> io::Result<Self> {
        #[cfg(unix)]
        {
            let _ = ports;
            Self::unix(place)
        }
        #[cfg(not(unix))]
        {
            let _ = place;
            Self::tcp(ports).await
        }
    }

    /// On a new Unix socket.
    ///
    /// # Errors
    /// Its path would be too long, the folder cannot be written to, or the group is not known. The error names the path.
    #[cfg(unix)]
    pub fn unix(place: &SocketPlace) -> io::Result<Self> {
        let folder = place.folder.clone().unwrap_or_else(std::env::temp_dir);
        fits(&folder.join(NAME)).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot make a socket in `{}`: {error}", folder.display()))
        };
        let mut named_so = tempfile::Builder::new();
        let named_so = named_so.prefix("plugin").rand_bytes(10).disable_cleanup(true);
        let (listener, path) = named_so.make_in(&folder, |path| UnixListener::bind(path)).map_err(named)?.into_parts();
        let file = SocketFile::new(&path);
        super::group::permit(&path, place.group.as_deref())?;
        let address = Address::Unix(path.to_path_buf());
        Ok(Self { kind: Kind::Unix(listener), address, file: Some(file) })
    }

    /// On a port of this machine only: the first free one of these, any if not said.
    ///
    /// # Errors
    /// None is free.
    pub async fn tcp(ports: Option<RangeInclusive<u16>>) -> io::Result<Self> {
        let mut last =
            io::Error::new(io::ErrorKind::InvalidInput, "no port to listen on: the lowest is above the highest");
        for port in ports.unwrap_or(0..=0) {
            match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(listener) => {
                    let address = Address::Tcp(listener.local_addr()?.to_string());
                    return Ok(Self { kind: Kind::Tcp(listener), address, file: None });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection, plain.
    ///
    /// # Errors
    /// The operating system's; the listener is still of use.
    pub async fn accept(&self) -> io::Result<Stream> {
        self.accept_socket().await.map(Stream::plain)
    }

    /// All connections. Those to be encrypted that fail to agree are logged, and hold up no others.
    #[must_use]
    pub fn incoming(mut self, tls: Option<Arc<rustls::ServerConfig>>) -> Incoming {
        let (sender, receiver) = mpsc::channel(16);
        let file = self.file.take();
        let task = tokio::spawn(async move {
            let acceptor = tls.map(TlsAcceptor::from);
            loop {
                match self.accept_socket().await {
                    Ok(socket) => admit(socket, acceptor.clone(), sender.clone()),
                    Err(error) => {
                        log::warn!("cannot accept a connection on {}: {error}", self.address);
                        // Mostly too many open files: trying at once would only fail again.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Incoming { receiver, task, _file: file }
    }

    async fn accept_socket(&self) -> io::Result<Socket> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            #[cfg(unix)]
            Kind::Unix(listener) => listener.accept().await.map(|(stream, _)| Socket::Unix(stream)),
        }
    }
}

fn admit(socket: Socket, acceptor: Option<TlsAcceptor>, sender: mpsc::Sender<Stream>) {
    tokio::spawn(async move {
        let Some(acceptor) = acceptor else {
            let _ = sender.send(Stream::plain(socket)).await;
            return;
        };
        match tokio::time::timeout(PATIENCE, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => {
                let _ = sender.send(Stream::encrypted(stream)).await;
            }
            Ok(Err(error)) => log::warn!("a connection is refused: {error}"),
            Err(_) => log::warn!("a connection is refused: it does not say within {PATIENCE:?} who it is"),
        }
    });
}

/// The connections that come in. Listening ends when it is dropped.
#[derive(Debug)]
pub struct Incoming {
    receiver: mpsc::Receiver<Stream>,
    task: tokio::task::JoinHandle<()>,
    /// Removed with it, and not only when the task has come to its end.
    _file: Option<SocketFile>,
}

impl futures_core::Stream for Incoming {
    type Item = io::Result<Stream>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context).map(|stream| stream.map(Ok))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The files that there are, for an end of the process that drops nothing.
static FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the files of all sockets that this process listens on. For just before it ends.
pub(crate) fn remove_files() {
    for path in FILES.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = std::fs::remove_file(path);
    }
}

/// A Unix socket's file.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl SocketFile {
    fn new(path: &Path) -> Self {
        FILES.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = files.iter().position(|path| *path == self.0) {
            files.swap_remove(at);
            let _ = std::fs::remove_file(&self.0);
        }
    }
}
