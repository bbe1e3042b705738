//! Where an end listens.

use std::fmt;
use std::path::{Path, PathBuf};

/// The longest path of a Unix socket, in bytes, with the NUL at its end.
pub const LONGEST_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 108 } else { 104 };

/// Where an end listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host, mostly `127.0.0.1`, and a port: `127.0.0.1:1234`.
    Tcp(String),
}

impl Address {
    /// From its two parts on the wire.
    ///
    /// # Errors
    /// It can be no address of that network.
    pub fn parse(network: &str, address: &str) -> Result<Self, AddressError> {
        match network {
            "unix" => {
                fits(Path::new(address))?;
                Ok(Self::Unix(PathBuf::from(address)))
            }
            "tcp" => {
                let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
                match port.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != 0) {
                    Some(_) => Ok(Self::Tcp(address.to_owned())),
                    None => Err(AddressError::NoHostAndPort(address.to_owned())),
                }
            }
            other => Err(AddressError::UnknownNetwork(other.to_owned())),
        }
    }

    /// `unix` or `tcp`.
    #[must_use]
    pub fn network(&self) -> &'static str {
        match self {
            Self::Unix(_) => "unix",
            Self::Tcp(_) => "tcp",
        }
    }
}

impl fmt::Display for Address {
    /// Without the network: as on the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

/// Whether the operating system takes the path as a socket's.
///
/// # Errors
/// It is empty, too long, or has a NUL in it.
pub(crate) fn fits(path: &Path) -> Result<(), AddressError> {
    let bytes = path.as_os_str().as_encoded_bytes();
    match bytes.len() {
        0 => Err(AddressError::Empty),
        _ if bytes.contains(&0) => Err(AddressError::HasNul(path.to_owned())),
        length if length >= LONGEST_PATH => Err(AddressError::TooLong(path.to_owned())),
        _ => Ok(()),
    }
}

/// Why something is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing is there.
    Empty,
    /// A Unix socket's path has a NUL in it.
    HasNul(PathBuf),
    /// A Unix socket's path is longer than the operating system takes.
    TooLong(PathBuf),
    /// Not `host:port`.
    NoHostAndPort(String),
    /// Neither `unix` nor `tcp`.
    UnknownNetwork(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the address is empty"),
            Self::HasNul(path) => write!(f, "the socket's path {path:?} has a NUL in it"),
            Self::TooLong(path) => {
                let length = path.as_os_str().len();
                let longest = LONGEST_PATH - 1;
                write!(f, "the socket's path is {length} bytes long and may be {longest}: {}; ", path.display())?;
                f.write_str("name a folder with a shorter path, in TMPDIR or PLUGIN_UNIX_SOCKET_DIR")
            }
            Self::NoHostAndPort(address) => write!(f, "{address:?} is no host and port, such as 127.0.0.1:1234"),
            Self::UnknownNetwork(network) => write!(f, "{network:?} is no network; there are `unix` and `tcp`"),
        }
    }
}

impl std::error::Error for AddressError {}
