//! The example `echo` as a process of its own: started, called, ended, orphaned, and started wrongly.

#![cfg(unix)]

use pitstop_rpc::proto::go_plugin::grpc_controller_client::GrpcControllerClient;
use pitstop_rpc::proto::go_plugin::grpc_stdio_client::GrpcStdioClient;
use pitstop_rpc::proto::go_plugin::stdio_data::Channel as Which;
use pitstop_rpc::proto::go_plugin::{Empty, StdioData};
use pitstop_rpc::proto::health::HealthCheckRequest;
use pitstop_rpc::proto::health::health_check_response::ServingStatus;
use pitstop_rpc::proto::health::health_client::HealthClient;
use pitstop_rpc::proto::pitstop::plugin_client::PluginClient;
use pitstop_rpc::proto::pitstop::{DescribeRequest, ProcessRequest};
use pitstop_rpc::transport::{Channel, connect};
use pitstop_rpc::{ANY_SIZE, Address, Broker, Cookie, HEALTH_SERVICE, Handshake, Identity, Mutual, Offer, SocketPlace};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tonic::{Status, Streaming};

/// Longer than anything here takes; a test that waits so long has failed.
const HANG: Duration = Duration::from_secs(60);

/// The example, built by whoever asks first.
fn echo() -> &'static Path {
    static ECHO: OnceLock<PathBuf> = OnceLock::new();
    ECHO.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // Of the workspace, as the tests are: dependencies with other features would all be compiled once more.
        cargo.args(["build", "--quiet", "--workspace", "--example", "echo"]);
        assert!(cargo.status().unwrap().success());
        let deps = std::env::current_exe().unwrap();
        deps.ancestors().nth(2).unwrap().join("examples/echo")
    })
}

/// A running plugin.
struct Plugin {
    child: Child,
    out: BufReader<ChildStdout>,
    error: ChildStderr,
    handshake: Handshake,
    tls: Option<Mutual>,
    channel: Channel,
    sockets: tempfile::TempDir,
}

impl Plugin {
    async fn start(encrypted: Option<&Identity>) -> Self {
        let sockets = tempfile::tempdir().unwrap();
        let place = SocketPlace { folder: Some(sockets.path().to_owned()), group: None };
        let offer = Offer {
            cookie: &Cookie::default(),
            versions: &[1, 2],
            ports: None,
            certificate: encrypted.map(Identity::certificate),
            sockets: &place,
        };
        let mut command = Command::new(echo());
        command.envs(offer.variables()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let error = child.stderr.take().unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let handshake = Handshake::parse(&line).unwrap();
        let tls = handshake.certificate.as_ref().map(|peer| Mutual::new(encrypted.unwrap(), peer).unwrap());
        let channel = connect(&handshake.address, tls.as_ref().map(|tls| tls.client.clone())).await.unwrap();
        Self { child, out, error, handshake, tls, channel, sockets }
    }

    async fn process(&self, input: &str) -> Result<String, Status> {
        process(self.channel.clone(), input).await
    }

    async fn shut_down(&self) -> Result<(), Status> {
        GrpcControllerClient::new(self.channel.clone()).shutdown(Empty {}).await.map(drop)
    }

    async fn stdio(&self) -> Streaming<StdioData> {
        GrpcStdioClient::new(self.channel.clone()).stream_stdio(()).await.unwrap().into_inner()
    }

    fn broker(&self) -> Broker {
        let place = SocketPlace { folder: Some(self.sockets.path().to_owned()), group: None };
        Broker::connect(self.channel.clone(), self.tls.clone(), place)
    }

    /// Its exit code, and what it wrote on the standard error that it was given.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut error = String::new();
        self.error.read_to_string(&mut error).unwrap();
        let code = self.child.wait().unwrap().code();
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        assert_eq!(out, "", "after the handshake nothing comes on standard output");
        assert_eq!(self.sockets.path().read_dir().unwrap().count(), 0, "no socket is left behind");
        (code, error)
    }
}

