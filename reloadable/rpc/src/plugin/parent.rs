//! Waits for the end of the process that has started this one.
//!
//! Not by `PR_SET_PDEATHSIG`: that fires when the *thread* ends that has started the plugin, and in a host written in Go or
//! with a pool of threads any thread may.

/// Returns when it has ended; never where that cannot be known.
pub(super) async fn gone() {
    #[cfg(unix)]
    unix::gone().await;
    #[cfg(not(unix))]
    std::future::pending().await
}

#[cfg(unix)]
mod unix {
    use rustix::process::{Pid, getppid};
    use std::time::Duration;

    /// Where the system does not tell, it is asked.
    const INTERVAL: Duration = Duration::from_millis(500);

    pub(super) async fn gone() {
        // Outside of this process's namespace: nobody to wait for.
        let Some(parent) = getppid() else { return std::future::pending().await };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        told(parent).await;
        while getppid() == Some(parent) {
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// By the kernel, if it has such descriptors and lets us have one.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    async fn told(parent: Pid) {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;
        let Ok(descriptor) = pidfd_open(parent, PidfdFlags::empty()) else { return };
        let Ok(ends) = AsyncFd::with_interest(descriptor, Interest::READABLE) else { return };
        let _ = ends.readable().await;
    }
}
