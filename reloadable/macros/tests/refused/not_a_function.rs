//! The attribute on what is no function.

use pitstop_reloadable::reloadable;

#[reloadable]
pub struct World;

#[reloadable]
pub trait Rules {}

#[reloadable]
mod rules {}

#[reloadable]
static ANSWER: u32 = 42;

#[reloadable]
impl World {}

#[reloadable(now)]
pub fn update() {}

fn main() {}
