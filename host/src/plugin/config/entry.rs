//! One plugin's keys: a `[[plugin]]` of `pitstop.toml`, or the top level of a `plugin.toml`.

use super::document::{Found, Key, Section, Words, quoted};
use super::error::ConfigError;
use super::paths::{Ground, Looked, Reach, Wanted};
use super::rpc::rpc;
use super::wasm::wasm;
use crate::plugin::backend::backend;
use crate::plugin::spec::{Build, Limits, Mechanism, Mode, Origin, Source, Spec};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A name is at most this long, as it is part of a file's.
const LONGEST_NAME: usize = 64;

/// The keys of a plugin.
pub(super) const KEYS: &[Key] = &[
    Key { name: "name", example: "name = \"greeter\"" },
    Key { name: "mechanism", example: "mechanism = \"exec\"" },
    Key { name: "artifact", example: "artifact = \"libgreeter.so\"" },
    Key { name: "crate", example: "crate = \"greeter-plugin\"" },
    Key { name: "build", example: "build = \"cc -shared -fPIC -o {out} greeter.c\"" },
    Key { name: "watch", example: "watch = [\"greeter.c\"]" },
    Key { name: "mode", example: "mode = \"serve\"" },
    Key { name: "arguments", example: "arguments = [\"--fast\"]" },
    Key { name: "rpc", example: "rpc = { versions = [1] }" },
    Key { name: "wasm", example: "wasm = {}" },
    Key { name: "environment", example: "environment = [\"PATH\", \"HOME\"]" },
    Key { name: "set", example: "set = { GREETING = \"Hello\" }" },
    Key { name: "directory", example: "directory = \"data\"" },
    Key { name: "sha256", example: "sha256 = \"64 hex digits\"" },
    Key { name: "enabled", example: "enabled = false" },
    Key { name: "limits", example: "limits = { time_ms = 30000 }" },
];

const LIMITS: &[Key] = &[
    Key { name: "time_ms", example: "time_ms = 30000" },
    Key { name: "memory_bytes", example: "memory_bytes = 1073741824" },
    Key { name: "output_bytes", example: "output_bytes = 67108864" },
    Key { name: "drain_ms", example: "drain_ms = 30000" },
];

/// The keys that not all mechanisms have: whose they are, and what those are.
const ELSEWHERE: &[(&str, &[Mechanism], &str)] = &[
    ("mode", &[Mechanism::Exec], "programs that are executed"),
    ("arguments", &[Mechanism::Exec, Mechanism::Rpc, Mechanism::Wasm], "programs that are executed"),
    ("environment", &[Mechanism::Exec, Mechanism::Rpc, Mechanism::Wasm], "programs that are executed"),
    ("set", &[Mechanism::Exec, Mechanism::Rpc, Mechanism::Wasm], "programs that are executed"),
    ("directory", &[Mechanism::Exec, Mechanism::Rpc], "programs that are executed"),
    ("rpc", &[Mechanism::Rpc], "programs that speak go-plugin's protocol"),
    ("wasm", &[Mechanism::Wasm], "plugins in WebAssembly"),
];

const MECHANISMS: &[(&str, Mechanism)] = &[
    ("dylib", Mechanism::Dylib),
    ("c", Mechanism::C),
    ("exec", Mechanism::Exec),
    ("rpc", Mechanism::Rpc),
    ("wasm", Mechanism::Wasm),
];

/// Reads one plugin, whose section has [`KEYS`].
pub(super) fn spec(section: &Section<'_, '_>, ground: &Ground) -> Result<Spec, ConfigError> {
    let mechanism = section.choice("mechanism", MECHANISMS)?.ok_or_else(|| section.missing("mechanism"))?;
    let name = name(section, ground)?;
    fits_mechanism(section, mechanism)?;
    let limits_section = limits_section(section)?;
    let (environment, set) = variables(section)?;
    let spec = Spec {
        name,
        mechanism,
        source: source(section, ground, mechanism)?,
        mode: section.choice("mode", &[("once", Mode::Once), ("serve", Mode::Serve)])?.unwrap_or(Mode::Once),
        arguments: values(section.texts("arguments")?),
        rpc: rpc(section)?,
        wasm: wasm(section, ground)?,
        build: build(section, ground)?,
        limits: limits_section.as_ref().map(limits).transpose()?.unwrap_or_default(),
        environment,
        set,
        directory: directory(section, ground)?,
        sha256: sha256(section)?,
        enabled: section.flag("enabled")?.unwrap_or(true),
        origin: Origin {
            file: ground.file.clone(),
            line: section.document.place(section.at).0,
            drop_in: ground.reach == Reach::Folder,
        },
    };
    let asked = Spec { limits: as_written(&spec.limits, limits_section.as_ref()), ..spec.clone() };
    let accepted = backend(mechanism).accepts(&asked);
    accepted.map_err(|(key, why)| unkept(section, limits_section.as_ref(), key, &why))?;
    Ok(spec)
}

