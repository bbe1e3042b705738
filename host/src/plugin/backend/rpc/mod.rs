//! The mechanism for programs that speak the protocol of hashicorp/go-plugin.
//!
//! In reading order: `start` starts a process and speaks with it until it is known to be well, with `greeting` for its first
//! line and `connection` for what comes after; `supervise` owns it from then on, and starts it again; `instance` is what calls
//! it, and `channel` what clients of the program's own services call through. What it writes goes by `output`, `lines` and `said` into the `journal`.

mod block;
mod channel;
mod connection;
mod greeting;
mod instance;
mod journal;
mod lines;
mod output;
mod reattach;
mod runtime;
mod said;
mod shared;
mod sockets;
mod start;
mod status;
mod stdio;
mod supervise;

#[cfg(all(test, target_os = "linux"))]
mod tests;

pub(crate) use channel::Route;
pub use channel::{Channel, Pinned};

use super::{Backend, Candidate, Instance, Proven, process};
use crate::plugin::spec::Spec;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;

pub(crate) struct Rpc;

impl Backend for Rpc {
    fn accepts(&self, spec: &Spec) -> Result<(), (&'static str, String)> {
        process::accepts(spec)?;
        let names = [("environment", spec.environment.iter().collect::<Vec<_>>()), ("set", spec.set.keys().collect())];
        for (key, names) in names {
            let ours = |name: &&&String| {
                **name == spec.rpc.cookie.key.as_str() || pitstop_rpc::environment::ALL.contains(&name.as_str())
            };
            if let Some(name) = names.iter().find(|name| ours(name)) {
                return Err((
                    key,
                    format!("`{name}` is a part of go-plugin's protocol, and set by Pitstop; leave it out"),
                ));
            }
        }
        Ok(())
    }

    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        process::prove(candidate).map_err(|reason| vec![reason])
    }

    fn open(&self, proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        instance::open(proven.candidate())
    }
}
