//! One connection, of either kind, plain or encrypted.

use super::serve::Counted;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::TlsStream;

/// One connection.
#[derive(Debug)]
pub struct Stream {
    kind: Kind,
    /// So that it is known how many there are.
    pub(super) counted: Option<Counted>,
}

#[derive(Debug)]
enum Kind {
    Plain(Socket),
    Encrypted(Box<TlsStream<Socket>>),
}

/// What the operating system has.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    pub(super) fn plain(socket: Socket) -> Self {
        Self { kind: Kind::Plain(socket), counted: None }
    }

    pub(super) fn encrypted(stream: impl Into<TlsStream<Socket>>) -> Self {
        Self { kind: Kind::Encrypted(Box::new(stream.into())), counted: None }
    }
}

macro_rules! forward {
    ($self:ident, $inner:ident => $call:expr) => {
        match &mut $self.get_mut().kind {
            Kind::Plain(Socket::Tcp(stream)) => {
                let $inner = Pin::new(stream);
                $call
            }
            #[cfg(unix)]
            Kind::Plain(Socket::Unix(stream)) => {
                let $inner = Pin::new(stream);
                $call
            }
            Kind::Encrypted(stream) => {
                let $inner = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, inner => inner.poll_read(context, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, inner => inner.poll_write(context, from))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, inner => inner.poll_write_vectored(context, from))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Plain(_) => true,
            Kind::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, inner => inner.poll_shutdown(context))
    }
}

// What is under the encryption is one of the same.
macro_rules! forward_socket {
    ($self:ident, $inner:ident => $call:expr) => {
        match $self.get_mut() {
            Socket::Tcp(stream) => {
                let $inner = Pin::new(stream);
                $call
            }
            #[cfg(unix)]
            Socket::Unix(stream) => {
                let $inner = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward_socket!(self, inner => inner.poll_read(context, into))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        forward_socket!(self, inner => inner.poll_write(context, from))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward_socket!(self, inner => inner.poll_write_vectored(context, from))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward_socket!(self, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward_socket!(self, inner => inner.poll_shutdown(context))
    }
}
