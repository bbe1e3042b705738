//! A version of a plugin by `rpc`, ready for calls.

use super::block::block_on;
use super::channel::Route;
use super::connection::Connection;
use super::journal::Journal;
use super::reattach;
use super::runtime::runtime;
use super::shared::{Order, Shared};
use super::start::{Launch, NotRunning};
use super::status::{self, Bounds, PROCESS};
use super::supervise;
use crate::plugin::backend::{Candidate, Description, Instance};
use crate::plugin::spec::Spec;
use pitstop_reloadable::PluginError;
use pitstop_rpc::proto::pitstop::plugin_client::PluginClient;
use pitstop_rpc::proto::pitstop::{ProcessRequest, ProcessResponse, SaveRequest, Saved};
use pitstop_rpc::transport::{Channel, Method};
use rustix::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tonic::{Request, Status};

pub(super) struct Rpc {
    shared: Arc<Shared>,
    /// Owns the process.
    supervisor: Option<JoinHandle<()>>,
    owner: Owner,
    description: Description,
    keeps_state: bool,
    process: Method,
}

/// Who has started the process, and is to end it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    We,
    SomebodyElse,
}

pub(super) fn open(candidate: &Candidate) -> Result<Box<dyn Instance>, PluginError> {
    let spec = Arc::clone(&candidate.spec);
    let journal = Journal::of(&spec.name);
    if let Some(to) = &spec.rpc.reattach {
        let attached = reattach::attach(&spec, to, &journal)?;
        let connection = Arc::clone(&attached.connection);
        let watch = move |shared: &Arc<Shared>, woken: &OwnedFd| reattach::watch(shared, &attached, woken);
        return Ok(Box::new(Rpc::new(&spec, connection, Owner::SomebodyElse, watch)?));
    }
    let launch = Launch { file: candidate.file.clone(), spec: Arc::clone(&spec), journal };
    let running = launch.start(None, || false).map_err(|why| match why {
        NotRunning::Failed(error) => error,
        NotRunning::Ordered => PluginError::failed("it was not started"),
    })?;
    let connection = Arc::clone(&running.connection);
    let supervise = move |shared: &Arc<Shared>, woken: &OwnedFd| supervise::supervise(shared, &launch, running, woken);
    Ok(Box::new(Rpc::new(&spec, connection, Owner::We, supervise)?))
}

impl Rpc {
    fn new(
        spec: &Arc<Spec>,
        connection: Arc<Connection>,
        owner: Owner,
        supervise: impl FnOnce(&Arc<Shared>, &OwnedFd) + Send + 'static,
    ) -> Result<Self, PluginError> {
        let failed = |error: std::io::Error| {
            PluginError::failed(format!("{error}; close files, or end threads, that are no longer used"))
        };
        let (woken, wake) = std::io::pipe().map_err(failed)?;
        let shared = Arc::new(Shared::new(Arc::clone(spec), Arc::clone(&connection), wake.into()));
        connection.belongs_to(&shared);
        let thread = std::thread::Builder::new().name(format!("pitstop-{}", spec.name));
        let own = Arc::clone(&shared);
        let supervisor = thread.spawn(move || supervise(&own, &woken.into())).map_err(failed)?;
        let (description, keeps_state) = (connection.description.clone(), connection.keeps_state);
        let process = Method::new("/pitstop.v1.Plugin/Process", Some(spec.limits.time));
        Ok(Self { shared, supervisor: Some(supervisor), owner, description, keeps_state, process })
    }

    fn bounds(&self) -> Bounds {
        let limits = &self.shared.spec.limits;
        Bounds { time: limits.time, output: limits.output }
    }

    /// Calls the process that runs, or the one that is being started, within the time of a call.
    fn call<T, F: Future<Output = Result<T, Status>>>(
        &self,
        call: impl FnOnce(Channel, Duration) -> F,
    ) -> Result<T, PluginError> {
        let bounds = self.bounds();
        // A time that cannot be told is as good as no limit.
        let until = Instant::now().checked_add(bounds.time);
        let (connection, left) = match self.shared.current() {
            Some(connection) => (connection, bounds.time),
            None => {
                let connected = block_on(self.shared.connected(), until);
                let connection = connected.unwrap_or_else(|| Err(self.shared.still_away()))?;
                let left = until.map_or(bounds.time, |until| until.saturating_duration_since(Instant::now()));
                (connection, left)
            }
        };
        if !connection.is_described {
            return Err(PluginError::Unsupported { verb: PROCESS.to_owned() });
        }
        match block_on(call(connection.channel(), left), until) {
            None => Err(PluginError::TimedOut { limit: bounds.time }),
            Some(Ok(answer)) => Ok(answer),
            Some(Err(status)) => Err(self.failed(&connection, &status)),
        }
    }

