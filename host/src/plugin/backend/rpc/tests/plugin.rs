//! This test program as a plugin: what it does, it is told by the kind and by each input.

use pitstop_rpc::proto::go_plugin::Empty;
use pitstop_rpc::proto::go_plugin::grpc_controller_server::{GrpcController, GrpcControllerServer};
use pitstop_rpc::proto::health::health_check_response::ServingStatus;
use pitstop_rpc::proto::health::health_client::HealthClient;
use pitstop_rpc::proto::health::health_server::{Health, HealthServer};
use pitstop_rpc::proto::health::{HealthCheckRequest, HealthCheckResponse};
use pitstop_rpc::proto::pitstop::plugin_server::{Plugin, PluginServer};
use pitstop_rpc::proto::pitstop::{
    DescribeRequest, Description, ProcessRequest, ProcessResponse, Restored, SaveRequest, Saved,
};
use pitstop_rpc::transport::{Connections, Listener, serve};
use pitstop_rpc::{Broker, Certificate, Handshake, Identity, Mutual, SocketPlace};
use std::io::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Which kind of plugin this test program is.
pub(super) const KIND: &str = "TRIED_KIND";

#[test]
fn runs_as_a_plugin_where_it_is_told_to() {
    let Ok(kind) = std::env::var(KIND) else { return };
    if let Some(scratch) = kind.strip_prefix("host:") {
        super::runs::host_that_is_killed(scratch);
    }
    let handshake = std::fs::File::options().write(true).open("/proc/self/fd/3").expect("where the handshake goes");
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
        .expect("a runtime")
        .block_on(run(&kind, handshake));
    std::process::exit(0);
}

async fn run(kind: &str, mut out: std::fs::File) {
    let folder = std::env::var_os("PLUGIN_UNIX_SOCKET_DIR").map(Into::into);
    let place = SocketPlace { folder, group: None };
    let listener = match kind {
        "tcp" => Listener::tcp(None).await,
        _ => Listener::usual(&place, None).await,
    };
    let listener = listener.expect("a place to listen");
    let identity = Identity::generate().expect("an identity");
    let host = std::env::var("PLUGIN_CLIENT_CERT").ok().filter(|_| kind != "other-certificate");
    let tls = host.map(|pem| {
        Mutual::new(&identity, &Certificate::from_pem(pem.as_bytes()).expect("a certificate")).expect("good")
    });
    let certificate = tls.is_some().then(|| identity.certificate().clone());
    let handshake = Handshake { app_version: 1, address: listener.address().clone(), certificate };
    let (broker, broker_service) = Broker::offer(tls.clone(), place);
    let told = Arc::new(Notify::new());
    let tried = Tried { kind: kind.to_owned(), state: Mutex::default(), broker };
    let mut routes = Routes::new(broker_service)
        .add_service(HealthServer::new(Healthy(kind.to_owned())))
        .add_service(GrpcControllerServer::new(Controller { kind: kind.to_owned(), told: told.clone() }));
    if kind != "typed" {
        routes = routes.add_service(PluginServer::new(tried).max_decoding_message_size(pitstop_rpc::ANY_SIZE));
    }
    writeln!(out, "{handshake}").expect("somebody reads");
    let incoming = listener.incoming(tls.map(|tls| tls.server));
    let connections = Connections::new();
    tokio::select! {
        _ = serve(routes, incoming, &connections, std::future::pending()) => {}
        () = told.notified() => {}
    }
}

pub(super) struct Healthy(pub(super) String);

#[tonic::async_trait]
impl Health for Healthy {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        assert_eq!(request.into_inner().service, "plugin");
        let status = match self.0.as_str() {
            "not-serving" => ServingStatus::NotServing,
            "no-health" => return Err(Status::unimplemented("no health")),
            "dies-at-health" => {
                eprintln!("no more");
                std::process::exit(5);
            }
            "hangs-at-health" => std::future::pending().await,
            _ => ServingStatus::Serving,
        };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        // One answer, and then nothing for as long as the stream is open.
        let first = HealthCheckResponse { status: ServingStatus::Serving.into() };
        let open = tonic::codegen::tokio_stream::once(Ok(first));
        Ok(Response::new(Box::pin(tonic::codegen::tokio_stream::StreamExt::chain(open, Open))))
    }
}

