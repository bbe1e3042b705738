//! Services of the program's own that plugins by `rpc` serve, called through clients that `tonic` generates from a `.proto`.
//!
//! A plugin by `rpc` is a program that speaks the protocol of hashicorp/go-plugin, in any language. What it does by
//! [`process`](crate::Plugin::process) it has Pitstop's own service `pitstop.v1.Plugin` for; whatever else it serves is called by
//! a [`Channel`]:
//!
//! ```text
//! let plugins = Plugins::open("pitstop.toml")?;
//! let mut kv = KvClient::new(plugins.channel("kv")?);
//! kv.put(PutRequest { key, value }).await?;
//! ```
//!
//! A channel outlives reloads: each call runs the version that is live when it begins, and ends there, and so does each stream.
//! To make several calls of one version, or to have a plugin call back by its [`Broker`], pin it: [`Channel::pin`].
//!
//! A plugin that ends by itself is started again, after a pause that grows, until it has ended too often (`rpc.crashes`); calls that
//! had begun fail, and are not made anew, since they may have had effects. What it kept is gone then: only a newer version takes
//! over, from one that runs.
//!
//! # Platform
//! Unix. On Linux the system kills a plugin when the program is gone, however it ended; elsewhere a plugin has to notice that
//! itself, as those by `pitstop_reloadable::rpc::serve` do.

pub use crate::plugin::{Channel, Pinned};
pub use pitstop_rpc::{Broker, BrokerError, Served};
