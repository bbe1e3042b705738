//! Services of the program's own that plugins by `rpc` serve, called through clients that `tonic` generates.

pub use crate::plugin::{Channel, Pinned};
pub use pitstop_rpc::{Broker, BrokerError, Served};
