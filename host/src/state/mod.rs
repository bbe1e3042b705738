//! Values that outlive the code that works on them: who made each, who may touch it, and how it is brought into the form
//! of new code.
//!
//! No code of the user's runs while the registry is locked: what it does may lead back here.

mod code;
mod migrate;
mod snapshot;

use crate::attach::{Host, Pitstop};
use crate::lock::lock;
use crate::swap::Target;
use pitstop_contract::Reason;
use pitstop_contract::Rule;
use pitstop_contract::descriptor::crate_of;
use pitstop_contract::event::Event;
use pitstop_contract::snapshot::SavedState;
use pitstop_reloadable::__private::{Access, CHECKED, Cell, Free, Keeper, Of, Seat};
use pitstop_reloadable::State;
use std::any::type_name;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

pub(crate) use code::{CarriedTypes, Code};
pub(crate) use migrate::Obstacle;
pub(crate) use snapshot::Save;

const ADVICE: &str = "restart the program with its state: `cargo pitstop restart`";

/// All carried values of the program.
#[derive(Default)]
pub(crate) struct States {
    registry: Mutex<Registry>,
    pub(crate) due: snapshot::Due,
}

#[derive(Default)]
struct Registry {
    next: usize,
    values: BTreeMap<usize, Value>,
    /// All images whose code may come and ask.
    codes: Vec<Code>,
    /// What is live.
    live: Target,
    /// What an earlier run of the program has saved, and nobody has asked for yet.
    saved: Vec<SavedState>,
    /// Program and images, in pairs, to whom a type is known to mean the same; see [`pair`].
    agreed: Vec<(usize, usize, String)>,
    /// Whether a migration waits for whether the program's own code touches its values in this frame.
    watching: bool,
    /// Whether new values are in place and may be taken back: what they were is not dropped then.
    exchanging: bool,
}

/// One carried value.
struct Value {
    type_name: &'static str,
    key: String,
    cell: CellPointer,
    maker: Maker,
    /// The thread of its handle: values are migrated there only.
    owner: (ThreadId, String),
    /// Where its handle was made.
    place: &'static Location<'static>,
    /// Where code of the program itself touched it first since the last swap; while a migration waits, each such place.
    touched: Vec<Place>,
    /// What it was before: references may lead there until somebody asks for the value mutably.
    retired: Vec<Retired>,
}

/// A place in the source: file, line, column.
type Place = (String, u32, u32);

/// Of a handle that is there: its drop takes the value out of the registry first.
#[derive(Clone, Copy)]
struct CellPointer(*const Cell);

// SAFETY: a cell may be used from any thread.
#[expect(unsafe_code, reason = "the registry is shared by threads")]
unsafe impl Send for CellPointer {}

/// Whose code made a value.
#[derive(Clone)]
struct Maker {
    code: Code,
    drop: Free,
}

struct Retired {
    value: *mut (),
    maker: Maker,
}

// SAFETY: the value is only dropped, on the thread of its handle.
#[expect(unsafe_code, reason = "the registry is shared by threads")]
unsafe impl Send for Retired {}

impl Retired {
    #[expect(unsafe_code, reason = "drops a value whose type only its maker knows")]
    fn drop(self) {
        // SAFETY: its maker made it, and a migration or the drop of its handle took it out of use: nobody has it.
        if let Err(why) = unsafe { (self.maker.drop)(self.value) } {
            log::error!("pitstop: the drop of a value of {} {why}", self.maker.code.name());
        }
    }
}

impl CellPointer {
    #[expect(unsafe_code, reason = "a handle's cell is freed by the handle")]
    fn get(&self) -> &Cell {
        // SAFETY: the handle is there, see the type.
        unsafe { &*self.0 }
    }
}

impl Value {
    /// For a person, and what a value is known by: `logic::World`, `logic::World "left"`.
    fn name(&self) -> String {
        name(self.type_name, &self.key)
    }
}

/// What a value is known by.
pub(crate) fn name(type_name: &str, key: &str) -> String {
    if key.is_empty() { type_name.to_owned() } else { format!("{type_name} {key:?}") }
}

