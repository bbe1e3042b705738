//! Profiles, as the captured commands show them: what slows rustc down, and what keeps types from being proven.

use super::finding::Finding;
use crate::cargo::{Selection, build_setting};
use crate::program::Program;
use crate::unit::Unit;
use std::path::Path;

pub(super) fn look(program: &Program, selection: &Selection, root: &Path) -> Vec<Finding> {
    let profile = Profile { name: selection.profile(), root };
    let mut findings = profile.of_program(&program.units[program.host]);
    for &id in program.reloadable.union(&program.libraries) {
        let unit = &program.units[id];
        findings.push(profile.debug_info(unit));
        findings.extend(profile.speed(unit));
    }
    findings
}

struct Profile<'a> {
    name: &'a str,
    root: &'a Path,
}

impl Profile<'_> {
    /// What holds for all of the program's crates.
    fn of_program(&self, host: &Unit) -> Vec<Finding> {
        let subject = || format!("profile {}", self.name);
        let mut findings = Vec::new();
        if let Some(lto) = host.codegen("lto").filter(|lto| lto != "off") {
            let found = format!("lto = {}: slow to link, at every edit", if lto.is_empty() { "true" } else { &lto });
            findings.push(Finding::warning("lto", subject(), found, self.remedy(host, "lto", "lto = \"off\"", None)));
        }
        if host.codegen("panic").as_deref() == Some("abort") {
            let remedy = self.remedy(host, "panic", "panic = \"unwind\"", None);
            let found = "panic = \"abort\": a panic in new code ends the program";
            findings.push(Finding::warning("panic-abort", subject(), found, remedy));
        }
        if findings.is_empty() {
            findings.push(Finding::ok("profile", subject(), "panics unwind, no link-time optimisation"));
        }
        findings
    }

    /// Whether the crate's types can be proven.
    fn debug_info(&self, unit: &Unit) -> Finding {
        if strips(unit) {
            return Finding::warning(
                "stripped",
                subject(unit),
                "the linker is told to leave debug info out, so types cannot be proven",
                "remove `-s` from the link arguments in rustflags or the build script",
            );
        }
        match unit.codegen("debuginfo").as_deref() {
            None | Some("0" | "none") => {
                Finding::ok("debug-info", subject(unit), "full; the profile has none, so live builds add it")
            }
            Some("2" | "full") => Finding::ok("debug-info", subject(unit), "full"),
            Some(level) => Finding::warning(
                "debug-info-limited",
                subject(unit),
                format!("debug = {level} leaves types out, so they cannot be proven"),
                self.remedy(unit, "debuginfo", "debug = 2", Some(unit)),
            ),
        }
    }

    /// What makes rustc take longer than it needs to.
    fn speed(&self, unit: &Unit) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut slow = |finding, option: &str, found: String, setting: &str| {
            findings.push(Finding::warning(
                finding,
                subject(unit),
                found,
                self.remedy(unit, option, setting, Some(unit)),
            ));
        };
        if let Some(level) = unit.codegen("opt-level").filter(|level| level != "0") {
            slow("optimised", "opt-level", format!("opt-level = {level}: rustc takes longer"), "opt-level = 0");
        }
        if unit.codegen("codegen-units").as_deref() == Some("1") {
            let found = "codegen-units = 1: all of the crate is generated anew, on one core".to_owned();
            slow("one-codegen-unit", "codegen-units", found, "codegen-units = 256");
        }
        if unit.codegen("incremental").is_none() {
            let found = "incremental is off: all of the crate is compiled at every edit";
            findings.push(Finding::warning("not-incremental", subject(unit), found, self.incremental(unit)));
        }
        if findings.is_empty() {
            findings.push(Finding::ok("speed", subject(unit), "compiled incrementally, without optimisation"));
        }
        findings
    }

    /// Both override the profile.
    fn incremental(&self, unit: &Unit) -> String {
        if std::env::var_os("CARGO_INCREMENTAL").is_some() {
            "unset CARGO_INCREMENTAL".to_owned()
        } else if build_setting(self.root, &["CARGO_BUILD_INCREMENTAL"], "incremental").is_some() {
            "remove `incremental` from [build] in .cargo/config.toml, and unset CARGO_BUILD_INCREMENTAL".to_owned()
        } else {
            self.remedy(unit, "incremental", "incremental = true", Some(unit))
        }
    }

    /// What changes a setting, where it was made: rustflags come after the profile, and variables are before manifests.
    fn remedy(&self, unit: &Unit, option: &str, setting: &str, package: Option<&Unit>) -> String {
        let place = |is: &dyn Fn(&str, &str) -> bool| {
            unit.arguments.iter().rposition(|argument| is(&argument.flag, argument.value.as_deref().unwrap_or("")))
        };
        let out = place(&|flag, _| flag == "--out-dir");
        let set = place(&|flag, value| flag == "-C" && value.split('=').next() == Some(option));
        if option != "incremental" && set > out {
            return format!("remove `-C {option}` from RUSTFLAGS or from rustflags in .cargo/config.toml");
        }
        let key = setting.split(" = ").next().unwrap_or(option);
        let variable = format!("CARGO_PROFILE_{}_{key}", self.name).to_uppercase().replace('-', "_");
        if std::env::var_os(&variable).is_some() {
            return format!("unset {variable}");
        }
        match package {
            Some(unit) => format!("[profile.{}.package.{}] {setting}", self.name, package_name(unit)),
            None => format!("[profile.{}] {setting}", self.name),
        }
    }
}

fn subject(unit: &Unit) -> String {
    format!("crate {}", package_name(unit))
}

fn package_name(unit: &Unit) -> &str {
    unit.captured.environment.get("CARGO_PKG_NAME").unwrap_or(&unit.crate_name)
}

/// Whether a link argument strips. The profile's own `strip` is left out of live builds.
fn strips(unit: &Unit) -> bool {
    const STRIPPING: [&str; 7] =
        ["-s", "-S", "-Wl,-s", "-Wl,-S", "-Wl,--strip-all", "-Wl,--strip-debug", "--strip-all"];
    let values = unit.arguments.iter().filter(|argument| argument.flag == "-C").filter_map(|argument| {
        let (name, value) = argument.value.as_deref()?.split_once('=')?;
        matches!(name, "link-arg" | "link-args").then_some(value)
    });
    values.flat_map(|value| value.split(' ')).any(|word| STRIPPING.contains(&word))
}
