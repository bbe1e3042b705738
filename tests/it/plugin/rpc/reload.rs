//! Newer versions of a plugin beside the one that is called: under load, with a stream that stays open, with what it keeps.

use super::rust_host::RustHost;
use super::{Peer, gone};
use crate::plugin::garage::{Ear, patched, version};
use crate::plugin::reload::{loses_nothing, reloads};
use pitstop_host::Plugin;
use pitstop_tests::Tls;
use pitstop_tests::peer::Bytes;
use pitstop_tests::peer::peer_client::PeerClient;
use tokio_stream::wrappers::ReceiverStream;

#[test]
fn sixty_four_callers_lose_nothing_in_reloads_of_plugins_in_rust_and_in_go() {
    for peer in Peer::BOTH {
        let host = RustHost::start(peer, Tls::Auto);
        let program = std::fs::read(peer.program()).expect("a program");
        let put = |number| host.garage.program("peer", &patched(&program, &version(number)));
        let calls = loses_nothing(&host.plugins, 64, reloads(10), &put);
        println!("{peer:?}: {calls} calls of 64 callers through {} reloads", reloads(10));
    }
}

#[test]
fn an_open_stream_stays_on_the_version_that_it_began_with_until_it_ends() {
    for peer in Peer::BOTH {
        let host = RustHost::start(peer, Tls::Auto);
        let mut ear = Ear::of(&host.plugins);
        let old = host.pid();
        let mut client = PeerClient::new(host.channel.clone());
        let (say, said) = tokio::sync::mpsc::channel(1);
        let hello = || Bytes { bytes: b"hello".to_vec() };
        // A plugin in Go sends no headers before its first reply.
        host.runtime.block_on(say.send(hello())).expect("a stream");
        let mut replies = host.runtime.block_on(client.talk(ReceiverStream::new(said))).expect("a stream").into_inner();
        let said = host.runtime.block_on(replies.message()).expect("a reply").expect("a reply");
        assert_eq!(said.version, version(0), "{peer:?}");
        let program = std::fs::read(peer.program()).expect("a program");
        host.garage.program("peer", &patched(&program, &version(1)));
        ear.live("echo");
        for _ in 0..3 {
            host.runtime.block_on(say.send(hello())).expect("a stream");
            let said = host.runtime.block_on(replies.message()).expect("a reply").expect("a reply");
            assert_eq!(said.version, version(0), "{peer:?}");
        }
        drop(say);
        assert_eq!(host.runtime.block_on(replies.message()).expect("an end"), None, "{peer:?}");
        // It keeps state, so that calls wait for the stream too: it may change what is handed over.
        assert_eq!(host.echo.process_text("x"), Ok(format!("{0} x {0}", version(1))), "{peer:?}");
        ear.retired("echo");
        gone(old);
    }
}

#[test]
fn what_a_plugin_keeps_goes_over_to_the_next_version() {
    for peer in Peer::BOTH {
        let host = RustHost::start(peer, Tls::Auto);
        let mut ear = Ear::of(&host.plugins);
        assert_eq!(host.echo.process_text("count").as_deref(), Ok("1"), "{peer:?}");
        assert_eq!(host.echo.process_text("count").as_deref(), Ok("2"), "{peer:?}");
        let program = std::fs::read(peer.program()).expect("a program");
        host.garage.program("peer", &patched(&program, &version(1)));
        ear.live("echo");
        assert_eq!(host.echo.process_text("x"), Ok(format!("{0} x {0}", version(1))), "{peer:?}");
        assert_eq!(host.echo.process_text("count").as_deref(), Ok("3"), "{peer:?}");
    }
}
