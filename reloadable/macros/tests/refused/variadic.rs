//! A function with a variable number of arguments.

use pitstop_reloadable::reloadable;

#[reloadable]
pub unsafe extern "C" fn log(format: *const u8, ...) {}

fn main() {}
