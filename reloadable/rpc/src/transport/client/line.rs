//! What calls wait in, and who moves them: a task of the connection's own, or a caller that is alone.

use super::answer::Answer;
use super::body::Sent;
use super::drive::{Drive, Progress};
use crate::transport::park::together;
use crate::transport::stream::Stream;
use http::Request;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::Handle;
use tonic::Status;

/// So many steps are made before others get their turn.
const STEPS: usize = 16;

pub(super) struct Line {
    waiting: Mutex<Waiting>,
    /// Answers that something has come for, or whose caller wants something.
    due: Mutex<Vec<Arc<Answer>>>,
    drive: Mutex<Drive>,
    /// Wakes the connection's own task.
    task: OnceLock<Waker>,
    /// How many calls have begun, and are not over.
    running: AtomicUsize,
    /// How many of them wait for their answer to begin.
    awaited: AtomicUsize,
    /// Whether somebody moves the connection now, who will look at the next two before it stops.
    is_driven: AtomicBool,
    /// There are new calls, or answers that are due.
    has_news: AtomicBool,
    /// The connection itself can go on.
    can_move: AtomicBool,
    runtime: Handle,
}

#[derive(Default)]
struct Waiting {
    calls: Vec<Call>,
    is_over: bool,
    /// Nobody has the channel any more.
    is_left: bool,
}

/// A call that is to be sent.
pub(super) struct Call {
    pub(super) request: Request<()>,
    pub(super) sent: Sent,
    pub(super) answer: Arc<Answer>,
}

impl Line {
    /// Opens one, with its task.
    pub(super) async fn open(stream: Stream) -> Result<Arc<Self>, h2::Error> {
        let line = Arc::new(Self {
            waiting: Mutex::default(),
            due: Mutex::default(),
            drive: Mutex::new(Drive::open(stream).await?),
            task: OnceLock::new(),
            running: AtomicUsize::new(0),
            awaited: AtomicUsize::new(0),
            is_driven: AtomicBool::new(false),
            has_news: AtomicBool::new(true),
            can_move: AtomicBool::new(false),
            runtime: Handle::current(),
        });
        let task = Task(Arc::clone(&line));
        tokio::spawn(async move { poll_fn(|context| task.0.poll(context)).await });
        Ok(line)
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Begins a call. A caller that is alone sends it: nobody has to be woken for that.
    pub(super) fn begin(self: &Arc<Self>, call: Call) {
        self.running.fetch_add(1, Ordering::Relaxed);
        let is_alone = call.answer.is_awaited() && self.awaited.fetch_add(1, Ordering::Relaxed) == 0;
        let mut waiting = lock(&self.waiting);
        if waiting.is_over {
            drop(waiting);
            let waker = call.answer.end(Err(gone()));
            self.ended(&call.answer);
            return waker.into_iter().for_each(Waker::wake);
        }
        waiting.calls.push(call);
        drop(waiting);
        self.has_news.store(true, Ordering::SeqCst);
        if is_alone
            && self.task.get().is_some()
            && let Ok(drive) = self.drive.try_lock()
            && self.step(drive) == Progress::Waits
            && !self.goes_on()
        {
            return;
        }
        self.wake_task();
    }

    /// Whether there is something to be done.
    fn goes_on(&self) -> bool {
        self.has_news.load(Ordering::SeqCst) || self.can_move.load(Ordering::SeqCst)
    }

    /// Has the connection's task look, unless somebody will.
    fn wake_task(&self) {
        if !self.is_driven.load(Ordering::SeqCst)
            && let Some(task) = self.task.get()
        {
            task.wake_by_ref();
        }
    }

    /// The connection is looked at from here on.
    pub(super) fn moves(&self) {
        self.can_move.store(false, Ordering::SeqCst);
    }

    /// Something is to be done for an answer.
    pub(super) fn due(&self, answer: Arc<Answer>) {
        lock(&self.due).push(answer);
        self.has_news.store(true, Ordering::SeqCst);
        self.wake_task();
    }

    pub(super) fn take_calls(&self, calls: &mut impl Extend<Call>) {
        calls.extend(lock(&self.waiting).calls.drain(..));
    }

    pub(super) fn take_due(&self, due: &mut Vec<Arc<Answer>>) {
        std::mem::swap(&mut *lock(&self.due), due);
    }

    /// A call is over.
    pub(super) fn ended(&self, answer: &Answer) {
        self.begins(answer);
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// An answer begins; what comes of it may last.
    pub(super) fn begins(&self, answer: &Answer) {
        if answer.is_awaited_no_more() {
            self.awaited.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether nobody can begin a call any more, and all are over.
    pub(super) fn is_left(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0 && lock(&self.waiting).is_left
    }

    /// Nobody has the channel any more: it ends with its last call.
    pub(super) fn leave(&self) {
        lock(&self.waiting).is_left = true;
        self.has_news.store(true, Ordering::SeqCst);
        self.wake_task();
    }

    fn poll(self: &Arc<Self>, context: &mut Context<'_>) -> Poll<()> {
        let task = self.task.get_or_init(|| context.waker().clone());
        debug_assert!(task.will_wake(context.waker()), "a task has one waker");
        for _ in 0..STEPS {
            if self.step(lock(&self.drive)) == Progress::Over {
                return Poll::Ready(());
            }
            if !self.goes_on() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Moves what can be moved, and wakes whose answers have come: when nothing is locked any more.
    fn step(self: &Arc<Self>, mut drive: MutexGuard<'_, Drive>) -> Progress {
        self.is_driven.store(true, Ordering::SeqCst);
        self.has_news.store(false, Ordering::SeqCst);
        let progress = drive.step(self);
        let woken = std::mem::take(&mut drive.woken);
        self.is_driven.store(false, Ordering::SeqCst);
        drop(drive);
        if !woken.is_empty() {
            together(|| woken.into_iter().for_each(Waker::wake));
        }
        progress
    }

    /// Ends it; what has begun fails.
    fn close(self: &Arc<Self>) {
        let calls = {
            let mut waiting = lock(&self.waiting);
            waiting.is_over = true;
            std::mem::take(&mut waiting.calls)
        };
        let mut woken = Vec::new();
        for call in calls {
            woken.extend(call.answer.end(Err(gone())));
            self.ended(&call.answer);
        }
        woken.extend(lock(&self.drive).close(self));
        woken.into_iter().for_each(Waker::wake);
    }
}

/// By which the connection itself tells that it can go on.
impl Wake for Line {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.can_move.store(true, Ordering::SeqCst);
        self.wake_task();
    }
}

/// The connection's own task. Whatever ends it, no call waits for ever.
struct Task(Arc<Line>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What a call on a connection that is no more ends in.
pub(super) fn gone() -> Status {
    let why = std::io::Error::new(std::io::ErrorKind::NotConnected, "the plugin's connection has ended");
    Status::from_error(Box::new(tonic::ConnectError(Box::new(why))))
}

/// What the locks here hold is whole wherever a panic could be.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
