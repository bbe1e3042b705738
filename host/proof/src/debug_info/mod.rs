//! Debug info as DWARF writes it: where it is in a file, and its entries.

pub(crate) mod data;
pub(crate) mod split;
pub(crate) mod units;
