//! What clients of the program's own services call through: each call runs the version that is live when it begins, and ends
//! there.

use super::connection::{Begun, Connection};
use super::runtime::runtime;
use super::shared::Shared;
use super::status;
use crate::plugin::post::Post;
use crate::plugin::version::Version;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use pitstop_reloadable::PluginError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tower::Service;

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

/// A plugin by `rpc` for clients of the program's own services, from [`Plugins::channel`](crate::Plugins::channel): what
/// `tonic` generates from a `.proto` takes it in place of a channel of its own, as in `KvClient::new(channel)`.
///
/// Each call runs the version that is live when it begins, whatever becomes live meanwhile; it, and each stream, ends on that
/// version. An old version is ended once they are over, or once `limits.drain_ms` is: then they are cut. Calls that begin while a
/// crashed plugin is being started again wait for it, for `limits.time_ms` at most.
///
/// Cheap to clone, and good on any thread and in any runtime.
///
/// # Errors
/// Where no version is live: the status `UNAVAILABLE`, with what is wrong. Where the plugin ends in a call: `UNAVAILABLE` too,
/// with how it ended; what the call has done until then, it has done.
#[derive(Clone)]
pub struct Channel {
    post: Arc<Post>,
    key: Option<Arc<str>>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("name", &self.post.name).finish_non_exhaustive()
    }
}

impl Channel {
    pub(crate) fn new(post: Arc<Post>) -> Self {
        Self { post, key: None }
    }

    /// The same for somebody: with a [`sticky`](crate::Route::sticky) route the key says which version gets the calls.
    #[must_use]
    pub fn keyed(&self, key: &str) -> Self {
        Self { post: Arc::clone(&self.post), key: Some(key.into()) }
    }

    fn typed(&self) -> Result<Route, Status> {
        self.post.typed(self.key.as_deref()).map_err(Status::unavailable)
    }

    /// The version that is live now, to make several calls to it, or to open connections by its broker: a number of the broker's
    /// means something to that version only. It is not ended before this is dropped, or the time for draining is over.
    ///
    /// # Errors
    /// No version is live: the status `UNAVAILABLE`.
    pub async fn pin(&self) -> Result<Pinned, Status> {
        let (connection, begun) = self.begin().await?;
        Ok(Pinned { connection, _begun: Arc::new(begun) })
    }

    async fn begin(&self) -> Result<(Arc<Connection>, Begun), Status> {
        loop {
            let shared = match self.typed()? {
                Route::Begun(connection, begun) => return Ok((connection, begun)),
                Route::Starting(shared) => shared,
                Route::Waiting(version) => {
                    taken_over(version).await?;
                    continue;
                }
            };
            let connection = connected(&shared).await.map_err(|error| Status::unavailable(error.to_string()))?;
            // Otherwise it was retired at this moment: another one is live.
            if let Some(begun) = connection.begin() {
                return Ok((connection, begun));
            }
        }
    }
}

/// The process of a version that is being started again.
async fn connected(shared: &Shared) -> Result<Arc<Connection>, PluginError> {
    let waiting = {
        // The program's own runtime need have no clock, nor be one of tokio's.
        let _runtime = runtime()?.enter();
        tokio::time::timeout(shared.spec.limits.time, shared.connected())
    };
    waiting.await.unwrap_or_else(|_| Err(shared.still_away()))
}

/// Waits until a version has what the one before it has saved, or will not have it.
async fn taken_over(version: Arc<Version>) -> Result<(), Status> {
    let wait = move || version.waits_for().map_or(Ok(()), |handover| handover.wait(version.spec.limits.time));
    let runtime = runtime().map_err(|error| Status::unavailable(error.to_string()))?;
    let waited = runtime.spawn_blocking(wait).await.unwrap_or(Ok(()));
    waited.map_err(|error| Status::unavailable(error.to_string()))
}

/// Where a typed call goes.
pub(crate) enum Route {
    /// To a process that runs, where it has begun.
    Begun(Arc<Connection>, Begun),
    /// To one that is being started.
    Starting(Arc<Shared>),
    /// To a version that waits for what the one before it keeps.
    Waiting(Arc<Version>),
}

impl Route {
    /// Begins one, while the version that it goes to cannot be retired.
    pub(super) fn begin(shared: &Arc<Shared>) -> Self {
        let begun = shared.current().and_then(|connection| {
            let begun = connection.begin()?;
            Some(Self::Begun(connection, begun))
        });
        begun.unwrap_or_else(|| Self::Starting(Arc::clone(shared)))
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Answer;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        // A call begins when it is made, and not when it is first waited for.
        let typed = self.typed();
        let own = self.clone();
        Box::pin(async move {
            let (connection, begun) = match typed? {
                Route::Begun(connection, begun) => (connection, begun),
                Route::Starting(_) | Route::Waiting(_) => own.begin().await?,
            };
            call(&connection, request, begun).await
        })
    }
}

/// One version of a plugin, from [`Channel::pin`]: clients call through it as through the [`Channel`]. Cheap to clone; the version
/// is held until the last clone is dropped.
#[derive(Clone)]
pub struct Pinned {
    connection: Arc<Connection>,
    _begun: Arc<Begun>,
}

impl std::fmt::Debug for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pinned").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Pinned {
    /// Opens further connections between the program and this version, in either direction. It is closed when the version ends.
    #[must_use]
    pub fn broker(&self) -> pitstop_rpc::Broker {
        self.connection.broker.clone()
    }

    /// Which version of the plugin's interface both ends have settled on: one of `rpc.versions`.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.connection.version
    }
}

impl Service<Request<Body>> for Pinned {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Answer;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let own = self.clone();
        Box::pin(async move {
            let begun = own.connection.begin().ok_or_else(|| Status::unavailable("this version of it was retired"))?;
            call(&own.connection, request, begun).await
        })
    }
}

async fn call(connection: &Arc<Connection>, request: Request<Body>, begun: Begun) -> Result<Response<Body>, Status> {
    let mut channel = connection.channel();
    let answer = async {
        std::future::poll_fn(|context| channel.poll_ready(context)).await?;
        channel.call(request).await
    };
    match answer.await {
        Ok(response) => Ok(response.map(|inner| Body::new(Counted { inner, begun: Some(begun) }))),
        Err(error) => {
            let status = Status::from_error(error.into());
            Err(reason(connection, status).await)
        }
    }
}

/// After the end of the process: how that was.
async fn reason(connection: &Arc<Connection>, status: Status) -> Status {
    if !status::is_of_transport(&status) {
        return status;
    }
    let Ok(runtime) = runtime() else { return status };
    let own = Arc::clone(connection);
    // The program's own runtime need have no clock.
    match runtime.spawn(async move { own.why_broken().await }).await {
        Ok(Some(error)) => Status::unavailable(error.to_string()),
        _ => status,
    }
}

/// The body of an answer, by which the call is over once it is read, or dropped.
struct Counted {
    inner: Body,
    begun: Option<Begun>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        // Who has read the trailers has no reason to look further, and may keep what it has read from for long.
        let is_over = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        if is_over {
            self.begun = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
