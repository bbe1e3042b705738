//! A library that exports the table of `pitstop_plugin.h`: asked for its version, looked through, and called.
#![expect(unsafe_code, reason = "calls a library through the functions of its table")]

use super::{Description, Instance, Proven};
use crate::load::{Mapped, map};
use crate::lock::lock;
use pitstop_contract::{Reason, Rule};
use pitstop_proof::{complete, exports};
use pitstop_reloadable::__private::plugin_table::{
    ABI, ABI_SYMBOL, Buffer, FAILED, OK, PANICKED, PluginHost, PluginTable, Status, TABLE_SYMBOL, UNSUPPORTED,
};
use pitstop_reloadable::PluginError;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// How much of a message is kept.
const MESSAGE: usize = 64 << 10;

/// Shows that a file is a whole library with these exports.
pub(super) fn prove(path: &Path, bytes: &[u8], symbols: &[&str]) -> Result<(), Vec<Reason>> {
    complete(path, bytes).map_err(|reason| vec![reason])?;
    let exports = exports(path, bytes).map_err(|reason| vec![reason])?;
    let lacking = symbols.iter().filter(|symbol| !exports.iter().any(|export| export == *symbol));
    let reasons: Vec<Reason> = lacking
        .map(|symbol| {
            let advice = "a plugin in C includes `pitstop_plugin.h` and defines its two functions, not `static` and not \
                          hidden; one in Rust has `#[pitstop_reloadable::plugin]` on its `impl Plugin`, and is a `cdylib`";
            let expected = format!("an exported `{symbol}`");
            Reason::new(Rule::Missing, path.display().to_string(), expected, "no such symbol", advice)
        })
        .collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// The functions of a table that every plugin has.
#[derive(Clone, Copy)]
struct Functions {
    process: unsafe extern "C" fn(*mut c_void, *const u8, usize, *mut Buffer) -> Status,
    release: unsafe extern "C" fn(*mut c_void, *mut Buffer),
    destroy: unsafe extern "C" fn(*mut c_void),
}

/// An instance of a plugin in a library.
pub(super) struct Library {
    functions: Functions,
    instance: *mut c_void,
    description: Description,
    output_limit: u64,
}

// SAFETY: the interface asks of a plugin that any thread may call its instance, and several at once.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// Maps a proven library. `enter` is called before anything else of it.
pub(super) fn open(
    proven: &Proven,
    enter: impl FnOnce(&Mapped) -> Result<(), PluginError>,
) -> Result<Box<dyn Instance>, PluginError> {
    let candidate = proven.candidate();
    let mapped = map(&candidate.file)
        .map_err(|reason| PluginError::NotStarted { file: candidate.file.display().to_string(), why: reason.found })?;
    let table = ask(&mapped)?;
    enter(&mapped)?;
    let (functions, description) = check(table)?;
    let instance = create(table, functions, &candidate.spec.name)?;
    let output_limit = candidate.spec.limits.output;
    let library = Library { functions, instance, description, output_limit };
    if let Some(health) = table.health {
        let mut error = Buffer::EMPTY;
        // SAFETY: the instance was just made, and the buffer is ours.
        let status = unsafe { health(instance, &raw mut error) };
        if let Err(error) = library.taken(status, error) {
            Box::new(library).retire(candidate.spec.limits.drain);
            return Err(error);
        }
    }
    Ok(Box::new(library))
}

/// The table, once the library has said that it is of a version which is known here.
fn ask(mapped: &Mapped) -> Result<&'static PluginTable, PluginError> {
    let missing = |symbol: &str| broken(format!("an exported `{symbol}`"), "none".to_owned());
    let version = mapped.symbol(ABI_SYMBOL).ok_or_else(|| missing(ABI_SYMBOL))?;
    // SAFETY: the interface says that this symbol is such a function.
    let version: extern "C" fn() -> u32 = unsafe { std::mem::transmute(version) };
    let found = version();
    if found != ABI {
        return Err(broken(format!("version {ABI} of the plugin table"), format!("version {found}")));
    }
    let table = mapped.symbol(TABLE_SYMBOL).ok_or_else(|| missing(TABLE_SYMBOL))?;
    // SAFETY: the version is known, and in it this symbol is such a function.
    let table: extern "C" fn() -> *const PluginTable = unsafe { std::mem::transmute(table) };
    let table = table();
    if table.is_null() || !table.is_aligned() {
        return Err(broken(format!("a table from `{TABLE_SYMBOL}`"), format!("the address {:#x}", table.addr())));
    }
    // SAFETY: not null; a table begins with these two numbers in every version.
    let [abi, size] = unsafe { *table.cast::<[u32; 2]>() };
    if abi != ABI {
        return Err(broken(format!("a table of version {ABI}"), format!("one of version {abi}")));
    }
    let least = size_of::<PluginTable>();
    if (size as usize) < least {
        return Err(broken(format!("a table of at least {least} bytes"), format!("one of {size} bytes")));
    }
    // SAFETY: a static of a library that stays mapped, as large as its type.
    Ok(unsafe { &*table })
}

