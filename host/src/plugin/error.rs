//! Why something cannot be done with plugins.

use super::config::ConfigError;
use super::route::VersionRef;
use pitstop_contract::{Generation, Reason};
use std::path::PathBuf;

/// Why something cannot be done with plugins.
#[derive(Debug)]
#[non_exhaustive]
pub enum PluginsError {
    /// A configuration file.
    Config(ConfigError),
    /// No private folder can be made for copies.
    Staging(Reason),
    /// The thread of the plugins cannot be started.
    Thread(std::io::Error),
    /// There is no plugin of this name.
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A plugin of this name is there already.
    Known {
        /// The name.
        name: String,
        /// Where that one is configured.
        file: PathBuf,
    },
    /// The plugin has no such version that is loaded.
    NoVersion {
        /// The plugin.
        name: String,
        /// What was asked for.
        version: VersionRef,
        /// The numbers of those that there are.
        loaded: Vec<Generation>,
    },
    /// A route that sends calls nowhere: all weights are 0.
    NoWeight {
        /// The plugin.
        name: String,
    },
    /// A plugin is of a mechanism that has no services of the program's own.
    NoServices {
        /// The plugin.
        name: String,
        /// The mechanism.
        mechanism: &'static str,
    },
    /// A version was refused.
    Refused {
        /// The plugin.
        name: String,
        /// Why.
        reasons: Vec<Reason>,
    },
}

impl std::fmt::Display for PluginsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Staging(reason) => reason.fmt(f),
            Self::Thread(error) => write!(f, "the thread of the plugins cannot be started: {error}"),
            Self::Unknown { name, known } if known.is_empty() => write!(f, "no plugin `{name}`: there are none"),
            Self::Unknown { name, known } => write!(f, "no plugin `{name}`: there are {}", known.join(", ")),
            Self::Known { name, file } => {
                write!(f, "a plugin `{name}` is there already, configured in {}", file.display())
            }
            Self::NoVersion { name, version, loaded } => {
                let loaded: Vec<String> = loaded.iter().map(|number| format!("#{number}")).collect();
                write!(f, "plugin `{name}` has no version {version} loaded, but {}", loaded.join(", "))
            }
            Self::NoWeight { name } => write!(f, "the route of plugin `{name}` has no weight above 0"),
            Self::NoServices { name, mechanism } => {
                write!(f, "plugin `{name}` has no services to call: its mechanism is `{mechanism}`, not `rpc`")
            }
            Self::Refused { name, reasons } => {
                write!(f, "a version of plugin `{name}` was refused")?;
                reasons.iter().try_for_each(|reason| write!(f, "; {reason}"))
            }
        }
    }
}

impl std::error::Error for PluginsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}
