//! Files and folders that are not what they were, or that others could change.

use super::row::{Bad, Case, DROP_IN, Done, Expected, FILE, Row};
use crate::plugin::garage::{Garage, Mechanism, version};
use pitstop_host::{Plugin, PluginError, Plugins, PluginsError, Rule};
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const fn replaced(name: &'static str, replace: fn(&Garage), rule: Rule, text: &'static str) -> Row {
    let (bad, done) = (Bad::Good(Mechanism::Once), Done::Replaced(replace));
    Row { name, bad, more: "", done, expected: Expected::Refused(rule, text) }
}

const fn other(name: &'static str, bad: Bad, more: &'static str, deed: fn(&mut Case)) -> Row {
    Row { name, bad, more, done: Done::Else(deed), expected: Expected::Said }
}

pub(super) const ROWS: &[Row] = &[
    replaced(
        "becomes a folder",
        |garage| exchange(garage, |draft| std::fs::create_dir(draft).expect("a folder")),
        Rule::File,
        "expected a file, found a folder; name the plugin's file as `artifact`",
    ),
    replaced(
        "becomes a dangling link",
        |garage| exchange(garage, |draft| symlink("nowhere", draft).expect("a link")),
        Rule::File,
        "found a link to nowhere, which is not there; mend the link",
    ),
    replaced(
        "becomes a link to itself",
        |garage| exchange(garage, |draft| symlink(FILE, draft).expect("a link")),
        Rule::File,
        "expected a file that can be read, found ",
    ),
    replaced("becomes a FIFO", |garage| exchange(garage, fifo), Rule::File, "expected a file, found a FIFO"),
    replaced(
        "is not executable",
        |garage| garage.write(FILE, "#!/bin/sh\nexit 0\n"),
        Rule::File,
        "found a file that nobody may execute; `chmod +x ",
    ),
    replaced(
        "may be written by everybody",
        |garage| {
            garage.script("draft", "#!/bin/sh\nexit 64\n");
            exchange(garage, |draft| mode(draft, 0o777));
        },
        Rule::File,
        "may be written by everybody (mode 0777)",
    ),
    replaced(
        "is longer than any plugin",
        |garage| {
            garage.script("draft", "#!/bin/sh\n");
            exchange(garage, |draft| {
                let file = OpenOptions::new().write(true).open(draft).expect("a file");
                file.set_len((1 << 30) + 1).expect("sparse");
            });
        },
        Rule::File,
        "expected a file of at most 1073741824 bytes, found one of 1073741825 bytes",
    ),
    Row {
        bad: Bad::C(&[]),
        more: "sha256 = \"00000000000000000000000000000000000000000000000000000000000000aa\"\n",
        done: Done::Else(pinned),
        ..replaced("is not the file of the digest", |_| (), Rule::Checksum, "")
    },
    other("changes while it is staged", Bad::Good(Mechanism::Once), "", written_without_pause),
    other("is swapped between check and use", Bad::Absent(two_programs), "", swapped),
    other("is made executable after it was refused", Bad::Good(Mechanism::Once), "", made_executable),
    other("lies in a folder that everybody may write", Bad::Absent(open_folder), "", refused_and_closed),
    other(
        "lies in a folder that everybody may write, which is allowed",
        Bad::Absent(open_folder),
        "world-writable = \"allow\"\n",
        allowed,
    ),
    other("has all plugins in a folder that everybody may write", Bad::Absent(|_| ()), "", open_directory),
    other("loses its working directory", Bad::Good(Mechanism::Once), "directory = \"plugins\"\n", without_directory),
    other("loses its copy", Bad::Good(Mechanism::Once), "", without_copy),
    other("is a crate without a session", Bad::Absent(|_| ()), "", crate_without_session),
    other("is given in a file that is not there", Bad::Absent(|_| ()), "", not_there),
    other("is given in a file that is a folder", Bad::Absent(|_| ()), "", no_file),
    other("is given in a file that is no text", Bad::Absent(|_| ()), "", no_text),
    other("is given in a file that has no end", Bad::Absent(|_| ()), "", no_end),
];

/// Puts what this makes in the place of the plugin's file, at one moment.
fn exchange(garage: &Garage, make: impl FnOnce(&Path)) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let draft = garage.path("draft");
    make(&draft);
    renameat_with(CWD, &draft, CWD, garage.path(FILE), RenameFlags::EXCHANGE).expect("in place");
}

