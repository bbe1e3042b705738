//! What a configuration may ask of a program that is executed.

use super::{FOLDER_VARIABLE, NAME_VARIABLE, platform};
use crate::plugin::spec::{Limits, Source, Spec};

/// No program starts in less.
const LEAST_MEMORY: u64 = 1 << 20;

type Refusal = (&'static str, String);

pub(crate) fn accepts(spec: &Spec) -> Result<(), Refusal> {
    platform::supported().map_err(|why| ("mechanism", why))?;
    if let Source::Crate(name) = &spec.source {
        let why = format!("a program is named by its file; give the file, with a `build` that writes it from `{name}`");
        return Err(("crate", why));
    }
    if let Some(argument) = spec.arguments.iter().find(|argument| argument.contains('\0')) {
        return Err(("arguments", format!("{argument:?} has a NUL in it, and no argument of a program can")));
    }
    spec.environment.iter().try_for_each(|name| variable(name).map_err(|why| ("environment", why)))?;
    spec.set.keys().try_for_each(|name| variable(name).map_err(|why| ("set", why)))?;
    if let Some((name, _)) = spec.set.iter().find(|(_, value)| value.contains('\0')) {
        return Err(("set", format!("the value of `{name}` has a NUL in it, and no variable's can")));
    }
    limits(&spec.limits)
}

fn variable(name: &str) -> Result<(), String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(format!("{name:?} cannot be the name of a variable: it is empty, or has a `=` or a NUL in it"));
    }
    if [NAME_VARIABLE, FOLDER_VARIABLE].contains(&name) {
        return Err(format!("`{name}` is set by Pitstop; take another name"));
    }
    Ok(())
}

fn limits(limits: &Limits) -> Result<(), Refusal> {
    if limits.time.is_zero() {
        return Err(("limits.time_ms", "no program ends in no time; give at least 1".to_owned()));
    }
    let Some(memory) = limits.memory else { return Ok(()) };
    if memory < LEAST_MEMORY {
        let why = format!("no program starts in {memory} bytes of address space; give at least {LEAST_MEMORY}");
        return Err(("limits.memory_bytes", why));
    }
    platform::limits_memory().map_err(|why| ("limits.memory_bytes", why))
}
