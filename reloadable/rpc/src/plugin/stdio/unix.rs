//! Puts pipes in the place of standard output and standard error, and back.

use super::{Buffer, StandardError, Stdio};
use crate::plugin::logger;
use crate::proto::go_plugin::stdio_data::Channel;
use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::codegen::Bytes;

/// A process that the plugin has started may have its standard output, and keep it: so long is waited for the last of it.
const LAST: Duration = Duration::from_millis(200);
/// So much is read at once.
const PIECE: usize = 16 * 1024;

/// Standard output, and error, while they lead into pipes.
pub(in crate::plugin) struct Redirected {
    buffer: Arc<Buffer>,
    out: OwnedFd,
    error: Option<OwnedFd>,
    /// Closed when all pumps have ended.
    pumps: mpsc::Receiver<()>,
}

impl Redirected {
    pub(in crate::plugin) fn start(which: StandardError) -> io::Result<Self> {
        let buffer = Arc::new(Buffer::default());
        let (running, pumps) = mpsc::channel(1);
        let out = io::stdout().as_fd().try_clone_to_owned()?;
        let (reader, writer) = io::pipe()?;
        rustix::stdio::dup2_stdout(&writer)?;
        pump(reader, Channel::Stdout, buffer.clone(), running.clone())?;
        let mut error = None;
        if which == StandardError::Streamed {
            let direct = io::stderr().as_fd().try_clone_to_owned()?;
            logger::redirect(Some(File::from(direct.try_clone()?)));
            logger::tell_of_panics();
            let (reader, writer) = io::pipe()?;
            rustix::stdio::dup2_stderr(&writer)?;
            pump(reader, Channel::Stderr, buffer.clone(), running)?;
            error = Some(direct);
        }
        Ok(Self { buffer, out, error, pumps })
    }

    pub(in crate::plugin) fn service(&self) -> Stdio {
        Stdio::new(self.buffer.clone())
    }

    /// Puts both back in their place. What was written before still goes to the host.
    pub(in crate::plugin) async fn finish(mut self) {
        let _ = io::stdout().flush();
        let _ = rustix::stdio::dup2_stdout(&self.out);
        if let Some(error) = &self.error {
            logger::redirect(None);
            let _ = rustix::stdio::dup2_stderr(error);
        }
        let _ = tokio::time::timeout(LAST, self.pumps.recv()).await;
        self.buffer.close();
    }
}

fn pump(mut pipe: PipeReader, channel: Channel, buffer: Arc<Buffer>, running: mpsc::Sender<()>) -> io::Result<()> {
    let run = move || {
        let _running = running;
        let mut piece = vec![0; PIECE];
        loop {
            match pipe.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => buffer.push(channel, Bytes::copy_from_slice(&piece[..length])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    };
    std::thread::Builder::new().name("plugin stdio".to_owned()).spawn(run).map(drop)
}
