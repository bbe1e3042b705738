//! Configurations are read, or refused with the words that are expected here.

use super::*;
use crate::plugin::spec::{Build, Limits, Mechanism, Mode, Source};
use std::error::Error;
use std::fs;
use std::time::Duration;

mod rpc;
mod told;

/// A folder with a program's configuration, some files and one drop-in, `x`.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        for folder in ["plugins/x/sub", "open", "data"] {
            fs::create_dir_all(place.at(folder)).expect("a folder");
        }
        let files = ["libgreeter.so", "greeter.c", "tool", "plugins/x/run", "plugins/x/sub/run", "plugins/stray"];
        for file in files {
            place.write(file, "");
        }
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::write(self.at(path), text).expect("a file");
    }

    /// The error in a `pitstop.toml`, with `DIR` for the folder.
    fn wrong(&self, text: &str) -> String {
        self.write("pitstop.toml", text);
        self.told(read(&self.at("pitstop.toml")))
    }

    /// The same for the drop-in.
    fn drop_in_wrong(&self, text: &str) -> String {
        self.write("plugins/x/plugin.toml", text);
        self.told(read_drop_in(&self.at("plugins/x/plugin.toml"), &Policy::RefuseWorldWritable))
    }

    fn told<T: std::fmt::Debug>(&self, result: Result<T, ConfigError>) -> String {
        let told = result.map_or_else(|error| error.to_string(), |value| format!("no error, but {value:?}"));
        told.replace(self.0.path().to_str().expect("UTF-8"), "DIR")
    }
}

