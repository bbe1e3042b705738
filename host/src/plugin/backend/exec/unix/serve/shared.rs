//! What the callers of a kept program and its supervisor share: which process answers now, and what is to be done.

use super::connection::Connection;
use super::rpc::Answer;
use crate::lock::lock;
use crate::plugin::backend::process::write;
use crate::plugin::spec::Limits;
use crossbeam_channel::Receiver;
use pitstop_reloadable::PluginError;
use rustix::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) struct Shared {
    pub(super) name: String,
    pub(super) limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
    order: Mutex<Option<Order>>,
    /// A byte in it wakes the supervisor.
    wake: OwnedFd,
}

enum State {
    Up(Arc<Connection>),
    /// There is no process, and will be one.
    Again {
        last: PluginError,
    },
    /// There will be none.
    Down(PluginError),
}

/// A call that has begun.
pub(super) struct Begun {
    pub(super) connection: Arc<Connection>,
    pub(super) id: u64,
    pub(super) answers: Receiver<Answer>,
    /// Whether a part of its time was over before there was a process.
    pub(super) has_waited: bool,
}

/// What the supervisor is told to do.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// To let the process end, within this time.
    Retire(Duration),
    /// To end it.
    Kill,
}

impl Shared {
    pub(super) fn new(name: String, limits: Limits, connection: Arc<Connection>, wake: OwnedFd) -> Self {
        let state = Mutex::new(State::Up(connection));
        Self { name, limits, state, changed: Condvar::new(), order: Mutex::default(), wake }
    }

    /// Begins a call, with a process that is there, or will be until then.
    pub(super) fn begin(&self, until: Option<Instant>) -> Result<Begun, PluginError> {
        let mut has_waited = false;
        let mut state = lock(&self.state);
        loop {
            let last = match &*state {
                State::Up(connection) => match connection.begin() {
                    Some((id, answers)) => {
                        return Ok(Begun { connection: connection.clone(), id, answers, has_waited });
                    }
                    // Closed after the state was changed, so this is not seen.
                    None => PluginError::failed("it has ended"),
                },
                State::Again { last } => last.clone(),
                State::Down(error) => return Err(error.clone()),
            };
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                let why = format!("it is being started again, after this: {last}");
                return Err(PluginError::Unavailable { name: self.name.clone(), why });
            }
            has_waited = true;
            let waited = self.changed.wait_timeout(state, left.min(Duration::from_secs(3600)));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn up(&self, connection: Arc<Connection>) {
        self.set(State::Up(connection));
    }

    /// No more calls begin with this process, and those that have begun fail.
    pub(super) fn abandon(&self, connection: &Arc<Connection>, error: &PluginError) {
        {
            let mut state = lock(&self.state);
            if matches!(&*state, State::Up(current) if Arc::ptr_eq(current, connection)) {
                *state = State::Again { last: error.clone() };
            }
        }
        connection.close(error);
    }

    /// A call has got no answer in time: the process may be stuck for good.
    pub(super) fn abandon_stuck(&self, connection: &Arc<Connection>) {
        let why = format!("another call took longer than {:?}, so its process was ended; call again", self.limits.time);
        self.abandon(connection, &PluginError::Unavailable { name: self.name.clone(), why });
        self.wake();
    }

    pub(super) fn down(&self, error: PluginError) {
        self.set(State::Down(error));
    }

    fn set(&self, new: State) {
        *lock(&self.state) = new;
        self.changed.notify_all();
    }

    pub(super) fn order(&self, order: Order) {
        *lock(&self.order) = Some(order);
        self.wake();
    }

    /// Lets the supervisor look at the order, and at whether its process was abandoned.
    fn wake(&self) {
        // One byte for each call that ran out of time is far from what a pipe has room for. Nobody reads it after a crash
        // loop.
        let _ = write(&self.wake, &[0]);
    }

    /// What was ordered. For the supervisor, after each byte in the pipe.
    pub(super) fn ordered(&self, woken: &OwnedFd) -> Option<Order> {
        let _ = rustix::io::read(woken, &mut [0; 64]);
        *lock(&self.order)
    }
}
