//! What is done about a panic in a reloadable function, of an image's or of the program's own: told, counted, and answered.

mod hold;

pub(crate) use hold::{Held, while_held};

use crate::attach::Host;
use crate::inbox::Message;
use crate::lock::lock;
use pitstop_contract::Generation;
use pitstop_contract::descriptor::crate_of;
use pitstop_contract::event::{Answer, Event};
use pitstop_reloadable::__private::{OnPanic, Panic, Reply, Trace, install_panic_hook, new_epoch};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

/// All that is known of panics.
#[derive(Default)]
pub(crate) struct Panics {
    /// How often each has happened.
    counts: Mutex<HashMap<Same, u64>>,
    /// Generations that panicked.
    marked: Mutex<HashSet<Culprit>>,
    /// Those that are to be rolled back.
    asked: Mutex<HashSet<Culprit>>,
    /// Functions whose held call could not be made again, which is said once.
    told: Mutex<HashSet<String>>,
    /// Whether the panic hook was set a second time.
    rehooked: AtomicBool,
    pub(crate) held: Held,
}

/// A crate in one generation, whose code panicked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Culprit {
    crate_name: String,
    generation: Generation,
}

/// What makes two panics the same.
#[derive(PartialEq, Eq, Hash)]
struct Same {
    code: Culprit,
    function: String,
    /// Where it was; what it said, if that is not known.
    what: String,
}

thread_local! {
    /// The panic that was let go on last, which may reach another border of this thread's: its message and whose it is.
    static GOES_ON: RefCell<Option<(String, Culprit)>> = const { RefCell::new(None) };
}

static HOST: OnceLock<&'static Host> = OnceLock::new();

/// From now on panics are this host's to answer.
pub(crate) fn begin(host: &'static Host) {
    let _ = HOST.set(host);
}

/// Answers a panic on the thread that panicked.
pub(crate) fn answer(panic: Panic<'_>) -> Reply {
    match HOST.get() {
        Some(host) => host.panics.answer(host, panic),
        None => Reply::Propagate,
    }
}

impl Panics {
    /// Other code is live.
    pub(crate) fn swapped(&self) {
        new_epoch();
        lock(&self.asked).clear();
        self.held.wake();
    }

    fn answer(&self, host: &'static Host, mut panic: Panic<'_>) -> Reply {
        let chosen = match panic.on_panic.unwrap_or(host.config.on_panic) {
            // A future that panicked cannot be polled again.
            OnPanic::Hold if panic.future => OnPanic::Propagate,
            chosen => chosen,
        };
        let before = carried(&panic);
        let is_new = before.is_none();
        let code = before.unwrap_or_else(|| Culprit {
            crate_name: if panic.crate_name.is_empty() { crate_of(panic.function) } else { panic.crate_name }
                .to_owned(),
            generation: panic.generation,
        });
        if is_new && panic.note.is_none() && !self.rehooked.swap(true, Ordering::Relaxed) {
            // The program has set a hook since, and that calls no other.
            install_panic_hook();
        }
        if is_new && lock(&self.marked).insert(code.clone()) {
            let Culprit { crate_name, generation } = code.clone();
            let _ = host.inbox.send(Message::Panicked { crate_name, generation });
        }
        if chosen == OnPanic::Rollback {
            // Before the event is told, which may take a while.
            self.roll_back(host, &code);
        }
        let told = is_new && self.tell(host, &code, &mut panic, chosen);
        let over = if panic.fallback { Reply::Fallback } else { Reply::Propagate };
        let reply = match chosen {
            OnPanic::Propagate => Reply::Propagate,
            OnPanic::Rollback => over,
            OnPanic::Hold => hold::hold(host, &code, &panic, over),
        };
        if reply == Reply::Propagate {
            let _ = GOES_ON.try_with(|last| last.replace(Some((panic.message, code))));
            if told {
                // Nobody may catch it, and then the program ends here.
                host.written();
            }
        }
        reply
    }

    fn roll_back(&self, host: &Host, code: &Culprit) {
        let is_live = host.live_generation(&code.crate_name) == code.generation;
        if is_live && lock(&self.asked).insert(code.clone()) {
            let Culprit { crate_name, generation } = code.clone();
            let _ = host.inbox.send(Message::RollBack { crate_name, generation });
        }
    }

    /// Tells of a panic the first time, and then ever more rarely; says whether it did.
    fn tell(&self, host: &Host, code: &Culprit, panic: &mut Panic<'_>, chosen: OnPanic) -> bool {
        let note = panic.note.take();
        let location = note.as_ref().map(|note| note.location.clone());
        let same = Same {
            code: code.clone(),
            function: panic.function.to_owned(),
            what: location.clone().unwrap_or_else(|| panic.message.clone()),
        };
        let count = {
            let mut counts = lock(&self.counts);
            let count = counts.entry(same).or_default();
            *count += 1;
            *count
        };
        if !is_told(count) {
            return false;
        }
        let event = Event::Panicked {
            crate_name: code.crate_name.clone(),
            generation: code.generation,
            function: panic.function.to_owned(),
            message: panic.message.clone(),
            location,
            backtrace: Vec::new(),
            count,
            answer: match chosen {
                OnPanic::Rollback => Answer::Rollback,
                OnPanic::Hold => Answer::Hold,
                OnPanic::Propagate => Answer::Propagate,
            },
        };
        let trace = note.and_then(|note| note.trace);
        let _ = host.inbox.send(Message::Tell(Box::new(move || traced(event, trace))));
        true
    }
}

/// Makes the backtrace readable, which takes a while at first.
fn traced(mut event: Event, trace: Option<Trace>) -> Event {
    if let (Event::Panicked { backtrace, .. }, Some(trace)) = (&mut event, trace) {
        *backtrace = trace();
    }
    event
}

/// The code whose panic this is, if it has come through another border of this thread's already.
fn carried(panic: &Panic<'_>) -> Option<Culprit> {
    let last = GOES_ON.try_with(RefCell::take).ok().flatten();
    // What the hook has seen is a panic of its own.
    last.filter(|(message, _)| panic.note.is_none() && *message == panic.message).map(|(_, code)| code)
}

/// At the first, tenth, hundredth, ... time.
fn is_told(count: u64) -> bool {
    count == 10_u64.saturating_pow(count.checked_ilog10().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_at_powers_of_ten() {
        let told: Vec<u64> = (0..20_000).filter(|&count| is_told(count)).collect();
        assert_eq!(told, [1, 10, 100, 1000, 10_000]);
    }

    #[test]
    fn a_panic_that_goes_on_is_known_at_the_next_border_and_not_at_the_one_after_that() {
        let panic = |message: &str| Panic {
            function: "logic::outer",
            on_panic: None,
            crate_name: "",
            generation: Generation::LINKED,
            message: message.to_owned(),
            note: None,
            own: std::ptr::null(),
            twice: false,
            fallback: true,
            future: false,
        };
        let code = Culprit { crate_name: "logic".to_owned(), generation: Generation(3) };
        let goes_on = |message: &str| GOES_ON.set(Some((message.to_owned(), code.clone())));
        goes_on("no fuel");
        assert!(carried(&panic("no fuel")).is_some_and(|found| found == code));
        assert!(carried(&panic("no fuel")).is_none());
        goes_on("no fuel");
        assert!(carried(&panic("no tyres")).is_none(), "the program caught the one before");
    }
}
