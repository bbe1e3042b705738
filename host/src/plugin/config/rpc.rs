//! The table `rpc` of a plugin that speaks go-plugin's protocol.

use super::document::{Found, Key, Section, quoted};
use super::error::ConfigError;
use crate::plugin::spec::{Cookie, Reattach, ReattachAddress, Rpc, Tls};
use std::path::Path;
use std::time::Duration;

const KEYS: &[Key] = &[
    Key { name: "cookie", example: "cookie = { key = \"KV_PLUGIN\", value = \"hello\" }" },
    Key { name: "versions", example: "versions = [1]" },
    Key { name: "tls", example: "tls = \"auto\"" },
    Key { name: "ports", example: "ports = [10000, 25000]" },
    Key { name: "reattach", example: "reattach = { address = \"unix:/tmp/plugin123\", pid = 123 }" },
    Key { name: "kill_after_ms", example: "kill_after_ms = 2000" },
    Key { name: "crashes", example: "crashes = 5" },
];

const COOKIE: &[Key] =
    &[Key { name: "key", example: "key = \"KV_PLUGIN\"" }, Key { name: "value", example: "value = \"hello\"" }];

const REATTACH: &[Key] = &[
    Key { name: "address", example: "address = \"unix:/tmp/plugin123\"" },
    Key { name: "pid", example: "pid = 123" },
    Key { name: "version", example: "version = 1" },
];

/// Versions of a protocol are small numbers, and so are counts of crashes.
const MOST: u64 = 1 << 16;

/// Reads the table, if there is one.
pub(super) fn rpc(section: &Section<'_, '_>) -> Result<Rpc, ConfigError> {
    let Some(table) = section.table("rpc")? else { return Ok(Rpc::default()) };
    let section = Section::new(section.document, table, "`rpc`", KEYS)?;
    let usual = Rpc::default();
    let versions = versions(&section)?.unwrap_or(usual.versions);
    let rpc = Rpc {
        cookie: cookie(&section)?.unwrap_or(usual.cookie),
        reattach: reattach(&section, &versions)?,
        versions,
        tls: section.choice("tls", &[("auto", Tls::Auto), ("none", Tls::None)])?.unwrap_or(usual.tls),
        ports: ports(&section)?.unwrap_or(usual.ports),
        kill_after: section.number("kill_after_ms")?.map_or(usual.kill_after, Duration::from_millis),
        crashes: small(&section, "crashes")?.unwrap_or(usual.crashes),
    };
    if rpc.reattach.is_some() && section.has("tls") && rpc.tls == Tls::Auto {
        let why = "`tls = \"auto\"` cannot be with `reattach`: the certificates are made for a process when it is \
                   started, and only who started it has them; remove one of them";
        return Err(section.error("tls", why));
    }
    Ok(rpc)
}

fn cookie(section: &Section<'_, '_>) -> Result<Option<Cookie>, ConfigError> {
    let Some(table) = section.table("cookie")? else { return Ok(None) };
    let section = Section::new(section.document, table, "`cookie`", COOKIE)?;
    let key = section.text("key")?.ok_or_else(|| section.missing("key"))?;
    let value = section.text("value")?.ok_or_else(|| section.missing("value"))?;
    if key.value.is_empty() || key.value.contains('=') {
        let why = "the name of a variable has at least one letter, and no `=`";
        return Err(section.error("key", format!("`key` is {}, but {why}", quoted(key.value))));
    }
    // go-plugin ends with an error where either is empty.
    if value.value.is_empty() {
        return Err(section.error("value", format!("`value` is empty; write {}", section.example("value"))));
    }
    Ok(Some(Cookie { key: key.value.to_owned(), value: value.value.to_owned() }))
}

fn versions(section: &Section<'_, '_>) -> Result<Option<Vec<u32>>, ConfigError> {
    let Some(found) = section.numbers("versions", 0)? else { return Ok(None) };
    if found.is_empty() {
        let why = "`versions` is empty, so that no plugin could be spoken to; remove it, or write";
        return Err(section.error("versions", format!("{why} {}", section.example("versions"))));
    }
    let mut versions: Vec<u32> = Vec::new();
    for Found { value, at } in found {
        let refuse = |why: &str| Err(section.document.error(at, format!("`versions` has {value}, {why}")));
        match u32::try_from(value) {
            Ok(version) if value <= MOST && versions.contains(&version) => return refuse("which is there twice"),
            Ok(version) if value <= MOST => versions.push(version),
            _ => return refuse(&format!("and no version is above {MOST}")),
        }
    }
    versions.sort_unstable();
    Ok(Some(versions))
}

fn ports(section: &Section<'_, '_>) -> Result<Option<(u16, u16)>, ConfigError> {
    let Some(found) = section.numbers("ports", 1)? else { return Ok(None) };
    let port = |found: &Found<u64>| {
        u16::try_from(found.value).map_err(|_| {
            section.document.error(found.at, format!("{} is no port: a port is at most 65535", found.value))
        })
    };
    match &found[..] {
        [first, last] if first.value <= last.value => Ok(Some((port(first)?, port(last)?))),
        _ => {
            let why = "`ports` is the first and the last port";
            Err(section.error("ports", format!("{why}; write {}", section.example("ports"))))
        }
    }
}

fn reattach(section: &Section<'_, '_>, versions: &[u32]) -> Result<Option<Reattach>, ConfigError> {
    let Some(table) = section.table("reattach")? else { return Ok(None) };
    let section = Section::new(section.document, table, "`reattach`", REATTACH)?;
    let text = section.text("address")?.ok_or_else(|| section.missing("address"))?;
    let address = address(text.value).map_err(|why| {
        let message = format!("`address` is {}, {why}; write {}", quoted(text.value), section.example("address"));
        section.error("address", message)
    })?;
    let pid = section.number("pid")?.ok_or_else(|| section.missing("pid"))?;
    // The system's numbers are below 2^22.
    let pid = u32::try_from(pid).ok().filter(|&pid| i32::try_from(pid).is_ok()).ok_or_else(|| {
        section.error("pid", format!("`pid` is {pid}, and no process has a number that high; `pgrep NAME` prints it"))
    })?;
    let version = small(&section, "version")?.unwrap_or(versions[0]);
    if !versions.contains(&version) {
        let offered: Vec<String> = versions.iter().map(u32::to_string).collect();
        let message = format!("`version` is {version}, which is not among `versions` ({})", offered.join(", "));
        return Err(section.error("version", message));
    }
    Ok(Some(Reattach { address, pid, version }))
}

fn address(text: &str) -> Result<ReattachAddress, String> {
    match text.split_once(':') {
        Some(("unix", path)) if Path::new(path).is_absolute() => Ok(ReattachAddress::Unix(path.into())),
        Some(("unix", _)) => Err("which is no absolute path".to_owned()),
        Some(("tcp", address)) => {
            let address = address.parse().map_err(|_| "which is no IP address with a port".to_owned())?;
            Ok(ReattachAddress::Tcp(address))
        }
        _ => Err("which begins neither with `unix:` nor with `tcp:`".to_owned()),
    }
}

fn small(section: &Section<'_, '_>, key: &str) -> Result<Option<u32>, ConfigError> {
    let Some(number) = section.number(key)? else { return Ok(None) };
    match u32::try_from(number) {
        Ok(small) if number <= MOST => Ok(Some(small)),
        _ => {
            let message = format!("`{key}` is at most {MOST}, not {number}; write {}", section.example(key));
            Err(section.error(key, message))
        }
    }
}
