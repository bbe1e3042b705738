//! The service `pitstop.v1.Plugin` of a [`Plugin`].

use crate::border::message;
use crate::plugin::{Plugin, PluginError};
use pitstop_rpc::plugin::Server;
use pitstop_rpc::proto::pitstop::plugin_server::{Plugin as Service, PluginServer};
use pitstop_rpc::proto::pitstop::{
    DescribeRequest, Description, ProcessRequest, ProcessResponse, Restored, SaveRequest, Saved,
};
use pitstop_rpc::transport::Direct;
use pitstop_rpc::{ANY_SIZE, ERROR_METADATA};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status};

/// A message of an error is a header, and those are limited.
const LONGEST_MESSAGE: usize = 8 * 1024;

/// What a plugin is to [`Server::add_service`].
pub type PluginService = PluginServer<Served>;

/// The service of a plugin.
pub fn service(plugin: impl Plugin + 'static) -> PluginService {
    sized(PluginServer::new(Served::new(plugin)))
}

fn sized(service: PluginService) -> PluginService {
    service.max_decoding_message_size(ANY_SIZE).max_encoding_message_size(ANY_SIZE)
}

/// `Server::new().plugin(Greeter)`.
pub trait ServePlugin {
    /// With a plugin among its services.
    #[must_use]
    fn plugin(self, plugin: impl Plugin + 'static) -> Self;
}

impl ServePlugin for Server {
    fn plugin(self, plugin: impl Plugin + 'static) -> Self {
        let served = Arc::new(Served::new(plugin));
        self.direct(Process(Arc::clone(&served))).add_service(sized(PluginServer::from_arc(served)))
    }
}

/// `Process`, which most calls are of, without what other methods need.
struct Process(Arc<Served>);

impl Direct for Process {
    type Request = ProcessRequest;
    type Answer = ProcessResponse;

    fn path(&self) -> &'static str {
        "/pitstop.v1.Plugin/Process"
    }

    fn is_free(&self) -> bool {
        self.0.running.load(Ordering::Relaxed) < Served::spare()
    }

    fn answer(&self, request: ProcessRequest) -> Result<ProcessResponse, Status> {
        let output = self.0.run(|plugin| plugin.process(&request.input))?.into();
        Ok(ProcessResponse { output })
    }
}

/// A plugin that is served.
pub struct Served {
    plugin: Arc<dyn Plugin>,
    /// How many of its calls run.
    running: AtomicUsize,
}

/// A call that runs.
struct Running<'a> {
    all: &'a AtomicUsize,
    /// How many did when it began.
    before: usize,
}

impl<'a> Running<'a> {
    fn begin(all: &'a AtomicUsize) -> Self {
        Self { all, before: all.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").finish_non_exhaustive()
    }
}

impl Served {
    fn new(plugin: impl Plugin + 'static) -> Self {
        Self { plugin: Arc::new(plugin), running: AtomicUsize::new(0) }
    }

    /// So many calls may run at a time on the runtime's own workers.
    fn spare() -> usize {
        tokio::runtime::Handle::current().metrics().num_workers().saturating_sub(1)
    }

    /// Runs the plugin's code, which may take its time and may panic. One worker at least is left for everything else: while
    /// so many calls run, a further one has its worker's other tasks go on in another thread, which costs as much as a short call.
    fn run<R>(&self, code: impl FnOnce(&dyn Plugin) -> Result<R, PluginError>) -> Result<R, Status> {
        let caught = || catch_unwind(AssertUnwindSafe(|| code(&*self.plugin)));
        let running = Running::begin(&self.running);
        let caught = if running.before < Self::spare() { caught() } else { tokio::task::block_in_place(caught) };
        match caught {
            Ok(done) => done.map_err(|error| status(&error)),
            Err(payload) => Err(status(&PluginError::Panicked { message: message(&*payload) })),
        }
    }
}

#[tonic::async_trait]
impl Service for Served {
    async fn describe(&self, _request: Request<DescribeRequest>) -> Result<Response<Description>, Status> {
        let description = self.run(|plugin| {
            let metadata = plugin.metadata();
            Ok(Description {
                name: plugin.name().to_owned(),
                version: metadata.version,
                capabilities: metadata.capabilities,
                keeps_state: plugin.keeps_state() || !matches!(plugin.save(), Ok(None)),
            })
        })?;
        Ok(Response::new(description))
    }

    /// Where the service is not served by [`ServePlugin`].
    async fn process(&self, request: Request<ProcessRequest>) -> Result<Response<ProcessResponse>, Status> {
        let input = request.into_inner().input;
        let output = self.run(|plugin| plugin.process(&input))?.into();
        Ok(Response::new(ProcessResponse { output }))
    }

    async fn save(&self, _request: Request<SaveRequest>) -> Result<Response<Saved>, Status> {
        let state = self.run(|plugin| plugin.save())?.map(Into::into);
        Ok(Response::new(Saved { state }))
    }

    async fn restore(&self, request: Request<Saved>) -> Result<Response<Restored>, Status> {
        if let Some(state) = request.into_inner().state {
            self.run(|plugin| plugin.restore(&state))?;
        }
        Ok(Response::new(Restored {}))
    }
}

/// What the host makes a [`PluginError`] of again: `UNKNOWN` and the message, as a Go plugin's errors are; what kind it is,
/// for a host that looks.
fn status(error: &PluginError) -> Status {
    let (code, text) = match error {
        PluginError::Failed { message } => (Code::Unknown, message.clone()),
        PluginError::Panicked { message } => (Code::Internal, message.clone()),
        PluginError::Unsupported { verb } => (Code::Unknown, verb.clone()),
        other => (Code::Unknown, other.to_string()),
    };
    let mut status = Status::new(code, cut(text));
    status.metadata_mut().insert(ERROR_METADATA, MetadataValue::from_static(error.kind()));
    status
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_MESSAGE {
        let length = text.len();
        text.truncate(text.floor_char_boundary(LONGEST_MESSAGE));
        text += &format!("... ({length} bytes)");
    }
    text
}

#[cfg(test)]
mod tests;
