//! The plugin's end: a program that a host starts, that says where it listens and serves until it is told to end.

mod controller;
mod logger;
mod negotiate;
mod parent;
mod run;
mod stdio;

pub use logger::install as logger;
pub use negotiate::StartError;
pub use stdio::StandardError;

use crate::broker::Broker;
use crate::environment::Cookie;
use crate::transport::{Direct, DirectMethod};
use std::convert::Infallible;
use std::fmt;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};

/// A plugin, to be served.
///
/// ```no_run
/// use pitstop_rpc::Cookie;
/// use pitstop_rpc::plugin::Server;
/// use pitstop_rpc::proto::pitstop::plugin_server::{Plugin, PluginServer};
///
/// /// Of whatever `tonic` generates of a `.proto`; here it is Pitstop's own.
/// fn serve(kv: impl Plugin) -> ! {
///     Server::new().cookie(Cookie::new("KV_PLUGIN", "hello")).add_service(PluginServer::new(kv)).serve()
/// }
/// ```
pub struct Server {
    cookie: Cookie,
    versions: Vec<u32>,
    network: Network,
    standard_error: StandardError,
    orphan: Orphan,
    services: RoutesBuilder,
    by_session: Option<Box<BySession>>,
    direct: Option<DirectMethod>,
}

type BySession = dyn FnOnce(&Session, Routes) -> Routes + Send;

/// What is known only once a host has started the plugin.
#[derive(Clone, Debug)]
pub struct Session {
    /// The version of the interface that both have.
    pub version: u32,
    /// Opens further connections to the host.
    pub broker: Broker,
}

/// How the plugin is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// By a Unix socket where there are such, else by TCP: as go-plugin does.
    #[default]
    Usual,
    /// By a port of this machine.
    Tcp,
}

/// What the plugin does when the process that has started it is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphan {
    /// It ends, a second after its last connection has; a host that was killed leaves nothing behind.
    #[default]
    Ends,
    /// It waits for another host, as go-plugin's do; to be ended by a call of `Shutdown`, or by hand.
    Stays,
}

impl Server {
    /// With nothing to serve yet, version 1 of an interface, and Pitstop's cookie.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cookie: Cookie::default(),
            versions: vec![1],
            network: Network::default(),
            standard_error: StandardError::default(),
            orphan: Orphan::default(),
            services: Routes::builder(),
            by_session: None,
            direct: None,
        }
    }

    /// By which the plugin knows that a host has started it: the host has the same.
    #[must_use]
    pub fn cookie(self, cookie: Cookie) -> Self {
        Self { cookie, ..self }
    }

    /// Which versions of its interface it has. The highest that the host has as well is chosen.
    #[must_use]
    pub fn versions(self, versions: &[u32]) -> Self {
        Self { versions: versions.to_vec(), ..self }
    }

    /// How it is reached.
    #[must_use]
    pub fn network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// Where its standard error goes.
    #[must_use]
    pub fn standard_error(self, standard_error: StandardError) -> Self {
        Self { standard_error, ..self }
    }

    /// What it does when the process that has started it is gone.
    #[must_use]
    pub fn orphan(self, orphan: Orphan) -> Self {
        Self { orphan, ..self }
    }

    /// With one more service, in every version.
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.services.add_service(service);
        self
    }

    /// With a method of a service that is answered directly: calls that are short cost less so. The last one said counts.
    #[must_use]
    pub fn direct(self, direct: impl Direct) -> Self {
        Self { direct: Some(DirectMethod::new(direct)), ..self }
    }

    /// With services that depend on the version, or that use the broker. The last one said counts.
    #[must_use]
    pub fn services(self, add: impl FnOnce(&Session, Routes) -> Routes + Send + 'static) -> Self {
        Self { by_session: Some(Box::new(add)), ..self }
    }

    /// Serves until the host says that it is over, and ends the process. What keeps it from serving is written to standard
    /// error, and the exit code is 1.
    pub fn serve(self) -> ! {
        let code = match self.run() {
            Ok(ended) => ended.code(),
            Err(error) => {
                eprintln!("{error}");
                1
            }
        };
        std::process::exit(code)
    }

    /// As [`serve`](Self::serve), and returns when it is over.
    ///
    /// # Errors
    /// No host has started it, or it cannot listen.
    pub fn run(self) -> Result<Ended, StartError> {
        run::run(self)
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cookie, versions, network, standard_error, orphan, .. } = self;
        let mut server = f.debug_struct("Server");
        server.field("cookie", cookie).field("versions", versions).field("network", network);
        server.field("standard_error", standard_error).field("orphan", orphan).finish_non_exhaustive()
    }
}

/// Why serving has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The host said so.
    Told,
    /// SIGTERM.
    Terminated,
    /// The process that has started it is gone, and nobody is connected.
    Orphaned,
}

impl Ended {
    /// The exit code that goes with it.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Told | Self::Orphaned => 0,
            Self::Terminated => 128 + 15,
        }
    }
}
