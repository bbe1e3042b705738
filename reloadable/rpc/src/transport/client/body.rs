//! What a call sends: a message that is there, or a stream that its caller has not got all of yet.

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tonic::Status;
use tonic::body::Body;

pub(super) enum Sent {
    Whole(Bytes),
    /// What of it has come, and the rest.
    Stream(Option<Bytes>, Body),
}

/// Looks at what a caller has to send. Most have one message, and that at once.
pub(super) async fn begun(mut body: Body) -> Result<Sent, Status> {
    let mut first = None;
    poll_fn(|context| {
        loop {
            if body.is_end_stream() {
                return Poll::Ready(Ok(Sent::Whole(first.take().unwrap_or_default())));
            }
            match Pin::new(&mut body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) if first.is_none() => match frame.into_data() {
                    Ok(data) => first = Some(data),
                    Err(_) => return Poll::Ready(Err(Status::internal("a client sends no trailers"))),
                },
                Poll::Ready(Some(Ok(frame))) => {
                    let body = Body::new(Again { frame: Some(frame), rest: std::mem::take(&mut body) });
                    return Poll::Ready(Ok(Sent::Stream(first.take(), body)));
                }
                Poll::Ready(Some(Err(status))) => return Poll::Ready(Err(status)),
                Poll::Ready(None) => return Poll::Ready(Ok(Sent::Whole(first.take().unwrap_or_default()))),
                Poll::Pending => return Poll::Ready(Ok(Sent::Stream(first.take(), std::mem::take(&mut body)))),
            }
        }
    })
    .await
}

/// A body whose next frame is known.
struct Again {
    frame: Option<Frame<Bytes>>,
    rest: Body,
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.frame.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}

/// Sends a stream, as fast as the other end takes it.
pub(super) async fn send(mut stream: SendStream<Bytes>, first: Option<Bytes>, body: Body) {
    if let Some(first) = first
        && stream.send_data(first, false).is_err()
    {
        return;
    }
    crate::transport::pump::pump(&mut stream, body, Reason::CANCEL).await;
}
