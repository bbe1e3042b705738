//! Starts a plugin: its process, its handshake, the connection to it, and its health.

use super::connection::{Connect, Connection, Unwell};
use super::greeting::{Patience, Silence, end_of, first_line, refused};
use super::journal::Journal;
use super::output::Output;
use super::runtime::runtime;
use super::sockets::Sockets;
use crate::plugin::backend::process::{Child, Command, Outlives, Wanted, receive, start_kept};
use crate::plugin::spec::{Spec, Tls};
use pitstop_reloadable::PluginError;
use pitstop_rpc::{Cookie, Handshake, Identity, Mutual, Offer, SocketPlace};
use rustix::fd::{AsFd as _, BorrowedFd};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// go-plugin's own limit; a shorter one of the plugin's counts.
const LONGEST_START: Duration = Duration::from_secs(60);
/// A plugin whose connection broke has this long for ending by itself, so that its exit code is told.
const LEAVES_WITHIN: Duration = Duration::from_millis(500);

/// All that it takes to start a plugin, as often as it must be.
pub(super) struct Launch {
    pub(super) file: PathBuf,
    pub(super) spec: Arc<Spec>,
    pub(super) journal: Journal,
}

/// A plugin that runs, and is well. Nothing of it is left once this is gone.
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) output: Output,
    pub(super) connection: Arc<Connection>,
    /// Goes after the process.
    _sockets: Sockets,
}

/// Why it does not run.
pub(super) enum NotRunning {
    Failed(PluginError),
    /// It is not wanted any longer.
    Ordered,
}

impl From<PluginError> for NotRunning {
    fn from(error: PluginError) -> Self {
        Self::Failed(error)
    }
}

impl Launch {
    /// Starts it. A byte in `woken` may mean that it is not wanted any longer; `is_over` says whether.
    pub(super) fn start(
        &self,
        woken: Option<BorrowedFd<'_>>,
        is_over: impl Fn() -> bool,
    ) -> Result<Running, NotRunning> {
        let limit = self.spec.limits.time.min(LONGEST_START);
        let patience = Patience { limit, until: Instant::now() + limit, woken };
        let sockets = Sockets::new().map_err(|why| self.not_started(why))?;
        let identity = self.identity()?;
        let command = self.command(&sockets, identity)?;
        let mut child = start_kept(&command)?;
        let mut output = Output::new(self.journal.clone());
        let line = loop {
            match first_line(&mut child, &mut output, patience) {
                Ok(line) => break line,
                Err(Silence::Failed(error)) => return Err(error.into()),
                Err(Silence::Woken) if is_over() => return Err(NotRunning::Ordered),
                Err(Silence::Woken) => {}
            }
        };
        let handshake = self.handshake(&line, &output)?;
        let connect = Connect {
            address: handshake.address.clone(),
            version: handshake.app_version,
            mutual: self.mutual(&handshake, identity, &output)?,
            sockets: sockets.folder().to_owned(),
            journal: self.journal.clone(),
        };
        let mut start = Start { child, output, patience };
        let connection = start.connect(connect, is_over)?;
        Ok(Running { child: start.child, output: start.output, connection, _sockets: sockets })
    }

