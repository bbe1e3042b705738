//! Real edits through the real command. The modules are the table of contents.

mod edits;
mod options;
mod refusals;
mod saves;
mod sessions;
