//! What clients call through, generated ones and those that have their message in one piece.

use super::answer::{Answer, Lasts, Reply, Wants};
use super::body::{Sent, begun};
use super::line::{Call, Line};
use crate::transport::stream::Stream;
use crate::transport::{PREFIX, timeout};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, Uri, Version};
use prost::Message;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::body::Body;
use tonic::{Code, Status, TimeoutExpired};
use tower::Service;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("pitstop/", env!("CARGO_PKG_VERSION")));

/// What generated clients call through: `KvClient::new(channel)`. Cheap to clone; calls of one may run at the same time. The
/// connection ends once all clones and all calls have.
#[derive(Clone)]
pub struct Channel {
    line: Arc<Line>,
    lasts: Lasts,
    _user: Arc<User>,
}

/// All clones of a channel together.
struct User(Arc<Line>);

impl Drop for User {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl Channel {
    /// On a connection that is there; it is moved by the runtime that this is called in.
    pub(crate) async fn open(stream: Stream) -> Result<Self, h2::Error> {
        let line = Line::open(stream).await?;
        Ok(Self { _user: Arc::new(User(Arc::clone(&line))), lasts: Lasts::NotLong, line })
    }

    /// The same for streams that stay open and for whose messages nobody waits: other calls are made as if they were not.
    #[must_use]
    pub fn for_streams(&self) -> Self {
        Self { lasts: Lasts::Long, ..self.clone() }
    }

    /// Calls a method with one message and for one, of this many bytes at most. It begins at once; the caller sees to it that
    /// no more than the time is waited, which the other end is only told.
    ///
    /// # Errors
    /// The other end's status; one with a source if the call has failed on its way.
    pub fn unary<Q: Message, A: Message + Default>(
        &self,
        method: &Method,
        message: &Q,
        longest: usize,
        time: Option<Duration>,
    ) -> impl Future<Output = Result<A, Status>> + Send + use<Q, A> {
        let reply = self.begin(method.request(time), Sent::Whole(framed(message)), Wants::Whole { longest });
        async move { decoded(&mut reply.whole().await?) }
    }

    fn begin(&self, request: Request<()>, sent: Sent, wants: Wants) -> Reply {
        let answer = Answer::new(Arc::clone(&self.line), wants, self.lasts);
        let reply = Reply::new(Arc::clone(&answer));
        self.line.begin(Call { request, sent, answer });
        reply
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let own = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let limit = timeout::of(&parts.headers);
            let request = addressed(Request::from_parts(parts, ()));
            let answered = async {
                let sent = begun(body).await?;
                own.begin(request, sent, Wants::Parts).response().await
            };
            let Some(limit) = limit else { return answered.await };
            let timed = {
                // The caller's own runtime need have no clock.
                let _runtime = own.line.runtime().enter();
                tokio::time::timeout(limit, answered)
            };
            timed.await.unwrap_or_else(|_| Err(Status::from_error(Box::new(TimeoutExpired(())))))
        })
    }
}

/// A request as HTTP/2 wants it: a generated client knows the path only.
fn addressed(mut request: Request<()>) -> Request<()> {
    *request.version_mut() = Version::HTTP_2;
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = uri(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
    request
}

fn uri(path: PathAndQuery) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::from_static("localhost"));
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).unwrap_or_default()
}

/// A method that is called with one message for one, and what is the same in each call of it.
#[derive(Clone, Debug)]
pub struct Method {
    uri: Uri,
    headers: HeaderMap,
    /// The usual time for a call, as it is written in a header.
    usual: Option<(Duration, HeaderValue)>,
}

impl Method {
    /// By its path, such as `/pitstop.v1.Plugin/Process`, and the time that its calls usually have.
    #[must_use]
    pub fn new(path: &'static str, usual: Option<Duration>) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(USER_AGENT, AGENT);
        let usual = usual.map(|time| (time, timeout::header(time)));
        Self { uri: uri(PathAndQuery::from_static(path)), headers, usual }
    }

    fn request(&self, time: Option<Duration>) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(time) = time {
            // The same words each time are one byte on the way.
            let usual = self.usual.as_ref().filter(|(usual, _)| *usual == time);
            let header = usual.map_or_else(|| timeout::header(time), |(_, header)| header.clone());
            request.headers_mut().insert(timeout::NAME, header);
        }
        request
    }
}

/// A message as it goes over the connection.
fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    // A longer one than that is refused by whoever gets it.
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut bytes);
    bytes.freeze()
}

fn decoded<A: Message + Default>(whole: &mut Bytes) -> Result<A, Status> {
    if whole.len() < PREFIX {
        return Err(Status::new(Code::Internal, "Missing response message."));
    }
    if whole.get_u8() != 0 {
        let error = "protocol error: received message with compressed-flag but no grpc-encoding was specified";
        return Err(Status::internal(error));
    }
    if usize::try_from(whole.get_u32()).is_ok_and(|length| length == whole.len()) {
        return A::decode(whole).map_err(|error| Status::internal(error.to_string()));
    }
    Err(Status::internal("protocol error: the answer is another length than it says"))
}