fn fifo(path: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).expect("a FIFO");
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}

fn pinned(case: &mut Case) {
    let problem = case.problem("bad").expect("a refusal");
    let expected =
        "(checksum): expected SHA-256 00000000000000000000000000000000000000000000000000000000000000aa, found ";
    assert!(problem.contains(expected) && problem.contains("write its digest as `sha256` at"), "{problem}");
    // What it advises is done.
    let found = problem.split(", found ").nth(1).and_then(|rest| rest.split(';').next()).expect("a digest").to_owned();
    let text = std::fs::read_to_string(case.garage.path("pitstop.toml")).expect("a file");
    let pin = "00000000000000000000000000000000000000000000000000000000000000aa";
    case.garage.write("pitstop.toml", &text.replace(pin, &found));
    case.ear.live("bad");
    assert!(case.plugins.get("bad").expect("known").process(b"x").is_ok());
}

/// Ends the other thread of a race, however this one ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// By several threads: on a machine with much to do one of them stands still for longer than is looked at.
fn written_without_pause(case: &mut Case) {
    let path = case.garage.path(FILE);
    let over = AtomicBool::new(false);
    let file = OpenOptions::new().append(true).open(&path).expect("a file");
    let write = || (&file).write_all(b"\n").expect("written");
    write();
    let error = std::thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..8 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    write();
                }
            });
        }
        std::iter::repeat_with(|| case.plugins.load_version("bad", &path)).take(50).find_map(Result::err)
    });
    let error = error.expect("it is never whole");
    let PluginsError::Refused { reasons, .. } = error else { panic!("{error}") };
    assert_eq!(reasons[0].rule, Rule::Complete);
    assert_eq!(reasons[0].found, "it changes while it is being staged");
    case.mend(Mechanism::Once);
}

/// One in the folder of a drop-in, and one elsewhere; they tell which they are.
fn two_programs(garage: &Garage) {
    let says =
        |what: &str| format!("#!/bin/sh\n[ \"$1\" = describe ] || exit 64\nprintf '{{\"version\":\"{what}\"}}'\n");
    garage.script("plugins/bad/inside", &says("inside"));
    garage.script("outside", &says("outside"));
    symlink("inside", garage.path("plugins/bad/link")).expect("a link");
    garage.write(DROP_IN, "mechanism = \"exec\"\nartifact = \"link\"\n");
}

