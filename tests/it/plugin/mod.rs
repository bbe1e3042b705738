//! Plugins: code that the program was not built with.

mod bad;
mod builds;
mod c_host;
mod dylib;
mod garage;
mod languages;
mod registry;
mod reload;
mod routes;
mod rpc;
mod session;
mod wasm;
