//! One row of the table: how the garage is prepared, what is done, what is expected; and what is to hold after every one.

use crate::plugin::garage::{Ear, Garage, Mechanism, patched, rust_echo, until, version};
use pitstop_host::{Event, Plugin, PluginError, Plugins, PluginsError, Reason, Rule};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// One row.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) bad: Bad,
    /// Further lines of its configuration.
    pub(super) more: &'static str,
    pub(super) done: Done,
    pub(super) expected: Expected,
}

/// What is in the bad plugin's file.
pub(super) enum Bad {
    /// The echo in C, compiled with these macros.
    C(&'static [&'static str]),
    /// The echo in Rust, with this in the place of its version.
    Rust(&'static str),
    /// A script in shell, of which this is what it does when it is called.
    Script(&'static str),
    /// A program that is kept running, in shell; this is what it does at each call. `answer` sends a result.
    Served(&'static str),
    /// These bytes, for this mechanism.
    Bytes(Mechanism, fn() -> Vec<u8>),
    /// Nothing that is wrong, yet.
    Good(Mechanism),
    /// There is no such plugin, but what this puts there.
    Absent(fn(&Garage)),
}

/// What is done with it.
pub(super) enum Done {
    /// It is called.
    Called(&'static [u8]),
    /// It is called for text.
    CalledForText(&'static str),
    /// It is called until something else comes than its process's end.
    CalledOften(&'static str),
    /// It is switched on.
    Enabled,
    /// Its file is replaced while it is live.
    Replaced(fn(&Garage)),
    /// This is `pitstop.toml`.
    Configured(&'static str),
    /// This is `plugins/bad/plugin.toml`.
    DroppedIn(&'static str),
    /// This, which also says what it expects.
    Else(fn(&mut Case)),
}

/// What is expected of it.
pub(super) enum Expected {
    Output(&'static str),
    /// Kind and a part of the text.
    Error(&'static str, &'static str),
    /// The first rule and a part of its text.
    Refused(Rule, &'static str),
    /// Line, column and the beginning of the message.
    Fault(&'static str),
    /// What is done says it.
    Said,
}

/// A row that runs.
pub(super) struct Case {
    pub(super) garage: Garage,
    pub(super) plugins: Plugins,
    pub(super) ear: Ear,
}

/// The file of the bad plugin, and of its drop-in.
pub(super) const FILE: &str = "bad";
pub(super) const DROP_IN: &str = "plugins/bad/plugin.toml";

/// Runs all rows, and tells of all that fail.
pub(super) fn run(rows: &[Row]) {
    let failed: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let payload = catch_unwind(AssertUnwindSafe(|| row.run())).err()?;
            let said = payload.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or_default();
            Some(format!("{}: {said}", row.name))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} rows fail:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

impl Row {
    fn run(&self) {
        let garage = Garage::new();
        garage.put_as(Mechanism::C, 1, "good");
        std::fs::create_dir(garage.path("plugins")).expect("a folder");
        self.bad.put(&garage);
        if let Done::DroppedIn(text) = self.done {
            garage.write(DROP_IN, text);
        }
        garage.write("pitstop.toml", &self.configuration());
        let plugins = garage.open();
        let ear = Ear::of(&plugins);
        let mut case = Case { garage, plugins, ear };
        self.done(&mut case);
        case.assert_good();
        if let Some(mechanism) = self.mended_by() {
            case.mend(mechanism);
            until("one copy of it is left", || case.copies("bad-").len() == 1);
            case.assert_good();
        }
        case.end();
    }

    fn configuration(&self) -> String {
        let general = "[plugins]\nstaging = \"copies\"\ndirectories = [\"plugins\"]\n";
        let good = "[[plugin]]\nname = \"good\"\nmechanism = \"c\"\nartifact = \"good\"\n";
        let Some(mechanism) = self.bad.mechanism() else { return format!("{general}{}{good}", self.more) };
        let enabled = !matches!(self.done, Done::Enabled);
        format!(
            "{general}{good}[[plugin]]\nname = \"bad\"\nmechanism = \"{}\"\nartifact = \"{FILE}\"\nenabled = {enabled}\n{}{}",
            mechanism.name(),
            mechanism.more(),
            self.more
        )
    }

    fn done(&self, case: &mut Case) {
        let bad = || case.plugins.get("bad").expect("it is known");
        match self.done {
            Done::Called(input) => self.expect_call(bad().process(input)),
            Done::CalledForText(input) => self.expect_call(bad().process_text(input).map(String::into_bytes)),
            Done::CalledOften(kind) => {
                let bad = bad();
                let mut result = bad.process(b"x");
                until(kind, || {
                    let is_it = result.as_ref().is_err_and(|error| error.kind() == kind);
                    is_it || bad.process(b"x").is_err_and(|error| error.kind() == kind)
                });
                result = bad.process(b"x");
                self.expect_call(result);
            }
            Done::Enabled => {
                case.plugins.enable("bad").expect("it is known");
                let reasons = case.ear.rejected("bad");
                self.expect_refusal(&reasons);
                let problem = case.problem("bad").expect("it is in the list");
                assert_eq!(problem, reasons[0].to_string());
                let error = case.plugins.get("bad").expect("it is known").process(b"x").expect_err("it has no version");
                assert_eq!(error.to_string(), format!("no plugin `bad`: it is not loaded yet: {problem}"));
            }
            Done::Replaced(replace) => {
                replace(&case.garage);
                self.expect_refusal(&case.ear.rejected("bad"));
                let said = case.plugins.get("bad").expect("it is known").process(b"x");
                assert!(said.is_ok_and(|said| said.starts_with(version(1).as_bytes())), "what is live stays so");
            }
            Done::Configured(text) => self.expect_fault(case, text),
            Done::DroppedIn(_) => {
                let problem = case.problem("bad").unwrap_or_else(|| panic!("not in {:#?}", case.plugins.list()));
                self.expect_place(&case.garage.path(DROP_IN), &problem);
                assert!(matches!(case.plugins.get("bad"), Err(PluginsError::Unknown { .. })));
            }
            Done::Else(deed) => deed(case),
        }
    }

    fn expect_call(&self, result: Result<Vec<u8>, PluginError>) {
        match (&self.expected, result) {
            (Expected::Output(output), Ok(found)) => assert_eq!(String::from_utf8_lossy(&found), *output),
            (Expected::Error(kind, text), Err(error)) => {
                assert_eq!(error.kind(), *kind, "{error}");
                assert!(error.to_string().contains(text), "{error}");
            }
            (_, Ok(found)) => panic!("no error, but {:?}", String::from_utf8_lossy(&found[..found.len().min(99)])),
            (_, Err(error)) => panic!("{error}"),
        }
    }

    fn expect_refusal(&self, reasons: &[Reason]) {
        let Expected::Refused(rule, text) = self.expected else { panic!("refused: {reasons:?}") };
        assert_eq!(reasons[0].rule, rule, "{}", reasons[0]);
        assert!(reasons[0].to_string().contains(text), "{}", reasons[0]);
    }

    /// Of a file that is opened, and of one that is edited while its plugins are live.
    fn expect_fault(&self, case: &mut Case, text: &str) {
        let file = case.garage.path("pitstop.toml");
        let before = std::fs::read_to_string(&file).expect("a file");
        case.garage.write("pitstop.toml", text);
        let error = Plugins::open(&file).expect_err("it has a fault");
        let PluginsError::Config(found) = &error else { panic!("{error}") };
        self.expect_place(&file, &error.to_string());
        let place = format!("{}:{}:{}: ", file.display(), found.line(), found.column());
        assert!(found.file() == file && error.to_string().starts_with(&place), "{error}");
        let told = case.ear.hears("a fault", |event| match event {
            Event::Rejected { reasons, .. } if reasons[0].rule == Rule::Manifest => {
                Some(format!("{}: {}", reasons[0].subject, reasons[0].found))
            }
            _ => None,
        });
        assert_eq!(told, error.to_string());
        assert_eq!(case.problem("good"), Some(told), "what is live is of an older file");
        case.garage.write("pitstop.toml", &before);
        until("it is well again", || case.problem("good").is_none());
    }

    fn expect_place(&self, file: &Path, found: &str) {
        let Expected::Fault(fault) = self.expected else { panic!("a fault: {found}") };
        let folder = file.parent().expect("a folder").display().to_string();
        let expected = format!("{}:{}", file.display(), fault.replace("DIR", &folder));
        assert!(found.starts_with(&expected), "{found}\nin place of\n{expected}");
    }

    /// All but those that say themselves how they end.
    fn mended_by(&self) -> Option<Mechanism> {
        match self.done {
            Done::Configured(_) | Done::Else(_) => None,
            Done::DroppedIn(_) => Some(Mechanism::Once),
            _ => self.bad.mechanism(),
        }
    }
}

impl Bad {
    fn mechanism(&self) -> Option<Mechanism> {
        match self {
            Self::C(_) => Some(Mechanism::C),
            Self::Rust(_) => Some(Mechanism::Dylib),
            Self::Script(_) => Some(Mechanism::Once),
            Self::Served(_) => Some(Mechanism::Serve),
            Self::Bytes(mechanism, _) | Self::Good(mechanism) => Some(*mechanism),
            Self::Absent(_) => None,
        }
    }

    fn put(&self, garage: &Garage) {
        match self {
            Self::C(macros) => garage.cc(FILE, macros),
            Self::Rust(instead) => garage.write_bytes(FILE, &patched(rust_echo(), instead)),
            Self::Script(body) => garage.script(FILE, &script(body)),
            Self::Served(body) => garage.script(FILE, &served(body)),
            Self::Bytes(_, bytes) => garage.program(FILE, &bytes()),
            Self::Good(mechanism) => put_good(garage, *mechanism, 1, FILE),
            Self::Absent(put) => put(garage),
        }
    }
}

fn script(body: &str) -> String {
    format!("#!/bin/sh\n[ \"$1\" = process ] || exit 64\n{body}\n")
}

fn served(body: &str) -> String {
    format!(
        r#"#!/bin/sh
answer() {{ printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$1"; }}
while read -r line; do
    id=${{line#*\"id\":}}; id=${{id%%,*}}
    case $line in
        *'"describe"'*) answer '{{}}' ;;
        *) {body} ;;
    esac
done
"#
    )
}

/// Puts what is quick to start, and right, in the place of whatever is there, at one moment.
fn put_good(garage: &Garage, mechanism: Mechanism, number: u32, file: &str) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let draft = "mended";
    match mechanism {
        Mechanism::C | Mechanism::Dylib => garage.put_as(mechanism, number, draft),
        Mechanism::Once => garage.script(draft, &script(&format!("printf {}", version(number)))),
        Mechanism::Serve => garage.script(draft, &served(&format!("answer '\"{}\"'", version(number)))),
    }
    let (draft, path) = (garage.path(draft), garage.path(file));
    let is_there = path.symlink_metadata().is_ok();
    let flags = if is_there { RenameFlags::EXCHANGE } else { RenameFlags::empty() };
    renameat_with(CWD, draft, CWD, path, flags).expect("in place");
}

impl Case {
    pub(super) fn problem(&self, name: &str) -> Option<String> {
        self.plugins.list().into_iter().find(|plugin| plugin.name == name)?.problem
    }

    /// The other plugin goes on.
    pub(super) fn assert_good(&self) {
        let said = self.plugins.get("good").map(|good| good.process_text("x"));
        assert_eq!(said.expect("it is known"), Ok(format!("{0} x {0}", version(1))), "the good plugin");
    }

    /// The bad one is good again once its file is.
    pub(super) fn mend(&mut self, mechanism: Mechanism) {
        if self.plugins.get("bad").is_ok() {
            put_good(&self.garage, mechanism, 2, FILE);
        } else {
            put_good(&self.garage, mechanism, 2, "plugins/bad/run");
            self.garage.write(DROP_IN, "mechanism = \"exec\"\nartifact = \"run\"\n");
        }
        self.ear.live("bad");
        let said = self.plugins.get("bad").expect("it is known").process(b"x");
        let said = said.unwrap_or_else(|error| panic!("mended: {error}"));
        assert!(said.starts_with(version(2).as_bytes()), "mended: {:?}", String::from_utf8_lossy(&said));
        assert_eq!(self.problem("bad"), None, "mended");
    }

    /// The staged copies whose folders' names begin so.
    pub(super) fn copies(&self, prefix: &str) -> Vec<std::path::PathBuf> {
        let inner = |folder: &Path| -> Vec<std::path::PathBuf> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect()
        };
        let is_one = |path: &std::path::PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix))
        };
        inner(&self.garage.path("copies")).iter().flat_map(|staging| inner(staging)).filter(is_one).collect()
    }

    /// Nothing is left of any plugin once the program has closed them.
    fn end(self) {
        let Self { garage, plugins, ear } = self;
        drop((plugins, ear));
        until("no process is left", || running(&garage).is_empty());
        let copies = garage.path("copies");
        until("no copy is left", || std::fs::read_dir(&copies).expect("a folder").next().is_none());
    }
}

/// The processes of a garage's plugins: all of them have its folder in their environment.
fn running(garage: &Garage) -> Vec<String> {
    let folder = garage.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let has_it = |environment: Vec<u8>| environment.windows(folder.len()).any(|window| window == folder.as_bytes());
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    processes
        .filter(|process| std::fs::read(process.path().join("environ")).is_ok_and(has_it))
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}
