//! What the host lends to an image, and the image's first call.
#![expect(unsafe_code, reason = "the image's entry point and allocator work on what the host hands over")]

use crate::border::OnPanic;
use crate::hook;
use crate::note::{Note, Place};
use crate::output::flush_at_exit;
use crate::records::Records;
use crate::state::{SEAT, Seat};
use crate::table::{ENTRIES, HOOKS, STATES, Table};
use pitstop_contract::Generation;
use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// What the host lends to an image. Lives as long as the process.
#[repr(C)]
pub struct Services {
    /// The host's `std::alloc::alloc`.
    pub alloc: unsafe fn(Layout) -> *mut u8,
    /// The host's `std::alloc::alloc_zeroed`.
    pub alloc_zeroed: unsafe fn(Layout) -> *mut u8,
    /// The host's `std::alloc::realloc`.
    pub realloc: unsafe fn(*mut u8, Layout, usize) -> *mut u8,
    /// The host's `std::alloc::dealloc`.
    pub dealloc: unsafe fn(*mut u8, Layout),
    /// Says what is to be done about a panic that has reached the border.
    pub answer: fn(Panic<'_>) -> Reply,
    /// What the host's panic hook has noted of this thread's panic with this message.
    pub note: fn(&str) -> Option<Note>,
    /// Tells the host's panic hook that this panic has been told of.
    pub hush: fn(Place),
    /// Panics anew in the host's own `std`, with this message.
    pub raise: fn(String) -> !,
    /// Calls the host's panic hook; false if it cannot.
    pub hook: fn(&PanicHookInfo<'_>) -> bool,
    /// Where an image's records go.
    pub records: Records,
    /// Whether host and image link the same dynamic `std`.
    pub shared_std: bool,
    /// The image's crate; empty for the host itself.
    pub crate_name: &'static str,
    /// The image's number.
    pub generation: Generation,
}

/// A panic that has reached the border.
#[derive(Debug)]
pub struct Panic<'a> {
    /// The reloadable function, by its full name.
    pub function: &'a str,
    /// What it says itself about panics.
    pub on_panic: Option<OnPanic>,
    /// The image's crate; empty for the host itself.
    pub crate_name: &'a str,
    /// The image's number.
    pub generation: Generation,
    /// What it said.
    pub message: String,
    /// What the hook saw of it; `None` if it was resumed, or if the hook was replaced.
    pub note: Option<Note>,
    /// The function that was called, where the call can be made again.
    pub own: *const (),
    /// Whether it can be.
    pub twice: bool,
    /// Whether there is something to return in place of a result.
    pub fallback: bool,
    /// Whether it was in the polling of a future.
    pub future: bool,
}

/// What is to be done about a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The call is to be made again, of this function: it was in the slot that [`Panic::own`] was in.
    Again(*const ()),
    /// The call is to return its fallback.
    Fallback,
    /// The caller is to have the panic.
    Propagate,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (crate_name, generation) = (self.crate_name, self.generation);
        write!(f, "Services of {crate_name} {generation}, shared std {}", self.shared_std)
    }
}

// One per link unit: this crate is linked into each image anew, so every image has its own.
static SERVICES: AtomicPtr<Services> = AtomicPtr::new(std::ptr::null_mut());

/// The host's services; `None` in a program without a session.
pub(crate) fn services() -> Option<&'static Services> {
    let pointer = SERVICES.load(Ordering::Acquire);
    // SAFETY: only `enter_image` and `lend` store here, and the host keeps the services for the life of the process.
    unsafe { pointer.as_ref() }
}

/// Blocks that constructors of the image hold: the loader runs them before the host's services are there, and so the
/// system's allocator gave them.
static EARLY: AtomicUsize = AtomicUsize::new(0);

/// The host's services for the host itself: the functions that are linked into it have a border too.
pub fn lend(services: &'static Services) {
    SERVICES.store(std::ptr::from_ref(services).cast_mut(), Ordering::Release);
}

/// Takes the host's services and returns the image's table. The first code of an image that the host calls.
///
/// Null when constructors of the image hold memory: from now on it would be freed by another allocator than gave it.
///
/// # Safety
/// `services` must stay valid for the life of the process, and come from a host built with the same rustc and the same
/// version of this crate, which the descriptor has shown.
#[must_use]
pub unsafe fn enter_image(services: *const Services) -> *const Table {
    if EARLY.load(Ordering::Acquire) != 0 {
        return std::ptr::null();
    }
    SERVICES.store(services.cast_mut(), Ordering::Release);
    // The host gives it one when it goes live.
    SEAT.set(Seat::NONE);
    if let Some(services) = self::services()
        && !services.shared_std
    {
        services.records.enter();
        hook::tell(services.hook);
        flush_at_exit();
    }
    // In the image's own memory, so that none of the program's points into the image because of it.
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| Table { entries: &ENTRIES, states: &STATES, hooks: &HOOKS, seat: &SEAT })
}

/// The allocator of an image with a `std` of its own: the host's, whatever that is.
#[derive(Debug)]
pub struct HostAllocator;

// SAFETY: hands every call on to one allocator. The system's, which the image's constructors get before the host's
// services are there, is another only as long as `EARLY` is not zero, and then `enter_image` refuses.
unsafe impl GlobalAlloc for HostAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match services() {
            // SAFETY: the caller keeps GlobalAlloc's contract.
            Some(services) => unsafe { (services.alloc)(layout) },
            None => {
                EARLY.fetch_add(1, Ordering::AcqRel);
                // SAFETY: as above.
                unsafe { System.alloc(layout) }
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match services() {
            // SAFETY: the caller keeps GlobalAlloc's contract.
            Some(services) => unsafe { (services.alloc_zeroed)(layout) },
            None => {
                EARLY.fetch_add(1, Ordering::AcqRel);
                // SAFETY: as above.
                unsafe { System.alloc_zeroed(layout) }
            }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match services() {
            // SAFETY: the caller keeps GlobalAlloc's contract.
            Some(services) => unsafe { (services.realloc)(pointer, layout, size) },
            // SAFETY: as above.
            None => unsafe { System.realloc(pointer, layout, size) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match services() {
            // SAFETY: the caller keeps GlobalAlloc's contract.
            Some(services) => unsafe { (services.dealloc)(pointer, layout) },
            None => {
                EARLY.fetch_sub(1, Ordering::AcqRel);
                // SAFETY: as above.
                unsafe { System.dealloc(pointer, layout) }
            }
        }
    }
}
