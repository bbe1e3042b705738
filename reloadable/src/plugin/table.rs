//! The table of functions that a plugin library exports, in C's terms; `pitstop_plugin.h` is the same for C.
//!
//! Nothing that crosses here hangs on a compiler: fixed-size numbers, pointers with lengths, and buffers that the side
//! which made them frees.

use std::ffi::{c_char, c_void};

/// The version of this interface, which [`ABI_SYMBOL`] returns.
pub const ABI: u32 = 1;
/// `uint32_t pitstop_plugin_abi(void)`: asked before anything else is called.
pub const ABI_SYMBOL: &str = "pitstop_plugin_abi";
/// `const pitstop_plugin_table *pitstop_plugin(void)`.
pub const TABLE_SYMBOL: &str = "pitstop_plugin";
/// What a plugin written in Rust exports besides: takes the program's [`crate::__private::Records`].
pub const ENTER_SYMBOL: &str = "__pitstop_plugin_enter";

/// How a call ended.
pub type Status = i32;
/// Well: the buffer holds the output.
pub const OK: Status = 0;
/// Not: the buffer holds a message, or nothing.
pub const FAILED: Status = 1;
/// It panicked, or threw: the buffer holds a message, or nothing.
pub const PANICKED: Status = 2;
/// The plugin does not know what it was asked for.
pub const UNSUPPORTED: Status = 3;

/// Bytes that the plugin has made and frees, in [`PluginTable::release`].
#[repr(C)]
#[derive(Debug)]
pub struct Buffer {
    /// The first byte; null if there is none.
    pub data: *mut u8,
    /// How many there are.
    pub length: usize,
    /// How many there is room for; at least `length`.
    pub capacity: usize,
}

impl Buffer {
    /// No bytes.
    pub const EMPTY: Self = Self { data: std::ptr::null_mut(), length: 0, capacity: 0 };
}

/// What the program offers to a plugin. Stays valid for as long as the process lives.
#[repr(C)]
#[derive(Debug)]
pub struct PluginHost {
    /// `sizeof(pitstop_plugin_host)` as the program knows it: fields beyond it are not there.
    pub size: u32,
    /// For `log`.
    pub context: *mut c_void,
    /// Writes a line to the program's log: `level` is 1 for error, 2 warning, 3 info, 4 debug, 5 trace. Any thread.
    pub log: Option<unsafe extern "C" fn(context: *mut c_void, level: i32, text: *const c_char, length: usize)>,
}

/// The functions of a plugin. A static of the plugin's.
#[repr(C)]
#[derive(Debug)]
pub struct PluginTable {
    /// [`ABI`].
    pub abi: u32,
    /// `sizeof(pitstop_plugin_table)` as the plugin knows it; may be more than the program knows.
    pub size: u32,
    /// NUL-terminated UTF-8.
    pub name: *const c_char,
    /// The same; may be null.
    pub version: *const c_char,
    /// Words separated by spaces, the same; may be null.
    pub capabilities: *const c_char,
    /// Makes an instance, or says why not in `error`.
    pub create:
        Option<unsafe extern "C" fn(host: *const PluginHost, instance: *mut *mut c_void, error: *mut Buffer) -> Status>,
    /// Makes the output of an input, or a message. Any thread, and several at once.
    pub process: Option<
        unsafe extern "C" fn(instance: *mut c_void, input: *const u8, length: usize, output: *mut Buffer) -> Status,
    >,
    /// Frees what is in a buffer that `create`, `process` or `health` has filled. `instance` is null for one of `create`'s.
    pub release: Option<unsafe extern "C" fn(instance: *mut c_void, buffer: *mut Buffer)>,
    /// Ends an instance; no call of it runs, and none comes after.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Whether a new instance is fit for use, asked once; may be null.
    pub health: Option<unsafe extern "C" fn(instance: *mut c_void, error: *mut Buffer) -> Status>,
}

// SAFETY: a table is a static of its plugin's, which nobody writes once it was handed out.
#[expect(unsafe_code, reason = "tables are shared between threads")]
unsafe impl Sync for PluginTable {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "tables are shared between threads")]
unsafe impl Send for PluginTable {}
