//! The plugin as a library with C's interface, for where there is no C compiler: the table of `pitstop_plugin.h`, written by hand.

#[path = "../answer.rs"]
mod answer;
#[path = "../kernel.rs"]
mod kernel;

use std::ffi::{c_char, c_void};

/// `PITSTOP_PLUGIN_ABI`; another one stands for a plugin that was built against another version of the interface.
const ABI: u32 = if cfg!(feature = "other") { 999 } else { 1 };
/// `PITSTOP_OK` and `PITSTOP_FAILED`.
const OK: i32 = 0;
const FAILED: i32 = 1;

/// `pitstop_buffer`.
#[repr(C)]
pub struct Buffer {
    data: *mut u8,
    length: usize,
    capacity: usize,
}

/// `pitstop_plugin_table`.
#[repr(C)]
pub struct Table {
    abi: u32,
    size: u32,
    name: *const c_char,
    version: *const c_char,
    capabilities: *const c_char,
    create: unsafe extern "C" fn(*const c_void, *mut *mut c_void, *mut Buffer) -> i32,
    process: unsafe extern "C" fn(*mut c_void, *const u8, usize, *mut Buffer) -> i32,
    release: unsafe extern "C" fn(*mut c_void, *mut Buffer),
    destroy: unsafe extern "C" fn(*mut c_void),
    health: *const c_void,
}

// SAFETY: nobody writes it.
unsafe impl Sync for Table {}

static TABLE: Table = Table {
    abi: ABI,
    size: size_of::<Table>() as u32,
    name: c"subject".as_ptr(),
    version: c"1.0.0".as_ptr(),
    capabilities: std::ptr::null(),
    create,
    process,
    release,
    destroy,
    health: std::ptr::null(),
};

/// Asked before anything else is called.
// SAFETY: no other library exports this name to this one.
#[unsafe(no_mangle)]
pub extern "C" fn pitstop_plugin_abi() -> u32 {
    ABI
}

/// The table.
// SAFETY: no other library exports this name to this one.
#[unsafe(no_mangle)]
pub extern "C" fn pitstop_plugin() -> *const Table {
    &TABLE
}

/// It remembers nothing.
unsafe extern "C" fn create(_host: *const c_void, _instance: *mut *mut c_void, _error: *mut Buffer) -> i32 {
    OK
}

unsafe extern "C" fn process(_instance: *mut c_void, input: *const u8, length: usize, output: *mut Buffer) -> i32 {
    // SAFETY: the program's bytes, valid during the call.
    let input = if length == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(input, length) } };
    let (status, bytes) = match answer::answer(input) {
        Ok(output) => (OK, output),
        Err(why) => (FAILED, why.into_bytes()),
    };
    let mut bytes = std::mem::ManuallyDrop::new(bytes);
    let filled = Buffer { data: bytes.as_mut_ptr(), length: bytes.len(), capacity: bytes.capacity() };
    // SAFETY: the program's buffer.
    unsafe { output.write(filled) };
    status
}

unsafe extern "C" fn release(_instance: *mut c_void, buffer: *mut Buffer) {
    let empty = Buffer { data: std::ptr::null_mut(), length: 0, capacity: 0 };
    // SAFETY: the program's buffer, left empty so that a second call frees nothing.
    let Buffer { data, length, capacity } = unsafe { buffer.replace(empty) };
    if !data.is_null() {
        // SAFETY: the parts of a vector that `process` took apart.
        drop(unsafe { Vec::from_raw_parts(data, length, capacity) });
    }
}

unsafe extern "C" fn destroy(_instance: *mut c_void) {}
