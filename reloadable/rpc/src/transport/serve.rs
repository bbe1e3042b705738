//! Serving on the connections that come in.

use super::listen::Incoming;
use super::stream::Stream;
use super::{FRAME, HEADERS, WINDOW};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;
use tonic::service::Routes;

/// So many calls of one connection run at the same time; more wait for their turn.
const CALLS: u32 = 4096;

/// Serves until the future ends; then no connection is accepted any more, calls that run are ended in their time, and open
/// streams keep it from returning.
///
/// # Errors
/// As tonic's.
pub async fn serve(
    routes: Routes,
    incoming: Incoming,
    connections: &Connections,
    until: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let connections = connections.clone();
    let incoming = incoming.map(move |stream| stream.map(|stream| connections.count(stream)));
    tonic::transport::Server::builder()
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .max_frame_size(FRAME)
        .http2_max_header_list_size(HEADERS)
        .max_concurrent_streams(CALLS)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, until)
        .await
}

/// How many connections are open.
#[derive(Clone, Debug)]
pub struct Connections(Arc<watch::Sender<Open>>);

/// How many connections there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Now.
    pub now: usize,
    /// And were since the beginning.
    pub ever: u64,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Open::default())))
    }

    /// Now, and whenever it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Open> {
        self.0.subscribe()
    }

    fn count(&self, mut stream: Stream) -> Stream {
        self.0.send_modify(|open| {
            open.now += 1;
            open.ever += 1;
        });
        stream.counted = Some(Counted(self.clone()));
        stream
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::new()
    }
}

/// One of them.
#[derive(Debug)]
pub(super) struct Counted(Connections);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| open.now -= 1);
    }
}
