//! Answers a call that has one message for one.

use super::services::Method;
use crate::transport::{PREFIX, announced};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;

/// As long as most answers are, at least.
const USUAL: usize = 128;

/// The message of a call, while it comes.
pub(super) struct Message {
    body: RecvStream,
    first: Bytes,
    /// What has come, if it is more than one piece.
    joined: BytesMut,
}

impl Message {
    pub(super) fn new(body: RecvStream) -> Self {
        Self { body, first: Bytes::new(), joined: BytesMut::new() }
    }

    fn take(&mut self, data: Bytes) {
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = data;
            return;
        }
        if self.joined.is_empty() {
            // Nobody has room made by saying a large number only.
            self.joined.reserve(announced(&self.first).unwrap_or(0).min(1 << 26) + PREFIX);
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&data);
    }

    fn whole(&mut self) -> Result<Bytes, Status> {
        let mut whole = std::mem::take(&mut self.first);
        if !self.joined.is_empty() {
            whole = std::mem::take(&mut self.joined).freeze();
        }
        if whole.len() < PREFIX {
            return Err(Status::internal("Missing request message."));
        }
        if whole.get_u8() != 0 {
            return Err(Status::unimplemented("messages of this method are not compressed"));
        }
        if usize::try_from(whole.get_u32()).is_ok_and(|length| length == whole.len()) {
            return Ok(whole);
        }
        Err(Status::internal("the message is another length than it says"))
    }
}

impl Future for Message {
    /// The inner error is for the caller; with the outer one, there is none any more.
    type Output = Result<Result<Bytes, Status>, h2::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(data) = ready!(self.body.poll_data(context)).transpose()? {
            let _ = self.body.flow_control().release_capacity(data.len());
            self.take(data);
        }
        Poll::Ready(Ok(self.whole()))
    }
}

/// Answers a call, however long that takes.
pub(super) fn answer(direct: &Method, message: Result<Bytes, Status>, respond: SendResponse<Bytes>) {
    let answered = message.and_then(|message| {
        let mut answer = BytesMut::with_capacity(USUAL);
        answer.put_bytes(0, PREFIX);
        direct.answer(message, &mut answer)?;
        let length = u32::try_from(answer.len() - PREFIX)
            .map_err(|_| Status::resource_exhausted("the answer is longer than a message may be"))?;
        answer[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        Ok(answer.freeze())
    });
    // A caller that is gone needs no answer.
    let _ = respond_with(respond, answered);
}

fn respond_with(mut respond: SendResponse<Bytes>, answered: Result<Bytes, Status>) -> Result<(), h2::Error> {
    let message = match answered {
        Ok(message) => message,
        Err(status) => return respond.send_response(status.into_http(), true).map(drop),
    };
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(message, false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
