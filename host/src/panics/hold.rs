//! A call that panicked waits for other code, and is then made again.
//!
//! The thread of the safe point swaps by itself while it waits: nobody else would. Any other thread leaves that to it, and
//! does not count as busy meanwhile, whatever unit of work it is in.

use super::Culprit;
use crate::attach::Host;
use crate::gate::{GATE, Gate};
use crate::inbox::Message;
use crate::lock::lock;
use crossbeam_channel::{Receiver, TryRecvError};
use pitstop_contract::event::Event;
use pitstop_reloadable::__private::{Panic, Reply};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a held thread waits before it looks around, and lets its callback run.
const BEAT: Duration = Duration::from_millis(16);
/// How often it asks whether anybody watches: without a watcher no code will come.
const ASK: Duration = Duration::from_millis(500);

type Callback = Box<dyn FnMut()>;

thread_local! {
    static HOLDING: Cell<bool> = const { Cell::new(false) };
    static CALLBACK: RefCell<Option<Callback>> = const { RefCell::new(None) };
}

/// Wakes threads that are held.
#[derive(Default)]
pub(crate) struct Held {
    lock: Mutex<()>,
    changed: Condvar,
}

impl Held {
    /// Something is ready to be swapped, or was.
    pub(crate) fn wake(&self) {
        drop(lock(&self.lock));
        self.changed.notify_all();
    }

    fn wait(&self) {
        let waited = self.changed.wait_timeout(lock(&self.lock), BEAT);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Has `callback` run every few milliseconds whenever this thread is held.
pub(crate) fn while_held(callback: Callback) {
    let _ = CALLBACK.try_with(|own| own.replace(Some(callback)));
}

/// Waits until other code of this crate is live. `over` is what is done if the call is not made again.
pub(super) fn hold(host: &'static Host, code: &Culprit, panic: &Panic<'_>, over: Reply) -> Reply {
    if HOLDING.replace(true) {
        // A callback calls what panics: it would be held within itself, again and again.
        return over;
    }
    // What replaces this very function in its slot has its signature.
    let linked = host.program.slots.get(panic.function).map(|linked| linked.slot);
    let slot = linked.filter(|slot| slot.pointer() == panic.own);
    if !panic.twice {
        say_once(host, panic.function, over);
    }
    let came = wait(host, code);
    HOLDING.set(false);
    match slot {
        Some(slot) if came && panic.twice => Reply::Again(slot.pointer()),
        _ => over,
    }
}

fn say_once(host: &Host, function: &str, over: Reply) {
    if !lock(&host.panics.told).insert(function.to_owned()) {
        return;
    }
    let then = match over {
        Reply::Fallback => "returns its fallback",
        _ => "lets its caller have the panic",
    };
    let message = format!(
        "a held call of {function} cannot be made again, since an argument cannot be had twice: once other code is live it \
         {then}; take references or `Copy` types, or write another `on_panic`"
    );
    host.report(Event::Notice { message });
}

/// Whether other code came.
fn wait(host: &'static Host, code: &Culprit) -> bool {
    let swaps = !Gate::inside_here() && host.swaps_here();
    let _outside = GATE.step_out();
    let mut watched = Watched::default();
    let mut ready_since = None;
    loop {
        if host.is_ready() {
            if swaps {
                host.swap();
            } else if ready_since.get_or_insert_with(Instant::now).elapsed() > host.config.patience {
                // The thread of the safe point may be waiting for this one.
                return false;
            }
        } else {
            ready_since = None;
        }
        if host.live_generation(&code.crate_name) != code.generation {
            return true;
        }
        if !watched.by_anybody(host) {
            return false;
        }
        call_back();
        host.panics.held.wait();
    }
}

/// Lets the thread's callback run. It is taken out meanwhile, since it may set another.
fn call_back() {
    let callback = CALLBACK.try_with(RefCell::take).ok().flatten();
    let Some(mut callback) = callback else { return };
    if catch_unwind(AssertUnwindSafe(&mut callback)).is_err() {
        log::error!("pitstop: the callback of `while_held` panicked; it is not called again");
        return;
    }
    let _ = CALLBACK.try_with(|own| {
        own.borrow_mut().get_or_insert(callback);
    });
}

/// Asks the inbox now and then whether a watcher is there.
#[derive(Default)]
struct Watched {
    asked: Option<(Instant, Option<Receiver<bool>>)>,
}

impl Watched {
    fn by_anybody(&mut self, host: &Host) -> bool {
        match &mut self.asked {
            Some((_, reply @ Some(_))) => {
                let said = reply.as_ref().map(Receiver::try_recv);
                match said {
                    Some(Ok(is_watched)) => {
                        *reply = None;
                        is_watched
                    }
                    Some(Err(TryRecvError::Disconnected)) => false,
                    _ => true,
                }
            }
            Some((at, None)) if at.elapsed() < ASK => true,
            _ => {
                let (sender, receiver) = crossbeam_channel::bounded(1);
                let sent = host.inbox.send(Message::IsWatched(sender)).is_ok();
                self.asked = Some((Instant::now(), Some(receiver)));
                sent
            }
        }
    }
}
