//! Pitstop's own host, in this very process, as the tests of pairs see it.

use super::Peer;
use super::pairs::Host;
use crate::plugin::garage::Garage;
use pitstop_host::rpc::Channel;
use pitstop_host::{Plugin, PluginHandle, PluginState, Plugins};
use pitstop_rpc::ANY_SIZE;
use pitstop_rpc::proto::pitstop::plugin_client::PluginClient;
use pitstop_rpc::proto::pitstop::{SaveRequest, Saved};
use pitstop_tests::peer::adder_client::AdderClient;
use pitstop_tests::peer::adder_server::AdderServer;
use pitstop_tests::peer::peer_client::PeerClient;
use pitstop_tests::peer::{AtHost, Bytes, Echoed, Nothing, Pair};
use pitstop_tests::{Adder, Tls};
use std::path::Path;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Status, Streaming};

/// A plugin that is opened, and called through its handle and through clients of its own services.
pub(super) struct RustHost {
    pub(super) plugins: Plugins,
    pub(super) echo: PluginHandle,
    pub(super) channel: Channel,
    pub(super) runtime: Runtime,
    pub(super) garage: Garage,
}

impl RustHost {
    pub(super) fn start(peer: Peer, tls: Tls) -> Self {
        Self::of(&peer.program(), tls)
    }

    pub(super) fn of(program: &Path, tls: Tls) -> Self {
        let garage = Garage::with_peer(program, &format!("rpc = {{ tls = \"{}\" }}\n", tls.name()));
        let plugins = garage.open();
        let echo = plugins.get("echo").expect("a plugin");
        let channel = plugins.channel("echo").expect("a plugin with services");
        let runtime = Runtime::new().expect("a runtime");
        Self { plugins, echo, channel, runtime, garage }
    }

    /// The process that answers now.
    pub(super) fn pid(&self) -> u32 {
        self.echo.process_text("pid").expect("a number").parse().expect("a number")
    }
}

impl Host for RustHost {
    fn process(&mut self, input: &[u8]) -> Result<Vec<u8>, String> {
        self.echo.process(input).map_err(|error| error.to_string())
    }

    fn large(&mut self, bytes: usize) -> Result<bool, String> {
        let input = [b"raw ".as_slice(), &b"0123456789abcdef".repeat(bytes / 16)].concat();
        self.process(&input).map(|output| output == input[4..])
    }

    fn is_well(&mut self) -> bool {
        let list = self.plugins.list();
        list[0].state == PluginState::Live && list[0].problem.is_none() && list[0].versions[0].version == "version-0000"
    }

    fn talk(&mut self, words: &[&str]) -> Result<Vec<String>, String> {
        let mut client = PeerClient::new(self.channel.clone());
        let talk = async {
            let (say, said) = tokio::sync::mpsc::channel(1);
            // A plugin in Go sends nothing, not even headers, before it has something to say.
            let (first, others) = words.split_first().expect("a word");
            say.send(Bytes { bytes: first.as_bytes().to_vec() }).await.expect("a stream");
            let mut replies = client.talk(ReceiverStream::new(said)).await?.into_inner();
            let mut heard = vec![echoed(&mut replies).await?];
            for word in others {
                say.send(Bytes { bytes: word.as_bytes().to_vec() }).await.expect("a stream");
                heard.push(echoed(&mut replies).await?);
            }
            drop(say);
            assert!(replies.message().await?.is_none(), "it ends with the words");
            Ok(heard)
        };
        self.runtime.block_on(talk).map_err(told)
    }

    fn add_at_host(&mut self, one: i64, other: i64) -> Result<i64, String> {
        let added = async {
            let pinned = self.channel.pin().await?;
            let broker = pinned.broker();
            let adder = broker.next_id();
            let routes = Routes::new(AdderServer::new(Adder { more: 1000 }));
            let _served = broker.serve(adder, routes).await.expect("a socket");
            let pair = Some(Pair { one, other });
            let sum = PeerClient::new(pinned.clone()).add_at_host(AtHost { adder, pair }).await?;
            Ok(sum.into_inner().sum)
        };
        self.runtime.block_on(added).map_err(told)
    }

    fn lend(&mut self, one: i64, other: i64) -> Result<i64, String> {
        let added = async {
            let pinned = self.channel.pin().await?;
            let lent = PeerClient::new(pinned.clone()).lend(Nothing {}).await?.into_inner();
            let channel = pinned.broker().dial(lent.adder).await.expect("a connection");
            Ok(AdderClient::new(channel).add(Pair { one, other }).await?.into_inner().sum)
        };
        self.runtime.block_on(added).map_err(told)
    }

    fn state(&mut self) -> Result<String, String> {
        let state = async {
            let mut client = PluginClient::new(self.channel.clone()).max_decoding_message_size(ANY_SIZE);
            let Saved { state } = client.save(SaveRequest {}).await?.into_inner();
            client.restore(Saved { state: state.clone() }).await?;
            Ok(String::from_utf8_lossy(&state.unwrap_or_default()).into_owned())
        };
        self.runtime.block_on(state).map_err(told)
    }
}

async fn echoed(replies: &mut Streaming<Echoed>) -> Result<String, Status> {
    let reply = replies.message().await?.expect("a reply");
    Ok(format!("{}:{}", reply.version, String::from_utf8_lossy(&reply.bytes)))
}

fn told(status: Status) -> String {
    status.message().to_owned()
}