fn swapped(case: &mut Case) {
    let (link, draft) = (case.garage.path("plugins/bad/link"), case.garage.path("draft"));
    let (over, mut loaded, mut refused) = (AtomicBool::new(false), 0, 0);
    std::thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            for target in ["../../outside", "inside"].iter().cycle() {
                symlink(target, &draft).expect("a link");
                std::fs::rename(&draft, &link).expect("in its place");
                if over.load(Ordering::Relaxed) && *target == "inside" {
                    return;
                }
            }
        });
        while loaded < 10 || refused < 10 {
            match case.plugins.load_version("bad", &link) {
                Ok(_) => loaded += 1,
                Err(PluginsError::Refused { reasons, .. }) => {
                    let reason = reasons[0].to_string();
                    assert!(reason.contains("expected a file in the plugin's folder"), "{reason}");
                    assert!(reason.contains("in place of the link that leads out"), "{reason}");
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    let versions = case.plugins.versions("bad").expect("it is known");
    assert!(versions.len() > 9 && versions.iter().all(|version| version.version == "inside"), "{versions:?}");
}

fn made_executable(case: &mut Case) {
    case.garage.write(FILE, "#!/bin/sh\n[ \"$1\" = process ] || exit 64\nprintf version-0002");
    assert_eq!(case.ear.rejected("bad")[0].rule, Rule::File);
    mode(&case.garage.path(FILE), 0o755);
    case.ear.live("bad");
    assert_eq!(case.plugins.get("bad").expect("known").process_text("x"), Ok(version(2)));
}

fn open_folder(garage: &Garage) {
    garage.script("plugins/bad/run", "#!/bin/sh\n[ \"$1\" = process ] || exit 64\nprintf version-0002");
    garage.write(DROP_IN, "mechanism = \"exec\"\nartifact = \"run\"\n");
    mode(&garage.path("plugins/bad"), 0o777);
}

fn refused_and_closed(case: &mut Case) {
    let problem = case.problem("bad").expect("a refusal");
    let folder = case.garage.path("plugins/bad");
    for part in [
        "plugin.toml:1:1: this plugin is refused: ",
        "may be written by everybody (mode 0777), so that others could put their code into the program",
        &format!("`chmod o-w {}`", folder.display()),
        "or write `world-writable = \"allow\"` below `[plugins]` in pitstop.toml",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
    assert!(matches!(case.plugins.get("bad"), Err(PluginsError::Unknown { .. })));
    mode(&folder, 0o755);
    case.ear.live("bad");
    assert_eq!(case.plugins.get("bad").expect("known").process_text("x"), Ok(version(2)));
}

fn allowed(case: &mut Case) {
    assert_eq!(case.plugins.get("bad").expect("known").process_text("x"), Ok(version(2)));
}

fn open_directory(case: &mut Case) {
    mode(&case.garage.path("plugins"), 0o777);
    let error = Plugins::open(case.garage.path("pitstop.toml")).expect_err("it is refused").to_string();
    mode(&case.garage.path("plugins"), 0o755);
    assert!(error.contains("pitstop.toml:3:16: `directories` names a folder that is refused: "), "{error}");
    assert!(error.contains("may be written by everybody (mode 0777)"), "{error}");
}

fn without_directory(case: &mut Case) {
    let bad = case.plugins.get("bad").expect("it is known");
    bad.process(b"x").expect("a directory that is there");
    std::fs::remove_dir(case.garage.path("plugins")).expect("removed");
    let error = bad.process(b"x").expect_err("it cannot start");
    assert!(matches!(error, PluginError::NotStarted { .. }), "{error}");
    assert!(error.to_string().contains("its working directory"), "{error}");
    std::fs::create_dir(case.garage.path("plugins")).expect("a folder");
    bad.process(b"x").expect("a directory that is there again");
}

fn without_copy(case: &mut Case) {
    let copies = case.copies("bad-");
    std::fs::remove_dir_all(&copies[0]).expect("removed");
    let bad = case.plugins.get("bad").expect("it is known");
    let error = bad.process(b"x").expect_err("it cannot start");
    assert!(matches!(error, PluginError::NotStarted { .. }), "{error}");
    assert!(error.to_string().contains("it is not there (ENOENT)"), "{error}");
    case.mend(Mechanism::Once);
}

fn crate_without_session(case: &mut Case) {
    let text = std::fs::read_to_string(case.garage.path("pitstop.toml")).expect("a file");
    let more = "[[plugin]]\nname = \"bad\"\nmechanism = \"dylib\"\ncrate = \"no-such-crate\"\n";
    case.garage.write("pitstop.toml", &(text + more));
    let reasons = case.ear.rejected("bad");
    assert_eq!(reasons[0].rule, Rule::File);
    let said = reasons[0].to_string();
    for part in ["pitstop.toml:8 (file): ", "expected the library of crate `no-such-crate`", "`cargo pitstop run`"] {
        assert!(said.contains(part), "{said}");
    }
    let error = case.plugins.get("bad").expect("it is known").process(b"x").expect_err("it has no version");
    assert!(matches!(error, PluginError::Unavailable { .. }) && error.to_string().contains(&said), "{error}");
}

/// Opens another file, of which nothing can be read.
fn unread(case: &Case, file: &str, text: &str) {
    let path = case.garage.path(file);
    let error = Plugins::open(&path).expect_err("nothing to open");
    assert!(matches!(error, PluginsError::Config(_)), "{error}");
    let (error, expected) = (error.to_string(), format!("{}:{text}", path.display()));
    assert!(error.starts_with(&expected), "{error}\nin place of\n{expected}");
    assert!(case.plugins.load(&path).is_err());
}

fn not_there(case: &mut Case) {
    unread(case, "nowhere.toml", "1:1: this cannot be read: No such file");
}

fn no_file(case: &mut Case) {
    unread(case, "plugins", "1:1: this is a folder; a file of TOML is to be in its place");
}

fn no_text(case: &mut Case) {
    case.garage.write_bytes("other.toml", b"[plugins]\n# caf\xe9\n");
    unread(case, "other.toml", "2:6: this is no UTF-8 from here on");
}

fn no_end(case: &mut Case) {
    File::create(case.garage.path("other.toml")).and_then(|file| file.set_len(2 << 20)).expect("sparse");
    unread(case, "other.toml", "1:1: this is longer than 1048576 bytes, which no configuration is");
}
