//! Plugins: code that the program was not built with.

mod builds;
mod c_host;
mod dylib;
mod garage;
mod registry;
mod reload;
mod routes;
mod session;
