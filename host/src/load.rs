//! Maps a verified image and reads its table. The only code that calls the system's loader.
//!
//! An image that was loaded stays mapped for the life of the process: function pointers, vtables, `&'static` data and
//! thread-local destructors may lead into it. Only `retained/unload.rs` calls [`Loaded::unload`], with the proof that
//! nothing does.

use crate::state::CarriedTypes;
use crate::verify::Verified;
use libloading::Library;
use pitstop_contract::descriptor::{Descriptor, ENTRY_SYMBOL, SlotFact, crate_of};
use pitstop_contract::manifest::{Image, Kind};
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::layout::Layouts;
use pitstop_reloadable::__private::{Entry, HookEntry, Seat, Services, Slot, Table};
use std::collections::{BTreeSet, HashMap};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A proven image, mapped. Only [`load`] makes one.
pub(crate) struct Loaded {
    pub(crate) image: Image,
    pub(crate) path: PathBuf,
    /// The functions that the image's own crate exports.
    pub(crate) bodies: HashMap<String, Body>,
    /// Slots of other reloadable crates that are linked into the image: they follow the host's.
    pub(crate) imports: Vec<Import>,
    /// The types that cross its border; shared with the image before it where they are the same.
    pub(crate) layouts: Arc<Layouts>,
    /// Those of carried values.
    pub(crate) carried: CarriedTypes,
    /// The hooks of its own crate.
    pub(crate) hooks: Vec<&'static HookEntry>,
    /// Its place among those that touch carried values; `None` for a library.
    pub(crate) seat: Option<&'static Seat>,
    /// Functions of the program's that must not be replaced by this image's.
    pub(crate) kept: BTreeSet<String>,
    pub(crate) verify_ms: f64,
    pub(crate) load_ms: f64,
    pub(crate) ready: Instant,
    /// What the system's loader has added to the addresses of the file; `None` where it does not tell.
    pub(crate) bias: Option<usize>,
    library: ManuallyDrop<Library>,
}

pub(crate) struct Body {
    pub(crate) fact: SlotFact,
    pub(crate) pointer: *const (),
}

pub(crate) struct Import {
    pub(crate) fact: SlotFact,
    pub(crate) slot: &'static Slot,
}

// SAFETY: the pointers are to code that stays mapped.
unsafe impl Send for Loaded {}
// SAFETY: as above; nothing is written after `load`.
unsafe impl Sync for Loaded {}

/// Maps an image. `before` are the types of the one before it. `services` are for an image that takes them: they are never freed.
///
/// # Errors
/// What the system's loader says, or that the table in memory is not the one in the file.
pub(crate) fn load(
    image: Verified,
    before: Option<&Arc<Layouts>>,
    services: impl FnOnce() -> &'static Services,
) -> Result<Loaded, Vec<Reason>> {
    let (image, path, contents, proof, started) = image.into_parts();
    let verified = Instant::now();
    // Stays mapped when it is refused after all: its constructors have run, and may have started threads.
    let (library, bias) = open(&path, 0).map_err(|error| vec![refused(&path, &error)])?;
    let library = ManuallyDrop::new(library);
    let (mut bodies, mut imports) = Sorted::default();
    let (mut carried, mut seat, mut hooks) = (CarriedTypes::default(), None, Vec::new());
    if image.kind == Kind::Reloadable {
        let table = enter(&library, services()).map_err(|error| vec![refused(&path, &error)])?;
        let table = table.ok_or_else(|| vec![early(&path)])?;
        (bodies, imports) = sort(table.entries, &image.crate_name, &contents.descriptor)?;
        carried = CarriedTypes::of(table.states);
        seat = Some(table.seat);
        hooks = table.hooks.iter().filter(|hook| crate_of(hook.name) == image.crate_name).collect();
    }
    let same = before.filter(|before| ***before == contents.layouts);
    Ok(Loaded {
        image,
        path,
        bodies,
        imports,
        layouts: same.map_or_else(|| Arc::new(contents.layouts), Arc::clone),
        carried,
        hooks,
        seat,
        kept: proof.kept,
        verify_ms: (verified - started).as_secs_f64() * 1e3,
        load_ms: verified.elapsed().as_secs_f64() * 1e3,
        ready: Instant::now(),
        bias,
        library,
    })
}

