//! What is behind each mechanism: a candidate is proven, opened, called, and retired.
//!
//! A further mechanism is one file here, one variant of [`Mechanism`] and one line in [`backend`].

#[cfg(any(not(all(unix, feature = "rpc")), not(feature = "wasm")))]
mod absent;
mod c;
mod dylib;
mod exec;
mod process;
#[cfg(all(unix, feature = "rpc"))]
pub(crate) mod rpc;
mod table;
#[cfg(feature = "wasm")]
pub(crate) mod wasm;

use super::spec::{Limits, Mechanism, Spec};
pub(crate) use super::stage::Candidate;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;
use std::time::Duration;

/// The backend of a mechanism.
pub(crate) fn backend(mechanism: Mechanism) -> &'static dyn Backend {
    match mechanism {
        Mechanism::Dylib => &dylib::Dylib,
        Mechanism::C => &c::C,
        Mechanism::Exec => &exec::Exec,
        #[cfg(all(unix, feature = "rpc"))]
        Mechanism::Rpc => &rpc::Rpc,
        #[cfg(not(all(unix, feature = "rpc")))]
        Mechanism::Rpc => &absent::Absent("rpc"),
        #[cfg(feature = "wasm")]
        Mechanism::Wasm => &wasm::Wasm,
        #[cfg(not(feature = "wasm"))]
        Mechanism::Wasm => &absent::Absent("wasm"),
    }
}

/// A candidate that was shown to match. Only [`prove`] makes one.
#[derive(Debug)]
pub(crate) struct Proven {
    candidate: Candidate,
    proof: Proof,
}

impl Proven {
    pub(crate) fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    pub(crate) fn proof(&self) -> &Proof {
        &self.proof
    }
}

/// Proves a candidate, by its file alone.
///
/// # Errors
/// All reasons against it.
pub(crate) fn prove(candidate: Candidate) -> Result<Proven, Vec<Reason>> {
    let proof = backend(candidate.spec.mechanism).prove(&candidate)?;
    Ok(Proven { candidate, proof })
}

/// A mechanism.
pub(crate) trait Backend: Sync {
    /// Whether what is configured can be kept; otherwise the key that cannot, and why not.
    fn accepts(&self, spec: &Spec) -> Result<(), (&'static str, String)>;

    /// Shows, by the file alone, that a candidate can be used. No code of it runs.
    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>>;

    /// Makes it ready for calls: loads or starts it, and asks it for its health.
    fn open(&self, proven: &Proven) -> Result<Box<dyn Instance>, PluginError>;
}

/// A version that is ready for calls.
pub(crate) trait Instance: Send + Sync {
    /// What it says of itself.
    fn description(&self) -> &Description;

    /// Makes the output of an input. From any thread.
    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError>;

    /// Begins a call of a service of the program's own. `None` where there are none.
    #[cfg(all(unix, feature = "rpc"))]
    fn typed(&self) -> Option<rpc::Route> {
        None
    }

    /// Whether it keeps what another version is to take over.
    fn keeps_state(&self) -> bool {
        false
    }

    /// What it keeps, for the version after it. `None` where it has nothing to hand over.
    fn save(&self) -> Result<Option<Vec<u8>>, PluginError> {
        Ok(None)
    }

    /// Takes over what the version before it has saved.
    fn restore(&self, _saved: &[u8]) -> Result<(), PluginError> {
        Ok(())
    }

    /// Ends it, once no call runs any more. `grace` is for what it has to do yet.
    fn retire(self: Box<Self>, grace: Duration);
}

/// What a version says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) capabilities: Vec<String>,
}

/// What a library in the program's own process cannot be held to.
fn in_process(spec: &Spec) -> Result<(), (&'static str, String)> {
    let own = "it runs in the program's own process, where nothing can end a call or count its memory";
    if spec.limits.time != Limits::default().time {
        return Err(("limits.time_ms", own.to_owned()));
    }
    if spec.limits.memory.is_some() {
        return Err(("limits.memory_bytes", own.to_owned()));
    }
    Ok(())
}
