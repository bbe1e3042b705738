//! What is granted to a plugin in WebAssembly, and what holds it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// The table `wasm` of a plugin's configuration. Of what is not named in it, the plugin has nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wasm {
    /// The folders that it sees.
    pub(crate) files: Vec<Folder>,
    /// Where it may connect to, by TCP.
    pub(crate) network: Vec<Address>,
    /// Whether it knows the time, and may wait.
    pub(crate) clock: bool,
    /// How many bytes it may keep as values that outlive its versions; `None` if it keeps none.
    pub(crate) key_value: Option<u64>,
    /// How much of wasmtime's fuel a call may use up.
    pub(crate) fuel: Option<u64>,
    /// Whether its code looks whether its time is up.
    pub(crate) interrupt: bool,
    /// How deep its stack may be.
    pub(crate) stack: Option<u64>,
}

impl Default for Wasm {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            network: Vec::new(),
            clock: false,
            key_value: None,
            fuel: None,
            interrupt: true,
            stack: None,
        }
    }
}

/// A folder of the program's machine that a plugin sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Absolute.
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    /// Where the plugin sees it.
    pub(crate) at: String,
}

/// What a plugin may do with a folder's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

/// Where a plugin may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: Host,
    pub(crate) port: u16,
}

/// The machine of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Ip(IpAddr),
    /// In lower case.
    Name(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{port}"),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{port}"),
            Host::Name(name) => write!(f, "{name}:{port}"),
        }
    }
}
