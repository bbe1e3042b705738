//! Connections: Unix sockets and TCP, plain and encrypted, and gRPC on them.

mod client;
mod connect;
#[cfg(unix)]
mod group;
mod listen;
mod park;
mod pump;
mod serve;
mod stream;
mod timeout;

pub use client::{Channel, Method};
pub use connect::{ConnectError, connect};
pub(crate) use listen::remove_files;
pub use listen::{Incoming, Listener};
pub use park::Park;
pub(crate) use serve::DirectMethod;
pub use serve::{Connections, Direct, Open, Services, serve};
pub use stream::Stream;

/// So much may be on its way on one connection before the other end has taken it: a message of some megabytes does not
/// wait for leave in between.
const WINDOW: u32 = 16 * 1024 * 1024;
/// A large message goes in pieces of this size, the smallest that the other end accepts being 16 KiB.
const FRAME: u32 = 256 * 1024;
/// All headers of a call together, in bytes.
const HEADERS: u32 = 1024 * 1024;

/// A message's length and whether it is compressed stand before it.
const PREFIX: usize = 5;

/// How long a message is to be, by what stands before it: once that has come.
fn announced(start: &[u8]) -> Option<usize> {
    let length = start.get(1..PREFIX)?;
    Some(length.iter().fold(0, |length: usize, byte| length << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests;
