//! The connection to one process of a plugin: its health, its services, what it has begun, and how it ends.

use super::journal::Journal;
use super::shared::Shared;
use super::status;
use super::stdio;
use crate::lock::lock;
use crate::plugin::backend::Description;
use pitstop_reloadable::PluginError;
use pitstop_rpc::proto::go_plugin::Empty;
use pitstop_rpc::proto::go_plugin::grpc_controller_client::GrpcControllerClient;
use pitstop_rpc::proto::health::HealthCheckRequest;
use pitstop_rpc::proto::health::health_check_response::ServingStatus;
use pitstop_rpc::proto::health::health_client::HealthClient;
use pitstop_rpc::proto::pitstop::plugin_client::PluginClient;
use pitstop_rpc::proto::pitstop::{DescribeRequest, Description as Described};
use pitstop_rpc::transport::{self, Channel};
use pitstop_rpc::{Address, Broker, HEALTH_SERVICE, Mutual, SocketPlace};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tonic::Code;

/// How long it may take until it is known why a connection broke.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// Whom to connect to.
pub(super) struct Connect {
    pub(super) address: Address,
    /// Of the application's protocol.
    pub(super) version: u32,
    pub(super) mutual: Option<Mutual>,
    /// Where this end makes its own.
    pub(super) sockets: PathBuf,
    pub(super) journal: Journal,
}

/// What is wrong with a plugin that has greeted.
pub(super) struct Unwell {
    pub(super) expected: String,
    pub(super) found: String,
}

