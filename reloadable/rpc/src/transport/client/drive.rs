//! The connection itself, and all calls that are on their way by it.

use super::answer::Answer;
use super::body::{Sent, send};
use super::line::{Call, Line, gone};
use crate::transport::stream::Stream;
use crate::transport::{FRAME, HEADERS, WINDOW};
use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Connection, ResponseFuture, SendRequest};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tonic::Status;

/// Of a stream that its sender has not got all of, so much lies ready to be written.
const BUFFER: usize = 1024 * 1024;

pub(super) struct Drive {
    /// `None` when it is over, and the sender when no more calls come.
    connection: Option<Connection<Stream, Bytes>>,
    sender: Option<SendRequest<Bytes>>,
    /// Calls that are to be sent.
    out: VecDeque<Call>,
    /// Those that are on their way, at places that their answers know.
    calls: Vec<Option<OnItsWay>>,
    free: Vec<usize>,
    due: Vec<Arc<Answer>>,
    /// Who is to be woken after a step.
    pub(super) woken: Vec<Waker>,
}

struct OnItsWay {
    receive: Receive,
    answer: Arc<Answer>,
    /// By which the answer becomes due.
    waker: Waker,
}

enum Receive {
    Head(ResponseFuture),
    Body(RecvStream),
}

/// How it is after a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on when something comes.
    Waits,
    Over,
}

impl Drive {
    pub(super) async fn open(stream: Stream) -> Result<Self, h2::Error> {
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
        // The message of an error is a header.
        builder.max_frame_size(FRAME).max_header_list_size(HEADERS).max_send_buffer_size(BUFFER);
        let (sender, connection) = builder.handshake(stream).await?;
        Ok(Self {
            connection: Some(connection),
            sender: Some(sender),
            out: VecDeque::new(),
            calls: Vec::new(),
            free: Vec::new(),
            due: Vec::new(),
            woken: Vec::new(),
        })
    }

    /// Sends what waits, writes and reads what can be, and hands over what has come.
    pub(super) fn step(&mut self, line: &Arc<Line>) -> Progress {
        let waker = Waker::from(Arc::clone(line));
        let mut context = Context::from_waker(&waker);
        line.take_calls(&mut self.out);
        self.send(line, &mut context);
        let Some(connection) = &mut self.connection else { return Progress::Over };
        line.moves();
        let moved = Pin::new(connection).poll(&mut context);
        let mut due = std::mem::take(&mut self.due);
        line.take_due(&mut due);
        for answer in due.drain(..) {
            answer.is_seen();
            self.receive(line, answer.place());
        }
        self.due = due;
        if moved.is_ready() {
            self.connection = None;
            return Progress::Over;
        }
        if self.sender.is_some() && line.is_left() {
            self.sender = None;
            waker.wake();
        }
        Progress::Waits
    }

    /// Sends as many as the other end takes at a time.
    fn send(&mut self, line: &Arc<Line>, context: &mut Context<'_>) {
        while !self.out.is_empty() {
            let Some(sender) = &mut self.sender else { return };
            if !matches!(sender.poll_ready(context), Poll::Ready(Ok(()))) {
                // If the connection has ended, that is seen in a moment.
                return;
            }
            let Some(call) = self.out.pop_front() else { return };
            if call.answer.is_given_up() {
                line.ended(&call.answer);
                continue;
            }
            self.begin(line, call);
        }
    }

    fn begin(&mut self, line: &Arc<Line>, call: Call) {
        let Call { request, sent, answer } = call;
        let Some(sender) = &mut self.sender else { return };
        let begun = sender.send_request(request, false).and_then(|(response, mut stream)| {
            match sent {
                Sent::Whole(message) => stream.send_data(message, true)?,
                Sent::Stream(first, body) => drop(line.runtime().spawn(send(stream, first, body))),
            }
            Ok(response)
        });
        let response = match begun {
            Ok(response) => response,
            Err(error) => {
                self.woken.extend(answer.end(Err(Status::from_error(Box::new(error)))));
                return line.ended(&answer);
            }
        };
        let place = self.free.pop().unwrap_or(self.calls.len());
        answer.lies_at(place);
        let waker = Waker::from(Arc::clone(&answer));
        let call = Some(OnItsWay { receive: Receive::Head(response), answer, waker });
        match self.calls.get_mut(place) {
            Some(free) => *free = call,
            None => self.calls.push(call),
        }
        self.receive(line, place);
    }

    /// Hands over what has come for a call.
    fn receive(&mut self, line: &Line, place: usize) {
        let Some(Some(call)) = self.calls.get_mut(place) else { return };
        let is_over = match call.poll() {
            Poll::Ready(end) => {
                self.woken.extend(end.and_then(|end| call.answer.end(end)));
                true
            }
            Poll::Pending => {
                if let Some(news) = call.answer.news() {
                    line.begins(&call.answer);
                    self.woken.extend(news);
                }
                false
            }
        };
        if is_over && let Some(call) = self.calls[place].take() {
            self.free.push(place);
            line.ended(&call.answer);
        }
    }

    /// Everything fails.
    pub(super) fn close(&mut self, line: &Line) -> Vec<Waker> {
        let mut woken = std::mem::take(&mut self.woken);
        for call in self.out.drain(..) {
            woken.extend(call.answer.end(Err(gone())));
            line.ended(&call.answer);
        }
        for mut call in self.calls.drain(..).flatten() {
            let end = match call.poll() {
                Poll::Ready(end) => end,
                Poll::Pending => Some(Err(gone())),
            };
            woken.extend(end.and_then(|end| call.answer.end(end)));
            line.ended(&call.answer);
        }
        self.free.clear();
        self.due.clear();
        self.sender = None;
        self.connection = None;
        woken
    }
}

impl OnItsWay {
    /// Until the call is over: with nothing more to hand over if nobody wants it.
    fn poll(&mut self) -> Poll<Option<Result<(), Status>>> {
        let failed = |error: h2::Error| Poll::Ready(Some(Err(Status::from_error(Box::new(error)))));
        let context = &mut Context::from_waker(&self.waker);
        loop {
            if self.answer.is_given_up() {
                return Poll::Ready(None);
            }
            match &mut self.receive {
                Receive::Head(response) => match Pin::new(response).poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return failed(error),
                    Poll::Ready(Ok(response)) => {
                        let (head, body) = response.into_parts();
                        self.answer.head(head);
                        self.receive = Receive::Body(body);
                    }
                },
                Receive::Body(body) => {
                    // Its caller is asked for the rest when it has taken what there is.
                    if self.answer.is_full() {
                        return Poll::Pending;
                    }
                    match body.poll_data(context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(Err(error))) => return failed(error),
                        Poll::Ready(Some(Ok(data))) => {
                            let _ = body.flow_control().release_capacity(data.len());
                            if let Err(status) = self.answer.data(data) {
                                return Poll::Ready(Some(Err(status)));
                            }
                            continue;
                        }
                        Poll::Ready(None) => {}
                    }
                    match body.poll_trailers(context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(error)) => return failed(error),
                        Poll::Ready(Ok(trailers)) => {
                            self.answer.trailers(trailers);
                            return Poll::Ready(Some(Ok(())));
                        }
                    }
                }
            }
        }
    }
}
