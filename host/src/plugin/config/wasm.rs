//! The table `wasm` of a plugin in WebAssembly: what is granted to it.

use super::document::{Found, Key, Section, quoted};
use super::error::ConfigError;
use super::paths::{Ground, Looked, Wanted};
use crate::plugin::spec::{Access, Address, Folder, Host, Wasm};
use std::net::IpAddr;

/// How many bytes of values a plugin may keep, where nothing else is said: 16 MiB.
const KEPT: u64 = 16 << 20;

const KEYS: &[Key] = &[
    Key { name: "files", example: "files = [{ path = \"data\", access = \"read\", at = \"/data\" }]" },
    Key { name: "network", example: "network = [\"127.0.0.1:8080\", \"example.org:443\"]" },
    Key { name: "clock", example: "clock = true" },
    Key { name: "key-value", example: "key-value = true" },
    Key { name: "key-value-bytes", example: "key-value-bytes = 16777216" },
    Key { name: "fuel", example: "fuel = 1000000000" },
    Key { name: "interrupt", example: "interrupt = false" },
    Key { name: "stack_bytes", example: "stack_bytes = 524288" },
];

const FILES: &[Key] = &[
    Key { name: "path", example: "path = \"data\"" },
    Key { name: "access", example: "access = \"read\"" },
    Key { name: "at", example: "at = \"/data\"" },
];

/// Reads the table, if there is one.
pub(super) fn wasm(section: &Section<'_, '_>, ground: &Ground) -> Result<Wasm, ConfigError> {
    let Some(table) = section.table("wasm")? else { return Ok(Wasm::default()) };
    let section = Section::new(section.document, table, "`wasm`", KEYS)?;
    Ok(Wasm {
        files: files(&section, ground)?,
        network: network(&section)?,
        clock: section.flag("clock")?.unwrap_or(false),
        key_value: key_value(&section)?,
        fuel: section.number("fuel")?,
        interrupt: section.flag("interrupt")?.unwrap_or(true),
        stack: section.number("stack_bytes")?,
    })
}

fn files(section: &Section<'_, '_>, ground: &Ground) -> Result<Vec<Folder>, ConfigError> {
    let mut folders: Vec<Folder> = Vec::new();
    for table in section.tables("files")? {
        let section = Section::new(section.document, table, "a folder in `files`", FILES)?;
        let folder = folder(&section, ground)?;
        if folders.iter().any(|other| other.at == folder.at) {
            let why = format!("`at` is {} twice, and only one folder can be there; change one", quoted(&folder.at));
            return Err(section.error("at", why));
        }
        folders.push(folder);
    }
    Ok(folders)
}

fn folder(section: &Section<'_, '_>, ground: &Ground) -> Result<Folder, ConfigError> {
    let path = section.text("path")?.ok_or_else(|| section.missing("path"))?;
    let refuse = |why: String| section.error("path", format!("`path` {why}"));
    let absolute = ground.resolve(path.value).map_err(refuse)?;
    match ground.look(&absolute, Wanted::Folder).map_err(|why| refuse(format!("names no folder to grant: {why}")))? {
        Looked::There(_) => {}
        Looked::Nothing => return Err(refuse(format!("is not there: {}; make the folder", absolute.display()))),
    }
    let choices = [("read", Access::Read), ("read-write", Access::ReadWrite)];
    let access = section.choice("access", &choices)?.ok_or_else(|| section.missing("access"))?;
    let at = section.text("at")?.map_or(path.value, |at| at.value);
    if at.is_empty() {
        return Err(section.error("at", format!("`at` is empty; write {}", section.example("at"))));
    }
    Ok(Folder { path: absolute, access, at: at.to_owned() })
}

fn network(section: &Section<'_, '_>) -> Result<Vec<Address>, ConfigError> {
    let addresses = section.texts("network")?.unwrap_or_default().into_iter();
    addresses.map(|text| address(&text).map_err(|why| section.document.error(text.at, why))).collect()
}

/// `127.0.0.1:80`, `[::1]:80` or `example.org:80`.
fn address(text: &Found<&str>) -> Result<Address, String> {
    let refuse = |why: &str| {
        let example = "write an address and a port, such as `127.0.0.1:8080` or `example.org:443`";
        Err(format!("`network` has {}, {why}; {example}", quoted(text.value)))
    };
    let Some((host, port)) = text.value.rsplit_once(':') else { return refuse("which has no port") };
    let port = match port.parse() {
        Ok(port) if port > 0 => port,
        _ => return refuse("whose port is not from 1 to 65535"),
    };
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match (in_brackets, host.parse::<IpAddr>()) {
        (Some(ip), _) => match ip.parse() {
            Ok(ip) => Host::Ip(IpAddr::V6(ip)),
            Err(_) => return refuse("in whose brackets is no IPv6 address"),
        },
        (None, Ok(IpAddr::V4(ip))) => Host::Ip(IpAddr::V4(ip)),
        (None, Ok(IpAddr::V6(_))) => return refuse("whose IPv6 address has to stand in brackets"),
        (None, Err(_)) => {
            let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
            if host.is_empty() || !host.chars().all(allowed) {
                return refuse("which names no machine");
            }
            Host::Name(host.to_ascii_lowercase())
        }
    };
    Ok(Address { host, port })
}

fn key_value(section: &Section<'_, '_>) -> Result<Option<u64>, ConfigError> {
    let bytes = section.number("key-value-bytes")?;
    match (section.flag("key-value")?.unwrap_or(false), bytes) {
        (true, bytes) => Ok(Some(bytes.unwrap_or(KEPT))),
        (false, None) => Ok(None),
        (false, Some(_)) => {
            let why = "`key-value-bytes` has no use without `key-value`; write";
            let message = format!("{why} {}, or remove it", section.example("key-value"));
            Err(section.document.error(section.place_of("key-value-bytes"), message))
        }
    }
}
