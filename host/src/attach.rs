//! The host's handle: attach, safe point, units of work, events.

use crate::config::Config;
use crate::events::{Events, LOCAL, Listeners};
use crate::gate::{GATE, Gate, Unit};
use crate::hooks::Hooks;
use crate::inbox::{self, Message, Session};
use crate::lent::services;
use crate::library::{self, Library, LibraryError, Shelf};
use crate::load::Loaded;
use crate::lock::lock;
use crate::panics::{self, Panics};
use crate::pending::{self, READY};
use crate::program::Program;
use crate::retained::wipe_stack;
use crate::state::{Code, States};
use crate::swap::{self, Outcome, Plan, Target};
use crossbeam_channel::{Receiver, Sender};
use pitstop_contract::Generation;
use pitstop_contract::descriptor::crate_of;
use pitstop_contract::event::Event;
use pitstop_contract::request::Request;
use pitstop_contract::session::ENV_RESTORE;
use pitstop_reloadable::__private::{HookKind, at_exit, install_panic_hook, lend};
use pitstop_reloadable::Swap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// How long a program that is to end, or may end of a panic, waits for its last words to be written.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The program's end of a session; see [`attach`]. Cheap to copy, and good on any thread.
#[derive(Clone, Copy, Debug)]
pub struct Pitstop {
    pub(crate) host: Option<&'static Host>,
}

/// What all handles share. One per process.
pub(crate) struct Host {
    pid: u32,
    pub(crate) config: Config,
    pub(crate) program: Program,
    pub(crate) listeners: Listeners,
    pub(crate) shelf: Shelf,
    pub(crate) panics: Panics,
    pub(crate) hooks: Hooks,
    pub(crate) inbox: Sender<Message>,
    /// Whether a plan waits, or something is asked for.
    ready: AtomicBool,
    pending: Mutex<Option<Plan>>,
    /// What a safe point is to do besides.
    asked: Mutex<Option<Asked>>,
    patience: Mutex<Patience>,
    live: Mutex<Target>,
    /// The thread that calls the safe point.
    swapper: Mutex<Option<ThreadId>>,
    pub(crate) states: States,
}

/// What is asked of the next safe point.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// To save all values: the request's number, 0 for nobody's.
    pub(crate) save: u64,
    /// And to end the program then.
    pub(crate) end: bool,
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

static HOST: OnceLock<Option<Host>> = OnceLock::new();

#[cfg(feature = "plugins")]
/// The host of this process, where it takes part in a session.
pub(crate) fn attached() -> Option<&'static Host> {
    HOST.get()?.as_ref()
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
        STARTED.get_or_init(|| host.begin(session, receiver));
        // Plugins that were opened before are the session's from here on.
        crate::plugin::ask_again();
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
        if READY.load(Ordering::Acquire) {
            self.do_what_waits();
        }
    }

    #[cold]
    fn do_what_waits(&self) {
        // Whatever comes from here on sets it again.
        READY.store(false, Ordering::Release);
        if let Some(host) = self.host.filter(|host| host.is_ready()) {
            host.safe_point();
        }
        if Gate::inside_here() || self.host.is_some_and(Host::is_ready) {
            // Units of work are not waited for twice.
            READY.store(true, Ordering::Release);
        } else {
            pending::carry_out(self.host.map_or_else(|| Config::default().wait, |host| host.config.wait));
        }
    }

    /// Begins a unit of work on this thread: all reloadable functions that it calls until the result is dropped are
    /// of one generation. For threads other than the one that calls [`safe_point`](Self::safe_point).
    ///
    /// Waits while a swap is about to happen, unless this thread is in a unit already.
    #[track_caller]
    pub fn enter(&self) -> Unit<'static> {
        if self.host.is_some() || pending::is_used() { GATE.enter(Location::caller()) } else { Unit::inert() }
    }

    /// Goes back to the generation that was live before, at the next safe point: with the same proof, and with carried
    /// values migrated back. Generations that panicked are passed over.
    pub fn undo(&self) {
        self.request(Request::Undo);
    }

    /// Goes forward again, after an [`undo`](Self::undo).
    pub fn redo(&self) {
        self.request(Request::Redo);
    }

    /// Asks the command to build the program anew and to start it in place of this one, with its carried values.
    pub fn restart(&self) {
        if let Some(host) = self.host {
            host.report(Event::RestartWanted { why: "the program asks for it".to_owned() });
        }
    }

    fn request(&self, request: Request) {
        if let Some(host) = self.host {
            // The inbox ends with the process only.
            let _ = host.inbox.send(Message::Asked(request));
        }
    }

    /// What happens in the session from now on, of the watcher's side too: to show it in the program's own window. Without one,
    /// what happens with plugins and followed libraries.
    #[must_use]
    pub fn events(&self) -> Events {
        self.host.map_or(&LOCAL, |host| &host.listeners).subscribe()
    }

    /// Has `callback` run on this thread, every 16 ms, whenever a call on it is held after a panic (see
    /// [`OnPanic::Hold`](crate::OnPanic::Hold)): for a window that is to go on being drawn. It takes the place of the one
    /// before. A panic in a reloadable function that the callback calls is not held.
    pub fn while_held(&self, callback: impl FnMut() + 'static) {
        if self.host.is_some() {
            panics::while_held(Box::new(callback));
        }
    }

    /// Has `hook` run before each swap, on the thread of the safe point, while no unit of work runs: it must not wait for
    /// one. A panic in it cancels the swap. Whether carried values can be restored shows after it only: if not, nothing is
    /// swapped although it has run.
    #[track_caller]
    pub fn before_swap(&self, hook: impl FnMut(&Swap) + Send + 'static) {
        if let Some(host) = self.host {
            host.hooks.add(HookKind::Before, Location::caller(), hook);
        }
    }

    /// As [`before_swap`](Self::before_swap), once the new code is live. A panic in it takes the swap back.
    #[track_caller]
    pub fn after_swap(&self, hook: impl FnMut(&Swap) + Send + 'static) {
        if let Some(host) = self.host {
            host.hooks.add(HookKind::After, Location::caller(), hook);
        }
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

    /// [`library`](Self::library) for a file, of which each later version is live from a safe point on in a program without a
    /// session too: for programs that something else than cargo builds.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub fn follow(&self, file: &str) -> Result<Library, LibraryError> {
        match self.host {
            Some(host) => host.shelf.open(&library::as_path(file), host),
            None => library::follow(file),
        }
    }
}