    /// How long a message may be.
    fn longest(&self) -> usize {
        usize::try_from(self.bounds().output).unwrap_or(usize::MAX).saturating_add(ENVELOPE)
    }

    fn client(&self, channel: Channel) -> PluginClient<Channel> {
        PluginClient::new(channel)
            .max_decoding_message_size(self.longest())
            .max_encoding_message_size(pitstop_rpc::ANY_SIZE)
    }

    /// What a status says; after the end of the process, how that was.
    fn failed(&self, connection: &Connection, status: &Status) -> PluginError {
        if !status::is_of_transport(status) {
            return status::error(status, self.bounds());
        }
        let Ok(runtime) = runtime() else { return PluginError::failed(status::told(status)) };
        let _runtime = runtime.enter();
        block_on(connection.why_broken(), None).flatten().unwrap_or_else(|| PluginError::failed(status::told(status)))
    }

    fn end(&mut self, order: Order) {
        if let Some(supervisor) = self.supervisor.take() {
            self.shared.order(order);
            let _ = supervisor.join();
        }
    }
}

/// What a message has around its output: a tag and a length.
const ENVELOPE: usize = 16;

impl Instance for Rpc {
    fn description(&self) -> &Description {
        &self.description
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        let output = self.call(|channel, left| {
            let request = ProcessRequest { input: input.to_vec().into() };
            let answer = channel.unary(&self.process, &request, self.longest(), Some(left));
            async move { answer.await.map(|answer: ProcessResponse| answer.output) }
        })?;
        match u64::try_from(output.len()) {
            Ok(length) if length <= self.bounds().output => Ok(output.into()),
            _ => Err(PluginError::TooMuchOutput { limit: self.bounds().output }),
        }
    }

    fn typed(&self) -> Option<Route> {
        Some(Route::begin(&self.shared))
    }

    fn keeps_state(&self) -> bool {
        self.keeps_state
    }

    fn save(&self) -> Result<Option<Vec<u8>>, PluginError> {
        if !self.keeps_state {
            return Ok(None);
        }
        if let (Some(connection), Ok(runtime)) = (self.shared.current(), runtime()) {
            // What these do to the state is to be saved too.
            let _runtime = runtime.enter();
            let _ = block_on(connection.quiet(self.shared.spec.limits.drain), None);
        }
        let saved = self.call(|channel, left| async move {
            let mut request = Request::new(SaveRequest {});
            request.set_timeout(left);
            Ok(self.client(channel).save(request).await?.into_inner().state)
        })?;
        Ok(saved.map(Into::into))
    }

    fn restore(&self, saved: &[u8]) -> Result<(), PluginError> {
        if !self.keeps_state {
            return Ok(());
        }
        self.call(|channel, left| async move {
            let mut request = Request::new(Saved { state: Some(saved.to_vec().into()) });
            request.set_timeout(left);
            self.client(channel).restore(request).await.map(drop)
        })
    }

    fn retire(mut self: Box<Self>, grace: Duration) {
        let kill_after = self.shared.spec.rpc.kill_after;
        if let (Some(connection), Ok(runtime)) = (self.shared.current(), runtime()) {
            let _runtime = runtime.enter();
            let name = &self.shared.spec.name;
            let ended = async {
                let cut = connection.drained(grace).await;
                if cut > 0 {
                    log::warn!(target: "pitstop::plugin", "{name}: {cut} calls and streams are cut, after {grace:?}");
                }
                if self.owner == Owner::We {
                    connection.shut_down(kill_after).await;
                }
                connection.close();
            };
            let _ = block_on(ended, None);
        }
        self.end(Order::Leave(kill_after));
    }
}

impl Drop for Rpc {
    fn drop(&mut self) {
        self.end(Order::Kill);
    }
}
