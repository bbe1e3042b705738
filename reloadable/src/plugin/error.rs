//! Why a plugin gave no output.

use std::fmt;
use std::time::Duration;

/// Why a plugin gave no output. A plugin itself makes [`Failed`](Self::Failed), from any text; the others are the program's to
/// tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginError {
    /// The plugin says so itself, in its own words.
    Failed {
        /// What it says; of a program that was executed the last line of its standard error.
        message: String,
    },
    /// It panicked.
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// It ended with an exit code that tells of a failure.
    Exited {
        /// The code.
        code: i32,
        /// The last line of its standard error.
        message: String,
    },
    /// A signal ended it.
    Signalled {
        /// The signal's number.
        signal: i32,
        /// The last line of its standard error.
        message: String,
    },
    /// It does not know what it was asked for.
    Unsupported {
        /// What that is.
        verb: String,
    },
    /// It took longer than it may.
    TimedOut {
        /// How long it may take.
        limit: Duration,
    },
    /// Its output is longer than it may be.
    TooMuchOutput {
        /// How long it may be, in bytes.
        limit: u64,
    },
    /// Its output is no text, where text is asked for.
    NotText {
        /// The bytes that are.
        valid_up_to: usize,
        /// Of so many.
        length: usize,
    },
    /// It does not keep to the interface.
    Protocol {
        /// What the interface says.
        expected: String,
        /// What it did.
        found: String,
    },
    /// It cannot be started.
    NotStarted {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It ended again and again, and is not started any more.
    CrashLoop {
        /// How often it ended.
        ends: u32,
        /// In what time.
        within: Duration,
        /// How it ended last.
        last: String,
    },
    /// The program has no such plugin, or has it switched off.
    Unavailable {
        /// The plugin.
        name: String,
        /// Why.
        why: String,
    },
}

impl PluginError {
    /// The plugin's own word.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into() }
    }

    /// The variant's name in kebab case: what statistics and tests call it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "failed",
            Self::Panicked { .. } => "panicked",
            Self::Exited { .. } => "exited",
            Self::Signalled { .. } => "signalled",
            Self::Unsupported { .. } => "unsupported",
            Self::TimedOut { .. } => "timed-out",
            Self::TooMuchOutput { .. } => "too-much-output",
            Self::NotText { .. } => "not-text",
            Self::Protocol { .. } => "protocol",
            Self::NotStarted { .. } => "not-started",
            Self::CrashLoop { .. } => "crash-loop",
            Self::Unavailable { .. } => "unavailable",
        }
    }
}

impl From<&str> for PluginError {
    fn from(message: &str) -> Self {
        Self::failed(message)
    }
}

impl From<String> for PluginError {
    fn from(message: String) -> Self {
        Self::failed(message)
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |message: &str| if message.is_empty() { String::new() } else { format!(": {message}") };
        match self {
            Self::Failed { message } if message.is_empty() => f.write_str("the plugin failed and does not say why"),
            Self::Failed { message } => f.write_str(message),
            Self::Panicked { message } => write!(f, "the plugin panicked{}", said(message)),
            Self::Exited { code, message } => write!(f, "the plugin ended with exit code {code}{}", said(message)),
            Self::Signalled { signal, message } => {
                write!(f, "signal {signal} ended the plugin{}", said(message))
            }
            Self::Unsupported { verb } => write!(f, "the plugin does not know `{verb}`"),
            Self::TimedOut { limit } => {
                write!(f, "the plugin took longer than {limit:?}; `limits.time_ms` says how long it may take")
            }
            Self::TooMuchOutput { limit } => {
                write!(
                    f,
                    "the plugin's output is longer than {limit} bytes; `limits.output_bytes` says how long it may be"
                )
            }
            Self::NotText { valid_up_to, length } => {
                write!(f, "the plugin's output is no UTF-8 after its first {valid_up_to} of {length} bytes")
            }
            Self::Protocol { expected, found } => {
                write!(f, "the plugin does not keep to its interface: expected {expected}, found {found}")
            }
            Self::NotStarted { file, why } => write!(f, "{file} cannot be started: {why}"),
            Self::CrashLoop { ends, within, last } => write!(
                f,
                "the plugin ended {ends} times within {within:?} and is not started any more, until it changes; last: {last}"
            ),
            Self::Unavailable { name, why } => write!(f, "no plugin `{name}`: {why}"),
        }
    }
}

impl std::error::Error for PluginError {}
