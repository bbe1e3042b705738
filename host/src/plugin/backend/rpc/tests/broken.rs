//! Programs whose handshake is none, or promises what they do not keep.

use super::{Plugin, assert_says};
use crate::plugin::backend::{Instance, backend, prove};
use crate::plugin::config::Policy;
use crate::plugin::spec::{Mechanism, Tls};
use crate::plugin::stage::{Staging, stage};
use pitstop_contract::{Generation, Reason, Rule};
use std::sync::Arc;

#[test]
fn a_program_that_says_nothing_in_time_is_refused_and_ended() {
    let why = Plugin::script("echo waiting >&2\nsleep 60").with_time(300).refused();
    assert_says(&why, &["1|1|unix|/tmp/plugin123|grpc|", "nothing within 300ms", "`limits.time_ms`", "`waiting`"]);
}

#[test]
fn a_program_that_ends_at_once_is_refused_with_its_exit_code_and_its_last_lines() {
    let why = Plugin::script("echo first >&2\necho '[ERROR] no database' >&2\nexit 3").refused();
    assert_says(&why, &["it ended with exit code 3 before any line", "standard error ends in `first`, `no database`"]);
    let why = Plugin::script("kill -9 $$").refused();
    assert_says(&why, &["signal 9 ended it"]);
}

#[test]
fn a_program_that_misses_its_cookie_says_so_and_the_key_for_it_is_named() {
    let body = "[ \"$KV_PLUGIN\" = hello ] || { echo 'This binary is a plugin.' >&2; exit 1; }";
    let why = Plugin::script(body).refused();
    assert_says(&why, &["`This binary is a plugin.`", "set `rpc.cookie`"]);
}

#[test]
fn a_first_line_that_is_no_handshake_is_quoted() {
    let line = |line: &str| Plugin::script(&format!("echo noise >&2\nprintf '{line}\\n'\nsleep 60")).refused();
    assert_says(&line("Starting up..."), &["Starting up...", "print something else first", "`noise`"]);
    assert_says(&line("1|1|unix|/tmp/x"), &["net/rpc", "1|1|unix|/tmp/x"]);
    assert_says(&line("2|1|unix|/tmp/x|grpc|"), &["field 1", "2|1|unix"]);
    assert_says(&line("1|1|udp|x|grpc|"), &["udp", "1|1|udp|x|grpc|"]);
    assert_says(&line("\\377\\376\\001\\033[31m"), &["\\u{1}", "\\u{1b}[31m"]);
    assert_says(&line("1|1|unix|/tmp/x|grpc|@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"), &["field 6"]);
    let long = "x".repeat(120);
    assert_says(&line(&format!("1|1|unix|/tmp/{long}|grpc|")), &["may be 107", "TMPDIR"]);
}

#[test]
fn a_line_without_an_end_is_quoted() {
    let why = Plugin::script("printf '1|1|unix|'\nsleep 60").with_time(300).refused();
    assert_says(&why, &["no end of the line `1|1|unix|` within 300ms"]);
    let why = Plugin::script("printf '1|1|unix|'").refused();
    assert_says(&why, &["exit code 0 before the end of the line `1|1|unix|`"]);
    let why = Plugin::script("exec cat /dev/zero").refused();
    assert_says(&why, &["more than 65536 bytes without an end of a line"]);
    let why = Plugin::script("exec >&-\nexec sleep 60").refused();
    assert_says(&why, &["closed its standard output"]);
}

#[test]
fn a_version_that_was_not_offered_is_refused_and_both_sides_are_named() {
    let plugin = Plugin::script("echo '1|4|unix|/tmp/x|grpc|'\nsleep 60").with(|spec| spec.rpc.versions = vec![1, 3]);
    assert_says(&plugin.refused(), &["`rpc.versions`: 1, 3", "found version 4"]);
}

#[test]
fn a_plugin_that_does_not_know_of_certificates_is_refused_unless_none_are_asked_for() {
    let plugin = Plugin::script("[ -n \"$PLUGIN_CLIENT_CERT\" ] || exit 7\necho '1|1|unix|/tmp/x|grpc|'\nsleep 60");
    let why = plugin.with(|spec| spec.rpc.tls = Tls::Auto).refused();
    assert_says(&why, &["`PLUGIN_CLIENT_CERT`", "AutoMTLS", "tls = \"none\""]);
}

