//! Plugins: code that the program was not built with.

mod builds;
