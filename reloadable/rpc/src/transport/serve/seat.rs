//! A connection that is served, and its seat: whoever sits there moves it, and answers short calls in between.

use super::direct::{Message, answer};
use super::is_stopped;
use super::route::route;
use super::services::{Method, Services};
use super::watch::Watch;
use crate::transport::stream::Stream;
use crate::transport::{FRAME, HEADERS, WINDOW};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use http::Request;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::{mpsc, watch};

/// So many calls of one connection run at the same time; more wait for their turn.
const CALLS: u32 = 4096;
/// So many that have come are taken at a time.
const BATCH: usize = 128;
/// Of an answer that comes bit by bit, so much lies ready to be written.
const BUFFER: usize = 1024 * 1024;

pub(super) struct Seat {
    state: Mutex<State>,
    services: Arc<Services>,
    pub(super) watch: Watch,
}

struct State {
    /// `None` while somebody moves it, and when it is over.
    served: Option<Served>,
    /// Calls that are to be answered by whoever sits here next.
    waiting: VecDeque<Call>,
}

struct Served {
    connection: Connection<Stream, Bytes>,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_stopped: bool,
    /// Dropped with it.
    _open: mpsc::Sender<()>,
}

type Call = (Request<RecvStream>, SendResponse<Bytes>);

impl Seat {
    pub(super) async fn open(
        stream: Stream,
        services: Arc<Services>,
        stopped: watch::Receiver<bool>,
        open: mpsc::Sender<()>,
    ) -> Result<Arc<Self>, h2::Error> {
        let mut builder = h2::server::Builder::new();
        builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW).max_frame_size(FRAME);
        builder.max_header_list_size(HEADERS).max_concurrent_streams(CALLS).max_send_buffer_size(BUFFER);
        let connection = builder.handshake(stream).await?;
        let stopped = Box::pin(is_stopped(stopped));
        let served = Served { connection, stopped, is_stopped: false, _open: open };
        let state = Mutex::new(State { served: Some(served), waiting: VecDeque::new() });
        let seat = Arc::new(Self { state, services, watch: Watch::default() });
        if seat.services.direct.is_some()
            && let Err(error) = seat.watch.start(&seat)
        {
            log::warn!("a call that takes its time may hold up others: {error}");
        }
        Ok(seat)
    }

    /// Sits here until the connection is over, or another one does.
    pub(super) async fn attend(self: Arc<Self>) {
        loop {
            if let Some(direct) = &self.services.direct {
                if !self.state().waiting.is_empty() {
                    make_way();
                }
                while let Some(call) = self.next() {
                    self.answer(direct, call).await;
                }
            }
            let Some(mut served) = self.state().served.take() else { return };
            let (calls, is_over) = poll_fn(|context| served.poll(context)).await;
            let direct = self.services.direct.as_ref().map_or("", |direct| direct.path());
            let (waiting, others) = calls.into_iter().partition(|(request, _)| request.uri().path() == direct);
            for (request, respond) in others {
                tokio::spawn(route(self.services.routes.clone(), request, respond));
            }
            let mut state = self.state();
            state.waiting.extend::<VecDeque<Call>>(waiting);
            state.served = (!is_over).then_some(served);
        }
    }

    fn next(&self) -> Option<Call> {
        self.state().waiting.pop_front()
    }

    /// Answers a call here, if calls are short and it is all there; in a task of its own otherwise.
    async fn answer(self: &Arc<Self>, direct: &Arc<Method>, (request, respond): Call) {
        let mut message = Message::new(request.into_body());
        match poll_fn(|context| Poll::Ready(Pin::new(&mut message).poll(context))).await {
            Poll::Ready(Ok(whole)) if direct.is_short() => {
                let _watched = self.watch.begin();
                answer(direct, whole, respond);
            }
            Poll::Ready(Ok(whole)) => {
                let direct = Arc::clone(direct);
                tokio::spawn(async move { answer(&direct, whole, respond) });
                make_way();
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let direct = Arc::clone(direct);
                tokio::spawn(async move {
                    if let Ok(whole) = message.await {
                        answer(&direct, whole, respond);
                    }
                });
                make_way();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole wherever a panic could be.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What this thread would run next can be run by another one from here on. The runtime keeps a task that was woken last for the
/// thread that has woken it, until that one has woken another.
fn make_way() {
    drop(tokio::spawn(async {}));
}

impl Served {
    /// The calls that have come, and whether the connection is over.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Vec<Call>, bool)> {
        if !self.is_stopped && self.stopped.as_mut().poll(context).is_ready() {
            self.is_stopped = true;
            self.connection.graceful_shutdown();
        }
        let mut calls = Vec::new();
        while calls.len() < BATCH {
            match self.connection.poll_accept(context) {
                Poll::Ready(Some(Ok(call))) => calls.push(call),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready((calls, true)),
                Poll::Pending if calls.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready((calls, false))
    }
}