/// The limits that a mechanism is asked about. Where the usual time was written down, another one is asked about: a
/// mechanism that keeps none knows by the time alone whether there was one.
pub(super) fn as_written(limits: &Limits, section: Option<&Section<'_, '_>>) -> Limits {
    let is_usual = limits.time == Limits::default().time && section.is_some_and(|section| section.has("time_ms"));
    let more = if is_usual { Duration::from_millis(1) } else { Duration::ZERO };
    Limits { time: limits.time.saturating_add(more), ..limits.clone() }
}

/// What the mechanism does not accept, at its key: `limits.time_ms` and `time_ms` are the same.
pub(super) fn unkept(section: &Section<'_, '_>, limits: Option<&Section<'_, '_>>, key: &str, why: &str) -> ConfigError {
    let last = key.rsplit('.').next().unwrap_or(key);
    let inner = limits.filter(|limits| limits.has(last));
    let at = inner.map_or_else(|| section.place_of(last), |limits| limits.place_of(last));
    section.document.error(at, format!("`{key}` cannot be kept: {why}"))
}

/// Its own, or in a drop-in else the folder's.
fn name(section: &Section<'_, '_>, ground: &Ground) -> Result<String, ConfigError> {
    let (name, whose) = match section.text("name")? {
        Some(name) => (name.value.to_owned(), "`name` is"),
        None if ground.reach == Reach::Folder => {
            let folder = ground.folder.file_name().map(|name| name.to_string_lossy().into_owned());
            (folder.unwrap_or_default(), "without `name` it is that of the folder:")
        }
        None => return Err(section.missing("name")),
    };
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let good = !name.is_empty() && name.len() <= LONGEST_NAME && !name.starts_with('.') && name.chars().all(allowed);
    if good {
        return Ok(name);
    }
    let rule = format!("a name is 1 to {LONGEST_NAME} of a-z, A-Z, 0-9, `-`, `_` and `.`, and does not begin with `.`");
    Err(section.error("name", format!("{whose} {}; {rule}; write {}", quoted(&name), section.example("name"))))
}

/// Refuses keys that another mechanism has.
fn fits_mechanism(section: &Section<'_, '_>, mechanism: Mechanism) -> Result<(), ConfigError> {
    let refuse = |key: &str, why: String| Err(section.document.error(section.place_of(key), why));
    if mechanism.is_program() && section.has("crate") {
        let name = mechanism.name();
        let why = format!("`crate` is for libraries; a plugin by `{name}` has the program as its `artifact`");
        return refuse("crate", why);
    }
    let first = ELSEWHERE.iter().filter(|(key, whose, _)| section.has(key) && !whose.contains(&mechanism));
    match first.min_by_key(|(key, ..)| section.place_of(key)) {
        None => Ok(()),
        Some((key, whose, what)) => {
            let kind = match mechanism {
                Mechanism::Dylib | Mechanism::C => "a library in the program's own process",
                Mechanism::Exec => "a program that is executed",
                Mechanism::Rpc => "a program that speaks go-plugin's protocol",
                Mechanism::Wasm => "in WebAssembly",
            };
            let instead = whose[0].name();
            let why =
                format!("`{key}` has no use here: it is for {what}, and this plugin is {kind}; remove it, or write");
            refuse(key, format!("{why} `mechanism = \"{instead}\"`"))
        }
    }
}

/// What it is loaded from: exactly one of both keys.
fn source(section: &Section<'_, '_>, ground: &Ground, mechanism: Mechanism) -> Result<Source, ConfigError> {
    match (section.text("artifact")?, section.text("crate")?) {
        (Some(path), None) => artifact(section, ground, path.value).map(Source::File),
        (None, Some(name)) => crate_name(section, name.value).map(Source::Crate),
        (None, None) if mechanism.is_program() => {
            Err(section.document.error(section.at, "`artifact` is missing; write `artifact = \"greeter.sh\"`"))
        }
        (None, None) => {
            let both = format!("{} or {}", section.example("artifact"), section.example("crate"));
            Err(section.document.error(section.at, format!("`artifact` or `crate` is missing; write {both}")))
        }
        (Some(_), Some(_)) => {
            let later = section.place_of("artifact").max(section.place_of("crate"));
            let why =
                "`artifact` and `crate` are both there, and a plugin is loaded from one of them; remove the other";
            Err(section.document.error(later, why))
        }
    }
}

