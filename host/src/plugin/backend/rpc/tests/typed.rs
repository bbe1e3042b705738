//! Services of the program's own, across versions.

use super::super::Channel;
use super::plugin::Healthy;
use super::{LONG, Plugin, assert_ends, assert_says, awaited};
use crate::plugin::post::Post;
use crate::plugin::route::{Keyed, Routing, Split};
use crate::plugin::version::Version;
use crate::plugin::yard::Message;
use crossbeam_channel::{Receiver, Sender, unbounded};
use pitstop_contract::Generation;
use pitstop_rpc::proto::health::HealthCheckRequest;
use pitstop_rpc::proto::health::health_client::HealthClient;
use pitstop_rpc::proto::health::health_server::HealthServer;
use pitstop_rpc::proto::pitstop::ProcessRequest;
use pitstop_rpc::proto::pitstop::plugin_client::PluginClient;
use rustix::process::Pid;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::service::Routes;
use tonic::{Code, Status};

/// A plugin in a program, of which versions come and go.
struct Ground {
    plugin: Plugin,
    post: Arc<Post>,
    yard: Sender<Message>,
    messages: Receiver<Message>,
    runtime: tokio::runtime::Runtime,
}

impl Ground {
    fn new(plugin: Plugin) -> Self {
        let (yard, messages) = unbounded();
        let post = Arc::new(Post::new(Arc::new(plugin.spec.clone())));
        // Without a clock: the program's runtime need have none.
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { plugin, post, yard, messages, runtime }
    }

    fn channel(&self) -> Channel {
        Channel::new(Arc::clone(&self.post))
    }

    /// A new version is live.
    fn turn(&self, number: u32) {
        let (spec, file) = (Arc::new(self.plugin.spec.clone()), self.plugin.file());
        let version = Version::new(Generation(number), spec, file, self.plugin.open(), self.yard.clone());
        self.post.turn(Arc::new(Routing::One(Arc::new(version))));
    }

    /// Ends, on another thread, the version that nobody calls any more. It has its limit for draining.
    fn retire(&self) -> std::thread::JoinHandle<()> {
        let is_drained = |message| if let Message::Drained(drained) = message { Some(drained) } else { None };
        let drained = awaited("let go", || self.messages.try_recv().ok().and_then(is_drained));
        std::thread::spawn(move || drained.instance.retire(drained.spec.limits.drain))
    }

    fn call(&self, channel: &Channel, input: &str) -> Result<String, Status> {
        let input = input.as_bytes().to_vec().into();
        let mut client = PluginClient::new(channel.clone());
        let output = self.runtime.block_on(client.process(ProcessRequest { input }))?.into_inner().output;
        Ok(String::from_utf8(output.into()).expect("a text"))
    }

    fn pid(&self, channel: &Channel) -> Pid {
        let told = self.call(channel, "pid").expect("a plugin that answers");
        Pid::from_raw(told.parse().expect("a number")).expect("above zero")
    }

    fn end(self) {
        self.post.go("the test is over");
        self.retire().join().expect("no panic");
        self.plugin.assert_none_is_left();
    }
}

fn watch() -> HealthCheckRequest {
    HealthCheckRequest { service: "plugin".to_owned() }
}

#[test]
fn an_open_stream_stays_with_its_version_which_ends_once_it_is_closed() {
    let ground = Ground::new(Plugin::of_kind("echo"));
    ground.turn(1);
    let channel = ground.channel();
    let old = ground.pid(&channel);
    let mut client = HealthClient::new(channel.clone());
    let mut stream = ground.runtime.block_on(client.watch(watch())).expect("a stream").into_inner();
    assert!(ground.runtime.block_on(stream.message()).expect("an answer").is_some());
    ground.turn(2);
    let retired = ground.retire();
    assert_ne!(ground.pid(&channel), old, "new calls run the new version");
    assert!(!retired.is_finished(), "the old one waits for its stream");
    assert!(std::path::Path::new(&format!("/proc/{}", old.as_raw_pid())).exists());
    drop(stream);
    retired.join().expect("no panic");
    assert_ends(old);
    ground.end();
}

#[test]
fn a_stream_that_stays_open_is_cut_when_the_time_for_draining_is_over() {
    let plugin = Plugin::of_kind("echo").with(|spec| spec.limits.drain = Duration::from_millis(200));
    let ground = Ground::new(plugin);
    ground.turn(1);
    let channel = ground.channel();
    let mut client = HealthClient::new(channel.clone());
    let mut stream = ground.runtime.block_on(client.watch(watch())).expect("a stream").into_inner();
    assert!(ground.runtime.block_on(stream.message()).expect("an answer").is_some());
    let begun = Instant::now();
    ground.turn(2);
    ground.retire().join().expect("no panic");
    assert!(begun.elapsed() >= Duration::from_millis(200));
    ground.runtime.block_on(stream.message()).expect_err("cut");
    ground.end();
}

