//! A plugin whose process runs already, started by somebody else: by a debugger, or by another host. It is spoken to, and never
//! ended.

use super::block::block_on;
use super::connection::{Connect, Connection};
use super::journal::Journal;
use super::runtime::runtime;
use super::shared::Shared;
use super::sockets::Sockets;
use crate::plugin::backend::process::{Wanted, ready};
use crate::plugin::spec::{Reattach, ReattachAddress, Spec};
use pitstop_reloadable::PluginError;
use pitstop_rpc::Address;
use rustix::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A process that somebody else has started.
pub(super) struct Attached {
    pub(super) connection: Arc<Connection>,
    /// Readable once it has ended, where it is known to be the one that answers.
    end: Option<OwnedFd>,
    pid: u32,
    /// Where this end's own sockets are.
    _sockets: Sockets,
}

/// Connects to it.
pub(super) fn attach(spec: &Arc<Spec>, to: &Reattach, journal: &Journal) -> Result<Attached, PluginError> {
    let _runtime = runtime()?.enter();
    let until = Instant::now().checked_add(spec.limits.time);
    let found = |found: String| PluginError::Protocol {
        expected: format!("a plugin that runs already as process {}, as `rpc.reattach` says", to.pid),
        found,
    };
    let sockets = Sockets::new().map_err(&found)?;
    let (address, end) = match &to.address {
        ReattachAddress::Unix(path) => {
            let end = end_of(to.pid).map_err(&found)?;
            // After its descriptor is there: if it ends now, its number may be another's, and the socket is gone.
            let answers = block_on(listener_of(path), until).unwrap_or_else(|| Err("no answer".to_owned()));
            match answers.map_err(&found)? {
                Some(pid) if pid != to.pid => {
                    return Err(found(format!("process {pid} at {}; correct `pid`", path.display())));
                }
                Some(_) => (Address::Unix(path.clone()), end),
                None => (Address::Unix(path.clone()), None),
            }
        }
        // The system does not say whose a connection by TCP is.
        ReattachAddress::Tcp(address) => (Address::Tcp(address.to_string()), None),
    };
    let connect = Connect {
        address,
        version: to.version,
        mutual: None,
        sockets: sockets.folder().to_owned(),
        journal: journal.clone(),
    };
    let connection = block_on(Connection::open(connect), until)
        .ok_or_else(|| found(format!("no answer within {:?}, which is `limits.time_ms`", spec.limits.time)))?
        .map_err(|unwell| PluginError::Protocol { expected: unwell.expected, found: unwell.found })?;
    Ok(Attached { connection: Arc::new(connection), end, pid: to.pid, _sockets: sockets })
}

/// Which process listens at a socket; `None` where the system does not say.
async fn listener_of(path: &Path) -> Result<Option<u32>, String> {
    let told = |error: std::io::Error| format!("nobody at {}: {error}", path.display());
    let stream = tokio::net::UnixStream::connect(path).await.map_err(told)?;
    let pid = stream.peer_cred().map_err(told)?.pid();
    Ok(pid.and_then(|pid| u32::try_from(pid).ok()))
}

#[cfg(target_os = "linux")]
fn end_of(pid: u32) -> Result<Option<OwnedFd>, String> {
    use rustix::io::Errno;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let Some(process) = Pid::from_raw(pid.cast_signed()) else { return Err(format!("no process {pid}")) };
    match pidfd_open(process, PidfdFlags::empty()) {
        Ok(end) => Ok(Some(end)),
        Err(Errno::SRCH) => Err(format!("no process {pid}; correct `pid`")),
        // An old system; it is noticed by its connection.
        Err(_) => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
fn end_of(_pid: u32) -> Result<Option<OwnedFd>, String> {
    Ok(None)
}

/// Waits for its end, or the order to let go of it. It is not started again: that is for who has started it.
pub(super) fn watch(shared: &Arc<Shared>, attached: &Attached, woken: &OwnedFd) {
    loop {
        let end = attached.end.as_ref().map(|end| Wanted::reading(end.as_fd()));
        let [ended, ordered] = ready([end, Some(Wanted::reading(woken.as_fd()))], None);
        if ordered && shared.ordered(woken).is_some() {
            return shared.down(shared.retired());
        }
        let what = if ended {
            format!("the process {} that it was attached to has ended", attached.pid)
        } else if attached.connection.is_broken() {
            format!("the connection to the process {} that it was attached to has ended", attached.pid)
        } else {
            continue;
        };
        let why = format!("{what}; start it, and correct `rpc.reattach`");
        log::warn!(target: "pitstop::plugin", "{}: {why}", shared.spec.name);
        let error = PluginError::Unavailable { name: shared.spec.name.clone(), why };
        shared.lose(&attached.connection, &error);
        return shared.down(error);
    }
}
