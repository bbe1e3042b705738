//! What is served on a connection.

use bytes::{Bytes, BytesMut};
use prost::Message;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tonic::Status;
use tonic::service::Routes;

/// A call that takes longer is worth a task of its own, on whatever processor is free.
const SHORT: Duration = Duration::from_micros(30);

/// What answers the calls of one method that has one message for one, without a task for each. It may take its time.
pub trait Direct: Send + Sync + 'static {
    /// What it is sent.
    type Request: Message + Default;
    /// What it answers.
    type Answer: Message;

    /// The method's, such as `/pitstop.v1.Plugin/Process`.
    fn path(&self) -> &'static str;

    /// Whether a thread would be left for everything else while a call runs.
    fn is_free(&self) -> bool;

    /// Answers.
    ///
    /// # Errors
    /// What the caller is told.
    fn answer(&self, request: Self::Request) -> Result<Self::Answer, Status>;
}

/// All that is served.
pub struct Services {
    pub(super) routes: Routes,
    pub(super) direct: Option<Arc<Method>>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

impl From<Routes> for Services {
    fn from(routes: Routes) -> Self {
        Self { routes: routes.prepare(), direct: None }
    }
}

impl Services {
    /// With a method that is answered directly, whatever the routes have for it.
    #[must_use]
    pub(crate) fn with_direct(self, direct: Option<Method>) -> Self {
        Self { direct: direct.map(Arc::new), ..self }
    }
}

/// A method that is answered directly, and how long its calls take.
pub(crate) struct Method {
    direct: Box<dyn OfAnyType>,
    was_long: AtomicBool,
}

/// [`Direct`], whatever its types are.
trait OfAnyType: Send + Sync {
    fn path(&self) -> &'static str;
    fn is_free(&self) -> bool;
    /// Writes the answer to a message behind what there is.
    fn answer(&self, message: Bytes, answer: &mut BytesMut) -> Result<(), Status>;
}

impl<D: Direct> OfAnyType for D {
    fn path(&self) -> &'static str {
        Direct::path(self)
    }

    fn is_free(&self) -> bool {
        Direct::is_free(self)
    }

    fn answer(&self, message: Bytes, answer: &mut BytesMut) -> Result<(), Status> {
        let request = D::Request::decode(message).map_err(|error| Status::internal(error.to_string()))?;
        let answered = Direct::answer(self, request)?;
        answer.reserve(answered.encoded_len());
        answered.encode_raw(answer);
        Ok(())
    }
}

impl Method {
    pub(crate) fn new(direct: impl Direct) -> Self {
        Self { direct: Box::new(direct), was_long: AtomicBool::new(false) }
    }

    pub(super) fn path(&self) -> &'static str {
        self.direct.path()
    }

    /// Whether a call may be answered by whoever moves the connection.
    pub(super) fn is_short(&self) -> bool {
        !self.was_long.load(Ordering::Relaxed) && self.direct.is_free()
    }

    pub(super) fn answer(&self, message: Bytes, answer: &mut BytesMut) -> Result<(), Status> {
        let begun = Instant::now();
        let answered = self.direct.answer(message, answer);
        self.was_long.store(begun.elapsed() > SHORT, Ordering::Relaxed);
        answered
    }
}