struct Open;

impl tonic::codegen::tokio_stream::Stream for Open {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

struct Controller {
    kind: String,
    told: Arc<Notify>,
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        if let Some(file) = std::env::var_os("TOLD_FILE") {
            std::fs::write(file, "told").expect("written");
        }
        if self.kind != "ignores-shutdown" {
            self.told.notify_one();
        }
        Ok(Response::new(Empty {}))
    }
}

struct Tried {
    kind: String,
    state: Mutex<Vec<u8>>,
    broker: Broker,
}

#[tonic::async_trait]
impl Plugin for Tried {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<Description>, Status> {
        let capabilities = vec!["echo".to_owned()];
        let keeps_state = self.kind == "state";
        Ok(Response::new(Description {
            name: "tried".to_owned(),
            version: "1.2.3".to_owned(),
            capabilities,
            keeps_state,
        }))
    }

    async fn process(&self, request: Request<ProcessRequest>) -> Result<Response<ProcessResponse>, Status> {
        let input = request.into_inner().input;
        let output = match std::str::from_utf8(&input).unwrap_or_default() {
            "pid" => std::process::id().to_string().into_bytes(),
            "fail" => return Err(Status::unknown("too cold")),
            "exit" => {
                eprintln!("giving up");
                std::process::exit(3)
            }
            "crash" => {
                eprintln!("panic: boom\n\ngoroutine 1 [running]:");
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                    .expect("killed");
                std::future::pending().await
            }
            // The stream of this one call is reset.
            "panic" => panic!("on purpose"),
            "hang" => std::future::pending().await,
            "huge" => vec![b'x'; 100_000],
            "chatter" => {
                // Where its standard output was.
                let mut out = std::fs::File::options().write(true).open("/proc/self/fd/3").expect("it is there");
                writeln!(out, "on the side").expect("read");
                Vec::new()
            }
            "long-line" => {
                let mut line = vec![b'y'; 10 << 20];
                line.push(b'\n');
                std::io::stderr().lock().write_all(&line).expect("read");
                Vec::new()
            }
            // Calls the host by the broker, and is called.
            text if text.starts_with("dial ") => {
                let id = text["dial ".len()..].parse().expect("a number");
                let channel = self.broker.dial(id).await.map_err(|error| Status::unknown(error.to_string()))?;
                let request = HealthCheckRequest { service: "plugin".to_owned() };
                HealthClient::new(channel).check(request).await?;
                b"the host is well".to_vec()
            }
            text if text.starts_with("serve ") => {
                let id = text["serve ".len()..].parse().expect("a number");
                let routes = Routes::new(HealthServer::new(Healthy("echo".to_owned())));
                let served = self.broker.serve(id, routes).await;
                served.map_err(|error| Status::unknown(error.to_string()))?.detach();
                Vec::new()
            }
            "keep" => std::mem::replace(&mut *self.state.lock().expect("no panic"), b"kept".to_vec()),
            _ => input.iter().rev().copied().collect(),
        };
        Ok(Response::new(ProcessResponse { output: output.into() }))
    }

    async fn save(&self, _: Request<SaveRequest>) -> Result<Response<Saved>, Status> {
        let state = self.state.lock().expect("no panic").clone();
        Ok(Response::new(Saved { state: (!state.is_empty()).then(|| state.into()) }))
    }

    async fn restore(&self, request: Request<Saved>) -> Result<Response<Restored>, Status> {
        let state = request.into_inner().state.unwrap_or_default();
        if state.starts_with(b"bad") {
            return Err(Status::unknown("a state of another kind"));
        }
        *self.state.lock().expect("no panic") = state.to_vec();
        Ok(Response::new(Restored {}))
    }
}
