//! A store of texts in plugins that go-plugin's hosts run as well, in Rust and in Go.
//!
//! ```text
//! cargo pitstop run kv -- [--plugin NAME] put KEY VALUE
//! cargo pitstop run kv -- [--plugin NAME] get KEY
//! cargo pitstop run kv -- [--plugin NAME] add KEY AMOUNT     the plugin calls this program back to add
//! cargo pitstop run kv [-- --frames N]                       adds by each plugin, frame by frame: edit one meanwhile
//! ```
//!
//! `--plugins FILE` opens these plugins in place of its own `pitstop.toml`.

use kv::adder_server::{Adder, AdderServer};
use kv::kv_client::KvClient;
use kv::{AddRequest, GetRequest, PutRequest, SumRequest, SumResponse};
use pitstop_host::rpc::{Channel, Pinned};
use pitstop_host::{PluginInfo, PluginState, Plugins};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Runtime;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

mod kv {
    #![expect(unreachable_pub, reason = "generated; kv.proto says what each is for")]
    tonic::include_proto!("kv");
}

const USAGE: &str = "usage: kv [--plugins FILE] [--plugin NAME] put KEY VALUE | get KEY | add KEY AMOUNT
       kv [--plugins FILE] [--frames N]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut file = Path::new(env!("CARGO_MANIFEST_DIR")).join("pitstop.toml");
    let (mut name, mut count) = (None, u64::MAX);
    let mut words = std::env::args().skip(1).peekable();
    while let Some(option) = words.next_if(|word| word.starts_with("--")) {
        let value = words.next().ok_or(USAGE)?;
        match option.as_str() {
            "--plugins" => file = value.into(),
            "--plugin" => name = Some(value),
            "--frames" => count = value.parse().map_err(|_| format!("{value} is no number of frames"))?,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let command: Vec<String> = words.collect();
    let plugins = Plugins::open(file).map_err(|error| error.to_string())?;
    match command.as_slice() {
        [] => frames(&plugins, count),
        command => one(&plugins, name.as_deref(), command),
    }
}

/// Does one thing by one plugin: that of this name, or the first that can be called.
fn one(plugins: &Plugins, name: Option<&str>, command: &[String]) -> Result<(), String> {
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let list: Vec<PluginInfo> =
        settled(plugins).into_iter().filter(|it| name.is_none_or(|name| it.name == name)).collect();
    let Some(live) = list.iter().find(|plugin| plugin.state == PluginState::Live) else {
        let problems: Vec<&str> = list.iter().filter_map(|plugin| plugin.problem.as_deref()).collect();
        return Err(if problems.is_empty() { "there is no such plugin".to_owned() } else { problems.join("\n") });
    };
    let channel = plugins.channel(&live.name).map_err(|error| error.to_string())?;
    let reply = runtime()?.block_on(obey(&channel, &command)).map_err(|status| status.message().to_owned())?;
    println!("{reply}");
    Ok(())
}

/// All plugins, once each can be called or has a problem: in a session they are built first.
fn settled(plugins: &Plugins) -> Vec<PluginInfo> {
    let pit = pitstop_host::attach();
    let mut events = plugins.events();
    loop {
        pit.safe_point();
        let list = plugins.list();
        let is_settled = |plugin: &PluginInfo| plugin.state != PluginState::Absent || plugin.problem.is_some();
        if !pit.is_attached() || list.iter().all(is_settled) {
            return list;
        }
        let _ = events.next_within(Duration::from_millis(100));
    }
}

async fn obey(channel: &Channel, command: &[&str]) -> Result<String, Status> {
    let mut store = KvClient::new(channel.clone());
    match *command {
        ["put", key, value] => {
            let request = PutRequest { key: key.to_owned(), value: value.to_owned() };
            store.put(request).await.map(|_| "kept".to_owned())
        }
        ["get", key] => Ok(store.get(GetRequest { key: key.to_owned() }).await?.into_inner().value),
        ["add", key, amount] => {
            let amount = amount.parse().map_err(|_| Status::invalid_argument(format!("{amount} is no number")))?;
            add(&channel.pin().await?, key, amount).await.map(|sum| sum.to_string())
        }
        _ => Err(Status::invalid_argument(USAGE)),
    }
}

/// Adds by a plugin that calls the adder below: served for the time of the call, under a number of the plugin's broker.
async fn add(store: &Pinned, key: &str, amount: i64) -> Result<i64, Status> {
    let broker = store.broker();
    let adder = broker.next_id();
    let served = broker.serve(adder, Routes::new(AdderServer::new(Sums))).await;
    let _served = served.map_err(|error| Status::unavailable(error.to_string()))?;
    let request = AddRequest { key: key.to_owned(), amount, adder };
    Ok(KvClient::new(store.clone()).add(request).await?.into_inner().value)
}

struct Sums;

#[tonic::async_trait]
impl Adder for Sums {
    async fn sum(&self, pair: Request<SumRequest>) -> Result<Response<SumResponse>, Status> {
        let SumRequest { one, other } = pair.into_inner();
        let sum =
            one.checked_add(other).ok_or_else(|| Status::out_of_range(format!("{one} and {other} are too much")))?;
        Ok(Response::new(SumResponse { sum }))
    }
}

/// Counts by each plugin in turn, and says when something is another than before.
fn frames(plugins: &Plugins, count: u64) -> Result<(), String> {
    let pit = pitstop_host::attach();
    let mut events = plugins.events();
    let runtime = runtime()?;
    settled(plugins);
    let mut last = String::new();
    for frame in 0..count {
        pit.safe_point();
        let mut picture = String::new();
        for plugin in plugins.list() {
            if plugin.state != PluginState::Live {
                picture += &format!("{:6} {}\n", plugin.name, plugin.problem.as_deref().unwrap_or("is on its way"));
                continue;
            }
            let channel = plugins.channel(&plugin.name).map_err(|error| error.to_string())?;
            let added = runtime.block_on(async { add(&channel.pin().await?, "frames", 1).await });
            let versions: Vec<String> = plugin.versions.iter().map(|version| version.number.to_string()).collect();
            picture += &match added {
                Ok(_) => format!("{:6} version {} adds\n", plugin.name, versions.join(", ")),
                Err(status) => format!("{:6} ! {}\n", plugin.name, status.message()),
            };
        }
        if picture != last {
            println!("frame {frame}\n{picture}");
            let _ = std::io::stdout().flush();
            last = picture;
        }
        // The time between frames, or less if something happens.
        let _ = events.next_within(Duration::from_millis(100));
    }
    Ok(())
}

fn runtime() -> Result<Runtime, String> {
    Runtime::new().map_err(|error| format!("no runtime for calls: {error}"))
}
