//! The host's handle: attach, safe point, units of work, events.

use crate::config::Config;
use crate::events::{Events, Listeners};
use crate::gate::{Gate, Unit};
use crate::inbox::{self, Message};
use crate::library::{Library, LibraryError, Shelf};
use crate::lock::lock;
use crate::program::Program;
use crate::swap::{self, Outcome, Plan};
use crossbeam_channel::Sender;
use pitstop_contract::Generation;
use pitstop_contract::descriptor::crate_of;
use pitstop_contract::event::Event;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

/// The program's end of a session; see [`attach`]. Cheap to copy, and good on any thread.
#[derive(Clone, Copy, Debug)]
pub struct Pitstop {
    host: Option<&'static Host>,
}

/// What all handles share. One per process.
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) program: Program,
    pub(crate) gate: Gate,
    pub(crate) listeners: Listeners,
    pub(crate) shelf: Shelf,
    pub(crate) inbox: Sender<Message>,
    /// Whether a plan waits: all that a safe point looks at.
    ready: AtomicBool,
    pending: Mutex<Option<Plan>>,
    patience: Mutex<Patience>,
    live: Mutex<HashMap<String, Generation>>,
}

/// How long the host has been trying to swap.
#[derive(Default)]
struct Patience {
    since: Option<Instant>,
    not_before: Option<Instant>,
    told: bool,
    told_inside: bool,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Attaches to the session that started this program, or to one that watches its build.
///
/// Without a session, and in any program that was not built by `cargo pitstop`, this does nothing, and nor does the handle
/// it returns. Attaching again returns the same host.
#[must_use]
pub fn attach() -> Pitstop {
    attach_with(Config::default())
}

/// [`attach`] with settings. Those of the first call in the process hold.
#[must_use]
pub fn attach_with(config: Config) -> Pitstop {
    static HOST: OnceLock<Option<Host>> = OnceLock::new();
    static STARTED: OnceLock<()> = OnceLock::new();
    let mut mailbox = None;
    let host = HOST.get_or_init(|| {
        let program = Program::linked();
        let session = inbox::find_session(&program)?;
        let (inbox, receiver) = crossbeam_channel::unbounded();
        mailbox = Some((session, receiver));
        Some(Host::new(config, program, inbox))
    });
    if let (Some(host), Some((session, receiver))) = (host, mailbox) {
        STARTED.get_or_init(|| inbox::start(host, session, receiver));
    }
    Pitstop { host: host.as_ref() }
}

impl Pitstop {
    /// Whether a session was found.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.host.is_some()
    }

    /// The moment at which it is fine to swap: call it where no reloadable function is on the calling thread's stack, from
    /// one place, once per frame. One atomic load when nothing is pending.
    ///
    /// With new code pending it stores the function pointers and returns. When other threads are in units of work (see
    /// [`enter`](Self::enter)), it holds new ones back and waits for at most [`Config::wait`]; if some are still busy the swap is
    /// tried again at the next safe point.
    #[inline]
    pub fn safe_point(&self) {
        if let Some(host) = self.host
            && host.ready.load(Ordering::Acquire)
        {
            host.swap();
        }
    }

    /// Begins a unit of work on this thread: all reloadable functions that it calls until the result is dropped are
    /// of one generation. For threads other than the one that calls [`safe_point`](Self::safe_point).
    ///
    /// Waits while a swap is about to happen, unless this thread is in a unit already.
    #[track_caller]
    pub fn enter(&self) -> Unit<'static> {
        match self.host {
            Some(host) => host.gate.enter(Location::caller()),
            None => Unit::inert(),
        }
    }

    /// What happens in the session from now on, of the watcher's side too: to show it in the program's own window.
    #[must_use]
    pub fn events(&self) -> Events {
        self.host.map_or_else(Events::none, |host| host.listeners.subscribe())
    }

    /// A dynamic library whose functions are asked for by name: a crate of type `dylib` or `cdylib` of the workspace, or,
    /// where `name` has a path separator, a file that anything may build.
    ///
    /// With a session, its newest image, for which this waits up to [`Config::library_wait`], and each later one from the
    /// next safe point on. Without one, the file beside the executable, or the named file, once.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub fn library(&self, name: &str) -> Result<Library, LibraryError> {
        match self.host {
            Some(host) => host.shelf.open(name, host),
            None => Library::without_session(name),
        }
    }
}

impl Host {
    fn new(config: Config, program: Program, inbox: Sender<Message>) -> Self {
        Self {
            config,
            program,
            gate: Gate::default(),
            listeners: Listeners::default(),
            shelf: Shelf::default(),
            inbox,
            ready: AtomicBool::new(false),
            pending: Mutex::new(None),
            patience: Mutex::default(),
            live: Mutex::default(),
        }
    }

    /// Makes a plan pending in place of whatever is. `fresh` images of a plan that was not carried out are kept, unless
    /// a newer one of their crate is in the new plan.
    pub(crate) fn offer(&self, mut plan: Plan) {
        let mut pending = lock(&self.pending);
        if let Some(earlier) = pending.take() {
            let newer: Vec<String> = plan.fresh.iter().map(|image| image.image.crate_name.clone()).collect();
            let kept = earlier.fresh.into_iter().filter(|image| !newer.contains(&image.image.crate_name));
            plan.fresh.extend(kept);
        }
        *pending = Some(plan);
        self.ready.store(true, Ordering::Release);
    }

    #[cold]
    fn swap(&self) {
        let mut patience = lock(&self.patience);
        if Gate::inside_here() {
            if !std::mem::replace(&mut patience.told_inside, true) {
                log::warn!("pitstop: safe_point() inside a unit of work of the same thread: no swap happens there");
            }
            return;
        }
        if patience.not_before.is_some_and(|moment| Instant::now() < moment) {
            return;
        }
        let mut pending = lock(&self.pending);
        let Some(plan) = pending.as_ref() else { return };
        match swap::swap(plan, &self.gate, self.config.wait) {
            Outcome::Swapped(events) => {
                self.shelf.swapped(&plan.fresh);
                self.remember(&events);
                *pending = None;
                self.ready.store(false, Ordering::Release);
                *patience = Patience::default();
                drop(pending);
                events.into_iter().for_each(|event| self.report(event));
            }
            Outcome::Busy(threads) => {
                let generation = swap::generation(plan);
                let since = *patience.since.get_or_insert_with(Instant::now);
                let gave_up = since.elapsed() >= self.config.patience;
                if gave_up {
                    self.gate.open();
                    patience.since = None;
                    patience.not_before = Some(Instant::now() + self.config.patience);
                }
                if gave_up || !patience.told {
                    self.report(Event::Waiting { generation, threads, gave_up });
                }
                patience.told = !gave_up;
            }
        }
    }

    fn remember(&self, events: &[Event]) {
        let mut live = lock(&self.live);
        for event in events {
            if let Event::Live { crate_name, generation, .. } = event {
                live.insert(crate_name.clone(), *generation);
            }
        }
    }

    /// The generation that a function's crate runs.
    pub(crate) fn live_generation(&self, function: &str) -> Generation {
        let live = lock(&self.live);
        live.get(crate_of(function)).copied().unwrap_or(Generation::LINKED)
    }

    /// Tells of an event, on the inbox's thread.
    pub(crate) fn report(&self, event: Event) {
        // The inbox ends with the process only.
        let _ = self.inbox.send(Message::Report(event));
    }
}
