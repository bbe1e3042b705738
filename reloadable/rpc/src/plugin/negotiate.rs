//! What the environment says: whether a host has started the process, which version both speak, how it is reached.

use super::{Network, Server};
use crate::environment::{
    CLIENT_CERT, Cookie, MAX_PORT, MIN_PORT, PROTOCOL_VERSIONS, SocketPlace, UNIX_SOCKET_DIR, UNIX_SOCKET_GROUP,
};
use crate::tls::{Certificate, IdentityError};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;

/// A variable of the environment.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What the host has asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) version: u32,
    pub(super) certificate: Option<Certificate>,
    pub(super) sockets: SocketPlace,
    pub(super) ports: Option<RangeInclusive<u16>>,
}

/// Reads it all.
pub(super) fn asked(server: &Server, lookup: Lookup<'_>) -> Result<Asked, StartError> {
    check(&server.cookie, lookup)?;
    let text =
        |name: &str| lookup(name).map(|value| value.to_string_lossy().into_owned()).filter(|text| !text.is_empty());
    let certificate = text(CLIENT_CERT).map(|pem| Certificate::from_pem(pem.as_bytes()));
    let uses_ports = server.network == Network::Tcp || cfg!(not(unix));
    Ok(Asked {
        version: version(&server.versions, text(PROTOCOL_VERSIONS).as_deref()).ok_or(StartError::NoVersions)?,
        certificate: certificate.transpose().map_err(StartError::Certificate)?,
        sockets: SocketPlace {
            folder: lookup(UNIX_SOCKET_DIR).filter(|folder| !folder.is_empty()).map(Into::into),
            group: text(UNIX_SOCKET_GROUP),
        },
        ports: if uses_ports { ports(text(MIN_PORT), text(MAX_PORT))? } else { None },
    })
}

fn check(cookie: &Cookie, lookup: Lookup<'_>) -> Result<(), StartError> {
    match lookup(&cookie.key) {
        _ if cookie.key.is_empty() || cookie.value.is_empty() => Err(StartError::NoCookie),
        Some(value) if value == *cookie.value => Ok(()),
        Some(_) => Err(StartError::OtherCookie(cookie.key.clone())),
        None => Err(StartError::NotByHost(cookie.key.clone())),
    }
}

/// The highest that both have; else the plugin's lowest, which the host then refuses and tells of.
fn version(own: &[u32], hosts: Option<&str>) -> Option<u32> {
    let hosts: Vec<u32> = hosts.unwrap_or_default().split(',').filter_map(|text| text.trim().parse().ok()).collect();
    let both = own.iter().filter(|version| hosts.contains(version)).max();
    both.or_else(|| own.iter().min()).copied()
}

/// Those of the host; any where it names none.
fn ports(lowest: Option<String>, highest: Option<String>) -> Result<Option<RangeInclusive<u16>>, StartError> {
    let port = |name, text: Option<String>| {
        let read = |text: String| text.trim().parse().map_err(|_| StartError::Port { name, found: text });
        text.map_or(Ok(0), read)
    };
    let (lowest, highest) = (port(MIN_PORT, lowest)?, port(MAX_PORT, highest)?);
    match (lowest, highest) {
        (0, 0) => Ok(None),
        _ if lowest > highest => Err(StartError::Ports { lowest, highest }),
        _ => Ok(Some(lowest..=highest)),
    }
}