#[cfg(unix)]
fn link(target: impl AsRef<Path>, at: PathBuf) {
    std::os::unix::fs::symlink(target, at).expect("a link");
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

#[test]
fn everything_that_may_be_written_is_read() {
    let place = Place::new();
    let digest = "00ff".repeat(16);
    place.write(
        "pitstop.toml",
        format!(
            r#"
[plugins]
directories = ["./plugins", "open"]
world-writable = "allow"
staging = "copies"

[[plugin]]
name = "greeter"
mechanism = "exec"
artifact = "./tool"
build = "sh 'make it.sh' {{out}}"
watch = ["greeter.c", "data"]
mode = "serve"
arguments = ["--fast", ""]
environment = ["PATH", "HOME"]
set = {{ GREETING = "Hello", EMPTY = "" }}
directory = "data"
sha256 = "{digest}"
enabled = false
limits = {{ time_ms = 1, memory_bytes = 0x1000_0000, output_bytes = 1_000, drain_ms = 7 }}

[[plugin]]
name = "of.a-crate_2"
mechanism = "dylib"
crate = "greeter-plugin"
"#
        ),
    );
    let config = read(&place.at("pitstop.toml")).expect("good");
    assert_eq!(config.directories, [place.at("plugins"), place.at("open")]);
    assert_eq!(config.policy, Policy::AllowWorldWritable);
    assert_eq!(config.staging, Some(place.at("copies")));
    let [greeter, of_a_crate] = &config.plugins[..] else { panic!("two plugins, not {:?}", config.plugins) };
    let command = ["sh", "make it.sh", "{out}"].map(str::to_owned).to_vec();
    let expected = Spec {
        name: "greeter".to_owned(),
        mechanism: Mechanism::Exec,
        source: Source::File(place.at("tool")),
        mode: Mode::Serve,
        arguments: vec!["--fast".to_owned(), String::new()],
        rpc: crate::plugin::spec::Rpc::default(),
        wasm: crate::plugin::spec::Wasm::default(),
        build: Some(Build { command, watch: vec![place.at("greeter.c"), place.at("data")] }),
        limits: Limits {
            time: Duration::from_millis(1),
            memory: Some(1 << 28),
            output: 1000,
            drain: Duration::from_millis(7),
        },
        environment: vec!["PATH".to_owned(), "HOME".to_owned()],
        set: [("GREETING", "Hello"), ("EMPTY", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        directory: place.at("data"),
        sha256: Some([[0, 0xff]; 16].concat().try_into().expect("32 bytes")),
        enabled: false,
        origin: crate::plugin::spec::Origin { file: place.at("pitstop.toml"), line: 7, drop_in: false },
    };
    assert_eq!(*greeter, expected);
    assert_eq!((of_a_crate.mechanism, &of_a_crate.build), (Mechanism::Dylib, &None));
    assert_eq!(of_a_crate.source, Source::Crate("greeter-plugin".to_owned()));
    assert_eq!((&of_a_crate.limits, of_a_crate.enabled), (&Limits::default(), true));
}

#[test]
fn what_is_built_need_not_be_there_and_its_whole_folder_is_watched() {
    let place = Place::new();
    for build in [r#"build = "make""#, r#"build = ["make"]"#] {
        let text = format!("[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"out/liba.so\"\n{build}\n");
        place.write("pitstop.toml", text);
        let config = read(&place.at("pitstop.toml")).expect("good");
        let build = Build { command: vec!["make".to_owned()], watch: vec![place.0.path().to_owned()] };
        assert_eq!(config.plugins[0].build, Some(build));
        assert_eq!(config.plugins[0].source, Source::File(place.at("out/liba.so")));
    }
}

#[test]
fn a_drop_in_has_the_name_of_its_folder_if_it_says_no_other() {
    let place = Place::new();
    let file = place.at("plugins/x/plugin.toml");
    for (name, expected) in [("", "x"), ("name = \"other\"\n", "other")] {
        place
            .write("plugins/x/plugin.toml", format!("\u{feff}{name}mechanism = \"exec\"\nartifact = \"sub/../run\"\n"));
        let spec = read_drop_in(&file, &Policy::default()).expect("good");
        assert_eq!((&*spec.name, spec.directory), (expected, place.at("plugins/x")));
        assert!(spec.origin.drop_in && spec.origin.file == file && spec.origin.line == 1);
    }
}

#[test]
fn an_empty_configuration_has_no_plugins() {
    let place = Place::new();
    place.write("pitstop.toml", "# nothing yet\n");
    assert_eq!(read(&place.at("pitstop.toml")).expect("good"), Config::default());
}

#[test]
fn drop_ins_are_found_sorted_and_what_is_no_folder_is_passed_over() {
    let place = Place::new();
    for name in ["b", "a", "without"] {
        fs::create_dir(place.at("plugins").join(name)).expect("a folder");
    }
    place.write("plugins/b/plugin.toml", "");
    place.write("plugins/x/plugin.toml", "");
    // What is no file is found too, for its error to be told.
    fs::create_dir(place.at("plugins/a/plugin.toml")).expect("a folder");
    let found = ["a", "b", "x"].map(|name| place.at("plugins").join(name).join("plugin.toml"));
    assert_eq!(drop_ins(&place.at("plugins")), found);
    assert!(drop_ins(&place.at("nowhere")).is_empty() && drop_ins(&place.at("tool")).is_empty());
}

#[test]
fn a_limit_that_a_mechanism_cannot_keep_is_told_at_its_key() {
    let text = "mechanism = \"c\"\nlimits = { drain_ms = 1, time_ms = 30000 }\n";
    let document = Document { file: Path::new("plugin.toml"), text };
    let table = document.parse().expect("TOML");
    let section = Section::new(&document, Found { value: &table, at: 0 }, "a plugin", entry::KEYS).expect("good");
    let limits = entry::limits_section(&section).expect("good");
    for (key, place) in [("limits.time_ms", "2:26"), ("time_ms", "2:26"), ("limits", "2:1"), ("mode", "1:1")] {
        let told = entry::unkept(&section, limits.as_ref(), key, "no process").to_string();
        assert_eq!(told, format!("plugin.toml:{place}: `{key}` cannot be kept: no process"));
    }
    // The usual limit was written, and a mechanism that has none is to see that.
    let written = entry::limits(limits.as_ref().expect("limits")).expect("good");
    assert_eq!(written, Limits { drain: Duration::from_millis(1), ..Limits::default() });
    assert_ne!(entry::as_written(&written, limits.as_ref()).time, written.time);
    assert_eq!(entry::as_written(&written, None), written);
}

#[test]
fn odd_names_are_refused() {
    let place = Place::new();
    let long = "a".repeat(65);
    for name in ["", ".hidden", "..", "a b", "a/b", "ä", "a\\n", &long] {
        let told = place.wrong(&format!("[[plugin]]\nmechanism = \"c\"\nname = \"{name}\"\ncrate = \"a\""));
        let shown = if name == long { format!("{}…", &long[..60]) } else { name.to_owned() };
        let expected = format!(
            "DIR/pitstop.toml:3:8: `name` is `{shown}`; a name is 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`, and does \
             not begin with `.`; write `name = \"greeter\"`"
        );
        assert_eq!(told, expected);
    }
    assert!(
        place
            .wrong(&format!("[[plugin]]\nmechanism = \"c\"\nname = \"{}\"\ncrate = \"a\"", &long[1..]))
            .starts_with("no error")
    );
}

#[test]
fn a_folder_whose_name_is_no_plugins_asks_for_one() {
    let place = Place::new();
    fs::create_dir(place.at("plugins/a b")).expect("a folder");
    place.write("plugins/a b/plugin.toml", "mechanism = \"c\"\ncrate = \"a\"");
    let expected = "DIR/plugins/a b/plugin.toml:1:1: without `name` it is that of the folder: `a b`; a name is 1 to 64 of \
                    a-z, A-Z, 0-9, `-`, `_` and `.`, and does not begin with `.`; write `name = \"greeter\"`";
    assert_eq!(place.told(read_drop_in(&place.at("plugins/a b/plugin.toml"), &Policy::default())), expected);
}

#[test]
fn a_name_that_is_taken_is_told_with_both_places() {
    let place = Place::new();
    place.write("pitstop.toml", "\n[[plugin]]\nname = \"x\"\nmechanism = \"c\"\ncrate = \"x\"");
    let by = read(&place.at("pitstop.toml")).expect("good").plugins.remove(0);
    place.write("plugins/x/plugin.toml", "mechanism = \"exec\"\nartifact = \"run\"");
    let spec = read_drop_in(&place.at("plugins/x/plugin.toml"), &Policy::default()).expect("good");
    let expected = "DIR/plugins/x/plugin.toml:1:1: the name `x` is that of the plugin at DIR/pitstop.toml:2; give one of \
                    them another `name`";
    assert_eq!(place.told::<()>(Err(taken(&spec, &by))), expected);
}

#[test]
fn an_error_has_its_parts_and_its_cause() {
    let place = Place::new();
    place.write("pitstop.toml", "[plugins]\n  staging = 1");
    let error = read(&place.at("pitstop.toml")).expect_err("bad");
    assert_eq!((error.file(), error.line(), error.column()), (&*place.at("pitstop.toml"), 2, 13));
    assert!(error.source().is_none());
    let error = read(&place.at("none.toml")).expect_err("bad");
    assert!(error.source().is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some()));
    let told = place.told::<()>(Err(error));
    assert_eq!(told, "DIR/none.toml:1:1: this cannot be read: No such file or directory (os error 2)");
}

#[test]
fn what_is_no_text_file_is_refused_as_a_whole() {
    let place = Place::new();
    let told = || place.told(read(&place.at("pitstop.toml")));
    place.write("pitstop.toml", b"# good\n# \xc3\xa4\xff");
    assert_eq!(told(), "DIR/pitstop.toml:2:4: this is no UTF-8 from here on; save the file as UTF-8");
    place.write("pitstop.toml", "#".repeat(1 << 20));
    assert!(told().starts_with("no error"));
    place.write("pitstop.toml", "#".repeat((1 << 20) + 1));
    assert_eq!(
        told(),
        "DIR/pitstop.toml:1:1: this is longer than 1048576 bytes, which no configuration is; is it another file?"
    );
    fs::remove_file(place.at("pitstop.toml")).expect("removed");
    fs::create_dir(place.at("pitstop.toml")).expect("a folder");
    assert_eq!(told(), "DIR/pitstop.toml:1:1: this is a folder; a file of TOML is to be in its place");
}

#[cfg(unix)]
#[test]
fn a_fifo_is_refused_and_does_not_block() {
    let place = Place::new();
    for path in ["pitstop.toml", "fifo"] {
        let made = std::process::Command::new("mkfifo").arg(place.at(path)).status().expect("mkfifo");
        assert!(made.success());
    }
    let told = place.told(read(&place.at("pitstop.toml")));
    assert_eq!(told, "DIR/pitstop.toml:1:1: this is a FIFO; a file of TOML is to be in its place");
    fs::remove_file(place.at("pitstop.toml")).expect("removed");
    let told = place.wrong("[[plugin]]\nname = \"a\"\nmechanism = \"exec\"\nartifact = \"fifo\"");
    assert_eq!(told, "DIR/pitstop.toml:4:12: `artifact` is no file to load: DIR/fifo is a FIFO, not a file");
}

#[cfg(unix)]
#[test]
fn links_of_a_drop_in_stay_inside_and_a_programs_own_lead_anywhere() {
    let place = Place::new();
    link(place.at("tool"), place.at("plugins/x/out"));
    link("sub/run", place.at("plugins/x/in"));
    link(place.0.path(), place.at("plugins/x/up"));
    link("nowhere", place.at("plugins/x/dangling"));
    let of = |artifact: &str| place.drop_in_wrong(&format!("mechanism = \"exec\"\nartifact = \"{artifact}\""));
    let at = "DIR/plugins/x/plugin.toml:2:12: `artifact` is";
    let stay = "a drop-in's paths stay in its folder DIR/plugins/x";
    assert_eq!(of("out"), format!("{at} `out`, a link that leads out to DIR/tool; {stay}"));
    assert_eq!(of("up/tool"), format!("{at} `up/tool`, a link that leads out to DIR/tool; {stay}"));
    assert_eq!(of("up/none"), format!("{at} `up/none`, a link that leads out to DIR; {stay}"));
    assert_eq!(of("dangling"), format!("{at} `dangling`: a link that leads nowhere"));
    assert!(of("in").starts_with("no error"));
    link("nowhere", place.at("dangling"));
    link("tool", place.at("link"));
    let own = |artifact: &str| {
        place.wrong(&format!("[[plugin]]\nname = \"a\"\nmechanism = \"c\"\nartifact = \"{artifact}\""))
    };
    let nowhere = "DIR/pitstop.toml:4:12: `artifact` is no file to load: DIR/dangling is a link that leads nowhere";
    assert_eq!(own("dangling"), nowhere);
    assert!(own("link").starts_with("no error") && own("/bin/sh").starts_with("no error"));
}

#[cfg(unix)]
#[test]
fn what_everybody_may_write_is_refused_unless_it_is_allowed() {
    let place = Place::new();
    let rest = "so that others could put their code into the program;";
    let allow = "or write `world-writable = \"allow\"` below `[plugins]` in pitstop.toml";
    let own = "[[plugin]]\nname = \"a\"\nmechanism = \"exec\"\nartifact = \"tool\"";
    let directories = "[plugins]\ndirectories = [\"open\"]";
    permit(&place.at("tool"), 0o666);
    permit(&place.at("open"), 0o1777);
    let refused = |path: &str, mode: &str| {
        format!("{path} may be written by everybody (mode {mode}), {rest} `chmod o-w {path}`, {allow}")
    };
    let told = place.wrong(own);
    assert_eq!(told, format!("DIR/pitstop.toml:4:12: `artifact` is refused: {}", refused("DIR/tool", "0666")));
    let told = place.wrong(directories);
    let expected = refused("DIR/open", "1777");
    assert_eq!(told, format!("DIR/pitstop.toml:2:16: `directories` names a folder that is refused: {expected}"));
    let allowed = place.wrong(&format!("{directories}\nworld-writable = \"allow\"\n{own}"));
    assert!(allowed.starts_with("no error"), "{allowed}");

    let drop_in = "mechanism = \"exec\"\nartifact = \"sub/run\"";
    assert!(place.drop_in_wrong(drop_in).starts_with("no error"));
    for (path, mode, at) in [
        ("plugins/x", 0o777, "1:1: this plugin is refused:"),
        ("plugins/x/plugin.toml", 0o646, "1:1: this plugin is refused:"),
        ("plugins/x/sub", 0o703, "2:12: `artifact` is refused:"),
        ("plugins/x/sub/run", 0o757, "2:12: `artifact` is refused:"),
    ] {
        permit(&place.at(path), mode);
        let expected = refused(&format!("DIR/{path}"), &format!("{mode:04o}"));
        assert_eq!(place.drop_in_wrong(drop_in), format!("DIR/plugins/x/plugin.toml:{at} {expected}"));
        let file = place.at("plugins/x/plugin.toml");
        assert!(read_drop_in(&file, &Policy::AllowWorldWritable).is_ok());
        permit(&place.at(path), 0o755);
    }
}

/// Only root can give a file away; for others this tests nothing.
#[cfg(unix)]
#[test]
fn what_another_user_owns_is_refused_unless_it_is_allowed() {
    let place = Place::new();
    if std::os::unix::fs::chown(place.at("plugins/x"), Some(4321), None).is_err() {
        return;
    }
    let told = place.drop_in_wrong("mechanism = \"exec\"\nartifact = \"run\"");
    let expected = "DIR/plugins/x/plugin.toml:1:1: this plugin is refused: DIR/plugins/x belongs to user 4321, who is \
                    neither root nor the one that runs the program (0), so that others could put their code into the \
                    program; `chown 0 DIR/plugins/x`, or write `world-writable = \"allow\"` below `[plugins]` in \
                    pitstop.toml";
    assert_eq!(told, expected);
    assert!(read_drop_in(&place.at("plugins/x/plugin.toml"), &Policy::AllowWorldWritable).is_ok());
}