fn artifact(section: &Section<'_, '_>, ground: &Ground, path: &str) -> Result<PathBuf, ConfigError> {
    let refuse = |why: String| section.error("artifact", format!("`artifact` {why}"));
    let path = ground.resolve(path).map_err(refuse)?;
    let looked = ground.look(&path, Wanted::File).map_err(|why| refuse(format!("is no file to load: {why}")))?;
    match looked {
        Looked::There(metadata) => {
            ground
                .trust(&path, &metadata)
                .and_then(|()| ground.trust_between(&path))
                .map_err(|why| refuse(format!("is refused: {why}")))?;
        }
        Looked::Nothing if section.has("build") => {}
        Looked::Nothing => {
            let why = "and nothing builds it; write the path of a file, or add `build`";
            return Err(refuse(format!("is not there: {}, {why}", path.display())));
        }
    }
    Ok(path)
}

fn crate_name(section: &Section<'_, '_>, name: &str) -> Result<String, ConfigError> {
    if let Some(key) = ["build", "watch"].into_iter().find(|key| section.has(key)) {
        let why = "has no use with `crate`, which cargo builds and whose source files are known; remove it";
        return Err(section.document.error(section.place_of(key), format!("`{key}` {why}")));
    }
    let allowed = |letter: char| letter.is_alphanumeric() || "-_".contains(letter);
    if name.is_empty() || !name.chars().all(allowed) {
        let example = section.example("crate");
        let message = format!("`crate` is {}, and no crate is called so; write {example}", quoted(name));
        return Err(section.error("crate", message));
    }
    Ok(name.to_owned())
}

fn build(section: &Section<'_, '_>, ground: &Ground) -> Result<Option<Build>, ConfigError> {
    let Some(words) = section.words("build")? else {
        if section.has("watch") {
            let why =
                "`watch` has no use without `build`: what changes there would have nothing built; remove it, or add";
            let message = format!("{why} {}", section.example("build"));
            return Err(section.document.error(section.place_of("watch"), message));
        }
        return Ok(None);
    };
    let command = match words {
        Words::Line(line) => split(line.value).map_err(|why| section.error("build", format!("`build` {why}")))?,
        Words::List(words) => values(Some(words)),
    };
    if command.first().is_none_or(String::is_empty) {
        return Err(section.error("build", format!("`build` names no program; write {}", section.example("build"))));
    }
    Ok(Some(Build { command, watch: watch(section, ground)? }))
}

/// The words of a line, in which quotes and backslashes mean what they mean to a shell, and nothing else does.
fn split(line: &str) -> Result<Vec<String>, String> {
    let words = shlex::split(line).ok_or_else(|| {
        "has a quote without its partner, or a backslash at its end; close the quote, or write a list of words"
            .to_owned()
    })?;
    // A word that begins with `#` is a comment to the splitter, and would be lost.
    let marked = shlex::split(&line.replace('#', "x"));
    if marked.is_none_or(|marked| marked != words.iter().map(|word| word.replace('#', "x")).collect::<Vec<_>>()) {
        return Err("has a `#` at the start of a word, where a shell would see a comment; quote it".to_owned());
    }
    let of_a_shell = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1"];
    if let Some(word) = words.iter().find(|word| of_a_shell.contains(&word.as_str())) {
        let instead = "write `build = [\"sh\", \"-c\", \"...\"]`, or a script";
        return Err(format!(
            "has {} in it, but there is no shell that would know what it means; {instead}",
            quoted(word)
        ));
    }
    Ok(words)
}

fn watch(section: &Section<'_, '_>, ground: &Ground) -> Result<Vec<PathBuf>, ConfigError> {
    let Some(paths) = section.texts("watch")? else { return Ok(vec![ground.folder.clone()]) };
    if paths.is_empty() {
        let why = "`watch` is empty, so that nothing would be built; remove it to watch the whole folder, or write";
        return Err(section.error("watch", format!("{why} {}", section.example("watch"))));
    }
    let watched = |path: Found<&str>| {
        let refuse = |why: String| section.document.error(path.at, format!("`watch` {why}"));
        let absolute = ground.resolve(path.value).map_err(refuse)?;
        match ground.look(&absolute, Wanted::Either).map_err(|why| refuse(format!("is nothing to watch: {why}")))? {
            Looked::There(_) => Ok(absolute),
            Looked::Nothing => {
                Err(refuse(format!("is not there: {}; write a file or folder that is", absolute.display())))
            }
        }
    };
    paths.into_iter().map(watched).collect()
}

