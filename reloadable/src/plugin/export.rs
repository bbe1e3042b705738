//! The functions behind the table of a plugin that is written in Rust. No panic leaves them.

use super::table::{ABI, Buffer, FAILED, OK, PANICKED, PluginHost, PluginTable, Status, UNSUPPORTED};
use super::{Plugin, PluginError};
use crate::border::message;
use crate::records::{Records, follow};
use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};

// What a plugin and its program share. Both sides link this crate, and so debug info leads from this record to the types of
// both: see `prove_plugin` in `pitstop-proof`.
pitstop_macros::interface! {
    fn interface(table: &'static PluginTable, records: Records);
}

/// The functions that `#[plugin]` writes, since only they can name the storage.
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    /// [`PluginTable::create`].
    pub create: unsafe extern "C" fn(*const PluginHost, *mut *mut c_void, *mut Buffer) -> Status,
    /// The crate's name and version.
    pub package: (&'static str, &'static str),
}

/// A plugin's table, made when it is first asked for.
#[derive(Debug)]
pub struct Storage<P> {
    table: OnceLock<PluginTable>,
    /// What the table was made from; the first instance.
    first: Mutex<Option<Result<P, String>>>,
}

impl<P: Plugin + Default> Storage<P> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { table: OnceLock::new(), first: Mutex::new(None) }
    }

    /// The table.
    pub fn table(&'static self, functions: Functions) -> *const PluginTable {
        // Keeps the record in the file.
        std::hint::black_box(interface_records());
        self.table.get_or_init(|| {
            let made = caught(|| {
                let plugin = P::default();
                let (name, metadata) = (plugin.name().to_owned(), plugin.metadata());
                (plugin, name, metadata)
            });
            let (package, version) = functions.package;
            let (name, metadata, first) = match made {
                Ok((plugin, name, metadata)) => (name, metadata, Ok(plugin)),
                Err(panic) => (package.to_owned(), super::Metadata::new(version), Err(panic)),
            };
            *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(first);
            // The table lives as long as the image, and so do its texts.
            let text = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default().into_raw().cast_const();
            PluginTable {
                abi: ABI,
                size: size_of::<PluginTable>() as u32,
                name: text(&name),
                version: text(&metadata.version),
                capabilities: text(&metadata.capabilities.join(" ")),
                create: Some(functions.create),
                process: Some(process::<P>),
                release: Some(release),
                destroy: Some(destroy::<P>),
                health: None,
            }
        })
    }

    /// What the exported `create` does.
    ///
    /// # Safety
    /// `instance` and `error` must be valid for writes.
    pub unsafe fn create(&self, instance: *mut *mut c_void, error: *mut Buffer) -> Status {
        follow();
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let made = first.unwrap_or_else(|| caught(P::default));
        match made {
            Ok(plugin) => {
                // SAFETY: the caller says so.
                unsafe { instance.write(Box::into_raw(Box::new(plugin)).cast()) };
                OK
            }
            Err(panic) => {
                // SAFETY: the caller says so.
                unsafe { error.write(buffer(panic.into_bytes())) };
                PANICKED
            }
        }
    }
}

impl<P: Plugin + Default> Default for Storage<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes what the program lends to plugins in Rust: where their records go.
///
/// # Safety
/// `records` must be valid, and the program's compiler and this interface were shown to be the same.
pub unsafe fn enter(records: *const Records) {
    // SAFETY: the caller says so.
    let records = unsafe { *records };
    records.enter();
}

unsafe extern "C" fn process<P: Plugin>(
    instance: *mut c_void,
    input: *const u8,
    length: usize,
    output: *mut Buffer,
) -> Status {
    // SAFETY: the instance is one of `Storage::create`'s, not destroyed yet; plugins are `Sync`.
    let plugin = unsafe { &*instance.cast::<P>().cast_const() };
    // SAFETY: the caller's bytes, valid for this call; not null even when there are none.
    let input = if length == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(input, length) } };
    follow();
    let (status, bytes) = match caught(|| plugin.process(input)) {
        Ok(Ok(bytes)) => (OK, bytes),
        Ok(Err(PluginError::Failed { message })) => (FAILED, message.into_bytes()),
        Ok(Err(PluginError::Unsupported { verb })) => (UNSUPPORTED, verb.into_bytes()),
        Ok(Err(error)) => (FAILED, error.to_string().into_bytes()),
        Err(panic) => (PANICKED, panic.into_bytes()),
    };
    // SAFETY: the caller's buffer.
    unsafe { output.write(buffer(bytes)) };
    status
}

unsafe extern "C" fn release(_instance: *mut c_void, filled: *mut Buffer) {
    // SAFETY: the caller's buffer, left empty so that a second call frees nothing.
    let Buffer { data, length, capacity } = unsafe { filled.replace(Buffer::EMPTY) };
    if !data.is_null() {
        // SAFETY: the parts of a vector that `buffer` took apart.
        drop(unsafe { Vec::from_raw_parts(data, length, capacity) });
    }
}

unsafe extern "C" fn destroy<P>(instance: *mut c_void) {
    follow();
    // SAFETY: one of `Storage::create`'s, destroyed once.
    let plugin = unsafe { Box::from_raw(instance.cast::<P>()) };
    // A panic has nobody left to go to.
    let _ = caught(|| drop(plugin));
}

fn buffer(bytes: Vec<u8>) -> Buffer {
    if bytes.capacity() == 0 {
        return Buffer::EMPTY;
    }
    let mut bytes = std::mem::ManuallyDrop::new(bytes);
    Buffer { data: bytes.as_mut_ptr(), length: bytes.len(), capacity: bytes.capacity() }
}

/// Runs the user's code; a panic's message otherwise.
fn caught<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let said = message(&*payload);
        // A payload may panic when it is dropped.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
        said
    })
}
