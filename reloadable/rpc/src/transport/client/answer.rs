//! Where the reply to a call comes to lie, until its caller takes it.

use super::line::{Line, lock};
use crate::transport::{PREFIX, announced};
use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, Response};
use http_body::Frame;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use tonic::Status;
use tonic::body::Body;

/// So much of an answer lies here before its caller takes some; the rest waits at the other end.
const UNREAD: usize = 4 * 1024 * 1024;

pub(super) struct Answer {
    line: Arc<Line>,
    wants: Wants,
    /// Of the call among those that are on their way.
    place: AtomicUsize,
    /// Whether its caller waits for it to begin.
    is_awaited: AtomicBool,
    /// Whether the line knows already that something is to be done for it.
    is_due: AtomicBool,
    state: Mutex<State>,
}

/// What its caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// All of it, with one message of so many bytes at most.
    Whole { longest: usize },
    /// Whatever comes, when it comes.
    Parts,
}

/// How long a call is to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    NotLong,
    /// As long as the connection, maybe: nobody is in a hurry for its answer.
    Long,
}

#[derive(Default)]
struct State {
    head: Option<Parts>,
    data: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    unread: usize,
    end: Option<Result<(), Status>>,
    /// The caller, if it waits.
    waker: Option<Waker>,
    is_new: bool,
    is_given_up: bool,
}

impl Answer {
    pub(super) fn new(line: Arc<Line>, wants: Wants, lasts: Lasts) -> Arc<Self> {
        Arc::new(Self {
            line,
            wants,
            place: AtomicUsize::new(usize::MAX),
            is_awaited: AtomicBool::new(lasts == Lasts::NotLong),
            is_due: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    pub(super) fn lies_at(&self, place: usize) {
        self.place.store(place, Ordering::Relaxed);
    }

    pub(super) fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }

    /// From now on it is to be told again.
    pub(super) fn is_seen(&self) {
        self.is_due.store(false, Ordering::Release);
    }

    fn due(self: &Arc<Self>) {
        if !self.is_due.swap(true, Ordering::AcqRel) {
            self.line.due(Arc::clone(self));
        }
    }

    pub(super) fn head(&self, head: Parts) {
        let mut state = lock(&self.state);
        state.head = Some(head);
        state.is_new = true;
    }

    pub(super) fn data(&self, data: Bytes) -> Result<(), Status> {
        let mut state = lock(&self.state);
        state.unread += data.len();
        state.is_new = true;
        let Wants::Whole { longest } = self.wants else {
            state.data.push_back(data);
            return Ok(());
        };
        let is_first = state.data.is_empty();
        state.data.push_back(data);
        let announced = state.data.front().and_then(|first| announced(first));
        let length = if is_first { announced } else { None }.unwrap_or(0).max(state.unread.saturating_sub(PREFIX));
        if length > longest {
            return Err(Status::out_of_range(format!(
                "Error, decoded message length too large: found {length} bytes, the limit is: {longest} bytes"
            )));
        }
        Ok(())
    }

    pub(super) fn trailers(&self, trailers: Option<HeaderMap>) {
        lock(&self.state).trailers = trailers;
    }

    /// The call is over. Whom to wake.
    pub(super) fn end(&self, end: Result<(), Status>) -> Option<Waker> {
        let mut state = lock(&self.state);
        if state.end.is_none() {
            state.end = Some(end);
        }
        state.waker.take()
    }

    /// If something has come that its caller wants before the call is over: whom to wake.
    pub(super) fn news(&self) -> Option<Option<Waker>> {
        if self.wants != Wants::Parts {
            return None;
        }
        let mut state = lock(&self.state);
        std::mem::take(&mut state.is_new).then(|| state.waker.take())
    }

    /// Whether its caller waits for it, and has been counted so.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }

    /// Whether it was, and is not any more.
    pub(super) fn is_awaited_no_more(&self) -> bool {
        self.is_awaited.swap(false, Ordering::Relaxed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.wants == Wants::Parts && lock(&self.state).unread >= UNREAD
    }

    pub(super) fn is_given_up(&self) -> bool {
        lock(&self.state).is_given_up
    }
}

/// By which the connection tells that something has come for it.
impl Wake for Answer {
    fn wake(self: Arc<Self>) {
        self.due();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due();
    }
}

/// A caller's hold on its answer. A call whose hold is dropped is taken back.
pub(super) struct Reply(Arc<Answer>);

impl Drop for Reply {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.is_given_up = true;
        let is_over = state.end.is_some();
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        if !is_over {
            self.0.due();
        }
    }
}

impl Reply {
    pub(super) fn new(answer: Arc<Answer>) -> Self {
        Self(answer)
    }

    /// What the answer is, if there is anything to be told; else the caller is woken later.
    fn poll<T>(&self, context: &mut Context<'_>, look: impl FnOnce(&mut State) -> Option<T>) -> Poll<T> {
        let mut state = lock(&self.0.state);
        if let Some(found) = look(&mut state) {
            return Poll::Ready(found);
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// The message of the answer, with what is before it, once the call is over.
    pub(super) async fn whole(self) -> Result<Bytes, Status> {
        poll_fn(|context| {
            self.poll(context, |state| {
                let end = state.end.take()?;
                let data = std::mem::take(&mut state.data);
                Some(end.and_then(|()| status(state)).map(|()| joined(data)))
            })
        })
        .await
    }

    /// The head of the answer, and the rest as it comes.
    pub(super) async fn response(self) -> Result<Response<Body>, Status> {
        let head = poll_fn(|context| {
            self.poll(context, |state| match state.head.take() {
                Some(head) => Some(Ok(head)),
                None => state.end.take().map(|end| Err(end.err().unwrap_or_else(super::line::gone))),
            })
        });
        let head = head.await?;
        Ok(Response::from_parts(head, Body::new(Rest { reply: self, is_over: false })))
    }
}

/// What an answer says of how the call went.
fn status(state: &State) -> Result<(), Status> {
    let head = state.head.as_ref();
    let trailers = state.trailers.as_ref().into_iter().chain(head.map(|head| &head.headers));
    // Most calls go well, and no more needs to be known of those.
    let mut said = trailers.filter(|headers| headers.contains_key(Status::GRPC_STATUS));
    let Some(headers) = said.next() else {
        let code = head.map(|head| head.status.as_u16()).unwrap_or_default();
        return Err(Status::unknown(format!("the answer has no grpc-status; its HTTP status is {code}")));
    };
    if headers.get(Status::GRPC_STATUS).is_some_and(|code| code.as_bytes() == b"0") {
        return Ok(());
    }
    Err(Status::from_header_map(headers).unwrap_or_else(|| Status::unknown("")))
}

fn joined(mut data: VecDeque<Bytes>) -> Bytes {
    if data.len() <= 1 {
        return data.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(data.iter().map(Bytes::len).sum());
    data.iter().for_each(|data| whole.extend_from_slice(data));
    whole.freeze()
}

/// The body of an answer, as it comes.
struct Rest {
    reply: Reply,
    is_over: bool,
}

impl http_body::Body for Rest {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let mut has_room = false;
        let polled = self.reply.poll(context, |state| {
            if let Some(data) = state.data.pop_front() {
                let was_full = state.unread >= UNREAD;
                state.unread -= data.len();
                has_room = was_full && state.unread < UNREAD;
                return Some(Some(Ok(Frame::data(data))));
            }
            match &mut state.end {
                None => None,
                Some(Ok(())) => Some(state.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
                Some(end) => Some(std::mem::replace(end, Ok(())).err().map(Err)),
            }
        });
        if has_room {
            self.reply.0.due();
        }
        self.is_over = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