/// The connection to one process.
pub(crate) struct Connection {
    channel: Channel,
    pub(super) broker: Broker,
    pub(super) version: u32,
    pub(super) description: Description,
    /// Whether it has the service `pitstop.v1.Plugin`.
    pub(super) is_described: bool,
    pub(super) keeps_state: bool,
    /// Typed calls and streams that have begun, until none may begin any more.
    begun: watch::Sender<Count>,
    /// Wakes the supervisor, once there is one.
    wake: std::sync::OnceLock<Weak<Shared>>,
    lost: watch::Sender<Option<PluginError>>,
    is_broken: AtomicBool,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Connection {
    /// Connects, and asks the plugin how it is and what it is.
    pub(super) async fn open(connect: Connect) -> Result<Self, Unwell> {
        let Connect { address, version, mutual, sockets, journal } = connect;
        let channel = transport::connect(&address, mutual.as_ref().map(|mutual| mutual.client.clone())).await.map_err(
            |error| Unwell {
                expected: format!("that it listens where its handshake says, at {address}"),
                found: error.to_string(),
            },
        )?;
        // Asked at once: two ways there and back would be the greater part of the time.
        let (health, described) = tokio::join!(healthy(&channel), describe(&channel));
        health?;
        let described = described?;
        let stdio = tokio::spawn(stdio::follow(channel.for_streams(), journal)).abort_handle();
        let place = SocketPlace { folder: Some(sockets), group: None };
        let broker = Broker::connect(channel.for_streams(), mutual, place);
        let is_described = described.is_some();
        let Described { name, version: said, capabilities, keeps_state } = described.unwrap_or_default();
        Ok(Self {
            channel,
            broker,
            version,
            description: Description { name, version: said, capabilities },
            is_described,
            keeps_state,
            begun: watch::Sender::new(Count { begun: 0, is_ending: false }),
            wake: std::sync::OnceLock::new(),
            lost: watch::Sender::new(None),
            is_broken: AtomicBool::new(false),
            tasks: Mutex::new(vec![stdio]),
        })
    }

    /// Its process is gone, or is about to be: for this reason. The first one counts.
    pub(super) fn lose(&self, error: &PluginError) {
        self.lost.send_if_modified(|lost| {
            let is_first = lost.is_none();
            lost.get_or_insert_with(|| error.clone());
            is_first
        });
        self.close();
    }

    /// Waits for its process to be gone: why it is.
    async fn lost(&self) -> PluginError {
        let mut lost = self.lost.subscribe();
        let found = lost.wait_for(Option::is_some).await.ok().and_then(|lost| lost.clone());
        found.unwrap_or_else(|| PluginError::failed("the connection to it has ended"))
    }

    /// A call has failed on its way. Whether that is since the connection broke, and then why; mostly because the process ends.
    pub(super) async fn why_broken(&self) -> Option<PluginError> {
        let request = HealthCheckRequest { service: HEALTH_SERVICE.to_owned() };
        let mut health = HealthClient::new(self.channel.clone());
        // One call may be reset, and others go on.
        match tokio::time::timeout(KNOWN_WITHIN, health.check(request)).await {
            Ok(Err(status)) if status::is_of_transport(&status) => {}
            _ => return None,
        }
        self.is_broken.store(true, Ordering::Release);
        if let Some(shared) = self.wake.get().and_then(Weak::upgrade) {
            shared.wake();
        }
        tokio::time::timeout(KNOWN_WITHIN, self.lost()).await.ok()
    }

    /// Whom to wake when it is found to be closed.
    pub(super) fn belongs_to(&self, shared: &Arc<Shared>) {
        let _ = self.wake.set(Arc::downgrade(shared));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// Begins a typed call, which is counted until the guard is dropped. `None` if none may begin any more.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Begun> {
        let begins = |count: &mut Count| {
            count.begun += usize::from(!count.is_ending);
            !count.is_ending
        };
        self.begun.send_if_modified(begins).then(|| Begun(Arc::clone(self)))
    }

    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Waits for all typed calls and streams to end, and lets no more begin. How many are left when the time is over.
    pub(super) async fn drained(&self, within: Duration) -> usize {
        self.begun.send_modify(|count| count.is_ending = true);
        self.quiet(within).await
    }

    /// Waits until none runs, or the time is over. How many do.
    pub(super) async fn quiet(&self, within: Duration) -> usize {
        let mut begun = self.begun.subscribe();
        let _ = tokio::time::timeout(within, begun.wait_for(|count| count.begun == 0)).await;
        begun.borrow().begun
    }

    /// Tells the plugin to end. What it answers, and whether it does, makes no difference.
    pub(super) async fn shut_down(&self, within: Duration) {
        self.broker.close();
        let mut controller = GrpcControllerClient::new(self.channel.clone());
        let _ = tokio::time::timeout(within, controller.shutdown(Empty {})).await;
    }

    /// Ends what runs for it here.
    pub(super) fn close(&self) {
        self.broker.close();
        std::mem::take(&mut *lock(&self.tasks)).iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

struct Count {
    begun: usize,
    is_ending: bool,
}

/// A typed call or a stream, for as long as it lasts.
pub(crate) struct Begun(Arc<Connection>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.begun.send_modify(|count| count.begun -= 1);
    }
}

/// Asks it for its health. One that has no such service has none to be bad.
async fn healthy(channel: &Channel) -> Result<(), Unwell> {
    let expected = || format!("that the service `{HEALTH_SERVICE}` is healthy (grpc.health.v1)");
    let request = HealthCheckRequest { service: HEALTH_SERVICE.to_owned() };
    match HealthClient::new(channel.clone()).check(request).await {
        Ok(answer) => match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(Unwell { expected: expected(), found: other.as_str_name().to_owned() }),
        },
        Err(status) if status.code() == Code::Unimplemented => Ok(()),
        Err(status) => Err(Unwell { expected: expected(), found: status::told(&status) }),
    }
}

/// What it says of itself, if it has the service for that.
async fn describe(channel: &Channel) -> Result<Option<Described>, Unwell> {
    match PluginClient::new(channel.clone()).describe(DescribeRequest {}).await {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(status) if status.code() == Code::Unimplemented => Ok(None),
        Err(status) => {
            let expected = "an answer to pitstop.v1.Plugin/Describe".to_owned();
            Err(Unwell { expected, found: status::told(&status) })
        }
    }
}
