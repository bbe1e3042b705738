//! The plugin's end.
