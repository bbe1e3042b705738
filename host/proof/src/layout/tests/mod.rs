//! Small graphs, compared.

mod build;
mod hostile;
mod random;
#[cfg(target_os = "linux")]
mod read;
mod reports;
mod rules;
mod warned;
