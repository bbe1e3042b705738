//! A function that takes or returns `impl Trait`.

use pitstop_reloadable::reloadable;

#[reloadable]
pub fn takes(values: impl Iterator<Item = u32>) -> u32 {
    values.sum()
}

#[reloadable]
pub fn gives() -> impl Iterator<Item = u32> {
    0..3
}

fn main() {}
