//! What the callers of a plugin and its supervisor share: which process answers now, and what is to be done.

use super::connection::Connection;
use crate::lock::lock;
use crate::plugin::backend::process::write;
use crate::plugin::spec::Spec;
use pitstop_reloadable::PluginError;
use rustix::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

pub(crate) struct Shared {
    pub(super) spec: Arc<Spec>,
    state: watch::Sender<State>,
    order: Mutex<Option<Order>>,
    /// A byte in it wakes the supervisor.
    wake: OwnedFd,
}

#[derive(Clone)]
enum State {
    Up(Arc<Connection>),
    /// There is no process, and will be one.
    Again {
        last: PluginError,
    },
    /// There will be none.
    Down(PluginError),
}

/// What the supervisor is told to do.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// To let the process end, which was told to, within this time.
    Leave(Duration),
    /// To end it.
    Kill,
}

impl Shared {
    pub(super) fn new(spec: Arc<Spec>, connection: Arc<Connection>, wake: OwnedFd) -> Self {
        Self { spec, state: watch::Sender::new(State::Up(connection)), order: Mutex::default(), wake }
    }

    /// The process that answers now; `None` while there is none.
    pub(super) fn current(&self) -> Option<Arc<Connection>> {
        match &*self.state.borrow() {
            State::Up(connection) => Some(Arc::clone(connection)),
            State::Again { .. } | State::Down(_) => None,
        }
    }

    /// The process that answers now, or will be there.
    pub(super) async fn connected(&self) -> Result<Arc<Connection>, PluginError> {
        let mut changes = self.state.subscribe();
        loop {
            match &*changes.borrow_and_update() {
                State::Up(connection) => return Ok(Arc::clone(connection)),
                State::Down(error) => return Err(error.clone()),
                State::Again { .. } => {}
            }
            if changes.changed().await.is_err() {
                return Err(self.retired());
            }
        }
    }

    /// Why nothing has answered in time.
    pub(super) fn still_away(&self) -> PluginError {
        match &*self.state.borrow() {
            State::Up(_) => PluginError::TimedOut { limit: self.spec.limits.time },
            State::Down(error) => error.clone(),
            State::Again { last } => {
                let why = format!("it is being started again, after this: {last}");
                PluginError::Unavailable { name: self.spec.name.clone(), why }
            }
        }
    }

    pub(super) fn up(self: &Arc<Self>, connection: Arc<Connection>) {
        connection.belongs_to(self);
        self.state.send_replace(State::Up(connection));
    }

    /// No more calls begin with this process, and those that have begun fail.
    pub(super) fn lose(&self, connection: &Arc<Connection>, error: &PluginError) {
        self.state.send_if_modified(|state| {
            let is_it = matches!(state, State::Up(current) if Arc::ptr_eq(current, connection));
            if is_it {
                *state = State::Again { last: error.clone() };
            }
            is_it
        });
        connection.lose(error);
    }

    pub(super) fn down(&self, error: PluginError) {
        self.state.send_replace(State::Down(error));
    }

    pub(super) fn retired(&self) -> PluginError {
        PluginError::Unavailable { name: self.spec.name.clone(), why: "this version of it was retired".to_owned() }
    }

    pub(super) fn order(&self, order: Order) {
        *lock(&self.order) = Some(order);
        self.wake();
    }

    /// Lets the supervisor look at the order, and at whether its connection is broken.
    pub(super) fn wake(&self) {
        // There is room in the pipe, or plenty of bytes that are not read yet. Nobody reads it after a crash loop.
        let _ = write(&self.wake, &[0]);
    }

    /// What was ordered. For the supervisor, after each byte in the pipe.
    pub(super) fn ordered(&self, woken: &OwnedFd) -> Option<Order> {
        let _ = rustix::io::read(woken, &mut [0; 64]);
        self.ordered_now()
    }

    pub(super) fn ordered_now(&self) -> Option<Order> {
        *lock(&self.order)
    }
}
