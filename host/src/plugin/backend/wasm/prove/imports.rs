//! What a guest may import: what is lent to each, and what its configuration grants.

use super::Border;
use crate::plugin::backend::wasm::kind::Kind;
use crate::plugin::spec::Wasm;
use pitstop_contract::{Reason, Rule};

/// Who may import something.
enum Lent {
    Always,
    WithClock,
    WithKeyValue,
    /// Why not, and what to do.
    Never(String),
}

/// The interfaces of WASI 0.2 that there are.
const WASI: &[&str] = &["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// A reason for each import that is not lent.
pub(super) fn not_lent(file: &str, kind: Kind, border: &Border, granted: &Wasm) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for (from, name) in &border.imports {
        let (lent, shown) = match kind {
            Kind::Component => (component(name), name.clone()),
            _ => (core(from, name), format!("{from}.{name}")),
        };
        let refuse = |expected: &str, advice: String| {
            let found = format!("that it imports `{}`", shown.escape_debug());
            Reason::new(Rule::Linkage, file, expected, found, advice)
        };
        let reason = match lent {
            Lent::Always => continue,
            Lent::WithClock if granted.clock => continue,
            Lent::WithKeyValue if granted.key_value.is_some() => continue,
            Lent::WithClock => refuse(
                "a plugin that does without the clock, which is not granted to it",
                "if it may know the time, write `wasm = { clock = true }` in its configuration".to_owned(),
            ),
            Lent::WithKeyValue => refuse(
                "a plugin that does without values that outlive it, which are not granted to it",
                "if it may keep some, write `wasm = { key-value = true }` in its configuration".to_owned(),
            ),
            Lent::Never(advice) => refuse("imports that can be lent to it", advice),
        };
        // A module imports each function by itself; one is enough to know.
        if !reasons.iter().any(|other| other.advice == reason.advice) {
            reasons.push(reason);
        }
    }
    reasons
}

fn component(name: &str) -> Lent {
    match name.split_once('@').map_or((name, ""), |(name, version)| (name, version)) {
        ("pitstop:plugin/log", version) if version.starts_with("0.1.") => Lent::Always,
        ("pitstop:plugin/clock", version) if version.starts_with("0.1.") => Lent::WithClock,
        ("pitstop:plugin/key-value", version) if version.starts_with("0.1.") => Lent::WithKeyValue,
        (name, _) if name.starts_with("pitstop:plugin/") => {
            Lent::Never("build it against the wit/pitstop.wit of this version of pitstop-host".to_owned())
        }
        (name, version) if version.starts_with("0.2.") && WASI.iter().any(|known| name.starts_with(known)) => {
            Lent::Always
        }
        (name, version) if name.starts_with("wasi:") && !version.starts_with("0.2.") => {
            Lent::Never("build it for WASI 0.2, e.g. with `--target wasm32-wasip2`".to_owned())
        }
        (name, _) if name.starts_with("wasi:") => Lent::Never(format!(
            "do without `{name}`: of WASI there are cli, clocks, filesystem, io, random and sockets"
        )),
        _ => Lent::Never("do without it: wit/pitstop.wit and WASI 0.2 are all that a component can import".to_owned()),
    }
}

fn core(from: &str, name: &str) -> Lent {
    match (from, name) {
        ("pitstop", "log") => Lent::Always,
        ("pitstop", "clock_now" | "clock_monotonic") => Lent::WithClock,
        ("pitstop", "kv_get" | "kv_set" | "kv_delete") => Lent::WithKeyValue,
        ("pitstop", _) => {
            let known = "`log`, `clock_now`, `clock_monotonic`, `kv_get`, `kv_set` and `kv_delete`";
            Lent::Never(format!("import one that there is: of `pitstop` these are {known}"))
        }
        ("wasi_snapshot_preview1", _) | ("env", "abort" | "seed") => Lent::Always,
        ("wasi_unstable", _) => Lent::Never("build it with a WASI of `wasi_snapshot_preview1`".to_owned()),
        ("wbg" | "__wbindgen_placeholder__" | "__wbindgen_externref_xform__", _) => Lent::Never(
            "build it without `wasm-bindgen`, which is for JavaScript; a dependency may have it as a feature".to_owned(),
        ),
        ("env", _) => Lent::Never(
            "define it: the linker took it for a function of the host's, as with `--allow-undefined`, or a header without its library"
                .to_owned(),
        ),
        _ => Lent::Never(
            "do without it: the functions of `pitstop` and of `wasi_snapshot_preview1` are all that a module can import"
                .to_owned(),
        ),
    }
}
