//! What a host tells the plugin that it starts: variables of the environment.

use crate::tls::Certificate;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// The versions of the plugin's interface that the host knows: `1,2`.
pub const PROTOCOL_VERSIONS: &str = "PLUGIN_PROTOCOL_VERSIONS";
/// The lowest port to listen on, by TCP.
pub const MIN_PORT: &str = "PLUGIN_MIN_PORT";
/// The highest.
pub const MAX_PORT: &str = "PLUGIN_MAX_PORT";
/// The host's certificate in PEM, if connections are to be encrypted.
pub const CLIENT_CERT: &str = "PLUGIN_CLIENT_CERT";
/// The folder for Unix sockets.
pub const UNIX_SOCKET_DIR: &str = "PLUGIN_UNIX_SOCKET_DIR";
/// The group that may use the Unix sockets.
pub const UNIX_SOCKET_GROUP: &str = "PLUGIN_UNIX_SOCKET_GROUP";
/// Whether the broker may put its connections into the first one. Pitstop does not offer it.
pub const MULTIPLEX_GRPC: &str = "PLUGIN_MULTIPLEX_GRPC";

/// All of them: a host takes those that it does not set out of what a plugin inherits.
pub const ALL: &[&str] =
    &[PROTOCOL_VERSIONS, MIN_PORT, MAX_PORT, CLIENT_CERT, UNIX_SOCKET_DIR, UNIX_SOCKET_GROUP, MULTIPLEX_GRPC];

/// By which a program knows that it was started as a plugin, and not by hand: no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The variable.
    pub key: String,
    /// What is in it.
    pub value: String,
}

impl Cookie {
    /// Of a plugin and host with an interface of their own.
    #[must_use]
    pub fn new(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: value.to_owned() }
    }
}

impl Default for Cookie {
    /// That of plugins that serve `pitstop.v1.Plugin`.
    fn default() -> Self {
        Self::new("PITSTOP_PLUGIN_COOKIE", "pitstop-plugin-v1")
    }
}

/// Where an end makes its Unix sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketPlace {
    /// The folder; the one for temporary files if not said.
    pub folder: Option<PathBuf>,
    /// The group, by name or number, that may connect.
    pub group: Option<String>,
}

/// What a host offers to a plugin.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// By which the plugin knows that it is one.
    pub cookie: &'a Cookie,
    /// The versions of the plugin's interface that the host knows.
    pub versions: &'a [u32],
    /// The ports that a plugin may listen on, by TCP; any if not said.
    pub ports: Option<RangeInclusive<u16>>,
    /// The host's certificate, if connections are to be encrypted.
    pub certificate: Option<&'a Certificate>,
    /// Where the plugin makes its sockets.
    pub sockets: &'a SocketPlace,
}

impl Offer<'_> {
    /// As variables. Of [`ALL`] the others are to be removed.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, OsString)> {
        let versions: Vec<_> = self.versions.iter().map(u32::to_string).collect();
        let mut variables: Vec<(String, OsString)> = vec![
            (self.cookie.key.clone(), self.cookie.value.clone().into()),
            (PROTOCOL_VERSIONS.to_owned(), versions.join(",").into()),
        ];
        let mut set = |name: &str, value: OsString| variables.push((name.to_owned(), value));
        if let Some(ports) = &self.ports {
            set(MIN_PORT, ports.start().to_string().into());
            set(MAX_PORT, ports.end().to_string().into());
        }
        if let Some(certificate) = self.certificate {
            set(CLIENT_CERT, certificate.to_pem().into());
        }
        if let Some(folder) = &self.sockets.folder {
            set(UNIX_SOCKET_DIR, folder.clone().into_os_string());
        }
        if let Some(group) = &self.sockets.group {
            set(UNIX_SOCKET_GROUP, group.into());
        }
        variables
    }
}
