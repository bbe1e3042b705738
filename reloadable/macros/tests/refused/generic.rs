//! A function with a type parameter.

use pitstop_reloadable::reloadable;

#[reloadable]
pub fn generic<T: Copy>(value: T) -> T {
    value
}

#[reloadable]
pub fn sized<const N: usize>(value: [u8; N]) -> usize {
    value.len()
}

pub struct Holder<T>(T);

#[reloadable]
impl<T> Holder<T> {
    pub fn get(&self) -> &T {
        &self.0
    }
}

fn main() {}