impl Loaded {
    /// Maps a library in a program without a session, proven to be complete.
    pub(crate) fn without_session(name: &str, number: Generation, path: &Path) -> Result<Self, Vec<Reason>> {
        let image = crate::verify::library(name, number, path)?;
        let (image, path, contents, proof, started) = image.into_parts();
        let (library, bias) = open(&path, 0).map_err(|error| vec![refused(&path, &error)])?;
        let now = Instant::now();
        Ok(Self {
            image,
            path,
            bodies: HashMap::new(),
            imports: Vec::new(),
            layouts: Arc::new(contents.layouts),
            carried: CarriedTypes::default(),
            hooks: Vec::new(),
            seat: None,
            kept: proof.kept,
            verify_ms: (now - started).as_secs_f64() * 1e3,
            load_ms: 0.0,
            ready: now,
            bias,
            library: ManuallyDrop::new(library),
        })
    }

    /// Wipes all pointers into the image that this holds, for an image that never becomes live again: what looks for
    /// such pointers must not find these, nor what is left of them in freed memory.
    pub(crate) fn forget_pointers(&mut self) {
        static NOWHERE: Slot = Slot::new(std::ptr::null());
        self.bodies.values_mut().for_each(|body| body.pointer = std::ptr::null());
        self.imports.iter_mut().for_each(|import| import.slot = &NOWHERE);
        self.carried.forget_pointers();
        self.seat = None;
        // Nobody asks for its types any more.
        self.layouts = Arc::default();
        // So that the compiler does not find that nobody reads what was written.
        std::hint::black_box((&mut self.bodies, &mut self.imports, &mut self.seat));
    }

    /// Unmaps the image, unless the system's loader has its own reasons to keep it, such as a destructor of a
    /// thread-local that is still to run; whether it is gone. If so, this is good for nothing but to be dropped.
    ///
    /// # Safety
    /// Nothing may lead into the image any more: no pointer to its code or data, on any thread or in any memory. When this
    /// says that it is gone, it must not be called again, nor [`symbol`](Self::symbol).
    pub(crate) unsafe fn unload(&mut self) -> bool {
        // SAFETY: taken once, for a library that is gone is not asked for again, and any other is put back.
        let library = unsafe { ManuallyDrop::take(&mut self.library) };
        // The loader's word does not count: it reports success also where it keeps the image.
        let _ = library.close();
        match open(&self.path, RTLD_NOLOAD) {
            Ok((library, _)) => {
                self.library = ManuallyDrop::new(library);
                false
            }
            Err(_) => true,
        }
    }

    /// The address of an exported symbol.
    pub(crate) fn symbol(&self, name: &str) -> Option<*const ()> {
        symbol(&self.library, name)
    }
}

#[cfg(feature = "plugins")]
/// A plugin's library. It stays mapped for the life of the process: it may have started threads, and given out pointers.
pub(crate) struct Mapped(ManuallyDrop<Library>);

#[cfg(feature = "plugins")]
/// Maps a plugin's library.
///
/// # Errors
/// What the system's loader says.
pub(crate) fn map(path: &Path) -> Result<Mapped, Reason> {
    let (library, _) = open(path, 0).map_err(|error| refused(path, &error))?;
    Ok(Mapped(ManuallyDrop::new(library)))
}

#[cfg(feature = "plugins")]
impl Mapped {
    /// The address of an exported symbol.
    pub(crate) fn symbol(&self, name: &str) -> Option<*const ()> {
        symbol(&self.0, name)
    }
}

fn symbol(library: &Library, name: &str) -> Option<*const ()> {
    // SAFETY: the symbol is only looked up; whoever calls it answers for its type.
    let symbol = unsafe { library.get::<*const ()>(name) };
    // SAFETY: as above; the address outlives the symbol, since the library stays mapped.
    let pointer = unsafe { symbol.ok()?.try_as_raw_ptr() }?;
    Some(pointer.cast_const().cast())
}

#[cfg(target_os = "linux")]
const RTLD_NOLOAD: i32 = libc::RTLD_NOLOAD;
#[cfg(not(target_os = "linux"))]
const RTLD_NOLOAD: i32 = 0x10;

