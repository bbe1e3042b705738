//! A function that runs while the crate is compiled.

use pitstop_reloadable::reloadable;

#[reloadable]
pub const fn answer() -> u32 {
    42
}

fn main() {}