#[test]
fn a_call_that_has_begun_ends_on_its_version() {
    let ground = Ground::new(Plugin::of_kind("echo"));
    ground.turn(1);
    let channel = ground.channel();
    // Made, and not yet waited for.
    let begun = tower::Service::call(&mut channel.clone(), request("pid"));
    let old = ground.pid(&channel);
    ground.turn(2);
    let retired = ground.retire();
    let answer = ground.runtime.block_on(begun).expect("an answer");
    assert_eq!(answer.status(), 200);
    drop(answer);
    retired.join().expect("no panic");
    assert_ends(old);
    ground.end();
}

/// A call in gRPC's own terms.
fn request(input: &str) -> http::Request<tonic::body::Body> {
    // The message's length, its field's tag and length.
    let mut bytes = vec![0, 0, 0, 0, input.len() as u8 + 2, 0x0a, input.len() as u8];
    bytes.extend_from_slice(input.as_bytes());
    let body = tonic::codegen::Bytes::from(bytes);
    let body = tonic::body::Body::new(http_body_of(body));
    let uri = "http://localhost/pitstop.v1.Plugin/Process";
    let request = http::Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
    request.body(body).expect("a request")
}

fn http_body_of(bytes: tonic::codegen::Bytes) -> impl http_body::Body<Data = tonic::codegen::Bytes, Error = Status> {
    struct Whole(Option<tonic::codegen::Bytes>);
    impl http_body::Body for Whole {
        type Data = tonic::codegen::Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Status>>> {
            std::task::Poll::Ready(self.0.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
        }
    }
    Whole(Some(bytes))
}

#[test]
fn a_call_in_which_the_plugin_ends_says_how_and_later_ones_wait_for_its_return() {
    let ground = Ground::new(Plugin::of_kind("echo"));
    ground.turn(1);
    let channel = ground.channel();
    let status = ground.call(&channel, "exit").expect_err("it has ended");
    assert_eq!(status.code(), Code::Unavailable);
    assert_says(status.message(), &["exit code 3: giving up"]);
    assert_eq!(ground.call(&channel, "abc").expect("it runs again"), "cba");
    assert_eq!(ground.call(&channel, "fail").expect_err("its own word").message(), "too cold");
    ground.end();
}

#[test]
fn a_route_by_weight_or_key_holds_for_typed_calls_too() {
    let ground = Ground::new(Plugin::of_kind("echo"));
    let version = |number: u32| {
        let (spec, file) = (Arc::new(ground.plugin.spec.clone()), ground.plugin.file());
        (1, Arc::new(Version::new(Generation(number), spec, file, ground.plugin.open(), ground.yard.clone())))
    };
    let split = Split::new(vec![version(1), version(2)], Keyed::WhereGiven);
    ground.post.turn(Arc::new(Routing::Split(split)));
    let channel = ground.channel();
    let pids = |channel: &Channel| (0..8).map(|_| ground.pid(channel)).collect::<HashSet<_>>();
    assert_eq!(pids(&channel).len(), 2);
    let users: Vec<_> = (0..16).map(|user| pids(&channel.keyed(&format!("user-{user}")))).collect();
    assert!(users.iter().all(|pids| pids.len() == 1), "one user, one version");
    assert_eq!(users.into_iter().flatten().collect::<HashSet<_>>().len(), 2);
    ground.post.go("the test is over");
    let retired = [ground.retire(), ground.retire()];
    retired.into_iter().for_each(|retired| retired.join().expect("no panic"));
    ground.plugin.assert_none_is_left();
}

#[test]
fn without_a_version_a_call_is_unavailable_and_says_why() {
    let ground = Ground::new(Plugin::of_kind("echo"));
    let status = ground.call(&ground.channel(), "abc").expect_err("no version");
    assert_eq!(status.code(), Code::Unavailable);
    assert_says(status.message(), &["no plugin `tried`", "not loaded yet"]);
}

#[test]
fn the_broker_connects_both_ways_and_belongs_to_one_version() {
    let plugin = Plugin::of_kind("echo").with(|spec| spec.rpc.tls = crate::plugin::spec::Tls::Auto);
    let ground = Ground::new(plugin);
    ground.turn(1);
    let channel = ground.channel();
    let pinned = ground.runtime.block_on(channel.pin()).expect("a version");
    assert_eq!(pinned.version(), 1);
    let _runtime = super::super::runtime::runtime().expect("a runtime").enter();
    let said = super::super::block::block_on(
        async {
            let broker = pinned.broker();
            let id = broker.next_id();
            let routes = Routes::new(HealthServer::new(Healthy("echo".to_owned())));
            let _served = broker.serve(id, routes).await.expect("served");
            let mut client = PluginClient::new(pinned.clone());
            let input = format!("dial {id}").into_bytes().into();
            let said = client.process(ProcessRequest { input }).await.expect("called back").into_inner().output;
            let id = broker.next_id();
            let input = format!("serve {id}").into_bytes().into();
            client.process(ProcessRequest { input }).await.expect("served");
            let to_plugin = broker.dial(id).await.expect("connected");
            HealthClient::new(to_plugin).check(watch()).await.expect("well");
            said
        },
        Some(Instant::now() + LONG),
    );
    assert_eq!(said.expect("in time").as_ref(), b"the host is well");
    ground.turn(2);
    let retired = ground.retire();
    assert!(!retired.is_finished(), "it is pinned");
    let broker = pinned.broker();
    drop(pinned);
    retired.join().expect("no panic");
    let error = super::super::block::block_on(broker.dial(7), Some(Instant::now() + LONG)).expect("in time");
    assert_says(&error.expect_err("closed").to_string(), &["closed"]);
    ground.end();
}

#[test]
fn calls_of_a_version_that_takes_over_wait_until_it_has() {
    let ground = Ground::new(Plugin::of_kind("state"));
    ground.turn(1);
    let channel = ground.channel();
    assert_eq!(ground.call(&channel, "keep").expect("an answer"), "");
    let (spec, file) = (Arc::new(ground.plugin.spec.clone()), ground.plugin.file());
    let new = Arc::new(Version::new(Generation(2), spec, file, ground.plugin.open(), ground.yard.clone()));
    let old = ground.post.newest().expect("live");
    old.hands_over_to(&new);
    ground.post.turn(Arc::new(Routing::One(Arc::clone(&new))));
    let waiting = {
        let channel = channel.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let request = ProcessRequest { input: b"keep".to_vec().into() };
            runtime.block_on(PluginClient::new(channel).process(request)).map(|answer| answer.into_inner().output)
        })
    };
    drop((old, new));
    let is_drained = |message| if let Message::Drained(drained) = message { Some(drained) } else { None };
    let mut drained = awaited("let go", || ground.messages.try_iter().find_map(is_drained));
    assert!(!waiting.is_finished());
    let saved = drained.instance.save().expect("saved").expect("something");
    let heir = drained.heir.take().expect("the new version");
    heir.restore(&saved).expect("taken over");
    heir.begin();
    drop(heir);
    assert_eq!(waiting.join().expect("no panic").expect("an answer").as_ref(), b"kept");
    drained.instance.retire(LONG);
    ground.end();
}

