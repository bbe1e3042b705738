//! The plugin of the tests in Rust: it says and does what `tests/fixtures/go-plugin/plugin` in Go does.

use pitstop_reloadable::rpc::{Broker, ServePlugin, Server, logger};
use pitstop_reloadable::{Metadata, Plugin, PluginError};
use pitstop_tests::Adder;
use pitstop_tests::peer::adder_client::AdderClient;
use pitstop_tests::peer::adder_server::AdderServer;
use pitstop_tests::peer::peer_server::{Peer, PeerServer};
use pitstop_tests::peer::{AtHost, Bytes, Echoed, Lent, Nothing, Sum};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_stream::{Stream, StreamExt};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

/// Where tests put another version into the file.
#[used]
static VERSION: [u8; 12] = *b"version-0000";

fn main() {
    let _ = logger();
    let server = Server::new().plugin(Echo::default());
    server.services(|session, routes| routes.add_service(PeerServer::new(Ends(session.broker.clone())))).serve()
}

/// Pitstop's own service.
#[derive(Default)]
struct Echo {
    count: AtomicU64,
}

impl Plugin for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn metadata(&self) -> Metadata {
        Metadata::new(&version()).with_capabilities(&["echo", "rust"])
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        match input {
            // Tests of the host end processes with it; a panic of a plugin in Rust does not.
            b"panic" => std::process::abort(),
            b"fail" => Err("as asked".into()),
            b"log" => {
                log::warn!(target: "echo", "heard 7");
                Ok(Vec::new())
            }
            b"print" => {
                println!("printed by the plugin");
                Ok(Vec::new())
            }
            b"pid" => Ok(std::process::id().to_string().into()),
            b"count" => Ok((self.count.fetch_add(1, Ordering::SeqCst) + 1).to_string().into()),
            _ if input.starts_with(b"raw ") => Ok(input[4..].to_vec()),
            _ => Ok([version().as_bytes(), b" ", input, b" ", version().as_bytes()].concat()),
        }
    }

    fn save(&self) -> Result<Option<Vec<u8>>, PluginError> {
        Ok(Some(self.count.load(Ordering::SeqCst).to_string().into()))
    }

    fn restore(&self, saved: &[u8]) -> Result<(), PluginError> {
        let count = std::str::from_utf8(saved).ok().and_then(|text| text.parse().ok()).ok_or("no number was saved")?;
        self.count.store(count, Ordering::SeqCst);
        Ok(())
    }
}

/// The service with streams and the broker.
struct Ends(Broker);

#[tonic::async_trait]
impl Peer for Ends {
    async fn echo(&self, said: Request<Bytes>) -> Result<Response<Echoed>, Status> {
        Ok(Response::new(Echoed { bytes: said.into_inner().bytes, version: version() }))
    }

    type TalkStream = Pin<Box<dyn Stream<Item = Result<Echoed, Status>> + Send>>;

    async fn talk(&self, said: Request<Streaming<Bytes>>) -> Result<Response<Self::TalkStream>, Status> {
        let echoes = said.into_inner().map(|said| Ok(Echoed { bytes: said?.bytes, version: version() }));
        Ok(Response::new(Box::pin(echoes)))
    }

    async fn crash(&self, _: Request<Nothing>) -> Result<Response<Nothing>, Status> {
        std::process::abort()
    }

    async fn add_at_host(&self, at: Request<AtHost>) -> Result<Response<Sum>, Status> {
        let AtHost { adder, pair } = at.into_inner();
        let channel = self.0.dial(adder).await.map_err(|error| Status::unavailable(error.to_string()))?;
        AdderClient::new(channel).add(pair.unwrap_or_default()).await
    }

    async fn lend(&self, _: Request<Nothing>) -> Result<Response<Lent>, Status> {
        let adder = self.0.next_id();
        let routes = Routes::new(AdderServer::new(Adder { more: 2000 }));
        let served = self.0.serve(adder, routes).await.map_err(|error| Status::unavailable(error.to_string()))?;
        served.detach();
        Ok(Response::new(Lent { adder }))
    }
}

/// As it is in the file, whatever the compiler knows of it.
fn version() -> String {
    String::from_utf8_lossy(std::hint::black_box(&VERSION)).into_owned()
}
