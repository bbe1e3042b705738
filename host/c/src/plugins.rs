//! Plugins: code that the program was not built with, whatever it is written in.
#![expect(unsafe_code, reason = "functions that C finds by name")]
#![allow(clippy::missing_safety_doc, reason = "the words are for the header, and say of each argument what it must be")]

use crate::arguments::{bytes, free, give, handle, peek, place, text};
use crate::border::guarded;
use crate::error::{Error, c_text};
use pitstop_host::{Plugin, PluginHandle, PluginInfo, PluginState};
use std::ffi::{CStr, CString, c_char};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;

/// The plugin is not there, because it has no version that can be used.
pub const PITSTOP_PLUGIN_ABSENT: i32 = 0;
/// Calls go to the plugin.
pub const PITSTOP_PLUGIN_LIVE: i32 = 1;
/// The plugin is switched off.
pub const PITSTOP_PLUGIN_DISABLED: i32 = 2;

/// The plugins that a file configures.
#[derive(Debug)]
pub struct Plugins {
    plugins: pitstop_host::Plugins,
}

/// A plugin, to be called.
#[derive(Debug)]
pub struct Called {
    plugin: PluginHandle,
}

/// What is known of all plugins at one moment.
#[derive(Debug)]
pub struct PluginList {
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    name: CString,
    mechanism: CString,
    state: i32,
    number: u32,
    version: CString,
    problem: CString,
}

/// Bytes that are the caller's, to be freed with `pitstop_bytes_free`.
#[repr(C)]
#[derive(Debug)]
pub struct Bytes {
    /// The first byte; null if there is none.
    pub data: *mut u8,
    /// How many there are.
    pub length: usize,
    /// For `pitstop_bytes_free`.
    pub capacity: usize,
}

impl Bytes {
    const EMPTY: Self = Self { data: null_mut(), length: 0, capacity: 0 };
}

/// Opens the plugins that a file, such as `pitstop.toml`, and the drop-in directories which it names configure; returns once each
/// has its first version, or none to be had. Their files are followed from then on: newer versions, and switches, take effect at
/// safe points, with a session and without. `*plugins` is the caller's, to be freed with `pitstop_plugins_free`; on failure it is
/// null.
///
/// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_CONFIG, PITSTOP_ERROR_STATE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugins_open(
    file: *const c_char,
    file_length: usize,
    plugins: *mut *mut Plugins,
) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("plugins", plugins) }?;
        // SAFETY: null, or the caller's text, which is used within this call.
        let file = unsafe { text("file", file, file_length) }?;
        give(place, Plugins { plugins: pitstop_host::Plugins::open(file)? });
        Ok(())
    })
}

/// Ends all plugins and frees the handle; waits for them for up to 3 s. Calls of `pitstop_plugin_called` are errors from then on.
/// Null does nothing. Any thread, when no other uses the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugins_free(plugins: *mut Plugins) {
    let error = guarded(|| {
        // SAFETY: null, or a handle that is not used any more, as the header asks.
        unsafe { free(plugins) };
        Ok(())
    });
    // SAFETY: the error that was made above, if there is one: nobody is left to hear of it.
    unsafe { free(error) };
}

/// Switches a plugin on again, at the next safe point.
///
/// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugins_enable(
    plugins: *const Plugins,
    name: *const c_char,
    name_length: usize,
) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or a handle that lives.
        let plugins = unsafe { handle("plugins", plugins) }?;
        // SAFETY: null, or the caller's text, which is used within this call.
        Ok(plugins.plugins.enable(unsafe { text("name", name, name_length) }?)?)
    })
}

/// Switches a plugin off, at the next safe point: calls of it are errors, and it stays loaded.
///
/// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugins_disable(
    plugins: *const Plugins,
    name: *const c_char,
    name_length: usize,
) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or a handle that lives.
        let plugins = unsafe { handle("plugins", plugins) }?;
        // SAFETY: null, or the caller's text, which is used within this call.
        Ok(plugins.plugins.disable(unsafe { text("name", name, name_length) }?)?)
    })
}

/// A plugin by its name, to be called. `*plugin` is the caller's, to be freed with `pitstop_plugin_called_free`; on failure it is
/// null. A plugin that has no version yet is there, and calls of it are errors.
///
/// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugins_get(
    plugins: *const Plugins,
    name: *const c_char,
    name_length: usize,
    plugin: *mut *mut Called,
) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("plugin", plugin) }?;
        // SAFETY: null, or a handle that lives.
        let plugins = unsafe { handle("plugins", plugins) }?;
        // SAFETY: null, or the caller's text, which is used within this call.
        let plugin = plugins.plugins.get(unsafe { text("name", name, name_length) }?)?;
        give(place, Called { plugin });
        Ok(())
    })
}

/// Frees the handle. Null does nothing. Any thread, when no other uses the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_called_free(plugin: *mut Called) {
    // SAFETY: null, or a handle that is not used any more, as the header asks.
    unsafe { free(plugin) };
}

