//! The threads that all plugins by `rpc` of a program share: what comes from them and goes to them is moved here.

use pitstop_reloadable::PluginError;
use std::ops::RangeInclusive;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// One for every two processors: the callers and the plugins need some too.
const WORKERS: RangeInclusive<usize> = 1..=4;

/// The runtime, which is made when it is first needed and stays.
pub(super) fn runtime() -> Result<&'static Runtime, PluginError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = (processors / 2).clamp(*WORKERS.start(), *WORKERS.end());
        builder.worker_threads(workers).thread_name("pitstop-rpc").enable_io().enable_time();
        builder.build().map_err(|error| format!("the threads for plugins by `rpc` cannot be started: {error}"))
    });
    runtime.as_ref().map_err(|why| PluginError::failed(why.clone()))
}
