//! Both ends in one process, over everything that there is to connect by.

use super::serve::DirectMethod;
use super::{Connections, Direct, Listener, Method, Open, Services, connect, serve};
use crate::address::{Address, AddressError};
use crate::echo::{call, echo};
use crate::environment::SocketPlace;
use crate::proto::go_plugin::StdioData;
use crate::proto::go_plugin::grpc_stdio_client::GrpcStdioClient;
use crate::proto::go_plugin::grpc_stdio_server::{GrpcStdio, GrpcStdioServer};
use crate::proto::pitstop::{ProcessRequest, ProcessResponse};
use crate::tls::{Identity, Mutual};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{oneshot, watch};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

/// Serves an echo.
struct Server {
    address: Address,
    connections: Connections,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

fn start(listener: Listener, tls: Option<Arc<rustls::ServerConfig>>) -> Server {
    start_with(listener, tls, echo("> "))
}

fn start_with(
    listener: Listener,
    tls: Option<Arc<rustls::ServerConfig>>,
    services: impl Into<Services> + Send + 'static,
) -> Server {
    let (stop, stopped) = oneshot::channel();
    let connections = Connections::new();
    let (address, counted) = (listener.address().clone(), connections.clone());
    let incoming = listener.incoming(tls);
    let task = tokio::spawn(async move {
        let until = async { drop(stopped.await) };
        serve(services, incoming, &counted, until).await.unwrap();
    });
    Server { address, connections, stop, task }
}

fn folder() -> (tempfile::TempDir, SocketPlace) {
    let folder = tempfile::tempdir().unwrap();
    let place = SocketPlace { folder: Some(folder.path().to_owned()), group: None };
    (folder, place)
}

async fn listeners(place: &SocketPlace) -> [Listener; 2] {
    [Listener::unix(place).unwrap(), Listener::tcp(None).await.unwrap()]
}

fn ends() -> (Mutual, Mutual) {
    let (host, plugin) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    (Mutual::new(&host, plugin.certificate()).unwrap(), Mutual::new(&plugin, host.certificate()).unwrap())
}

#[tokio::test]
async fn calls_go_through_unix_sockets_and_tcp_plain_and_encrypted() {
    let (_folder, place) = folder();
    let (host, plugin) = ends();
    for encrypted in [None, Some((host.client, plugin.server))] {
        let (client, server) = encrypted.unzip();
        for listener in listeners(&place).await {
            let server = start(listener, server.clone());
            let channel = connect(&server.address, client.clone()).await.unwrap();
            assert_eq!(call(channel.clone(), "one").await.unwrap(), b"> one");
            let large = vec![b'x'; 9 << 20];
            assert_eq!(call(channel, large).await.unwrap().len(), (9 << 20) + 2);
        }
    }
}

#[tokio::test]
async fn many_calls_of_one_connection_run_at_the_same_time() {
    let (_folder, place) = folder();
    let server = start(Listener::unix(&place).unwrap(), None);
    let channel = connect(&server.address, None).await.unwrap();
    let calls: Vec<_> = (0..500).map(|at| tokio::spawn(call(channel.clone(), format!("n{at}")))).collect();
    for (at, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), format!("> n{at}").into_bytes());
    }
    assert_eq!(*server.connections.watch().borrow(), Open { now: 1, ever: 1 });
}

#[tokio::test]
async fn an_error_whose_message_is_long_arrives_and_the_connection_lasts() {
    let (_folder, place) = folder();
    let server = start(Listener::unix(&place).unwrap(), None);
    let channel = connect(&server.address, None).await.unwrap();
    let status = call(channel.clone(), "fail 100000").await.unwrap_err();
    assert_eq!((status.code(), status.message().len()), (tonic::Code::Unknown, 100_000));
    assert_eq!(call(channel, "on").await.unwrap(), b"> on");
}

#[tokio::test]
async fn who_does_not_encrypt_or_is_a_stranger_gets_no_answer() {
    let (_folder, place) = folder();
    let (_, plugin) = ends();
    let (stranger, _) = ends();
    for listener in listeners(&place).await {
        let server = start(listener, Some(plugin.server.clone()));
        let plain = match connect(&server.address, None).await {
            Ok(channel) => call(channel, "one").await.map_err(|status| status.to_string()),
            Err(error) => Err(error.to_string()),
        };
        assert!(plain.is_err(), "{plain:?}");
        let error = connect(&server.address, Some(stranger.client.clone())).await.unwrap_err();
        assert!(error.is_refusal(), "{error}");
        assert!(error.to_string().contains("the two ends do not agree on encryption"), "{error}");
    }
}