/// What a table must have.
fn check(table: &PluginTable) -> Result<(Functions, Description), PluginError> {
    let lacks = |name: &str| broken(format!("a function `{name}` in the table"), "NULL".to_owned());
    table.create.ok_or_else(|| lacks("create"))?;
    let functions = Functions {
        process: table.process.ok_or_else(|| lacks("process"))?,
        release: table.release.ok_or_else(|| lacks("release"))?,
        destroy: table.destroy.ok_or_else(|| lacks("destroy"))?,
    };
    let name = text("name", table.name)?;
    if name.is_empty() {
        return Err(broken("a `name` in the table".to_owned(), "NULL or nothing".to_owned()));
    }
    let capabilities = text("capabilities", table.capabilities)?;
    let capabilities = capabilities.split_whitespace().map(str::to_owned).collect();
    Ok((functions, Description { name, version: text("version", table.version)?, capabilities }))
}

fn text(field: &str, pointer: *const c_char) -> Result<String, PluginError> {
    if pointer.is_null() {
        return Ok(String::new());
    }
    // SAFETY: the interface says that it is null, or a NUL-terminated static.
    let text = unsafe { CStr::from_ptr(pointer) };
    let text = text.to_str().map_err(|error| broken(format!("UTF-8 in `{field}` of the table"), error.to_string()))?;
    Ok(text.to_owned())
}

fn create(table: &PluginTable, functions: Functions, name: &str) -> Result<*mut c_void, PluginError> {
    let Some(create) = table.create else { return Ok(std::ptr::null_mut()) };
    let (mut instance, mut error) = (std::ptr::null_mut(), Buffer::EMPTY);
    // SAFETY: the function is of a known version's table, and the places are ours.
    let status = unsafe { create(host_of(name), &raw mut instance, &raw mut error) };
    taken(functions.release, std::ptr::null_mut(), status, error, MESSAGE as u64)?;
    Ok(instance)
}

/// What is offered to plugins of a name.
struct Offered(PluginHost);

// SAFETY: nobody writes it, and its function may be called on any thread.
unsafe impl Send for Offered {}
// SAFETY: as above.
unsafe impl Sync for Offered {}

/// What is offered to plugins of this name. They may keep it, so that it is never freed; all versions get the same.
fn host_of(name: &str) -> *const PluginHost {
    static OFFERED: Mutex<BTreeMap<&'static str, &'static Offered>> = Mutex::new(BTreeMap::new());
    let mut all = lock(&OFFERED);
    if let Some(offered) = all.get(name) {
        return &raw const offered.0;
    }
    let name: &'static String = Box::leak(Box::new(name.to_owned()));
    let context = std::ptr::from_ref(name).cast_mut().cast();
    let host = PluginHost { size: size_of::<PluginHost>() as u32, context, log: Some(write_log) };
    let offered: &'static Offered = Box::leak(Box::new(Offered(host)));
    all.insert(name, offered);
    &raw const offered.0
}