async fn process(channel: Channel, input: &str) -> Result<String, Status> {
    let mut client = PluginClient::new(channel).max_decoding_message_size(ANY_SIZE);
    let request = ProcessRequest { input: input.as_bytes().to_vec().into() };
    let answer = tokio::time::timeout(HANG, client.process(request)).await.expect("an answer");
    answer.map(|answer| String::from_utf8(answer.into_inner().output.into()).unwrap())
}

async fn next(stream: &mut Streaming<StdioData>) -> Option<(Which, String)> {
    let data = tokio::time::timeout(HANG, stream.message()).await.expect("output").unwrap()?;
    Some((data.channel(), String::from_utf8(data.data.to_vec()).unwrap()))
}

/// What a program says that cannot be a plugin.
fn refused(variables: &[(&str, &str)]) -> Output {
    Command::new(echo()).envs(variables.iter().copied()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_started_called_and_shut_down_plain_and_encrypted() {
    let identity = Identity::generate().unwrap();
    for encrypted in [None, Some(&identity)] {
        let plugin = Plugin::start(encrypted).await;
        assert_eq!(plugin.handshake.app_version, 2, "the highest that both have");
        assert_eq!(plugin.tls.is_some(), encrypted.is_some());
        assert_eq!(plugin.process("hello").await.unwrap(), "hello");
        let described = PluginClient::new(plugin.channel.clone()).describe(DescribeRequest {}).await.unwrap();
        assert_eq!(described.into_inner().version, "2", "the services know the version");
        let asked = HealthCheckRequest { service: HEALTH_SERVICE.to_owned() };
        let health = HealthClient::new(plugin.channel.clone()).check(asked).await.unwrap();
        assert_eq!(health.into_inner().status(), ServingStatus::Serving);
        plugin.shut_down().await.expect("the answer comes before the end");
        assert_eq!(plugin.ended(), (Some(0), String::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_hosts_certificate_is_refused_and_the_host_is_served_on() {
    let identity = Identity::generate().unwrap();
    let plugin = Plugin::start(Some(&identity)).await;
    let address = &plugin.handshake.address;
    let stranger = Identity::generate().unwrap();
    let tls = Mutual::new(&stranger, plugin.handshake.certificate.as_ref().unwrap()).unwrap();
    for tls in [None, Some(tls.client)] {
        let answer = match connect(address, tls).await {
            Ok(channel) => process(channel, "one").await.map_err(|status| status.to_string()),
            Err(error) => Err(error.to_string()),
        };
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(plugin.process("on").await.unwrap(), "on");
    plugin.shut_down().await.unwrap();
    let (code, error) = plugin.ended();
    assert_eq!(code, Some(0));
    assert!(error.contains("\"@level\":\"warn\",\"@message\":\"a connection is refused: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_serve_to_each_other_by_the_broker() {
    let identity = Identity::generate().unwrap();
    for encrypted in [None, Some(&identity)] {
        let plugin = Plugin::start(encrypted).await;
        let broker = plugin.broker();
        let id = plugin.process("serve side").await.unwrap().parse().unwrap();
        let channel = broker.dial(id).await.unwrap();
        assert_eq!(process(channel, " one").await.unwrap(), "side one");
        let id = broker.next_id();
        // The health service will do: what answers is told apart from the plugin's own by being another service.
        let other = Plugin::start(None).await;
        let routes = tonic::service::Routes::new(Forward(other.channel.clone()).server());
        let _served = broker.serve(id, routes).await.unwrap();
        assert_eq!(plugin.process(&format!("call {id}")).await.unwrap(), "from the plugin");
        other.shut_down().await.unwrap();
        plugin.shut_down().await.unwrap();
        assert_eq!((other.ended().0, plugin.ended().0), (Some(0), Some(0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_prints_goes_to_the_host_by_the_stream_and_its_records_directly() {
    let plugin = Plugin::start(None).await;
    // Before anybody listens: it waits, and holds up nothing.
    plugin.process("print before").await.unwrap();
    let mut stream = plugin.stdio().await;
    assert_eq!(next(&mut stream).await, Some((Which::Stdout, "before\n".to_owned())));
    plugin.process("complain aloud").await.unwrap();
    let mut complaint = String::new();
    while complaint != "aloud\n" {
        let (which, piece) = next(&mut stream).await.unwrap();
        assert_eq!(which, Which::Stderr);
        complaint += &piece;
    }
    plugin.process("log a \"record\"").await.unwrap();
    plugin.process("print last").await.unwrap();
    plugin.shut_down().await.unwrap();
    assert_eq!(next(&mut stream).await, Some((Which::Stdout, "last\n".to_owned())), "what is printed last arrives");
    assert_eq!(next(&mut stream).await, None, "the stream ends with the plugin");
    let (code, error) = plugin.ended();
    assert_eq!(code, Some(0));
    let record = "{\"@level\":\"warn\",\"@message\":\"a \\\"record\\\"\",\"@module\":\"echo\",\"@timestamp\":\"20";
    assert!(error.starts_with(record), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_prints_much_while_nobody_listens_goes_on() {
    let plugin = Plugin::start(None).await;
    let line = "x".repeat(1 << 20);
    for _ in 0..3 {
        plugin.process(&format!("print {line}")).await.unwrap();
    }
    let mut stream = plugin.stdio().await;
    let (which, note) = next(&mut stream).await.unwrap();
    assert_eq!(which, Which::Stderr);
    assert!(note.ends_with(" bytes of the plugin's output were dropped, as nobody listened]\n"), "{note}");
    plugin.shut_down().await.unwrap();
    let mut kept = 0;
    while let Some((_, piece)) = next(&mut stream).await {
        kept += piece.len();
    }
    assert!((1 << 19..=1 << 20).contains(&kept), "{kept} bytes of the last were kept");
    assert_eq!(plugin.ended().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_call_alone_and_is_told_directly() {
    let plugin = Plugin::start(None).await;
    assert!(plugin.process("panic at the disco").await.is_err());
    assert_eq!(plugin.process("on").await.unwrap(), "on");
    plugin.shut_down().await.unwrap();
    let (code, error) = plugin.ended();
    assert_eq!(code, Some(0));
    assert!(error.starts_with("{\"@level\":\"error\",\"@message\":\"panicked at "), "{error}");
    assert!(error.contains("at the disco"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_is_the_hosts_and_a_termination_leaves_no_socket() {
    let plugin = Plugin::start(None).await;
    let signal = |signal| {
        let pid = rustix::process::Pid::from_child(&plugin.child);
        rustix::process::kill_process(pid, signal).unwrap();
    };
    signal(rustix::process::Signal::INT);
    assert_eq!(plugin.process("on").await.unwrap(), "on");
    signal(rustix::process::Signal::TERM);
    assert_eq!(plugin.ended().0, Some(143));
}

#[test]
fn a_plugin_whose_host_is_killed_ends_and_one_that_stays_is_reached_by_the_next() {
    let started = |stays: &str| {
        let sockets = tempfile::tempdir().unwrap();
        let place = SocketPlace { folder: Some(sockets.path().to_owned()), group: None };
        let cookie = Cookie::default();
        let offer = Offer { cookie: &cookie, versions: &[3], ports: None, certificate: None, sockets: &place };
        // The host is a shell, which is killed as soon as the plugin serves.
        let mut host = Command::new("sh");
        host.args(["-c", "\"$0\" $1 & echo pid $!; wait"]).arg(echo()).arg(stays);
        let mut host = host.envs(offer.variables()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines: Vec<_> = lines.by_ref().take(2).collect();
        let (pid, handshake) =
            if lines[0].starts_with("pid") { (&lines[0], &lines[1]) } else { (&lines[1], &lines[0]) };
        let pid = rustix::process::Pid::from_raw(pid[4..].parse().unwrap()).unwrap();
        let end = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        host.kill().unwrap();
        host.wait().unwrap();
        (end, Handshake::parse(handshake).unwrap().address, sockets)
    };
    let ended = |end: &rustix::fd::OwnedFd| {
        let mut poll = [rustix::event::PollFd::new(end, rustix::event::PollFlags::IN)];
        let limit = rustix::time::Timespec { tv_sec: HANG.as_secs() as i64, tv_nsec: 0 };
        rustix::event::poll(&mut poll, Some(&limit)).unwrap() == 1
    };
    let (end, _, sockets) = started("");
    assert!(ended(&end), "no orphan is left");
    assert_eq!(sockets.path().read_dir().unwrap().count(), 0);
    let (end, address, _sockets) = started("--stays");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let channel = connect(&address, None).await.unwrap();
        assert_eq!(process(channel.clone(), "on").await.unwrap(), "on");
        GrpcControllerClient::new(channel).shutdown(Empty {}).await.unwrap();
    });
    assert!(ended(&end), "it ends when it is told to");
}

#[test]
fn a_program_that_no_host_has_started_says_so_and_ends() {
    let by_hand = refused(&[]);
    let error = String::from_utf8(by_hand.stderr).unwrap();
    assert_eq!((by_hand.status.code(), by_hand.stdout), (Some(1), Vec::new()));
    assert!(error.starts_with("This program is a plugin: another program starts it and calls it."), "{error}");
    let other = refused(&[("PITSTOP_PLUGIN_COOKIE", "another")]);
    let error = String::from_utf8(other.stderr).unwrap();
    assert_eq!((other.status.code(), other.stdout), (Some(1), Vec::new()));
    assert!(error.starts_with("This program is a plugin, but not one of the program that has started it"), "{error}");
}

#[test]
fn a_plugin_that_cannot_listen_or_encrypt_says_why_and_says_no_handshake() {
    let cookie = Cookie::default();
    let cookie = (cookie.key.as_str(), cookie.value.as_str());
    let long = format!("/tmp/{}", "a".repeat(120));
    for (name, value, words) in [
        ("PLUGIN_UNIX_SOCKET_DIR", long.as_str(), "bytes long and may be 107"),
        ("PLUGIN_UNIX_SOCKET_DIR", "/no/such/folder", "cannot make a socket in `/no/such/folder`"),
        ("PLUGIN_UNIX_SOCKET_GROUP", "no such group", "no group `no such group`"),
        ("PLUGIN_CLIENT_CERT", "no certificate", "cannot encrypt the connection to the host: "),
    ] {
        let output = refused(&[cookie, (name, value)]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "{name}");
        assert!(error.contains(words), "{error}");
    }
}

/// Hands calls on to another plugin.
struct Forward(Channel);

impl Forward {
    fn server(self) -> pitstop_rpc::proto::pitstop::plugin_server::PluginServer<Self> {
        pitstop_rpc::proto::pitstop::plugin_server::PluginServer::new(self)
    }
}

#[tonic::async_trait]
impl pitstop_rpc::proto::pitstop::plugin_server::Plugin for Forward {
    async fn describe(
        &self,
        request: tonic::Request<DescribeRequest>,
    ) -> Result<tonic::Response<pitstop_rpc::proto::pitstop::Description>, Status> {
        PluginClient::new(self.0.clone()).describe(request).await
    }

    async fn process(
        &self,
        request: tonic::Request<ProcessRequest>,
    ) -> Result<tonic::Response<pitstop_rpc::proto::pitstop::ProcessResponse>, Status> {
        PluginClient::new(self.0.clone()).process(request).await
    }

    async fn save(
        &self,
        request: tonic::Request<pitstop_rpc::proto::pitstop::SaveRequest>,
    ) -> Result<tonic::Response<pitstop_rpc::proto::pitstop::Saved>, Status> {
        PluginClient::new(self.0.clone()).save(request).await
    }

    async fn restore(
        &self,
        request: tonic::Request<pitstop_rpc::proto::pitstop::Saved>,
    ) -> Result<tonic::Response<pitstop_rpc::proto::pitstop::Restored>, Status> {
        PluginClient::new(self.0.clone()).restore(request).await
    }
}

/// Where the plugin listens is in the folder that the host has named.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_listens_in_the_folder_that_the_host_names() {
    let plugin = Plugin::start(None).await;
    let Address::Unix(path) = plugin.handshake.address.clone() else { panic!("{:?}", plugin.handshake) };
    assert_eq!(path.parent(), Some(plugin.sockets.path()));
    plugin.shut_down().await.unwrap();
    assert_eq!(plugin.ended().0, Some(0));
}