#[tokio::test]
async fn someone_who_connects_and_says_nothing_holds_up_nobody() {
    let (_folder, place) = folder();
    let (host, plugin) = ends();
    let server = start(Listener::tcp(None).await.unwrap(), Some(plugin.server));
    let mut silent = tokio::net::TcpStream::connect(server.address.to_string()).await.unwrap();
    let mut noisy = tokio::net::TcpStream::connect(server.address.to_string()).await.unwrap();
    noisy.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let channel = connect(&server.address, Some(host.client)).await.unwrap();
    assert_eq!(call(channel, "one").await.unwrap(), b"> one");
    let mut answer = Vec::new();
    let _ = noisy.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    silent.shutdown().await.unwrap();
    drop(place);
}

#[tokio::test]
async fn a_server_that_is_stopped_finishes_its_connections_and_removes_its_socket() {
    let (folder, place) = folder();
    let server = start(Listener::unix(&place).unwrap(), None);
    let channel = connect(&server.address, None).await.unwrap();
    call(channel.clone(), "one").await.unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    assert!(call(channel, "two").await.is_err(), "a channel does not connect again");
    let error = connect(&server.address, None).await.unwrap_err();
    assert!(!error.is_refusal() && error.to_string().starts_with("cannot connect to the unix address /"), "{error}");
}

#[tokio::test]
async fn a_socket_in_a_folder_whose_path_is_too_long_is_refused_before_it_is_made() {
    let (folder, _) = folder();
    let long = folder.path().join("a".repeat(100));
    let error = Listener::unix(&SocketPlace { folder: Some(long.clone()), group: None }).unwrap_err();
    assert!(error.get_ref().unwrap().downcast_ref::<AddressError>().is_some(), "{error}");
    let gone = SocketPlace { folder: Some(folder.path().join("gone")), group: None };
    let error = Listener::unix(&gone).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot make a socket in `{}`: ", folder.path().join("gone").display())),
        "{error}"
    );
}

#[tokio::test]
async fn only_its_owner_or_its_group_may_use_a_socket() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let (folder, mut place) = folder();
    let group = folder.path().metadata().unwrap().gid();
    for (name, expected) in [(None, 0o600), (Some(group.to_string()), 0o660)] {
        place.group = name;
        let listener = Listener::unix(&place).unwrap();
        let metadata = std::fs::metadata(listener.address().to_string()).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.gid()), (expected, group));
    }
    place.group = Some("no such group".to_owned());
    let error = Listener::unix(&place).unwrap_err();
    assert_eq!(error.to_string(), "no group `no such group` is in /etc/group; name another, or its number");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "no socket is left behind");
}

#[tokio::test]
async fn ports_are_tried_one_after_the_other() {
    let first = Listener::tcp(None).await.unwrap();
    let port: u16 = first.address().to_string().rsplit(':').next().unwrap().parse().unwrap();
    assert!(Listener::tcp(Some(port..=port)).await.is_err());
    assert!(Listener::tcp(Some(port..=port.saturating_add(50))).await.is_ok());
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    let none = Listener::tcp(Some(2..=1)).await.unwrap_err();
    assert_eq!(none.to_string(), "no port to listen on: the lowest is above the highest");
}

/// Answers once so many calls are there, or at once.
struct Meeting {
    all: Barrier,
    running: AtomicUsize,
}

impl Direct for Meeting {
    type Request = ProcessRequest;
    type Answer = ProcessResponse;

    fn path(&self) -> &'static str {
        METHOD
    }

    fn is_free(&self) -> bool {
        self.running.load(Ordering::SeqCst) == 0
    }

    fn answer(&self, request: ProcessRequest) -> Result<ProcessResponse, Status> {
        if &*request.input == b"meet" {
            self.running.fetch_add(1, Ordering::SeqCst);
            tokio::task::block_in_place(|| self.all.wait());
            self.running.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(ProcessResponse { output: request.input })
    }
}

