//! What the plugin writes to standard output, and standard error, after the handshake: it goes through pipes of the process
//! to itself, and to the host by the service `GRPCStdio`.

mod buffer;
mod service;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(super) use unix::Redirected;

pub(super) use buffer::Buffer;
pub(super) use service::Stdio;

/// Where the plugin's standard error goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StandardError {
    /// To the host by `GRPCStdio`, as go-plugin's does. Panics and records of the [`logger`](super::logger) go the direct way
    /// besides, and so are not lost when the process ends by them.
    #[default]
    Streamed,
    /// The direct way: the host logs its lines. To be chosen if a library in C writes there what it dies of.
    Direct,
}

/// Where there are no such pipes, everything goes its direct way.
#[cfg(not(unix))]
pub(super) struct Redirected(std::sync::Arc<Buffer>);

#[cfg(not(unix))]
impl Redirected {
    pub(super) fn start(_error: StandardError) -> std::io::Result<Self> {
        Ok(Self(std::sync::Arc::new(Buffer::default())))
    }

    pub(super) fn service(&self) -> Stdio {
        Stdio::new(self.0.clone())
    }

    pub(super) async fn finish(self) {
        self.0.close();
    }
}
