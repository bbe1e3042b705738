//! What a program lends to a guest: its log, and by its configuration the clock, values that outlive it, and WASI.

mod component;
mod core;
mod key_value;
mod wasi;

pub(super) use component::linker as component_linker;
pub(super) use core::linker as core_linker;
pub(super) use key_value::KeyValue;
pub(super) use wasi::wasi;

use crate::plugin::spec::{Spec, Wasm};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

/// A record of the log is at most this long; what is more is cut off.
const LONGEST_RECORD: usize = 16 << 10;

/// What is lent to the instances of one version.
pub(super) struct Lent {
    /// The plugin, under whose name it logs.
    pub(super) plugin: Arc<str>,
    pub(super) granted: Wasm,
    pub(super) arguments: Vec<String>,
    pub(super) variables: BTreeMap<String, String>,
    /// Its values, if it may keep some.
    pub(super) values: Option<Arc<KeyValue>>,
}

impl Lent {
    pub(super) fn new(spec: &Spec) -> Self {
        let inherited = spec.environment.iter();
        let inherited = inherited.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
        Self {
            plugin: spec.name.as_str().into(),
            granted: spec.wasm.clone(),
            arguments: spec.arguments.clone(),
            variables: inherited.chain(spec.set.clone()).collect(),
            values: spec.wasm.key_value.map(|share| KeyValue::of(spec, share)),
        }
    }

    /// Puts a record into the program's log.
    fn log(&self, level: log::Level, message: &[u8]) {
        if level > log::max_level() {
            return;
        }
        let cut = &message[..message.len().min(LONGEST_RECORD)];
        let rest = message.len() - cut.len();
        let text = String::from_utf8_lossy(cut);
        if rest == 0 {
            log::log!(target: &self.plugin, level, "{text}");
        } else {
            log::log!(target: &self.plugin, level, "{text}… (and {rest} bytes)");
        }
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since this was asked first.
fn monotonic() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    u64::try_from(FIRST.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}