    fn identity(&self) -> Result<Option<&'static Identity>, PluginError> {
        let made = (self.spec.rpc.tls == Tls::Auto).then(Identity::of_process).transpose();
        made.map_err(|error| self.not_started(format!("no certificate can be made for it: {error}")))
    }

    fn not_started(&self, why: String) -> PluginError {
        PluginError::NotStarted { file: self.file.display().to_string(), why }
    }

    fn command(&self, sockets: &Sockets, identity: Option<&Identity>) -> Result<Command, PluginError> {
        let spec = &self.spec;
        let cookie = Cookie::new(&spec.rpc.cookie.key, &spec.rpc.cookie.value);
        let place = SocketPlace { folder: Some(sockets.folder().to_owned()), group: None };
        let offer = Offer {
            cookie: &cookie,
            versions: &spec.rpc.versions,
            ports: Some(spec.rpc.ports.0..=spec.rpc.ports.1),
            certificate: identity.map(Identity::certificate),
            sockets: &place,
        };
        let mut variables = offer.variables();
        // Plugins made before there was a variable for it, and other languages' too, put their sockets there.
        if !spec.environment.iter().any(|name| name == "TMPDIR") && !spec.set.contains_key("TMPDIR") {
            variables.push(("TMPDIR".to_owned(), OsString::from(sockets.folder())));
        }
        let mut command = Command::new(&self.file, spec, None, &spec.arguments, &variables)?;
        command.outlives = Outlives::NeverOutlives;
        Ok(command)
    }

    fn handshake(&self, line: &[u8], output: &Output) -> Result<Handshake, PluginError> {
        let handshake =
            Handshake::parse(&String::from_utf8_lossy(line)).map_err(|error| refused(error.to_string(), output))?;
        let (version, offered) = (handshake.app_version, &self.spec.rpc.versions);
        if offered.contains(&version) {
            return Ok(handshake);
        }
        let offered: Vec<String> = offered.iter().map(u32::to_string).collect();
        Err(PluginError::Protocol {
            expected: format!("a version of the plugin's interface that is in `rpc.versions`: {}", offered.join(", ")),
            found: format!("version {version}{}", output.said().last_lines()),
        })
    }

    /// Both certificates, or none: a plugin that does not know of them would be spoken to in the clear.
    fn mutual(
        &self,
        handshake: &Handshake,
        identity: Option<&Identity>,
        output: &Output,
    ) -> Result<Option<Mutual>, PluginError> {
        match (identity, &handshake.certificate) {
            (None, None) => Ok(None),
            (Some(identity), Some(certificate)) => Mutual::new(identity, certificate)
                .map(Some)
                .map_err(|error| refused(format!("a certificate that is of no use: {error}"), output)),
            (Some(_), None) => Err(PluginError::Protocol {
                expected: "a certificate in the handshake, as `PLUGIN_CLIENT_CERT` asks for".to_owned(),
                found: format!(
                    "none: the plugin does not know AutoMTLS; write `rpc = {{ tls = \"none\" }}` if its socket may be \
                     without{}",
                    output.said().last_lines()
                ),
            }),
            (None, Some(_)) => Err(PluginError::Protocol {
                expected: "a handshake without a certificate, as `tls = \"none\"` says".to_owned(),
                found: "one; remove `tls`".to_owned(),
            }),
        }
    }
}

/// A process that has greeted.
struct Start<'a> {
    child: Child,
    output: Output,
    patience: Patience<'a>,
}

impl Start<'_> {
    /// Connects, while what the process writes is read: one that writes much before it serves is not held up.
    fn connect(&mut self, connect: Connect, is_over: impl Fn() -> bool) -> Result<Arc<Connection>, NotRunning> {
        let address = connect.address.clone();
        let (done, connected) = std::io::pipe().map_err(|error| PluginError::failed(error.to_string()))?;
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let task = runtime()?.spawn(async move {
            let _ = sender.send(Connection::open(connect).await);
            drop(connected);
        });
        let stopped = |error: NotRunning| {
            task.abort();
            Err(error)
        };
        loop {
            let pipes = [self.child.stdout.as_ref(), self.child.stderr.as_ref(), None, None];
            let [stdout, stderr, ..] = pipes.map(|pipe| pipe.map(|pipe| Wanted::reading(pipe.as_fd())));
            let (done, woken) = (Some(Wanted::reading(done.as_fd())), self.patience.woken.map(Wanted::reading));
            let ([stdout, stderr, done, woken], ended) =
                self.child.wait([stdout, stderr, done, woken], Some(self.patience.until));
            self.read(stdout, stderr);
            if done {
                break;
            }
            if ended {
                return stopped(self.ended().into());
            }
            if woken && is_over() {
                return stopped(NotRunning::Ordered);
            }
            if Instant::now() >= self.patience.until {
                let why = Unwell {
                    expected: format!("that it answers at {address} within {:?}", self.patience.limit),
                    found: "nothing".to_owned(),
                };
                return stopped(self.unwell(why).into());
            }
        }
        match receiver.try_recv() {
            Ok(Ok(connection)) => Ok(Arc::new(connection)),
            Ok(Err(_)) if self.child.wait_until(Instant::now() + LEAVES_WITHIN) => Err(self.ended().into()),
            Ok(Err(why)) => Err(self.unwell(why).into()),
            Err(_) => Err(PluginError::failed("the connection to it was given up, after a panic").into()),
        }
    }

    fn read(&mut self, stdout: bool, stderr: bool) {
        let mut written = Vec::new();
        if stdout {
            receive(&mut self.child.stdout, &mut written);
            self.output.chatter(&written);
        }
        written.clear();
        if stderr {
            receive(&mut self.child.stderr, &mut written);
            self.output.errors(&written);
        }
    }

    /// It has ended meanwhile.
    fn ended(&mut self) -> PluginError {
        let (how, _) = end_of(&mut self.child, &mut self.output);
        PluginError::Protocol {
            expected: "a plugin that serves after its handshake".to_owned(),
            found: format!("that {how} before it could be asked for its health{}", self.output.said().last_lines()),
        }
    }

    fn unwell(&self, why: Unwell) -> PluginError {
        PluginError::Protocol { expected: why.expected, found: why.found + &self.output.said().last_lines() }
    }
}
