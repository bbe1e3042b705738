//! The protocol of hashicorp/go-plugin over gRPC: what a program that holds a plugin and the plugin itself have in common.
//!
//! A host starts the plugin with the [`environment`] that it looks for, reads one [`Handshake`] line from its standard
//! output, connects to the address there ([`transport`]), encrypted if both agree ([`tls`]), and calls services. With a
//! [`Broker`] both open further connections to each other. A plugin is [`plugin::Server`].

mod address;
mod broker;
#[cfg(test)]
mod echo;
pub mod environment;
pub mod handshake;
pub mod plugin;
pub mod proto;
pub mod tls;
pub mod transport;

pub use address::{Address, AddressError, LONGEST_PATH};
pub use broker::{Broker, BrokerError, Served};
pub use environment::{Cookie, Offer, SocketPlace};
pub use handshake::{Handshake, HandshakeError};
pub use tls::{Certificate, Identity, Mutual};

/// Under which name a plugin's health is asked for.
pub const HEALTH_SERVICE: &str = "plugin";

/// A message of any size: go-plugin sets no limit for a plugin's clients, where gRPC itself has 4 MB. For
/// `max_decoding_message_size` and its twin of generated clients and servers.
pub const ANY_SIZE: usize = i32::MAX as usize;

/// What a status of `pitstop.v1.Plugin` has among its metadata: which kind of error it is, such as `failed`, `panicked` or
/// `unsupported`. Absent from plugins that know nothing of it; `UNKNOWN` is then `failed`.
pub const ERROR_METADATA: &str = "pitstop-error";
