//! Ends that nobody asked for: a plugin that crashes in a call, one that is killed, and a host that is killed.

use super::rust_host::RustHost;
use super::{Peer, gone};
use crate::plugin::garage::Garage;
use pitstop_host::{Plugin, PluginError};
use pitstop_tests::peer::Nothing;
use pitstop_tests::peer::peer_client::PeerClient;
use pitstop_tests::{Tls, signal};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_crash_in_a_call_is_an_error_of_that_call_and_the_next_one_is_answered() {
    for (peer, tls) in Peer::BOTH.into_iter().flat_map(|peer| Tls::BOTH.map(|tls| (peer, tls))) {
        let host = RustHost::start(peer, tls);
        let before = host.pid();
        let error = host.echo.process(b"panic").expect_err("a crash");
        let words = error.to_string();
        match peer {
            Peer::Rust => assert!(matches!(error, PluginError::Signalled { .. }), "{error:?}"),
            // Go ends a program that panics with 2, and says why.
            Peer::Go => {
                assert!(matches!(error, PluginError::Exited { .. }), "{error:?}");
                assert!(words.contains("on purpose"), "{words}");
            }
        }
        assert_eq!(host.echo.process_text("hi").as_deref(), Ok("version-0000 hi version-0000"), "{peer:?} {tls:?}");
        assert_ne!(host.pid(), before, "{peer:?} {tls:?}");
        // And the same for services of the program's own.
        let crashed = host.runtime.block_on(PeerClient::new(host.channel.clone()).crash(Nothing {}));
        let status = crashed.expect_err("a crash");
        assert_eq!(status.code(), tonic::Code::Unavailable, "{peer:?} {tls:?}: {status:?}");
        assert_eq!(host.echo.process_text("hi").as_deref(), Ok("version-0000 hi version-0000"), "{peer:?} {tls:?}");
    }
}

#[test]
fn a_plugin_that_is_killed_is_started_again() {
    for peer in Peer::BOTH {
        let host = RustHost::start(peer, Tls::Auto);
        let before = host.pid();
        let sockets = sockets_of(before);
        assert_ne!(std::fs::read_dir(&sockets).expect("a folder").count(), 0, "{peer:?}: it listens there");
        signal(before, "KILL");
        gone(before);
        // Whether the host has noticed yet or not: at most the call that was on its way is lost.
        let first = host.echo.process_text("hi");
        assert!(matches!(first, Ok(_) | Err(PluginError::Signalled { .. })), "{peer:?}: {first:?}");
        assert_eq!(host.echo.process_text("hi").as_deref(), Ok("version-0000 hi version-0000"), "{peer:?}");
        assert_ne!(host.pid(), before, "{peer:?}");
        assert!(!Path::new(&sockets).exists(), "{peer:?}: its sockets are left in {sockets}");
    }
}

#[test]
fn a_host_that_is_killed_leaves_no_process_behind() {
    for peer in Peer::BOTH {
        let garage = Garage::with_peer(&peer.program(), "");
        let mut command = Command::new(env!("CARGO_BIN_EXE_peer-host"));
        command.arg(garage.path("pitstop.toml")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut host = command.spawn().expect("a host");
        let mut line = String::new();
        BufReader::new(host.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let plugin: u32 = line.trim().parse().unwrap_or_else(|_| panic!("{peer:?}: {line}"));
        host.kill().expect("kill -9");
        host.wait().expect("an end");
        gone(plugin);
    }
}

/// Where a process was told to put its sockets.
fn sockets_of(pid: u32) -> String {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).expect("an environment");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let folder = environment.split('\0').find_map(|variable| variable.strip_prefix("TMPDIR="));
    folder.expect("a folder for sockets").to_owned()
}