impl Pitstop {
    /// A value that outlives the code that works on it, made by `Default`. Pass it to reloadable functions that take a
    /// `&mut State<T>`: when an edit changes `T`, it is migrated, through serde.
    ///
    /// After a restart it has the value that the program had before, where `T` is `Serialize` and `Deserialize` and a
    /// reloadable function names `State<T>`.
    ///
    /// # Panics
    /// When there is a `State` of this type already: pass that one on, or see [`keyed_state`](Self::keyed_state).
    #[track_caller]
    #[must_use]
    pub fn state<T: Default + 'static>(&self) -> State<T> {
        self.keyed_state_with("", T::default)
    }

    /// [`state`](Self::state) with a first value of your own.
    ///
    /// # Panics
    /// As [`state`](Self::state).
    #[track_caller]
    #[must_use]
    pub fn state_with<T: 'static>(&self, first: impl FnOnce() -> T) -> State<T> {
        self.keyed_state_with("", first)
    }

    /// [`state`](Self::state) for several values of one type, each known by its key.
    ///
    /// # Panics
    /// When there is a `State` of this type and key already.
    #[track_caller]
    #[must_use]
    pub fn keyed_state<T: Default + 'static>(&self, key: &str) -> State<T> {
        self.keyed_state_with(key, T::default)
    }

    /// [`keyed_state`](Self::keyed_state) with a first value of your own.
    ///
    /// # Panics
    /// As [`keyed_state`](Self::keyed_state).
    #[track_caller]
    #[must_use]
    pub fn keyed_state_with<T: 'static>(&self, key: &str, first: impl FnOnce() -> T) -> State<T> {
        match self.host {
            Some(host) if CHECKED => host.state(key, Location::caller(), first),
            _ => State::new(first()),
        }
    }
}

impl Host {
    fn state<T: 'static>(
        &'static self,
        key: &str,
        place: &'static Location<'static>,
        first: impl FnOnce() -> T,
    ) -> State<T> {
        let type_name = type_name::<T>();
        if let Some(other) = self.states.place_of(type_name, key) {
            panic!(
                "{} is held already, by the State that was made at {other}: pass that one on, or give each a key with \
                 `keyed_state`",
                name(type_name, key)
            );
        }
        let (value, maker) = self.restored(type_name, key).unwrap_or_else(|| {
            let maker = Maker { code: Code::Program(&self.program), drop: Of::<T>::DROP };
            (Box::into_raw(Box::new(first())).cast(), maker)
        });
        let (value, maker) = self.states.brought_up(type_name, value, maker);
        let mut registry = lock(&self.states.registry);
        let number = registry.next;
        registry.next += 1;
        let cell = Box::into_raw(Box::new(Cell::kept(value, self, number)));
        let thread = std::thread::current();
        let owner = (thread.id(), thread.name().unwrap_or("without a name").to_owned());
        registry.values.insert(
            number,
            Value {
                type_name,
                key: key.to_owned(),
                cell: CellPointer(cell),
                maker,
                owner,
                place,
                touched: Vec::new(),
                retired: Vec::new(),
            },
        );
        drop(registry);
        self.states.due.at_once();
        handle(cell)
    }
}

#[expect(unsafe_code, reason = "makes the one handle of a cell")]
fn handle<T>(cell: *mut Cell) -> State<T> {
    // SAFETY: the cell was just made from a box and given to nobody else; `admit` below lets no code at the value but such
    // to which the type means the same as to the value's maker; retired values are dropped there, at `Write` only.
    unsafe { State::of(cell) }
}

impl States {
    fn place_of(&self, type_name: &str, key: &str) -> Option<&'static Location<'static>> {
        let registry = lock(&self.registry);
        let mut values = registry.values.values();
        values.find(|value| value.type_name == type_name && value.key == key).map(|value| value.place)
    }

    /// This code may come and ask. Its types are compared with what others take them for now, on the inbox's thread.
    pub(crate) fn know(&self, code: &Code, types: &[String]) {
        // Values were made by the program, or by the image before.
        let others: Vec<Code> = {
            let registry = lock(&self.registry);
            registry.codes.first().into_iter().chain(registry.codes.last()).cloned().collect()
        };
        for (other, type_name) in others.iter().flat_map(|code| types.iter().map(move |ty| (code, ty))) {
            if code.differs(other, type_name).is_none() {
                insert(&mut lock(&self.registry).agreed, pair(code, other, type_name));
            }
        }
        lock(&self.registry).codes.push(code.clone());
    }

    /// Code of these images has no say any more, but that it drops the values that it made.
    pub(crate) fn forget(&self, images: &[Arc<crate::load::Loaded>]) {
        let mut registry = lock(&self.registry);
        for image in images {
            let Some(seat) = image.seat else { continue };
            let address = !std::ptr::from_ref(seat).addr();
            registry.codes.retain(|code| !code.is(seat));
            registry.agreed.retain(|(one, other, _)| *one != address && *other != address);
        }
    }

