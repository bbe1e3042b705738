//! Waits for a future on the thread that needs its output, which is no thread of the runtime's.

use pitstop_rpc::transport::Park;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// To be woken, maybe on a processor that has gone to sleep in the meantime, takes longer than most plugins. Longer than a short call
/// takes there and back: with less, a caller pays for staying awake and for being woken.
const AWAKE_FOR: Duration = Duration::from_micros(400);

thread_local! {
    static CALLER: Arc<Caller> = Arc::default();
}

#[derive(Default)]
struct Caller(Park);

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

/// The output of a future; `None` if there is none in time.
pub(super) fn block_on<F: Future>(future: F, until: Option<Instant>) -> Option<F::Output> {
    // The thread may be one of a runtime of the program's own, where a task may only do so much at once: it does nothing else
    // until this returns.
    let mut future = pin!(tokio::task::unconstrained(future));
    // Otherwise the thread is ending.
    let caller = CALLER.try_with(Arc::clone).unwrap_or_default();
    let waker = Waker::from(Arc::clone(&caller));
    let mut context = Context::from_waker(&waker);
    let _waiting = Waiting::begin();
    loop {
        caller.0.begin();
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if !is_woken(&caller.0, until) {
            return None;
        }
    }
}

/// Waits to be woken, awake at first. Whether it was, before the time was over.
fn is_woken(park: &Park, until: Option<Instant>) -> bool {
    if Waiting::is_alone() {
        let begun = Instant::now();
        while Waiting::is_alone() && begun.elapsed() < AWAKE_FOR {
            if park.is_woken() {
                return true;
            }
            std::thread::yield_now();
        }
    }
    park.wait(until)
}

/// A thread that waits. One that is alone does so awake: where there are several, they would keep plugins from their processors.
struct Waiting;

static WAITING: AtomicUsize = AtomicUsize::new(0);

impl Waiting {
    fn begin() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self
    }

    fn is_alone() -> bool {
        WAITING.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_comes_when_another_thread_has_it() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || sender.send(7));
        assert_eq!(block_on(receiver, None), Some(Ok(7)));
        thread.join().expect("no panic").expect("somebody waited");
    }

    #[test]
    fn a_future_that_never_ends_is_given_up_in_time() {
        let limit = Duration::from_millis(5);
        let begun = Instant::now();
        assert_eq!(block_on(std::future::pending::<()>(), Some(begun + limit)), None);
        assert!(begun.elapsed() >= limit);
    }

    #[test]
    fn it_waits_within_a_task_of_another_runtime_too() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
        let thread =
            std::thread::spawn(move || (0..1000).for_each(|number| sender.blocking_send(number).expect("taken")));
        let last = runtime.block_on(async move {
            let mut last = None;
            while let Some(Some(number)) = block_on(receiver.recv(), None) {
                last = Some(number);
            }
            last
        });
        assert_eq!(last, Some(999));
        thread.join().expect("no panic");
    }
}