const METHOD: &str = "/pitstop.v1.Plugin/Process";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_wait_for_each_other_are_all_answered() {
    let (_folder, place) = folder();
    for callers in [2, 3, 20] {
        let meeting = Meeting { all: Barrier::new(callers), running: AtomicUsize::new(0) };
        let services = Services::from(echo("> ")).with_direct(Some(DirectMethod::new(meeting)));
        let server = start_with(Listener::unix(&place).unwrap(), None, services);
        let channel = connect(&server.address, None).await.unwrap();
        for _ in 0..3 {
            assert_eq!(call(channel.clone(), "short").await.unwrap(), b"short");
            let calls: Vec<_> = (0..callers).map(|_| tokio::spawn(call(channel.clone(), "meet"))).collect();
            for call in calls {
                assert_eq!(call.await.unwrap().unwrap(), b"meet");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_is_called_with_a_message_of_any_size_and_its_answer_is_limited() {
    let (_folder, place) = folder();
    let meeting = Meeting { all: Barrier::new(1), running: AtomicUsize::new(0) };
    let direct = Services::from(echo("> ")).with_direct(Some(DirectMethod::new(meeting)));
    for (services, mark) in [(direct, ""), (echo("> ").into(), "> ")] {
        let server = start_with(Listener::unix(&place).unwrap(), None, services);
        let channel = connect(&server.address, None).await.unwrap();
        let method = Method::new(METHOD, Some(Duration::from_secs(10)));
        for length in [0, 1, 100, 70_000, 3 << 20] {
            let request = ProcessRequest { input: vec![b'x'; length].into() };
            for time in [None, Some(Duration::from_secs(10)), Some(Duration::from_secs(7))] {
                let answer: ProcessResponse = channel.unary(&method, &request, 4 << 20, time).await.unwrap();
                assert_eq!(answer.output, [mark.as_bytes(), &request.input].concat());
            }
            let answered = channel.unary::<_, ProcessResponse>(&method, &request, length / 2, None).await;
            assert!(length == 0 || answered.is_err_and(|status| status.code() == Code::OutOfRange));
        }
        let request = ProcessRequest { input: "fail 20000".into() };
        let answered = channel.unary::<_, ProcessResponse>(&method, &request, 4 << 20, None).await;
        assert!(mark.is_empty() || answered.is_err_and(|status| status.message().len() == 20_000));
        let absent = Method::new("/pitstop.v1.Plugin/Absent", None);
        let answered = channel.unary::<_, ProcessResponse>(&absent, &request, 4 << 20, None).await;
        assert_eq!(answered.unwrap_err().code(), Code::Unimplemented);
    }
}

/// Streams pieces, as many as are taken.
struct Much {
    sent: watch::Sender<usize>,
    read: Arc<AtomicUsize>,
    ahead: Arc<AtomicUsize>,
}

const PIECE: usize = 64 * 1024;
const PIECES: usize = 1024;

struct Pieces(Arc<Much>);

impl futures_core::Stream for Pieces {
    type Item = Result<StdioData, Status>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let much = &self.0;
        let sent = *much.sent.borrow();
        if sent == PIECES {
            return Poll::Ready(None);
        }
        much.sent.send_replace(sent + 1);
        much.ahead.fetch_max(sent + 1 - much.read.load(Ordering::SeqCst), Ordering::SeqCst);
        Poll::Ready(Some(Ok(StdioData { channel: 1, data: vec![0; PIECE].into() })))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Arc<Much> {
    type StreamStdioStream = Pieces;

    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<Pieces>, Status> {
        Ok(Response::new(Pieces(Arc::clone(self))))
    }
}

#[tokio::test]
async fn who_does_not_read_a_stream_is_not_sent_all_of_it_and_other_calls_go_on() {
    let (_folder, place) = folder();
    let (sent, mut told) = watch::channel(0);
    let (read, ahead) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let much = Arc::new(Much { sent, read: Arc::clone(&read), ahead: Arc::clone(&ahead) });
    let routes: Routes = echo("> ").add_service(GrpcStdioServer::new(much));
    let server = start_with(Listener::unix(&place).unwrap(), None, routes);
    let channel = connect(&server.address, None).await.unwrap();
    let mut stream = GrpcStdioClient::new(channel.clone()).stream_stdio(()).await.unwrap().into_inner();
    told.wait_for(|sent| sent * PIECE > 8 << 20).await.unwrap();
    for _ in 0..200 {
        assert_eq!(call(channel.clone(), "one").await.unwrap(), b"> one");
    }
    while stream.message().await.unwrap().is_some() {
        read.fetch_add(1, Ordering::SeqCst);
    }
    assert_eq!(read.load(Ordering::SeqCst), PIECES);
    let ahead = ahead.load(Ordering::SeqCst) * PIECE;
    assert!(ahead < 40 << 20, "{ahead} bytes were on their way");
}

#[tokio::test]
async fn a_call_that_is_given_up_is_taken_back_and_the_others_go_on() {
    let (_folder, place) = folder();
    let (sent, mut told) = watch::channel(0);
    let much = Arc::new(Much { sent, read: Arc::default(), ahead: Arc::default() });
    let routes: Routes = echo("> ").add_service(GrpcStdioServer::new(Arc::clone(&much)));
    let server = start_with(Listener::unix(&place).unwrap(), None, routes);
    let channel = connect(&server.address, None).await.unwrap();
    let stream = GrpcStdioClient::new(channel.clone()).stream_stdio(()).await.unwrap();
    told.wait_for(|sent| *sent > 0).await.unwrap();
    drop(stream);
    // The service lets go of the stream once it is told.
    while Arc::strong_count(&much) > 2 {
        assert_eq!(call(channel.clone(), "one").await.unwrap(), b"> one");
    }
    let mut open = server.connections.watch();
    drop(channel);
    open.wait_for(|open| open.now == 0).await.unwrap();
}
