//! Small graphs, compared.

mod build;
mod hostile;
mod random;
mod reports;
mod rules;
mod warned;
