//! Plugins that speak go-plugin's protocol: Pitstop's host beside the real one in Go, in turn, plain and with certificates.
//!
//! `cargo bench -p pitstop-tests --bench rpc`
//!
//! From the start to the reply to a first call; a call of 16 bytes; calls of 16 bytes by 64 callers at once, and of 1 MB by four.
//! `process` blocks a thread for each caller, `typed` is a client that tonic generates, a task for each.

use pitstop_host::{Plugin, PluginHandle, Plugins};
use pitstop_rpc::ANY_SIZE;
use pitstop_rpc::proto::pitstop::ProcessRequest;
use pitstop_rpc::proto::pitstop::plugin_client::PluginClient;
use pitstop_tests::{GoHost, GoPlugin, Tls, go};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::runtime::Runtime;

const ROUNDS: usize = 7;
const STARTS: usize = 5;
const UNARY: usize = 2000;
const CALLERS: usize = 64;
const CALLS: usize = 200;
const LARGE: usize = 1 << 20;
const LARGE_CALLERS: usize = 4;
const LARGE_CALLS: usize = 25;

fn main() {
    let rust = PathBuf::from(env!("CARGO_BIN_EXE_peer-plugin"));
    let in_go = go("plugin", GoPlugin::Debian);
    for tls in Tls::BOTH {
        let folder = tempfile::tempdir().expect("a folder");
        let mut hosts: Vec<(&str, Box<dyn Host>)> = vec![
            ("go host, go plugin", Box::new(GoHost::start(&in_go, tls, folder.path(), &[]).expect("a plugin"))),
            ("pitstop, rust plugin", Box::new(Pitstop::new(&rust, tls))),
            ("pitstop, go plugin", Box::new(Pitstop::new(&in_go, tls))),
            ("typed, rust plugin", Box::new(Typed::new(&rust, tls))),
            ("typed, go plugin", Box::new(Typed::new(&in_go, tls))),
        ];
        let mut measured = vec![Vec::new(); hosts.len()];
        for round in 0..=ROUNDS {
            for ((_, host), measured) in hosts.iter_mut().zip(&mut measured) {
                let figures = round_of(&mut **host);
                // The first is to warm up.
                if round > 0 {
                    measured.push(figures);
                }
            }
        }
        let medians: Vec<Figures> = measured.iter().map(|rounds| medians(rounds)).collect();
        for ((name, _), figures) in hosts.iter().zip(&medians) {
            say(name, tls, figures, &medians[0]);
        }
    }
}

/// Times, each in seconds: a start, a call, all calls of 64 callers, all large calls.
type Figures = [f64; 4];

/// A host with a plugin that runs.
trait Host {
    /// The median time of as many starts of further plugins.
    fn starts(&mut self, count: usize) -> f64;
    /// The median time of as many calls.
    fn unary(&mut self, count: usize, bytes: usize) -> f64;
    /// The time of all calls.
    fn parallel(&mut self, callers: usize, calls: usize, bytes: usize) -> f64;
}

fn round_of(host: &mut dyn Host) -> Figures {
    [
        host.starts(STARTS),
        host.unary(UNARY, 16),
        host.parallel(CALLERS, CALLS, 16),
        host.parallel(LARGE_CALLERS, LARGE_CALLS, LARGE),
    ]
}

fn say(name: &str, tls: Tls, figures: &Figures, peer: &Figures) {
    let tls = if tls == Tls::Auto { "certificates" } else { "plain" };
    let [start, unary, many, large] = *figures;
    let per_second = (CALLERS * CALLS) as f64 / many;
    let megabytes = (LARGE_CALLERS * LARGE_CALLS) as f64 / large;
    let ratio = |at: usize| figures[at] / peer[at];
    println!(
        "{tls:12}  {name:21}  start {:6.1} ms ({:.2})  call {:6.1} µs ({:.2})  64 callers {per_second:7.0}/s ({:.2} times)  \
         1 MB {megabytes:5.0}/s ({:.2} times)",
        start * 1e3,
        ratio(0),
        unary * 1e6,
        ratio(1),
        1.0 / ratio(2),
        1.0 / ratio(3),
    );
}

