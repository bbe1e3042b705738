//! Arguments that contradict each other, are given twice, or are none.

use pitstop_reloadable::{Swap, reloadable};

#[reloadable(on_panic = rollback, on_panic = hold)]
pub fn twice() {}

#[reloadable(on_panic = retry)]
pub fn another_word() {}

#[reloadable(on_panic)]
pub fn no_word() {}

#[reloadable(on_panics = hold)]
pub fn another_argument() {}

#[reloadable(fallback = 3)]
pub fn nothing_to_return() {}

#[reloadable(on_panic = propagate, fallback = 3)]
pub fn never_falls_back() -> u32 {
    3
}

#[reloadable(on_panic = hold)]
pub async fn held_future() {}

#[reloadable(fallback = 3)]
pub async fn future() -> u32 {
    3
}

pub struct World;

#[reloadable(fallback = 3)]
impl World {
    pub fn step(&self) -> u32 {
        3
    }
}

#[reloadable]
impl World {
    #[reloadable(on_panic = never)]
    pub fn walk(&self) {}

    #[reloadable(before_swap)]
    pub fn leave(_: &Swap) {}
}

#[reloadable]
impl World {
    #[reloadable(on_panic = hold)]
    #[reloadable(fallback = 3)]
    pub fn run(&self) -> u32 {
        3
    }
}

impl World {
    #[reloadable(on_panic = hold)]
    pub fn alone(&self) {}
}

fn main() {}