    /// The values that an image made and has to drop, each in a sentence.
    pub(crate) fn made_by(&self, image: &Arc<crate::load::Loaded>) -> Vec<String> {
        let registry = lock(&self.registry);
        let is_it = |maker: &Maker| matches!(&maker.code, Code::Image(code) if Arc::ptr_eq(code, image));
        let made = registry.values.values().filter_map(|value| {
            if is_it(&value.maker) {
                return Some(format!("it made the carried value {}", value.name()));
            }
            let retired = value.retired.iter().any(|retired| is_it(&retired.maker));
            retired.then(|| format!("it has to drop what the carried value {} was before", value.name()))
        });
        made.collect()
    }

    /// What code is live from now on. Everybody has to ask anew: new code may sit where old code sat.
    pub(crate) fn live(&self, target: Target) {
        let mut registry = lock(&self.registry);
        registry.live = target;
        for value in registry.values.values_mut() {
            value.touched.clear();
            value.cell.get().close();
        }
    }
}

impl Registry {
    /// The newest code that names a type: that of the crate it is from, rather than that of a crate that uses it.
    fn newest(&self, target: &Target, type_name: &str) -> Option<Code> {
        let knows = |image: &&Arc<crate::load::Loaded>| image.carried.get(type_name).is_some();
        let home = target.get(crate_of(type_name)).filter(knows);
        let others = target.values().filter(knows).max_by_key(|image| image.image.generation);
        home.or(others).map(|image| Code::Image(Arc::clone(image)))
    }

    /// How one code's idea of a type differs from another's, in words. What was compared once is remembered.
    fn differs(&self, one: &Code, other: &Code, type_name: &str) -> Option<String> {
        if self.agreed.binary_search(&pair(one, other, type_name)).is_ok() {
            return None;
        }
        one.differs(other, type_name)
    }

    /// As [`differs`](Self::differs), and remembers it.
    fn agree(&mut self, one: &Code, other: &Code, type_name: &str) -> Option<String> {
        let differs = self.differs(one, other, type_name);
        if differs.is_none() {
            insert(&mut self.agreed, pair(one, other, type_name));
        }
        differs
    }
}

/// Adds to a list in order what is not in it.
fn insert<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(at) = list.binary_search(&item) {
        list.insert(at, item);
    }
}

/// What a pair is known by: the addresses of the seats, inverted, for these must not look like pointers into an image.
fn pair(one: &Code, other: &Code, type_name: &str) -> (usize, usize, String) {
    let address = |code: &Code| !std::ptr::from_ref(code.seat()).addr();
    (address(one).min(address(other)), address(one).max(address(other)), type_name.to_owned())
}

impl Keeper for Host {
    fn admit(&self, number: usize, seat: &'static Seat, access: Access, at: &Location<'_>) -> Result<(), String> {
        let mut registry = lock(&self.states.registry);
        let code = match registry.codes.iter().find(|code| code.is(seat)) {
            Some(code) => code.clone(),
            None => return Err("code of a generation that nothing leads back to touches a carried value".to_owned()),
        };
        let Some(value) = registry.values.get(&number) else {
            return Err("a carried value is touched after its end".to_owned());
        };
        let (name, maker, type_name) = (value.name(), value.maker.code.clone(), value.type_name);
        if let Some(differs) = registry.agree(&maker, &code, type_name) {
            drop(registry);
            return Err(self.refuse(&name, &maker, &code, &differs, at));
        }
        let (watching, exchanging) = (registry.watching, registry.exchanging);
        let Some(value) = registry.values.get_mut(&number) else { return Ok(()) };
        if code.is_program() {
            insert(&mut value.touched, (at.file().to_owned(), at.line(), at.column()));
        }
        if !(watching && code.is_program()) {
            value.cell.get().open(seat.bit(), access);
        }
        let is_free = access == Access::Write && !exchanging;
        let retired = if is_free { std::mem::take(&mut value.retired) } else { Vec::new() };
        drop(registry);
        retired.into_iter().for_each(Retired::drop);
        Ok(())
    }

    fn release(&self, number: usize) {
        let value = lock(&self.states.registry).values.remove(&number);
        if let Some(value) = value {
            value.retired.into_iter().for_each(Retired::drop);
            Retired { value: value.cell.get().value(), maker: value.maker }.drop();
        }
    }
}

impl Host {
    /// Code with another layout touches a value: this is said, what can be saved is saved, and the code panics.
    fn refuse(&self, name: &str, maker: &Code, code: &Code, differs: &str, at: &Location<'_>) -> String {
        let expected = format!("code with the layout that {} made it in", maker.name());
        let found = format!("{} at {at}, whose layout is another: {differs}", code.name());
        let reason = Reason::new(Rule::State, name, expected, found, ADVICE);
        let text = reason.to_string();
        self.report(Event::Rejected {
            crate_name: crate_of(name).to_owned(),
            generation: maker.generation(),
            reasons: vec![reason],
        });
        self.save(0);
        self.written();
        text
    }
}
