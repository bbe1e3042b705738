//! Serving on the connections that come in.
//!
//! In reading order: `services` is what is served; `seat` is a connection with whoever moves it; `watch` sees to it that a call
//! which takes its time holds up no other; `direct` answers calls that have one message for one; `route` all the others.

mod direct;
mod route;
mod seat;
mod services;
mod watch;

pub(crate) use services::Method as DirectMethod;
pub use services::{Direct, Services};

use super::listen::Incoming;
use super::stream::Stream;
use seat::Seat;
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::sync::{mpsc, watch as told};
use tokio_stream::StreamExt as _;

/// Serves until the future ends; then no connection is accepted any more, calls that run are ended in their time, and open
/// streams keep it from returning.
///
/// # Errors
/// The operating system's, when no more connections can come in.
pub async fn serve(
    services: impl Into<Services>,
    mut incoming: Incoming,
    connections: &Connections,
    until: impl Future<Output = ()>,
) -> io::Result<()> {
    let services = Arc::new(services.into());
    let (stop, stopped) = told::channel(false);
    // Closed once every connection has dropped its end.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    let mut until = std::pin::pin!(until);
    loop {
        let stream = tokio::select! {
            () = &mut until => break,
            stream = incoming.next() => stream,
        };
        let Some(stream) = stream.transpose()? else { break };
        let (stream, services) = (connections.count(stream), Arc::clone(&services));
        let (stopped, open) = (stopped.clone(), open.clone());
        tokio::spawn(async move {
            let seat = tokio::select! {
                seat = Seat::open(stream, services, stopped.clone(), open) => seat,
                // The other end has not said anything yet.
                () = is_stopped(stopped) => return,
            };
            // Otherwise what has connected speaks no gRPC.
            if let Ok(seat) = seat {
                seat.attend().await;
            }
        });
    }
    drop((incoming, open));
    stop.send_replace(true);
    let _ = all_closed.recv().await;
    Ok(())
}

/// Once connections are to come to their end. If nobody says so any more, their other ends do.
async fn is_stopped(mut stopped: told::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// How many connections are open.
#[derive(Clone, Debug)]
pub struct Connections(Arc<told::Sender<Open>>);

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
        Self(Arc::new(told::Sender::new(Open::default())))
    }

    /// Now, and whenever it changes.
    #[must_use]
    pub fn watch(&self) -> told::Receiver<Open> {
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
