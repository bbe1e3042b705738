//! Has a call answered by whatever service it is for.

use crate::transport::{pump, timeout};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;

/// Until the answer is sent, or its caller has lost interest.
pub(super) async fn route(mut routes: Routes, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let limit = timeout::of(request.headers());
    let answered = routes.call(request.map(|body| Body::new(Received { body, is_read: false })));
    let answered = async {
        let Some(limit) = limit else { return answered.await };
        let timed = tokio::time::timeout(limit, answered).await;
        timed.unwrap_or_else(|_| Ok(Status::cancelled("Timeout expired").into_http()))
    };
    let answer = tokio::select! {
        biased;
        answer = answered => answer,
        _ = poll_fn(|context| respond.poll_reset(context)) => return,
    };
    let (parts, body) = match answer {
        Ok(answer) => answer.into_parts(),
        Err(never) => match never {},
    };
    let is_all = body.is_end_stream();
    let Ok(mut stream) = respond.send_response(Response::from_parts(parts, ()), is_all) else { return };
    if is_all {
        return;
    }
    pump::pump(&mut stream, body, Reason::INTERNAL_ERROR).await;
}

/// The body of a request.
struct Received {
    body: RecvStream,
    is_read: bool,
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let failed = |error: h2::Error| Some(Err(Status::from_error(Box::new(error))));
        if self.is_read {
            return Poll::Ready(None);
        }
        match ready!(self.body.poll_data(context)) {
            Some(Ok(data)) => {
                let _ = self.body.flow_control().release_capacity(data.len());
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            // It ends so where the caller takes its interest in the answer back, too.
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(failed(error)),
            None => {}
        }
        let trailers = ready!(self.body.poll_trailers(context));
        self.is_read = true;
        Poll::Ready(match trailers {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => failed(error),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_read || self.body.is_end_stream()
    }
}
