//! Settings, as C writes them down.
#![expect(unsafe_code, reason = "reads a struct that may be of another version of the header")]

use crate::error::Error;
use std::time::Duration;

/// The most that any version of the struct will have: a larger size is a field that was not set.
const LONGEST: usize = 4096;

/// How a program takes part. Set all of it to zero, then `size`, then what is to differ: zero stands for the default.
///
///     pitstop_config config = {0};
///     config.size = sizeof config;
///     config.wait_ms = 20;
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// `sizeof(pitstop_config)`: which fields there are.
    pub size: usize,
    /// How long one safe point waits for threads that are in a unit of work, in ms. 0: 50 ms.
    pub wait_ms: u32,
    /// How long new units of work are held back, over several safe points, before they may begin again and the swap is tried
    /// later, in ms. 0: 2 s.
    pub patience_ms: u32,
    /// How long `pitstop_library_open` waits for a library that is not there yet, in ms. 0: 10 s.
    pub library_wait_ms: u32,
    /// 1: versions that nothing refers to any more are unmapped. 0: all stay. On Linux with glibc on x86-64 only; read what
    /// the documentation of `pitstop_host::Config::unload` says of it first.
    pub unload: u32,
}

/// The settings behind a pointer, the default ones behind null.
///
/// # Safety
/// `config` must be null, or a struct whose `size` says how many bytes of it can be read.
pub(crate) unsafe fn read(config: *const Config) -> Result<pitstop_host::Config, Error> {
    let mut settings = pitstop_host::Config::default();
    if config.is_null() {
        return Ok(settings);
    }
    // SAFETY: not null; the size comes first in every version.
    let size = unsafe { config.cast::<usize>().read() };
    let known = size_of::<Config>();
    if size < known || size > LONGEST {
        let text = format!("config.size is {size}, where sizeof(pitstop_config), {known}, is expected");
        return Err(Error::argument(text));
    }
    // SAFETY: `size` bytes can be read, as the caller says.
    let bytes = unsafe { std::slice::from_raw_parts(config.cast::<u8>(), size) };
    if bytes.iter().skip(known).any(|&byte| byte != 0) {
        let text =
            format!("config sets fields that pitstop {} does not know: its header is newer", env!("CARGO_PKG_VERSION"));
        return Err(Error::argument(text));
    }
    // SAFETY: as above; these are not more.
    let config = unsafe { config.read() };
    let set = |setting: &mut Duration, ms: u32| {
        if ms != 0 {
            *setting = Duration::from_millis(u64::from(ms));
        }
    };
    set(&mut settings.wait, config.wait_ms);
    set(&mut settings.patience, config.patience_ms);
    set(&mut settings.library_wait, config.library_wait_ms);
    settings.unload = match config.unload {
        0 => false,
        1 => true,
        other => return Err(Error::argument(format!("config.unload is {other}, where 0 or 1 is expected"))),
    };
    Ok(settings)
}
