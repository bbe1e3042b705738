//! A folder of plugins for a test: files written, compiled, given other versions; and the program that opens them.

use pitstop_host::{Event, Generation, Plugins, Reason};
use pitstop_tests::{Project, TIMEOUT, repository};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A folder with a `pitstop.toml` and the files it names, removed when dropped.
pub(super) struct Garage {
    folder: tempfile::TempDir,
}

/// The place in the file of a plugin that tests write versions into.
const VERSION: &str = "version-0000";

impl Garage {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With one plugin, `echo`, of this mechanism, whose configuration has `more` lines.
    pub(super) fn with_echo(mechanism: Mechanism, more: &str) -> Self {
        let garage = Self::new();
        garage.put(mechanism, 1);
        let (kind, file) = (mechanism.name(), mechanism.file());
        garage.write(
            "pitstop.toml",
            &format!("[[plugin]]\nname = \"echo\"\nmechanism = \"{kind}\"\nartifact = \"{file}\"\n{more}"),
        );
        garage
    }

    /// With one plugin, `echo`, that speaks go-plugin's protocol, whose configuration has `more` lines.
    pub(super) fn with_peer(program: &Path, more: &str) -> Self {
        let garage = Self::new();
        garage.program("peer", &std::fs::read(program).expect("a program"));
        let plugin = "[[plugin]]\nname = \"echo\"\nmechanism = \"rpc\"\nartifact = \"peer\"\n";
        garage.write("pitstop.toml", &format!("{plugin}{more}"));
        garage
    }

    /// Why the only plugin has no version.
    pub(super) fn problem(&self) -> String {
        let list = self.open().list();
        list[0].problem.clone().unwrap_or_else(|| panic!("it has no problem: {list:?}"))
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        self.write_bytes(file, text.as_bytes());
    }

    /// Puts a file in place as a whole, as editors and linkers do.
    pub(super) fn write_bytes(&self, file: &str, bytes: &[u8]) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let draft = self.path(".draft");
        std::fs::write(&draft, bytes).expect("a draft");
        std::fs::rename(&draft, &path).expect("a file in place");
    }

    /// The same, to be executed.
    pub(super) fn script(&self, file: &str, text: &str) {
        self.program(file, text.as_bytes());
    }

    /// The same, of any bytes.
    pub(super) fn program(&self, file: &str, bytes: &[u8]) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let draft = self.path(".draft");
        std::fs::write(&draft, bytes).expect("a draft");
        executable(&draft);
        std::fs::rename(&draft, &path).expect("a file in place");
    }

    /// The echo in a version of this number, under its mechanism's file name.
    pub(super) fn put(&self, mechanism: Mechanism, number: u32) {
        self.put_as(mechanism, number, mechanism.file());
    }

    /// The same, under another name.
    pub(super) fn put_as(&self, mechanism: Mechanism, number: u32, file: &str) {
        let version = version(number);
        match mechanism {
            Mechanism::Once | Mechanism::Serve => {
                self.script(file, &fixture_text(mechanism.source()).replace(VERSION, &version));
            }
            Mechanism::C => self.write_bytes(file, &patched(c_echo(), &version)),
            Mechanism::Dylib => self.write_bytes(file, &patched(rust_echo(), &version)),
        }
    }

    /// Compiles the echo in C with these macros, to `file`.
    pub(super) fn cc(&self, file: &str, macros: &[&str]) {
        let draft = self.path(".compiled");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-I"]).arg(repository().join("host/c/include")).args(macros);
        cc.arg("-o").arg(&draft).arg(fixture("echo.c"));
        assert!(cc.status().is_ok_and(|status| status.success()), "{cc:?}");
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::rename(&draft, path).expect("a file in place");
    }

    pub(super) fn open(&self) -> Plugins {
        Plugins::open(self.path("pitstop.toml")).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// How the echo is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Dylib,
    C,
    Once,
    Serve,
}

impl Mechanism {
    pub(super) const ALL: [Self; 4] = [Self::Dylib, Self::C, Self::Once, Self::Serve];

    /// As `pitstop.toml` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dylib => "dylib",
            Self::C => "c",
            Self::Once | Self::Serve => "exec",
        }
    }

    /// What its configuration needs besides.
    pub(super) fn more(self) -> &'static str {
        match self {
            Self::Serve => "mode = \"serve\"\nenvironment = [\"PATH\"]\n",
            Self::Once => "environment = [\"PATH\"]\n",
            Self::Dylib | Self::C => "",
        }
    }

    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Dylib => "libecho-rust.so",
            Self::C => "libecho.so",
            Self::Once => "echo.sh",
            Self::Serve => "echo.py",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Dylib => "rust/src/lib.rs",
            Self::C => "echo.c",
            Self::Once => "echo.sh",
            Self::Serve => "echo.py",
        }
    }
}

