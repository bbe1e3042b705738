//! The one line by which a plugin says where it listens: `1|1|unix|/tmp/plugin123|grpc|CERTIFICATE`.

use crate::address::{Address, AddressError};
use crate::tls::Certificate;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::fmt;

/// The version of the line itself.
pub const CORE_VERSION: u32 = 1;
/// The longest line that is read.
pub const LONGEST_LINE: usize = 64 * 1024;
/// A sixth field up to this length is no certificate: go-plugin's rule.
const LONGEST_NOTHING: usize = 50;
/// So much of a line is quoted.
const QUOTED: usize = 120;

/// What a plugin says of itself at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Which version of its interface it speaks: one of those that the host has named, or the plugin's lowest.
    pub app_version: u32,
    /// Where it listens.
    pub address: Address,
    /// Its certificate, if connections are encrypted.
    pub certificate: Option<Certificate>,
}

impl Handshake {
    /// Reads the line.
    ///
    /// # Errors
    /// It is none, or says something that Pitstop does not speak.
    pub fn parse(line: &str) -> Result<Self, HandshakeError> {
        let fault = |field, fault| HandshakeError { line: quoted(line), field, fault };
        let text = line.trim();
        if text.is_empty() {
            return Err(fault(Field::Line, Fault::Empty));
        }
        let fields: Vec<_> = text.split('|').map(str::trim).collect();
        let field = |at: usize, field| fields.get(at).copied().ok_or(fault(field, Fault::Missing(fields.len())));
        let core = field(0, Field::CoreVersion)?;
        match core.parse::<u32>() {
            Ok(CORE_VERSION) => {}
            Ok(other) => return Err(fault(Field::CoreVersion, Fault::OtherCore(other))),
            Err(_) => return Err(fault(Field::CoreVersion, Fault::NoNumber(shortened(core)))),
        }
        let app = field(1, Field::AppVersion)?;
        let app_version = app.parse().map_err(|_| fault(Field::AppVersion, Fault::NoNumber(shortened(app))))?;
        let network = field(2, Field::Network)?;
        let address = field(3, Field::Address)?;
        let address = Address::parse(network, address).map_err(|error| match error {
            AddressError::UnknownNetwork(_) => fault(Field::Network, Fault::Address(error)),
            _ => fault(Field::Address, Fault::Address(error)),
        })?;
        match fields.get(4).copied().unwrap_or("netrpc") {
            "grpc" => {}
            "netrpc" => return Err(fault(Field::Protocol, Fault::NetRpc)),
            other => return Err(fault(Field::Protocol, Fault::OtherProtocol(shortened(other)))),
        }
        let certificate = fields.get(5).copied().filter(|field| field.len() > LONGEST_NOTHING);
        let certificate = certificate.map(decode).transpose().map_err(|why| fault(Field::Certificate, why))?;
        Ok(Self { app_version, address, certificate })
    }
}

impl fmt::Display for Handshake {
    /// The line, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app_version, address, certificate } = self;
        write!(f, "{CORE_VERSION}|{app_version}|{}|{address}|grpc|", address.network())?;
        certificate.as_ref().map_or(Ok(()), |certificate| f.write_str(&STANDARD_NO_PAD.encode(certificate.der())))
    }
}

/// Go writes no padding; others may.
fn decode(field: &str) -> Result<Certificate, Fault> {
    let engine = if field.ends_with('=') { &STANDARD } else { &STANDARD_NO_PAD };
    let der = engine.decode(field).map_err(|error| Fault::NoBase64(error.to_string()))?;
    Certificate::from_der(der).map_err(|error| Fault::NoCertificate(error.to_string()))
}

/// Which part of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// All of it.
    Line,
    /// The first.
    CoreVersion,
    /// The second.
    AppVersion,
    /// The third.
    Network,
    /// The fourth.
    Address,
    /// The fifth.
    Protocol,
    /// The sixth.
    Certificate,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is there.
    Empty,
    /// The line ends before it, with so many fields.
    Missing(usize),
    /// No number.
    NoNumber(String),
    /// A version of the line that Pitstop does not know.
    OtherCore(u32),
    /// No address.
    Address(AddressError),
    /// The plugin speaks net/rpc.
    NetRpc,
    /// Something else.
    OtherProtocol(String),
    /// No base64.
    NoBase64(String),
    /// No certificate.
    NoCertificate(String),
}

/// Why a line is no handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeError {
    /// The line, quoted: escaped, and shortened if it is long.
    pub line: String,
    /// Where in it.
    pub field: Field,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, fault } = self;
        let name = match field {
            Field::Line => "",
            Field::CoreVersion => "field 1, the version of the line: ",
            Field::AppVersion => "field 2, the version of the plugin's interface: ",
            Field::Network => "field 3, the network: ",
            Field::Address => "field 4, the address: ",
            Field::Protocol => "field 5, the protocol: ",
            Field::Certificate => "field 6, the certificate: ",
        };
        f.write_str("the first line of the plugin's standard output is no handshake of go-plugin: ")?;
        f.write_str(name)?;
        match fault {
            Fault::Empty => f.write_str("it is empty"),
            Fault::Missing(1) => {
                f.write_str("it is missing, as there is no `|`; does the program print something else first?")
            }
            Fault::Missing(fields) => write!(f, "it is missing, as there are only {fields} fields"),
            Fault::NoNumber(found) => write!(f, "{found} is no number; does the program print something else first?"),
            Fault::OtherCore(found) => {
                write!(f, "{found}, where only {CORE_VERSION} is known; another version of go-plugin is needed")
            }
            Fault::Address(error) => error.fmt(f),
            Fault::NetRpc => {
                f.write_str("the plugin speaks net/rpc; only grpc is understood, so set `GRPCServer` in it")
            }
            Fault::OtherProtocol(found) => write!(f, "{found} is not known; only grpc is understood"),
            Fault::NoBase64(why) => write!(f, "no base64: {why}"),
            Fault::NoCertificate(why) => write!(f, "no certificate in DER: {why}"),
        }?;
        write!(f, "; the line is {line}")
    }
}

impl std::error::Error for HandshakeError {}

fn quoted(line: &str) -> String {
    cut(line.trim_end_matches(['\r', '\n']), QUOTED)
}

fn shortened(field: &str) -> String {
    cut(field, 40)
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests;
