//! Plugins that no host starts, or a host of another kind.

use super::Peer;
use crate::plugin::garage::Garage;
use pitstop_tests::{GoHost, Tls};
use std::process::Command;

#[test]
fn a_plugin_that_a_person_starts_says_what_it_is_and_ends() {
    for peer in Peer::BOTH {
        let output = Command::new(peer.program()).output().expect("a program");
        assert_eq!(output.status.code(), Some(1), "{peer:?}");
        assert!(output.stdout.is_empty(), "{peer:?}: nothing that a host could take for a handshake");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("is a plugin"), "{peer:?}: {said}");
    }
}

#[test]
fn a_host_with_another_cookie_hears_what_the_plugin_says_to_it() {
    for peer in Peer::BOTH {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = GoHost::start(&peer.program(), Tls::None, folder.path(), &["-cookie", "chocolate"]);
        let words = refused.expect_err("another cookie");
        assert!(words.contains("plugin"), "{peer:?}: {words}");

        let cookie = "rpc = { cookie = { key = \"KV_PLUGIN\", value = \"chocolate\" } }\n";
        let garage = Garage::with_peer(&peer.program(), cookie);
        let problem = garage.problem();
        assert!(problem.contains("cookie") && problem.contains("plugin"), "{peer:?}: {problem}");
    }
}

#[test]
fn a_host_of_another_version_is_told_both() {
    for peer in Peer::BOTH {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = GoHost::start(&peer.program(), Tls::None, folder.path(), &["-version", "7"]);
        let words = refused.expect_err("another version");
        assert!(words.contains("Plugin version: 1, Client versions: [7]"), "{peer:?}: {words}");

        let garage = Garage::with_peer(&peer.program(), "rpc = { versions = [7, 9] }\n");
        let problem = garage.problem();
        assert!(problem.contains('1') && problem.contains("7, 9"), "{peer:?}: {problem}");
    }
}
