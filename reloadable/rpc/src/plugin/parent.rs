//! Waits for the end of the process that has started this one.
//!
//! Not by `PR_SET_PDEATHSIG`: that fires when the *thread* ends that has started the plugin, and in a host written in Go or
//! with a pool of threads any thread may.

#[cfg(unix)]
use std::time::Duration;

/// Where the system does not tell, it is asked.
#[cfg(unix)]
const INTERVAL: Duration = Duration::from_millis(500);

/// The process that has started this one. To be looked up at once: when it is gone, another has its place.
#[cfg(unix)]
pub(super) struct Parent(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Parent {
    pub(super) fn look_up() -> Self {
        Self(rustix::process::getppid())
    }

    /// Not the first of all processes, whose the orphans are: then the right one may be gone already.
    pub(super) fn is_known(&self) -> bool {
        self.0.is_some_and(|parent| !parent.is_init())
    }

    /// Returns when it has ended; never where that cannot be known.
    pub(super) async fn gone(self) {
        // Outside of this process's namespace.
        let Some(parent) = self.0 else { return std::future::pending().await };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        told(parent).await;
        while rustix::process::getppid() == Some(parent) {
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// Returns when the process has ended, by the kernel's word, or if the kernel gives none.
#[cfg(any(target_os = "linux", target_os = "android"))]
async fn told(parent: rustix::process::Pid) {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{PidfdFlags, getppid, pidfd_open};
    let Ok(descriptor) = pidfd_open(parent, PidfdFlags::empty()) else { return };
    // Ended before, and its number may be another's by now.
    if getppid() != Some(parent) {
        return;
    }
    let (ended, end) = tokio::sync::oneshot::channel();
    let wait = move || {
        while poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
        let _ = ended.send(());
    };
    if std::thread::Builder::new().name("plugin parent".to_owned()).spawn(wait).is_ok() {
        let _ = end.await;
    }
}

#[cfg(not(unix))]
pub(super) struct Parent;

#[cfg(not(unix))]
impl Parent {
    pub(super) fn look_up() -> Self {
        Self
    }

    pub(super) fn is_known(&self) -> bool {
        true
    }

    pub(super) async fn gone(self) {
        std::future::pending().await
    }
}