fn medians(rounds: &[Figures]) -> Figures {
    std::array::from_fn(|at| median(rounds.iter().map(|figures| figures[at]).collect()))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Host for GoHost {
    fn starts(&mut self, count: usize) -> f64 {
        nanoseconds(self.does(&format!("bench start {count}")))
    }

    fn unary(&mut self, count: usize, bytes: usize) -> f64 {
        nanoseconds(self.does(&format!("bench unary {count} {bytes}")))
    }

    fn parallel(&mut self, callers: usize, calls: usize, bytes: usize) -> f64 {
        nanoseconds(self.does(&format!("bench parallel {callers} {calls} {bytes}")))
    }
}

fn nanoseconds(reply: Result<String, String>) -> f64 {
    reply.expect("a time").parse::<f64>().expect("a number") / 1e9
}

/// Pitstop's host in this process, by `process`.
struct Pitstop {
    plugins: Plugins,
    echo: PluginHandle,
    folder: tempfile::TempDir,
}

impl Pitstop {
    fn new(program: &Path, tls: Tls) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plugin = format!(
            "[[plugin]]\nname = \"echo\"\nmechanism = \"rpc\"\nartifact = \"{}\"\nrpc = {{ tls = \"{}\" }}\n",
            program.display(),
            tls.name()
        );
        std::fs::write(folder.path().join("pitstop.toml"), plugin).expect("a file");
        let plugins = open(folder.path());
        let echo = plugins.get("echo").expect("a plugin");
        Self { plugins, echo, folder }
    }
}

fn open(folder: &Path) -> Plugins {
    Plugins::open(folder.join("pitstop.toml")).unwrap_or_else(|error| panic!("{error}"))
}

impl Host for Pitstop {
    fn starts(&mut self, count: usize) -> f64 {
        let start = |_| {
            let begun = Instant::now();
            let plugins = open(self.folder.path());
            plugins.get("echo").expect("a plugin").process(&[0; 16]).expect("a reply");
            begun.elapsed().as_secs_f64()
        };
        median((0..count).map(start).collect())
    }

    fn unary(&mut self, count: usize, bytes: usize) -> f64 {
        let input = input(bytes);
        let call = |_| {
            let begun = Instant::now();
            self.echo.process(&input).expect("a reply");
            begun.elapsed().as_secs_f64()
        };
        median((0..count).map(call).collect())
    }

    fn parallel(&mut self, callers: usize, calls: usize, bytes: usize) -> f64 {
        let input = input(bytes);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| (0..calls).for_each(|_| drop(self.echo.process(&input).expect("a reply"))));
            }
        });
        begun.elapsed().as_secs_f64()
    }
}

/// The same host, by a client of the service that tonic has generated.
struct Typed {
    pitstop: Pitstop,
    client: PluginClient<pitstop_host::rpc::Channel>,
    runtime: Runtime,
}

impl Typed {
    fn new(program: &Path, tls: Tls) -> Self {
        let pitstop = Pitstop::new(program, tls);
        let channel = pitstop.plugins.channel("echo").expect("a plugin with services");
        let client = PluginClient::new(channel).max_decoding_message_size(ANY_SIZE).max_encoding_message_size(ANY_SIZE);
        Self { pitstop, client, runtime: Runtime::new().expect("a runtime") }
    }
}

impl Host for Typed {
    fn starts(&mut self, count: usize) -> f64 {
        self.pitstop.starts(count)
    }

    fn unary(&mut self, count: usize, bytes: usize) -> f64 {
        let (client, input) = (&mut self.client, input(bytes));
        let times = self.runtime.block_on(async {
            let mut times = Vec::new();
            for _ in 0..count {
                let begun = Instant::now();
                client.process(ProcessRequest { input: input.clone().into() }).await.expect("a reply");
                times.push(begun.elapsed().as_secs_f64());
            }
            times
        });
        median(times)
    }

    fn parallel(&mut self, callers: usize, calls: usize, bytes: usize) -> f64 {
        let input = input(bytes);
        let begun = Instant::now();
        self.runtime.block_on(async {
            let callers: Vec<_> = (0..callers)
                .map(|_| {
                    let (mut client, input) = (self.client.clone(), input.clone());
                    tokio::spawn(async move {
                        for _ in 0..calls {
                            client.process(ProcessRequest { input: input.clone().into() }).await.expect("a reply");
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.expect("a caller");
            }
        });
        begun.elapsed().as_secs_f64()
    }
}

/// `raw`: an echo without the version, of the same length.
fn input(bytes: usize) -> Vec<u8> {
    [b"raw ".as_slice(), &vec![0; bytes]].concat()
}