unsafe extern "C" fn write_log(context: *mut c_void, level: i32, text: *const c_char, length: usize) {
    if context.is_null() || (text.is_null() && length > 0) {
        return;
    }
    // SAFETY: `host_of` has put the name there, and it is never freed.
    let name = unsafe { &*context.cast::<String>().cast_const() };
    // SAFETY: the plugin's text, not null if there is any, valid for this call.
    let text = if length == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(text.cast(), length) } };
    let level = match level {
        ..=1 => log::Level::Error,
        2 => log::Level::Warn,
        3 => log::Level::Info,
        4 => log::Level::Debug,
        5.. => log::Level::Trace,
    };
    // A logger that panics must not unwind into the plugin.
    let _ = std::panic::catch_unwind(|| {
        log::log!(target: "pitstop::plugin", level, "{name}: {}", String::from_utf8_lossy(text));
    });
}

impl Library {
    #[cold]
    fn taken(&self, status: Status, filled: Buffer) -> Result<Vec<u8>, PluginError> {
        taken(self.functions.release, self.instance, status, filled, self.output_limit)
    }
}

impl Instance for Library {
    fn description(&self) -> &Description {
        &self.description
    }

    #[inline]
    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        let mut output = Buffer::EMPTY;
        // SAFETY: the instance is not destroyed as long as this is there; the bytes are the caller's.
        let status = unsafe { (self.functions.process)(self.instance, input.as_ptr(), input.len(), &raw mut output) };
        // What nearly all calls come to, without the ways of all others.
        if status == OK && is_sound(&output) && output.length as u64 <= self.output_limit {
            // SAFETY: not null, and the plugin says that so many bytes are there, which nobody can check.
            let bytes = unsafe { std::slice::from_raw_parts(output.data, output.length) }.to_vec();
            // SAFETY: what the plugin has made, given back once.
            unsafe { (self.functions.release)(self.instance, &raw mut output) };
            return Ok(bytes);
        }
        self.taken(status, output)
    }

    fn retire(self: Box<Self>, _grace: Duration) {
        // SAFETY: nobody else has it any more, and it is destroyed once.
        unsafe { (self.functions.destroy)(self.instance) };
    }
}

/// Takes a copy of what a call has left in a buffer, and has the plugin free it.
fn taken(
    release: unsafe extern "C" fn(*mut c_void, *mut Buffer),
    instance: *mut c_void,
    status: Status,
    mut filled: Buffer,
    limit: u64,
) -> Result<Vec<u8>, PluginError> {
    let result = match status {
        OK => bytes(&filled, limit).map(<[u8]>::to_vec),
        other => Err(refusal(other, &filled)),
    };
    if !filled.data.is_null() {
        // SAFETY: what the plugin has made, given back once.
        unsafe { release(instance, &raw mut filled) };
    }
    result
}

/// Whether a buffer can have as many bytes as it says.
#[inline(always)]
fn is_sound(filled: &Buffer) -> bool {
    !filled.data.is_null() && filled.length <= filled.capacity && isize::try_from(filled.length).is_ok()
}

/// What is in a buffer, as far as it can be believed.
fn bytes(filled: &Buffer, limit: u64) -> Result<&[u8], PluginError> {
    let Buffer { data, length, capacity } = *filled;
    if length == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(broken("bytes".to_owned(), format!("NULL with a length of {length}")));
    }
    if !is_sound(filled) {
        return Err(broken(format!("a length of at most the capacity, {capacity}"), format!("a length of {length}")));
    }
    if length as u64 > limit {
        return Err(PluginError::TooMuchOutput { limit });
    }
    // SAFETY: not null, and the plugin says that so many bytes are there, which nobody can check.
    Ok(unsafe { std::slice::from_raw_parts(data, length) })
}

#[cold]
fn refusal(status: Status, filled: &Buffer) -> PluginError {
    let message = match bytes(filled, MESSAGE as u64) {
        Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Err(PluginError::TooMuchOutput { .. }) => format!("a message of {} bytes", filled.length),
        Err(error) => return error,
    };
    match status {
        FAILED => PluginError::Failed { message },
        PANICKED => PluginError::Panicked { message },
        UNSUPPORTED => PluginError::Unsupported { verb: message },
        other => broken("a status of 0 to 3".to_owned(), other.to_string()),
    }
}

#[cold]
fn broken(expected: String, found: String) -> PluginError {
    PluginError::Protocol { expected, found }
}
