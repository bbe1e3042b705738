//! The compiler: whether it runs, is new enough, and is the one that the workspace asks for.

use super::finding::Finding;
use super::one_line;
use crate::cargo;
use std::path::Path;

/// The oldest compiler that Pitstop's crates build with.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

pub(super) fn look(here: &Path) -> Result<Vec<Finding>, Finding> {
    let rustc = cargo::build_setting(here, &["RUSTC", "CARGO_BUILD_RUSTC"], "rustc");
    let rustc = rustc.unwrap_or_else(|| "rustc".to_owned());
    let compiler = cargo::compiler(Path::new(&rustc), here, None).map_err(|fatal| {
        let remedy = "install Rust with rustup (https://rustup.rs), or let RUSTC name a compiler that runs";
        Finding::error("toolchain-missing", rustc.clone(), one_line(&fatal.message), remedy)
    })?;
    let mut findings = vec![version(&compiler.version)?];
    let asked = here.ancestors().find_map(|folder| {
        ["rust-toolchain.toml", "rust-toolchain"].iter().find_map(|name| {
            let file = folder.join(name);
            Some((channel(&std::fs::read_to_string(&file).ok()?)?, file))
        })
    });
    if let Some((channel, file)) = asked
        && !is_of_channel(&compiler.version, &channel)
    {
        findings.push(Finding::warning(
            "toolchain-ignored",
            file.display().to_string(),
            format!("asks for {channel}, but rustc is {}", compiler.version),
            "unset RUSTUP_TOOLCHAIN and RUSTC, and call cargo through rustup",
        ));
    }
    Ok(findings)
}

/// Judges what `rustc -vV` says, such as `1.95.0 (59807616e 2026-04-14)`.
fn version(version: &str) -> Result<Finding, Finding> {
    let number = version.split([' ', '-']).next().unwrap_or_default();
    if numbers(number) < numbers(OLDEST) {
        let remedy = format!("rustup update stable: Pitstop needs Rust {OLDEST} or newer");
        return Err(Finding::error("toolchain-old", "rustc", version, remedy));
    }
    if version.split(' ').next().is_some_and(|release| release.contains('-')) {
        let remedy = "nothing, unless something is odd: Pitstop is tested with stable";
        return Ok(Finding::note("toolchain-unstable", "rustc", version, remedy));
    }
    Ok(Finding::ok("toolchain", "rustc", version))
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

/// What a toolchain file asks for, in either of its two forms.
fn channel(text: &str) -> Option<String> {
    match text.parse::<toml::Table>() {
        Ok(table) => Some(table.get("toolchain")?.get("channel")?.as_str()?.to_owned()),
        Err(_) => text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned),
    }
}

/// Whether a compiler may be what a channel means. Of names that only rustup knows nothing can be said.
fn is_of_channel(version: &str, channel: &str) -> bool {
    let release = version.split(' ').next().unwrap_or_default();
    let name = channel.split('-').next().unwrap_or_default();
    match name {
        "stable" => !release.contains('-'),
        "beta" | "nightly" => release.contains(name),
        _ if name.starts_with(|first: char| first.is_ascii_digit()) => {
            release == name || release.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("1.95.0 (59807616e 2026-04-14)").expect("new enough").finding, "toolchain");
        assert_eq!(version("1.100.0 (abc 2026-11-01)").expect("new enough").finding, "toolchain");
        assert_eq!(version("1.97.0-nightly (abc 2026-06-01)").expect("new enough").finding, "toolchain-unstable");
        assert_eq!(version("1.94.1 (abc 2026-03-01)").expect_err("too old").finding, "toolchain-old");
        assert_eq!(version("").expect_err("no version at all").finding, "toolchain-old");
    }

    #[test]
    fn a_toolchain_file_has_two_forms_and_names_a_channel_or_a_version() {
        assert_eq!(channel("[toolchain]\nchannel = \"1.95\"\n").as_deref(), Some("1.95"));
        assert_eq!(channel("nightly-2026-01-01\n").as_deref(), Some("nightly-2026-01-01"));
        assert_eq!(channel("[toolchain]\ncomponents = []\n"), None);
        let stable = "1.95.0 (59807616e 2026-04-14)";
        for channel in ["1.95", "1.95.0", "1.95.0-x86_64-unknown-linux-gnu", "stable", "ours"] {
            assert!(is_of_channel(stable, channel), "{channel}");
        }
        for channel in ["1.9", "1.96", "nightly-2026-01-01", "beta"] {
            assert!(!is_of_channel(stable, channel), "{channel}");
        }
    }
}
