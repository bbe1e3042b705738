//! Real edits through the real command. The modules are the table of contents.

mod allocator;
mod attribute;
mod compare;
mod doctor;
mod edits;
mod facts;
mod inspect;
mod layouts;
mod library;
mod options;
mod plugin;
mod programs;
mod refusals;
mod repository;
mod saves;
mod sessions;
mod state;
mod threads;
mod version_match;