/// Has a plugin make its output of an input, both any bytes, by the version that is live when the call begins. `input` may be
/// null if `input_length` is 0. `*output` is the caller's, to be freed with `pitstop_bytes_free`; on failure it is empty.
///
/// Fails with PITSTOP_ERROR_ARGUMENT; with PITSTOP_ERROR_PLUGIN_FAILED where the plugin says so, in its own words; with
/// PITSTOP_ERROR_PLUGIN_AWAY where it is switched off or has no version; with PITSTOP_ERROR_PLUGIN where it panicked, took too
/// long, ended or broke its interface. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_process(
    plugin: *const Called,
    input: *const u8,
    input_length: usize,
    output: *mut Bytes,
) -> *mut Error {
    guarded(|| {
        if output.is_null() {
            return Err(Error::argument("output is null, where a place for the result is expected"));
        }
        // SAFETY: not null, so the caller's variable.
        unsafe { output.write(Bytes::EMPTY) };
        // SAFETY: null, or a handle that lives.
        let plugin = unsafe { handle("plugin", plugin) }?;
        // SAFETY: null, or the caller's bytes, which are used within this call.
        let made = plugin.plugin.process(unsafe { bytes("input", input, input_length) }?)?;
        if made.capacity() > 0 {
            let mut made = ManuallyDrop::new(made);
            let given = Bytes { data: made.as_mut_ptr(), length: made.len(), capacity: made.capacity() };
            // SAFETY: as above.
            unsafe { output.write(given) };
        }
        Ok(())
    })
}

/// Frees bytes and leaves them empty. Null, and empty ones, do nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_bytes_free(bytes: *mut Bytes) {
    if bytes.is_null() {
        return;
    }
    // SAFETY: not null, so the caller's bytes, which are left empty so that freeing them again does nothing.
    let Bytes { data, length, capacity } = unsafe { bytes.replace(Bytes::EMPTY) };
    if !data.is_null() {
        // SAFETY: the parts of the vector that `pitstop_plugin_process` took apart.
        drop(unsafe { Vec::from_raw_parts(data, length, capacity) });
    }
}

/// What is known of all plugins now, by name. `*list` is the caller's, to be freed with `pitstop_plugin_list_free`; on failure it
/// is null.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugins_list(plugins: *const Plugins, list: *mut *mut PluginList) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("list", list) }?;
        // SAFETY: null, or a handle that lives.
        let plugins = unsafe { handle("plugins", plugins) }?;
        give(place, PluginList { items: plugins.plugins.list().into_iter().map(Item::of).collect() });
        Ok(())
    })
}

/// How many plugins are in the list; 0 for null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_length(list: *const PluginList) -> usize {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { peek(list) }.map_or(0, |list| list.items.len())
}

/// The name of a plugin in the list. This and the other texts of a list are NUL-terminated UTF-8, the list's, and valid until that
/// is freed; empty where there is nothing to say, for null, and for an index that is not in the list. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_name(list: *const PluginList, index: usize) -> *const c_char {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { item(list, index) }.map_or(c"", |item| item.name.as_c_str()).as_ptr()
}

/// How it is run: `dylib`, `c` or `exec`; empty for a drop-in whose configuration has a fault. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_mechanism(list: *const PluginList, index: usize) -> *const c_char {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { item(list, index) }.map_or(c"", |item| item.mechanism.as_c_str()).as_ptr()
}

/// One of `PITSTOP_PLUGIN_ABSENT`, `_LIVE`, `_DISABLED`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_state(list: *const PluginList, index: usize) -> i32 {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { item(list, index) }.map_or(PITSTOP_PLUGIN_ABSENT, |item| item.state)
}

/// The number of its newest version that is loaded; 0 without one. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_number(list: *const PluginList, index: usize) -> u32 {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { item(list, index) }.map_or(0, |item| item.number)
}

/// What its author calls that version. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_version(list: *const PluginList, index: usize) -> *const c_char {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { item(list, index) }.map_or(c"", |item| item.version.as_c_str()).as_ptr()
}

/// Why its newest file is not live, if it is not. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_problem(list: *const PluginList, index: usize) -> *const c_char {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { item(list, index) }.map_or(c"", |item: &Item| -> &CStr { &item.problem }).as_ptr()
}

/// Frees a list. Null does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_plugin_list_free(list: *mut PluginList) {
    // SAFETY: null, or a list that was not freed, as the header asks.
    unsafe { free(list) };
}

/// # Safety
/// `list` must be null or a list that was not freed.
unsafe fn item<'a>(list: *const PluginList, index: usize) -> Option<&'a Item> {
    // SAFETY: the caller says so.
    unsafe { peek(list) }?.items.get(index)
}

impl Item {
    fn of(info: PluginInfo) -> Self {
        let (number, version) =
            info.versions.last().map_or((0, String::new()), |newest| (newest.number.0, newest.version.clone()));
        Self {
            name: c_text(info.name),
            mechanism: c_text(info.mechanism.to_owned()),
            state: match info.state {
                PluginState::Live => PITSTOP_PLUGIN_LIVE,
                PluginState::Disabled => PITSTOP_PLUGIN_DISABLED,
                _ => PITSTOP_PLUGIN_ABSENT,
            },
            number,
            version: c_text(version),
            problem: c_text(info.problem.unwrap_or_default()),
        }
    }
}