/// Maps a library, with further flags of the system's loader; says where, if the loader does.
fn open(path: &Path, flags: i32) -> Result<(Library, Option<usize>), String> {
    #[cfg(unix)]
    {
        use libloading::os::unix;
        // Now, so that a missing symbol is found here and not at its first call; local, so that an image's symbols
        // are nobody else's.
        // SAFETY: the file was proven to be a complete library of matching code; its constructors are the user's own.
        let library = unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL | flags) };
        let handle = library.map_err(|error| said(&error))?.into_raw();
        let bias = bias(handle);
        // SAFETY: the handle of the library that was opened above, and of no other.
        let library = unsafe { unix::Library::from_raw(handle) };
        Ok((library.into(), bias))
    }
    #[cfg(not(unix))]
    {
        let _ = flags;
        // SAFETY: the file was proven to be a complete library of matching code; its constructors are the user's own.
        let library = unsafe { Library::new(path) };
        library.map(|library| (library, None)).map_err(|error| said(&error))
    }
}

/// The loader's own words, which are behind the error of whoever has called it.
fn said(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Where the system's loader has put a library: what it has added to the addresses of the file.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn bias(handle: *mut std::ffi::c_void) -> Option<usize> {
    let mut map: *const usize = std::ptr::null();
    // SAFETY: the handle is open, and the request writes one pointer.
    let told = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    // SAFETY: the loader's record of an open library begins with this number (`link.h`).
    if told == 0 && !map.is_null() { Some(unsafe { *map }) } else { None }
}

#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
fn bias(_handle: *mut std::ffi::c_void) -> Option<usize> {
    None
}

fn refused(path: &Path, error: &str) -> Reason {
    let advice = if error.contains("undefined symbol") {
        "a dependency with bundled native code is not exported by the shared dependencies; run with \
         `--linkage self-contained`"
    } else {
        "see the loader's message; `ldd` on the file names what is missing"
    };
    Reason::new(Rule::Load, path.display().to_string(), "a library that the system can load", error, advice)
}

/// An image whose constructors hold memory of another allocator than the program's.
fn early(path: &Path) -> Reason {
    Reason::new(
        Rule::Allocator,
        path.display().to_string(),
        "memory of the program's allocator alone",
        "a constructor that holds memory which it took before the program lent its allocator",
        "allocate at the first use, in a `LazyLock`, and not in a constructor",
    )
}

/// Hands the services to an image, and returns its table; `None` when it refuses them.
fn enter(library: &Library, services: &'static Services) -> Result<Option<&'static Table>, String> {
    type EnterImage = unsafe extern "C" fn(*const Services) -> *const Table;
    // SAFETY: the descriptor, written by the macro that defines this symbol, has this reader's format.
    let enter = unsafe { library.get::<EnterImage>(ENTRY_SYMBOL) };
    let enter = enter.map_err(|error| error.to_string())?;
    // SAFETY: the services live as long as the process, and the compiler was shown to be the same.
    let table = unsafe { enter(services) };
    // SAFETY: the image hands out a static of its own, or null, and stays mapped for as long as this table is used.
    Ok(unsafe { table.as_ref() })
}

type Sorted = (HashMap<String, Body>, Vec<Import>);

/// Tells the image's own functions from those of crates that are linked into it.
fn sort(entries: &'static [Entry], crate_name: &str, descriptor: &Descriptor) -> Result<Sorted, Vec<Reason>> {
    // As large as they get: one that grows leaves its pointers behind in freed memory.
    let mut bodies = HashMap::with_capacity(descriptor.slots.len());
    let mut imports = Vec::with_capacity(entries.len());
    for entry in entries {
        // A copy, so that what reads it leaves no pointers into the image behind.
        let record = entry.record().to_vec();
        let facts = Descriptor::parse(&record).map(|record| record.slots).unwrap_or_default();
        for fact in facts {
            if crate_of(&fact.name) != crate_name {
                imports.extend(entry.slot().map(|slot| Import { fact, slot }));
            } else {
                bodies.insert(fact.name.clone(), Body { fact, pointer: entry.body() });
            }
        }
    }
    let own = descriptor.slots.iter().filter(|slot| crate_of(&slot.name) == crate_name);
    let lost: Vec<Reason> = own
        .filter(|slot| bodies.get(&slot.name).is_none_or(|body| body.fact != **slot))
        .map(|slot| {
            let expected = format!("`{}`, as in the file", slot.signature);
            let advice = "the linker dropped a function; report it to Pitstop with the linker's name and version";
            Reason::new(Rule::Missing, &slot.name, expected, "none in the loaded table", advice)
        })
        .collect();
    if lost.is_empty() { Ok((bodies, imports)) } else { Err(lost) }
}
