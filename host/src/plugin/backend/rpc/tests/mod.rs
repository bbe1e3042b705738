//! Plugins by `rpc`, good and bad.