#[test]
fn a_socket_that_is_not_there_or_is_no_plugins_is_named() {
    let why = Plugin::script("echo \"1|1|unix|$TMPDIR/none|grpc|\"\nsleep 60").refused();
    assert_says(&why, &["listens where its handshake says", "/none", "No such file"]);
    let why = Plugin::script("echo \"1|1|tcp|127.0.0.1:1|grpc|\"\nsleep 60").refused();
    assert_says(&why, &["127.0.0.1:1", "refused"]);
    let why = Plugin::script("echo \"1|1|unix|$TMPDIR/none|grpc|\"\necho 'cannot listen' >&2\nexit 4").refused();
    assert_says(&why, &["exit code 4", "`cannot listen`"]);
}

#[test]
fn a_program_that_writes_much_before_it_serves_is_not_held_up() {
    let body = "head -c 1000000 /dev/zero | tr '\\0' x >&2\necho >&2\nhead -c 1000000 /dev/zero >&2\necho '1|9|unix|x|grpc|'\nsleep 60";
    assert_says(&Plugin::script(body).refused(), &["version 9"]);
}

#[test]
fn a_plugin_gets_what_go_plugin_gives_it_and_nothing_of_the_hosts() {
    let plugin =
        Plugin::script("env >\"$PITSTOP_PLUGIN_FOLDER/env\"\nls -ld \"$TMPDIR\" >\"$PITSTOP_PLUGIN_FOLDER/mode\"");
    plugin
        .with(|spec| {
            spec.rpc.versions = vec![1, 2];
            spec.set.insert("OWN".to_owned(), "value".to_owned());
        })
        .check_environment();
}

impl Plugin {
    fn check_environment(&self) {
        self.refused();
        let env = std::fs::read_to_string(self.path("env")).expect("written");
        let value = |name: &str| env.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        assert_eq!(value("PITSTOP_PLUGIN_COOKIE"), Some("pitstop-plugin-v1"));
        assert_eq!(value("PLUGIN_PROTOCOL_VERSIONS"), Some("1,2"));
        assert_eq!((value("PLUGIN_MIN_PORT"), value("PLUGIN_MAX_PORT")), (Some("10000"), Some("25000")));
        assert_eq!(value("OWN"), Some("value"));
        assert_eq!(value("PLUGIN_CLIENT_CERT"), None);
        assert_eq!((value("HOME"), value("CARGO_MANIFEST_DIR")), (None, None));
        let folder = value("TMPDIR").expect("a folder");
        assert_eq!(value("PLUGIN_UNIX_SOCKET_DIR"), Some(folder));
        let mode = std::fs::read_to_string(self.path("mode")).expect("written");
        assert!(mode.starts_with("drwx------"), "{mode}");
        assert!(!std::path::Path::new(folder).exists(), "{folder} is left");
    }
}

#[test]
fn a_program_whose_digest_is_not_the_pinned_one_is_never_started() {
    let pinned = |digest: [u8; 32]| Plugin::of_kind("echo").with(|spec| spec.sha256 = Some(digest));
    let plugin = pinned([7; 32]);
    assert_eq!(staged(&plugin).map(drop).expect_err("refused").rule, Rule::Checksum);
    assert!(plugin.pids().is_empty(), "it was started");
    let digest = hmac_sha256::Hash::hash(&std::fs::read(plugin.file()).expect("readable"));
    let plugin = pinned(digest);
    assert_eq!(staged(&plugin).expect("that of the file").process(b"abc"), Ok(b"cba".to_vec()));
}

/// By way of a copy, as the host opens it.
fn staged(plugin: &Plugin) -> Result<Box<dyn Instance>, Reason> {
    let staging = Staging::new(Some(plugin.folder.path()), Policy::default()).expect("a folder for copies");
    let candidate = stage(&Arc::new(plugin.spec.clone()), &plugin.file(), &staging, Generation(1))?;
    let proven = prove(candidate).expect("a program");
    Ok(backend(Mechanism::Rpc).open(&proven).expect("a plugin"))
}
