//! What is no file to load, or somebody else's.

use super::*;
use std::os::unix::fs::symlink;

#[test]
fn what_is_no_file_to_load_is_refused() {
    let place = Place::new();
    fs::create_dir(place.at("x/folder")).expect("a folder");
    fs::write(place.at("x/plain"), "1").expect("a file");
    permit(&place.at("x/plain"), 0o644);
    place.program("x/empty", "");
    place.program("x/huge", "");
    File::options().write(true).open(place.at("x/huge")).and_then(|file| file.set_len((1 << 30) + 1)).expect("a hole");
    symlink("nowhere", place.at("x/dangling")).expect("a link");
    symlink("loop", place.at("x/loop")).expect("a link");
    let made = std::process::Command::new("mkfifo").arg(place.at("x/fifo")).status().expect("mkfifo");
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(place.at("x/socket")).expect("a socket");
    for (file, expected) in [
        ("none", "(file): expected a file that can be read, found nothing; build the plugin, or mend `artifact`"),
        (
            "dangling",
            "(file): expected a file that can be read, found a link to nowhere, which is not there; mend the link, or \
             build the plugin",
        ),
        (
            "loop",
            "(file): expected a file that can be read, found Too many levels of symbolic links (os error 40); see what it \
             is, and its permissions",
        ),
        ("folder", "(file): expected a file, found a folder; name the plugin's file as `artifact`"),
        ("fifo", "(file): expected a file, found a FIFO; name the plugin's file as `artifact`"),
        (
            "socket",
            "(file): expected a file that can be read, found No such device or address (os error 6); see what it is, and \
             its permissions",
        ),
        ("plain", "(file): expected a program, found a file that nobody may execute; `chmod +x DIR/x/plain`"),
        ("empty", "(complete): expected a plugin, found an empty file; see whether it was built to its end"),
        (
            "huge",
            "(file): expected a file of at most 1073741824 bytes, found one of 1073741825 bytes; name the plugin's file as \
             `artifact`",
        ),
    ] {
        assert_eq!(place.refused(&format!("x/{file}")), format!("DIR/x/{file} {expected}"));
    }
    // Nothing of what was refused is left, and the same number is free for what is good.
    place.program("x/run", "1");
    place.stage(&place.spec(Mechanism::Exec, "x/run"), 1).expect("staged");
}

#[test]
fn a_device_is_no_file() {
    let place = Place::new();
    let mut spec = place.spec(Mechanism::Exec, "x/run");
    spec.origin.drop_in = false;
    spec.source = Source::File(PathBuf::from("/dev/zero"));
    let told = place.told(place.stage(&spec, 1));
    assert_eq!(told, "/dev/zero (file): expected a file, found a device; name the plugin's file as `artifact`");
}

#[test]
fn what_leads_out_of_a_drop_in_is_refused_and_what_stays_in_is_not() {
    let place = Place::new();
    let out = place.program("out", "out");
    fs::create_dir(place.at("x/sub")).expect("a folder");
    place.program("x/sub/run", "in");
    symlink(&out, place.at("x/out")).expect("a link");
    symlink("..", place.at("x/up")).expect("a link");
    symlink("sub/run", place.at("x/in")).expect("a link");
    let expected = "expected a file in the plugin's folder DIR/x, found DIR/out; put the file itself there, in place of the \
                    link that leads out";
    assert_eq!(place.refused("x/out"), format!("DIR/x/out (file): {expected}"));
    assert_eq!(place.refused("x/up/out"), format!("DIR/x/up/out (file): {expected}"));
    assert_eq!(place.refused("x/../out"), format!("DIR/x/../out (file): {expected}"));
    let candidate = place.stage(&place.spec(Mechanism::Exec, "x/in"), 1).expect("staged");
    assert_eq!(*candidate.bytes, *b"in");
    let mut own = place.spec(Mechanism::Exec, "x/out");
    own.origin.drop_in = false;
    assert_eq!(*place.stage(&own, 2).expect("a program's own link leads anywhere").bytes, *b"out");
}

#[test]
fn what_everybody_may_write_is_refused_unless_it_is_allowed() {
    for policy in [Policy::RefuseWorldWritable, Policy::AllowWorldWritable] {
        let place = Place::with(policy);
        fs::create_dir(place.at("x/sub")).expect("a folder");
        place.program("x/sub/run", "1");
        for (number, (path, mode)) in [("x/sub/run", 0o757), ("x/sub", 0o1777), ("x", 0o707)].into_iter().enumerate() {
            permit(&place.at(path), mode);
            let told = place.told(place.stage(&place.spec(Mechanism::Exec, "x/sub/run"), number as u32));
            let expected = format!(
                "DIR/x/sub/run (file): expected a file that nobody else can change, found DIR/{path} may be written by \
                 everybody (mode {mode:04o}); `chmod o-w DIR/{path}`, or write `world-writable = \"allow\"` below \
                 `[plugins]` in pitstop.toml"
            );
            match policy {
                Policy::RefuseWorldWritable => assert_eq!(told, expected),
                Policy::AllowWorldWritable => assert!(told.starts_with("no error"), "{told}"),
            }
            permit(&place.at(path), 0o755);
        }
    }
}

/// Only root can give a file away; for others this tests nothing.
#[test]
fn what_another_user_owns_is_refused() {
    let place = Place::new();
    let file = place.program("x/run", "1");
    if std::os::unix::fs::chown(&file, Some(4321), None).is_err() {
        return;
    }
    let expected = "DIR/x/run (file): expected a file that nobody else can change, found DIR/x/run belongs to user 4321, who \
                    is neither root nor the one that runs the program (0); `chown 0 DIR/x/run`, or write `world-writable = \
                    \"allow\"` below `[plugins]` in pitstop.toml";
    assert_eq!(place.refused("x/run"), expected);
}
