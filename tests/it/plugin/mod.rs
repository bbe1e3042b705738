//! Plugins: code that a program was not built with.

mod c_host;
