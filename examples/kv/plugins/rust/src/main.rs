//! The store as a plugin in Rust: a file for each key, in the folder KV_DATA or in one of its own, as the one in Go has it.

use kv::adder_client::AdderClient;
use kv::kv_server::{Kv, KvServer};
use kv::{AddRequest, AddResponse, GetRequest, GetResponse, PutRequest, PutResponse, SumRequest};
use pitstop_reloadable::rpc::{Broker, Cookie, Server, logger};
use std::env::var_os;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

mod kv {
    #![expect(unreachable_pub, reason = "generated; kv.proto says what each is for")]
    tonic::include_proto!("kv");
}

fn main() {
    let folder = folder().unwrap_or_else(|why| {
        eprintln!("{why}");
        std::process::exit(1);
    });
    let _ = logger();
    let server = Server::new().cookie(Cookie::new("KV_PLUGIN", "a store of texts"));
    let store = |broker| Store { folder, broker, adds: Mutex::new(()) };
    server.services(|session, routes| routes.add_service(KvServer::new(store(session.broker.clone())))).serve()
}

struct Store {
    folder: PathBuf,
    broker: Broker,
    /// One `add` after the other.
    adds: Mutex<()>,
}

#[tonic::async_trait]
impl Kv for Store {
    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let PutRequest { key, value } = request.into_inner();
        self.write(&key, &value)?;
        Ok(Response::new(PutResponse {}))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let value = self.read(&request.into_inner().key)?;
        Ok(Response::new(GetResponse { value }))
    }

    async fn add(&self, request: Request<AddRequest>) -> Result<Response<AddResponse>, Status> {
        let AddRequest { key, amount, adder } = request.into_inner();
        let _one = self.adds.lock().await;
        let value = match self.read(&key) {
            Err(status) if status.code() == tonic::Code::NotFound => "0".to_owned(),
            other => other?,
        };
        let no_number = |_| Status::failed_precondition(format!("{key} is {value:?}, which is no number to add to"));
        let one = value.parse().map_err(no_number)?;
        let unreachable = |error| Status::unavailable(format!("the host's adder {adder}: {error}"));
        let channel = self.broker.dial(adder).await.map_err(unreachable)?;
        let sum = AdderClient::new(channel).sum(SumRequest { one, other: amount }).await?.into_inner().sum;
        self.write(&key, &sum.to_string())?;
        Ok(Response::new(AddResponse { value: sum }))
    }
}

impl Store {
    fn read(&self, key: &str) -> Result<String, Status> {
        let bytes = std::fs::read(self.path(key)?).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Status::not_found(format!("nothing is kept under {key}")),
            _ => told(&self.folder, &error),
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The file is there as a whole or not at all.
    fn write(&self, key: &str, value: &str) -> Result<(), Status> {
        let path = self.path(key)?;
        let written = tempfile::NamedTempFile::new_in(&self.folder).and_then(|mut draft| {
            draft.write_all(value.as_bytes())?;
            draft.persist(&path).map_err(|error| error.error)
        });
        written.map(drop).map_err(|error| told(&path, &error))
    }

    /// A key is part of a file's name.
    fn path(&self, key: &str) -> Result<PathBuf, Status> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if key.is_empty() || key.len() > 64 || !key.chars().all(allowed) {
            let why = format!("{key:?} is no key: 1 to 64 of a-z, A-Z, 0-9, `-` and `_`");
            return Err(Status::invalid_argument(why));
        }
        Ok(self.folder.join(key))
    }
}

fn told(path: &Path, error: &std::io::Error) -> Status {
    Status::internal(format!("{}: {error}", path.display()))
}

/// The same as the plugin in Go has, so that one finds what the other has kept.
fn folder() -> Result<PathBuf, String> {
    let set = |name| var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let folder = set("KV_DATA").or_else(|| Some(caches()?.join("pitstop-kv")));
    let folder =
        folder.ok_or("no folder to keep anything in: neither HOME nor XDG_CACHE_HOME is set; set KV_DATA to one")?;
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}
