//! Hooks that cannot be called as such.

use pitstop_reloadable::{Swap, reloadable};

#[reloadable(before_swap)]
fn takes_nothing() {}

#[reloadable(after_swap)]
fn gives(_: &Swap) -> bool {
    true
}

#[reloadable(after_swap)]
fn takes_it_away(_: &mut Swap) {}

#[reloadable(after_swap)]
async fn waits(_: &Swap) {}

#[reloadable(before_swap, after_swap)]
fn both(_: &Swap) {}

#[reloadable(before_swap, on_panic = propagate)]
fn answers(_: &Swap) {}

#[reloadable(before_swap)]
pub struct World;

fn main() {}