/// A program that ends right after a swap tells of it all the same.
extern "C" fn last_words() {
    // A forked child has no inbox.
    if let Some(Some(host)) = HOST.get()
        && host.pid == std::process::id()
    {
        host.written();
    }
}

impl Host {
    fn new(config: Config, program: Program, inbox: Sender<Message>) -> Self {
        Self {
            pid: std::process::id(),
            config,
            program,
            listeners: Listeners::default(),
            shelf: Shelf::default(),
            panics: Panics::default(),
            hooks: Hooks::default(),
            inbox,
            // The first safe point tells its thread.
            ready: AtomicBool::new(true),
            pending: Mutex::new(None),
            asked: Mutex::new(None),
            patience: Mutex::default(),
            live: Mutex::default(),
            swapper: Mutex::default(),
            states: States::default(),
        }
    }

    /// Takes part in a session. A program that is started anew, with values of an earlier run, begins with the code that
    /// is published: it may know parts of them that the program itself does not.
    fn begin(&'static self, session: Session, receiver: Receiver<Message>) {
        self.states.know(&Code::Program(&self.program), &[]);
        let restores = self.states.read_saved();
        let is_restarted = std::env::var_os(ENV_RESTORE).is_some();
        if let Err(reason) = restores {
            self.report(Event::Restored { states: Vec::new(), lost: vec![reason] });
        }
        panics::begin(self);
        lend(services(self, "", Generation::LINKED));
        install_panic_hook();
        inbox::start(self, session, receiver);
        at_exit(last_words);
        if is_restarted {
            let (told, looked) = crossbeam_channel::bounded(0);
            if self.inbox.send(Message::Written(told)).is_ok() {
                // Ends when the sender is dropped, once the published images are loaded.
                let _ = looked.recv_timeout(self.config.library_wait);
            }
            self.swap();
        }
    }

    /// Has the next safe point save, or end the program.
    pub(crate) fn ask(&self, asked: Asked) {
        let mut pending = lock(&self.asked);
        let kept = pending.filter(|pending| pending.end || pending.save > asked.save);
        *pending = Some(kept.unwrap_or(asked));
        self.wake();
        self.panics.held.wake();
    }

    /// Makes a plan pending in place of whatever is. `fresh` images of a plan that was not carried out are kept, as far as
    /// they are live by the new one.
    pub(crate) fn offer(&self, mut plan: Plan) {
        let mut pending = lock(&self.pending);
        if let Some(mut earlier) = pending.take() {
            let is_live = |image: &Arc<Loaded>| {
                let live = plan.target.get(&image.image.crate_name);
                live.is_some_and(|live| Arc::ptr_eq(live, image))
                    && !plan.fresh.iter().any(|fresh| Arc::ptr_eq(fresh, image))
            };
            let kept: Vec<Arc<Loaded>> = std::mem::take(&mut earlier.fresh).into_iter().filter(is_live).collect();
            plan.fresh.extend(kept);
        }
        *pending = Some(plan);
        self.wake();
        self.panics.held.wake();
    }

