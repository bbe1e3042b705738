//! Sends a body that comes bit by bit, as fast as the other end takes it.

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::body::Body;

/// Until the body or the other end's interest in it ends. If the body fails, the other end is told this.
pub(super) async fn pump(stream: &mut SendStream<Bytes>, mut body: Body, failed: Reason) {
    loop {
        let frame = match poll_fn(|context| next(stream, &mut body, context)).await {
            Next::Frame(frame) => frame,
            Next::Over => {
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
            Next::Failed => return stream.send_reset(failed),
            Next::Unwanted => return,
        };
        let is_last = body.is_end_stream();
        let sent = match frame.into_data() {
            Ok(data) => stream.send_data(data, is_last),
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => return drop(stream.send_trailers(trailers)),
                Err(_) => Ok(()),
            },
        };
        if sent.is_err() || is_last {
            return;
        }
    }
}

enum Next {
    Frame(http_body::Frame<Bytes>),
    Over,
    Failed,
    Unwanted,
}

/// The next frame, once the other end has room for some of it.
fn next(stream: &mut SendStream<Bytes>, body: &mut Body, context: &mut Context<'_>) -> Poll<Next> {
    if stream.poll_reset(context).is_ready() {
        return Poll::Ready(Next::Unwanted);
    }
    stream.reserve_capacity(1);
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(context)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(Next::Unwanted),
        }
    }
    Poll::Ready(match ready!(Pin::new(body).poll_frame(context)) {
        Some(Ok(frame)) => Next::Frame(frame),
        Some(Err(_)) => Next::Failed,
        None => Next::Over,
    })
}
