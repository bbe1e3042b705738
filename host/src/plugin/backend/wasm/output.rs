//! What a guest writes to its standard output and error: lines for the program's log.

use super::error::quoted;
use crate::lock::lock;
use bytes::Bytes;
use log::Level;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A longer line is cut into several.
const LONGEST: usize = 4 << 10;
/// How much is taken at once.
const AT_ONCE: usize = 64 << 10;

/// What a guest has said on its standard error, for messages about what happened to it.
#[derive(Default)]
pub(super) struct Said(Mutex<Vec<u8>>);

impl Said {
    /// The last line; from then on there is none, until it says something more.
    pub(super) fn take(&self) -> String {
        quoted(&std::mem::take(&mut *lock(&self.0)))
    }

    /// Forgets what was said before a call.
    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }
}

/// One of both streams.
#[derive(Clone)]
pub(super) struct Lines {
    plugin: Arc<str>,
    level: Level,
    begun: Arc<Mutex<Vec<u8>>>,
    said: Option<Arc<Said>>,
}

impl Lines {
    pub(super) fn output(plugin: Arc<str>) -> Self {
        Self { plugin, level: Level::Info, begun: Arc::default(), said: None }
    }

    pub(super) fn error(plugin: Arc<str>, said: Arc<Said>) -> Self {
        Self { plugin, level: Level::Warn, begun: Arc::default(), said: Some(said) }
    }

    fn push(&self, bytes: &[u8]) {
        let mut begun = lock(&self.begun);
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            begun.extend_from_slice(part);
            while begun.len() >= LONGEST || begun.ends_with(b"\n") {
                let length = begun.len().min(LONGEST);
                let rest = begun.split_off(length);
                self.line(&std::mem::replace(&mut *begun, rest));
            }
        }
    }

    fn line(&self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        log::log!(target: &self.plugin, self.level, "{}", String::from_utf8_lossy(line));
        // That of Rust's panics about backtraces says less than the one before it.
        if let Some(said) = self.said.as_ref().filter(|_| !line.starts_with(b"note: run with `RUST_BACKTRACE")) {
            *lock(&said.0) = line.to_vec();
        }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(AT_ONCE)
    }
}