/// The names of variables to hand on, and variables with their values.
fn variables(section: &Section<'_, '_>) -> Result<(Vec<String>, BTreeMap<String, String>), ConfigError> {
    let set = section.map("set")?.unwrap_or_default();
    for (name, value) in &set {
        variable_name("set", name).map_err(|why| section.document.error(value.at, why))?;
    }
    let mut names: Vec<String> = Vec::new();
    for name in section.texts("environment")?.unwrap_or_default() {
        let why = if names.iter().any(|known| known == name.value) {
            Err(format!("`environment` has {} twice; remove one", quoted(name.value)))
        } else if set.contains_key(name.value) {
            Err(format!("{} is in `environment` and in `set`; remove it from one of them", quoted(name.value)))
        } else {
            variable_name("environment", name.value)
        };
        why.map_err(|why| section.document.error(name.at, why))?;
        names.push(name.value.to_owned());
    }
    let set = set.into_iter().map(|(name, value)| (name.to_owned(), value.value.to_owned()));
    Ok((names, set.collect()))
}

fn variable_name(key: &str, name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("an empty name is in `{key}`; write a variable's name, such as `PATH`"));
    }
    if name.contains('=') {
        let instead = "a name has no `=` in it; variables with values stand in `set = { NAME = \"value\" }`";
        return Err(format!("{} is in `{key}`, but {instead}", quoted(name)));
    }
    Ok(())
}

fn directory(section: &Section<'_, '_>, ground: &Ground) -> Result<PathBuf, ConfigError> {
    let Some(path) = section.text("directory")? else { return Ok(ground.folder.clone()) };
    let refuse = |why: String| section.error("directory", format!("`directory` {why}"));
    let absolute = ground.resolve(path.value).map_err(refuse)?;
    match ground.look(&absolute, Wanted::Folder).map_err(|why| refuse(format!("is no folder to run in: {why}")))? {
        Looked::There(_) => Ok(absolute),
        Looked::Nothing => Err(refuse(format!("is not there: {}; write a folder that is", absolute.display()))),
    }
}

fn sha256(section: &Section<'_, '_>) -> Result<Option<[u8; 32]>, ConfigError> {
    let Some(text) = section.text("sha256")? else { return Ok(None) };
    let refuse = |found: String| {
        let instead = "`sha256sum FILE` prints them";
        Err(section.error("sha256", format!("`sha256` is 64 hex digits, {found}; {instead}")))
    };
    if let Some((index, letter)) = text.value.chars().enumerate().find(|(_, letter)| !letter.is_ascii_hexdigit()) {
        return refuse(format!("but its character {} is {}", index + 1, quoted(&letter.to_string())));
    }
    if text.value.len() != 64 {
        return refuse(format!("not {}", text.value.len()));
    }
    let mut digest = [0; 32];
    for (byte, digits) in digest.iter_mut().zip(text.value.as_bytes().chunks_exact(2)) {
        let digits = digits.iter().filter_map(|&digit| char::from(digit).to_digit(16));
        *byte = digits.fold(0, |byte, digit| byte << 4 | digit as u8);
    }
    Ok(Some(digest))
}

pub(super) fn limits_section<'s, 'd>(section: &Section<'s, 'd>) -> Result<Option<Section<'s, 'd>>, ConfigError> {
    let table = section.table("limits")?;
    table.map(|table| Section::new(section.document, table, "`limits`", LIMITS)).transpose()
}

pub(super) fn limits(section: &Section<'_, '_>) -> Result<Limits, ConfigError> {
    let usual = Limits::default();
    Ok(Limits {
        time: section.number("time_ms")?.map_or(usual.time, Duration::from_millis),
        memory: section.number("memory_bytes")?.or(usual.memory),
        output: section.number("output_bytes")?.unwrap_or(usual.output),
        drain: section.number("drain_ms")?.map_or(usual.drain, Duration::from_millis),
    })
}

fn values(found: Option<Vec<Found<&str>>>) -> Vec<String> {
    found.unwrap_or_default().into_iter().map(|found| found.value.to_owned()).collect()
}