    /// Has the next safe point look.
    fn wake(&self) {
        self.ready.store(true, Ordering::Release);
        READY.store(true, Ordering::Release);
    }

    fn safe_point(&'static self) {
        *lock(&self.swapper) = Some(std::thread::current().id());
        self.swap();
    }

    /// Whether this is the thread of the safe point, as far as is known.
    pub(crate) fn swaps_here(&self) -> bool {
        lock(&self.swapper).is_none_or(|swapper| swapper == std::thread::current().id())
    }

    /// Whether there is something to do at a safe point.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// What a safe point does when there is something to do.
    #[cold]
    pub(crate) fn swap(&'static self) {
        if self.config.unload {
            // Reloadable code has just run where the frames of what follows come to lie.
            wipe_stack();
        }
        self.take_pending();
    }

    #[inline(never)]
    fn take_pending(&'static self) {
        // Code of the user's runs below, which may lead here again.
        let Ok(mut patience) = self.patience.try_lock() else { return };
        if Gate::inside_here() {
            if !std::mem::replace(&mut patience.told_inside, true) {
                log::warn!("pitstop: safe_point() inside a unit of work of the same thread: no swap happens there");
            }
            return;
        }
        // Whatever comes from here on sets it again.
        self.ready.store(false, Ordering::Release);
        if let Some(asked) = lock(&self.asked).take() {
            self.save(asked.save);
            if asked.end {
                self.end();
            }
        }
        if patience.not_before.is_some_and(|moment| Instant::now() < moment) {
            return self.wake();
        }
        let mut pending = lock(&self.pending);
        let Some(mut plan) = pending.take() else { return };
        // What comes meanwhile takes its place.
        drop(pending);
        let live = lock(&self.live).clone();
        match swap::swap(self, &plan, &live) {
            Outcome::Swapped(events) => {
                self.shelf.swapped(&plan.fresh);
                lock(&self.live).clone_from(&plan.target);
                *patience = Patience::default();
                let _ = self.inbox.send(Message::Swapped { target: std::mem::take(&mut plan.target), why: plan.why });
                self.panics.swapped();
                events.into_iter().for_each(|event| self.report(event));
            }
            Outcome::Refused(reasons) => {
                let (crate_name, generation) = swap::subject(&plan, &live);
                *patience = Patience::default();
                self.report(Event::Rejected { crate_name, generation, reasons });
                let _ = self.inbox.send(Message::Refused);
            }
            Outcome::Watching => self.put_back(plan),
            Outcome::Busy(threads) => {
                let generation = swap::generation(&plan);
                self.put_back(plan);
                let since = *patience.since.get_or_insert_with(Instant::now);
                let gave_up = since.elapsed() >= self.config.patience;
                if gave_up {
                    GATE.open();
                    patience.since = None;
                    patience.not_before = Some(Instant::now() + self.config.patience);
                }
                if gave_up || !patience.told {
                    self.report(Event::Waiting { generation, threads, gave_up });
                }
                patience.told = !gave_up;
            }
        }
        if lock(&self.pending).is_some() {
            self.wake();
        }
    }

    /// A plan that could not be carried out yet waits on, unless another has come.
    fn put_back(&self, plan: Plan) {
        lock(&self.pending).get_or_insert(plan);
    }

    /// Ends the program, with all written that it had to say: another one takes over.
    fn end(&self) -> ! {
        self.written();
        std::process::exit(0);
    }

    /// Waits until all that was said is written, since the program may end now. Not at any price: the inbox may be loading
    /// an image.
    pub(crate) fn written(&self) {
        let (told, written) = crossbeam_channel::bounded(0);
        if self.inbox.send(Message::Written(told)).is_ok() {
            let _ = written.recv_timeout(LAST_WORDS);
        }
    }

    /// The generation that a function's crate runs.
    pub(crate) fn live_generation(&self, function: &str) -> Generation {
        let live = lock(&self.live);
        live.get(crate_of(function)).map_or(Generation::LINKED, |image| image.image.generation)
    }

    /// Tells of an event, on the inbox's thread.
    pub(crate) fn report(&self, event: Event) {
        // The inbox ends with the process only.
        let _ = self.inbox.send(Message::Report(event));
    }
}