#[test]
fn a_program_gets_channels_of_its_plugins_by_rpc_only() {
    let plugin = Plugin::of_kind("echo");
    let toml = format!(
        "[[plugin]]\nname = \"tried\"\nmechanism = \"rpc\"\nartifact = \"plugin\"\nset = {{ {} = \"echo\" }}\n\
         [[plugin]]\nname = \"other\"\nmechanism = \"exec\"\nartifact = \"other\"\n",
        super::plugin::KIND
    );
    std::fs::write(plugin.path("pitstop.toml"), toml).expect("written");
    std::fs::copy("/bin/false", plugin.path("other")).expect("a program");
    let plugins = crate::Plugins::open(plugin.path("pitstop.toml")).expect("a good file");
    let answer = crate::Plugin::process(&plugins.get("tried").expect("it is there"), b"abc");
    assert_eq!(answer, Ok(b"cba".to_vec()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut client = PluginClient::new(plugins.channel("tried").expect("it is by rpc"));
    let answer = runtime.block_on(client.process(ProcessRequest { input: b"abc".to_vec().into() }));
    assert_eq!(answer.expect("an answer").into_inner().output.as_ref(), b"cba");
    let error = plugins.channel("other").expect_err("it is not").to_string();
    assert_eq!(error, "plugin `other` has no services to call: its mechanism is `exec`, not `rpc`");
    plugins.channel("none").expect_err("there is none");
    drop(plugins);
    plugin.assert_none_is_left();
}
