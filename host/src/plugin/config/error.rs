//! What is wrong with a configuration file, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is wrong with `pitstop.toml` or a `plugin.toml`, where, and what to write instead.
#[derive(Clone, Debug)]
pub struct ConfigError {
    file: PathBuf,
    line: usize,
    column: usize,
    message: String,
    source: Option<Arc<io::Error>>,
}

impl ConfigError {
    pub(super) fn new(file: &Path, (line, column): (usize, usize), message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, column, message: message.into(), source: None }
    }

    /// Of the file as a whole.
    pub(super) fn whole(file: &Path, message: impl Into<String>) -> Self {
        Self::new(file, (1, 1), message)
    }

    pub(super) fn because_of(self, error: io::Error) -> Self {
        Self { source: Some(Arc::new(error)), ..self }
    }

    /// Where it is, and what is wrong.
    pub(crate) fn told(&self) -> (String, String) {
        (format!("{}:{}:{}", self.file.display(), self.line, self.column), self.message.clone())
    }

    /// The file, as it was named when it was opened.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1; 1 too where the file as a whole is meant.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1; 1 too where the file as a whole is meant.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}
