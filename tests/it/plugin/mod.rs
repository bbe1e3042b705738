//! Plugins: code that the program was not built with.

mod dylib;
mod garage;
mod registry;
mod reload;
mod routes;
