//! Plugins: code that the program was not built with.

mod c_host;
mod dylib;
mod garage;
mod registry;
mod reload;
mod routes;