/// What the echo of this number says before and after an input.
pub(super) fn version(number: u32) -> String {
    format!("version-{number:04}")
}

fn fixture(file: &str) -> PathBuf {
    repository().join("tests/fixtures/plugins").join(file)
}

fn fixture_text(file: &str) -> String {
    std::fs::read_to_string(fixture(file)).expect("a fixture")
}

/// The echo in Rust, compiled once.
pub(super) fn rust_echo() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| rust_build(&[]))
}

/// The echo in Rust, compiled with these settings.
pub(super) fn rust_build(environment: &[(&str, &str)]) -> Vec<u8> {
    let project = Project::new("plugins");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "-p", "echo"]).current_dir(project.directory()).env_remove("CARGO_TARGET_DIR");
    cargo.envs(project.pitstop(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    cargo.envs(environment.iter().copied());
    assert!(cargo.status().is_ok_and(|status| status.success()), "{cargo:?}");
    std::fs::read(project.path("target/debug/libecho.so")).expect("a library")
}

/// The echo in C, compiled once.
pub(super) fn c_echo() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let garage = Garage::new();
        garage.cc("libecho.so", &[]);
        std::fs::read(garage.path("libecho.so")).expect("a library")
    })
}

/// The echo in Go, compiled once.
pub(super) fn go_echo() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let garage = Garage::new();
        let mut go = Command::new("go");
        go.args(["build", "-buildmode=c-shared", "-o"]).arg(garage.path("libecho.so")).arg(".");
        go.current_dir(fixture("go")).env("CGO_CFLAGS", format!("-I{}", repository().join("host/c/include").display()));
        // Nothing from elsewhere, and a cache where there is no home.
        go.env("GOFLAGS", "-mod=mod").env("GOCACHE", garage.path("cache")).env("GOTOOLCHAIN", "local");
        assert!(go.status().is_ok_and(|status| status.success()), "{go:?}");
        std::fs::read(garage.path("libecho.so")).expect("a library")
    })
}

/// A file with another version in it.
pub(super) fn patched(bytes: &[u8], version: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(VERSION.len())
        .enumerate()
        .filter(|(_, window)| *window == VERSION.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "the file has no version in it");
    for at in places {
        bytes[at..at + VERSION.len()].copy_from_slice(version.as_bytes());
    }
    bytes
}

pub(super) fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
}

/// The events of plugins, and a program that goes by its safe point meanwhile.
pub(super) struct Ear {
    events: pitstop_host::Events,
    seen: Vec<Event>,
}

impl Ear {
    pub(super) fn of(plugins: &Plugins) -> Self {
        Self { events: plugins.events(), seen: Vec::new() }
    }

    /// The first event from now on of which something is found; the program's safe point comes by until then.
    pub(super) fn hears<R>(&mut self, what: &str, find: impl Fn(&Event) -> Option<R>) -> R {
        let pit = pitstop_host::attach();
        let begun = Instant::now();
        while begun.elapsed() < TIMEOUT {
            pit.safe_point();
            if let Some(event) = self.events.next_within(Duration::from_millis(5)) {
                let found = find(&event);
                self.seen.push(event);
                if let Some(found) = found {
                    return found;
                }
            }
        }
        panic!("no {what} within {TIMEOUT:?}; so far: {:#?}", self.seen);
    }

    pub(super) fn live(&mut self, name: &str) -> Generation {
        let wanted = format!("plugin:{name}");
        self.hears(&format!("live {name}"), |event| match event {
            Event::Live { crate_name, generation, .. } if *crate_name == wanted => Some(*generation),
            Event::Rejected { crate_name, reasons, .. } if *crate_name == wanted => {
                panic!("{crate_name} was refused: {reasons:#?}")
            }
            _ => None,
        })
    }

    pub(super) fn rejected(&mut self, name: &str) -> Vec<Reason> {
        let wanted = format!("plugin:{name}");
        self.hears(&format!("rejected {name}"), |event| match event {
            Event::Rejected { crate_name, reasons, .. } if *crate_name == wanted => Some(reasons.clone()),
            _ => None,
        })
    }

    /// Calls and errors of the next version of a plugin that ends.
    pub(super) fn retired(&mut self, name: &str) -> (Generation, u64, u64) {
        let wanted = format!("plugin:{name}");
        self.hears(&format!("retired {name}"), |event| match event {
            Event::Retired { crate_name, generation, calls, errors } if *crate_name == wanted => {
                Some((*generation, *calls, *errors))
            }
            _ => None,
        })
    }
}

/// Goes by the safe point until something is so. Other tests of this process have safe points too: a swap may be carried out
/// by theirs.
pub(super) fn until(what: &str, is_so: impl Fn() -> bool) {
    let pit = pitstop_host::attach();
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < TIMEOUT, "not within {TIMEOUT:?}: {what}");
        pit.safe_point();
        std::thread::yield_now();
    }
}