/// Why a plugin does not serve.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It was started by hand: the variable is not there.
    NotByHost(String),
    /// Another host has started it: something else is in the variable.
    OtherCookie(String),
    /// Its own cookie is empty.
    NoCookie,
    /// It has no version of its interface.
    NoVersions,
    /// The host's certificate is none, or its own cannot be made.
    Certificate(IdentityError),
    /// A port is no number of a port.
    Port {
        /// The variable.
        name: &'static str,
        /// What is in it.
        found: String,
    },
    /// There are no such ports.
    Ports {
        /// From.
        lowest: u16,
        /// To.
        highest: u16,
    },
    /// It cannot listen, or say where.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotByHost(key) => write!(
                f,
                "This program is a plugin: another program starts it and calls it. Started by hand it does nothing.\n\
                 (The host's cookie is missing: the variable {key} is not set.)"
            ),
            Self::OtherCookie(key) => write!(
                f,
                "This program is a plugin, but not one of the program that has started it: the two do not agree on a cookie.\n\
                 (The variable {key} has another value than the plugin expects.)"
            ),
            Self::NoCookie => f.write_str(
                "This plugin cannot be used: its cookie has no key or no value. Its author has to name both.",
            ),
            Self::NoVersions => {
                f.write_str("This plugin cannot be used: its author has named no version of its interface.")
            }
            Self::Certificate(error) => write!(f, "cannot encrypt the connection to the host: {error}"),
            Self::Port { name, found } => write!(f, "{name} is {found:?}, which is no port"),
            Self::Ports { lowest, highest } => {
                write!(f, "no port to listen on: {MIN_PORT} is {lowest}, which is above {MAX_PORT}, {highest}")
            }
            Self::Io(error) => write!(f, "the plugin cannot be served: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificate(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<OsString> {
        |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
    }

    #[test]
    fn the_highest_version_of_both_is_chosen_else_the_plugins_lowest() {
        for (own, hosts, chosen) in [
            (&[1][..], Some("1"), Some(1)),
            (&[1, 2, 3], Some("2,1"), Some(2)),
            (&[3, 1, 2], Some("2, 3,9"), Some(3)),
            (&[5, 4], Some("1,2"), Some(4)),
            (&[2, 7], None, Some(2)),
            (&[1, 2], Some("x,,-1,2"), Some(2)),
            (&[], Some("1"), None),
        ] {
            assert_eq!(version(own, hosts), chosen, "{own:?} {hosts:?}");
        }
    }

    #[test]
    fn a_wrong_cookie_and_none_are_told_apart() {
        let server = || Server::new().cookie(Cookie::new("KEY", "value"));
        let found = |set| asked(&server(), &with(set)).map(|asked| asked.version);
        assert!(matches!(found(&[]), Err(StartError::NotByHost(key)) if key == "KEY"));
        assert!(matches!(found(&[("KEY", "other")]), Err(StartError::OtherCookie(_))));
        assert!(matches!(found(&[("KEY", "value")]), Ok(1)));
        let nameless = Server::new().cookie(Cookie::new("", ""));
        assert!(matches!(asked(&nameless, &with(&[("", "")])), Err(StartError::NoCookie)));
    }

    #[test]
    fn ports_are_read_where_they_are_used() {
        let asked = |set: &'static [_], network| {
            let server = Server::new().cookie(Cookie::new("K", "v")).network(network);
            asked(&server, &with(set)).map(|asked| asked.ports)
        };
        let set = &[("K", "v"), (MIN_PORT, "10000"), (MAX_PORT, "25000")];
        assert_eq!(asked(set, Network::Tcp).ok(), Some(Some(10000..=25000)));
        assert_eq!(asked(&[("K", "v")], Network::Tcp).ok(), Some(None));
        let backwards = asked(&[("K", "v"), (MIN_PORT, "3"), (MAX_PORT, "2")], Network::Tcp);
        assert_eq!(
            backwards.unwrap_err().to_string(),
            "no port to listen on: PLUGIN_MIN_PORT is 3, which is above PLUGIN_MAX_PORT, 2"
        );
        let none = asked(&[("K", "v"), (MAX_PORT, "70000")], Network::Tcp);
        assert_eq!(none.unwrap_err().to_string(), "PLUGIN_MAX_PORT is \"70000\", which is no port");
    }

    #[test]
    fn a_host_certificate_that_is_none_keeps_the_plugin_from_serving_in_the_clear() {
        let server = Server::new().cookie(Cookie::new("K", "v"));
        let text = asked(&server, &with(&[("K", "v"), (CLIENT_CERT, "-----BEGIN NOTHING-----")]));
        assert!(matches!(text, Err(StartError::Certificate(_))));
    }
}
