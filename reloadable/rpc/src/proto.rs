//! The services, as made from `proto/`; `tests/generated.rs` keeps them the same.

/// go-plugin's own: `plugin.GRPCBroker`, `plugin.GRPCController`, `plugin.GRPCStdio`.
#[expect(missing_docs, clippy::all, reason = "made from proto/plugin.proto")]
#[path = "generated/plugin.rs"]
#[rustfmt::skip]
pub mod go_plugin;

/// Pitstop's own, `pitstop.v1.Plugin`: any plugin that serves it makes outputs of inputs.
#[expect(missing_docs, reason = "made from proto/pitstop.proto")]
#[path = "generated/pitstop.v1.rs"]
#[rustfmt::skip]
pub mod pitstop;

pub use tonic_health::pb as health;
