//! Runs a call that may wait for something, at most until its time is up: whatever it waits for is given up then.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

/// Its time was up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeIsUp;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs it on this thread. Unlike tokio's own `block_on`, also where this thread belongs to a runtime of the program's.
pub(super) fn wait<F: Future>(future: F, until: Option<Instant>) -> Result<F::Output, TimeIsUp> {
    let _in_runtime = runtime().ok().map(Runtime::enter);
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => std::thread::park(),
            Some(left) if left.is_zero() => return Err(TimeIsUp),
            Some(left) => std::thread::park_timeout(left),
        }
    }
}

/// What serves guests' timers, files and connections: a thread that sleeps while there are none.
pub(super) fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let make = || {
        let made = Builder::new_multi_thread().worker_threads(1).thread_name("pitstop-wasi").enable_all().build();
        made.inspect_err(|error| log::warn!("pitstop: nothing can wait for guests in WebAssembly: {error}")).ok()
    };
    RUNTIME.get_or_init(make).as_ref().ok_or_else(|| io::Error::other("no thread can be started"))
}
