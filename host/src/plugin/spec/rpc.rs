//! How a program that speaks go-plugin's protocol is started and spoken to.

/// The table `rpc` of a plugin's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rpc {}
