//! The caller's end of a connection: all of its calls are moved by one task, many at a time.
//!
//! In reading order: `channel` is what clients call through; `line` is what calls wait in and who moves them; `drive` is the
//! connection itself; `answer` is where a reply comes to lie; `body` sends what a caller has not got all of yet.

mod answer;
mod body;
mod channel;
mod drive;
mod line;

pub use channel::{Channel, Method};
