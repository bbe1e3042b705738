//! A plugin's life: the environment is read, the handshake said, services served, until one of several ends comes.

use super::negotiate::{StartError, asked};
use super::parent::Parent;
use super::stdio::Redirected;
use super::{Ended, Network, Orphan, Server, Session};
use crate::broker::Broker;
use crate::handshake::Handshake;
use crate::proto::health::health_server::HealthServer;
use crate::tls::{Certificate, Identity, Mutual};
use crate::transport::{Connections, Listener, Open, Services, remove_files, serve};
use crate::{HEALTH_SERVICE, proto::go_plugin};
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};

/// Calls that run at the end have so much time; hosts wait 2 seconds before they kill.
const LAST_CALLS: Duration = Duration::from_millis(1500);
/// A plugin whose host is gone waits so long for another.
const ORPHAN: Duration = Duration::from_secs(1);
/// A host that has just started a plugin connects in this time: go-plugin's own limit.
const FIRST: Duration = Duration::from_secs(60);
/// One may be busy with a call while another serves; more than eight would only cost their start.
const THREADS: RangeInclusive<usize> = 2..=8;

pub(super) fn run(server: Server) -> Result<Ended, StartError> {
    let parent = Parent::look_up();
    let asked = asked(&server, &|name| std::env::var_os(name))?;
    let (tls, certificate) = asked.certificate.as_ref().map(mutual).transpose()?.unzip();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(*THREADS.start(), *THREADS.end());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(StartError::Io)?;
    let ended = runtime.block_on(async {
        let listener = match server.network {
            Network::Usual => Listener::usual(&asked.sockets, asked.ports.clone()).await,
            Network::Tcp => Listener::tcp(asked.ports.clone()).await,
        };
        let listener = listener.map_err(StartError::Io)?;
        let handshake = Handshake { app_version: asked.version, address: listener.address().clone(), certificate };
        let (broker, broker_service) = Broker::offer(tls.clone(), asked.sockets.clone());
        let session = Session { version: asked.version, broker };
        let signals = Signals::catch().map_err(StartError::Io)?;
        say(&handshake).map_err(StartError::Io)?;
        let redirected = Redirected::start(server.standard_error).map_err(StartError::Io)?;
        let (controller, told) = super::controller::controller();
        let mut routes = server.services.routes();
        if let Some(add) = server.by_session {
            routes = add(&session, routes);
        }
        let routes = routes
            .add_service(health().await)
            .add_service(broker_service)
            .add_service(controller)
            .add_service(go_plugin::grpc_stdio_server::GrpcStdioServer::new(redirected.service()));
        let incoming = listener.incoming(tls.map(|tls| tls.server));
        let connections = Connections::new();
        let stop = Stop::new();
        let serving = tokio::spawn({
            let (connections, stop) = (connections.clone(), stop.clone());
            let services = Services::from(routes).with_direct(server.direct);
            async move { serve(services, incoming, &connections, stop.asked()).await }
        });
        let ended = end(&told, signals, orphaned(server.orphan, parent, connections.watch())).await;
        stop.ask();
        session.broker.close();
        redirected.finish().await;
        let _ = tokio::time::timeout(LAST_CALLS, serving).await;
        Ok(ended)
    });
    remove_files();
    // A call that still runs is not waited for.
    runtime.shutdown_background();
    ended
}

fn mutual(host: &Certificate) -> Result<(Mutual, Certificate), StartError> {
    let identity = Identity::generate().map_err(StartError::Certificate)?;
    let mutual = Mutual::new(&identity, host).map_err(StartError::Certificate)?;
    Ok((mutual, identity.certificate().clone()))
}

fn say(handshake: &Handshake) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{handshake}")?;
    out.flush()
}

async fn health() -> HealthServer<HealthService> {
    let reporter = HealthReporter::new();
    reporter.set_service_status(HEALTH_SERVICE, ServingStatus::Serving).await;
    HealthServer::new(HealthService::from_health_reporter(reporter))
}

/// Whichever comes first.
async fn end(told: &Notify, mut signals: Signals, orphaned: impl Future<Output = ()>) -> Ended {
    tokio::select! {
        () = told.notified() => Ended::Told,
        () = signals.terminate() => Ended::Terminated,
        () = orphaned => Ended::Orphaned,
    }
}

/// When the process that has started this one is gone, and nobody is connected any more. If that one was gone before it
/// could be looked up: when nobody comes.
async fn orphaned(orphan: Orphan, parent: Parent, mut open: watch::Receiver<Open>) {
    if orphan == Orphan::Stays {
        return std::future::pending().await;
    }
    let known = parent.is_known();
    let mut first = open.clone();
    let unvisited = async {
        if known || tokio::time::timeout(FIRST, first.wait_for(|open| open.ever > 0)).await.is_ok() {
            std::future::pending().await
        }
    };
    tokio::select! {
        () = parent.gone() => {}
        () = unvisited => {}
    }
    loop {
        let _ = open.wait_for(|open| open.now == 0).await;
        if tokio::time::timeout(ORPHAN, open.wait_for(|open| open.now > 0)).await.is_err() {
            return;
        }
    }
}

/// Asks the serving task to come to an end.
#[derive(Clone)]
struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    fn ask(&self) {
        self.0.send_replace(true);
    }

    async fn asked(self) {
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}

/// Ctrl-C goes to the whole group of processes, and it is the host's to say what it means.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    /// Kept, so that it does nothing.
    _interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, _interrupt: signal(SignalKind::interrupt())? })
    }

    async fn terminate(&mut self) {
        self.terminate.recv().await;
    }
}

#[cfg(not(unix))]
struct Signals(tokio::task::JoinHandle<()>);

#[cfg(not(unix))]
impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self(tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} })))
    }

    async fn terminate(&mut self) {
        let _ = (&mut self.0).await;
        std::future::pending().await
    }
}
