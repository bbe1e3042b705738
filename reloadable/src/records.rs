//! Records of an image that has its own copy of `log`, or of `tracing-core`, go to the program's logger and subscriber.

#[cfg(feature = "tracing")]
mod subscriber;
#[cfg(not(feature = "tracing"))]
#[path = "records/no_subscriber.rs"]
mod subscriber;

use log::LevelFilter;
use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something of a library's. An image that has another build of the library knows it by another type, and so cannot use it.
type Lent = &'static (dyn Any + Send + Sync);

/// What the program lends for records. Lives as long as the process.
#[derive(Clone, Copy)]
pub struct Records {
    /// A `&'static dyn log::Log`.
    logger: Lent,
    /// Makes a subscriber.
    subscriber: Option<Lent>,
    settings: fn() -> usize,
    warn: fn(&str),
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Records {
    /// Those of the program that this is linked into.
    #[must_use]
    pub fn of_the_program() -> Self {
        static LOGGER: &dyn log::Log = &Logger;
        let warn = |text: &str| log::warn!("pitstop: {text}");
        Self { logger: &LOGGER, subscriber: subscriber::lent(), settings, warn }
    }

    /// Makes the program's logger that of this image, which has copies of its own.
    pub(crate) fn enter(&self) {
        match self.logger.downcast_ref::<&'static dyn log::Log>() {
            // Fails when one is set already: then one is.
            Some(logger) => drop(log::set_logger(*logger)),
            None => self.unknown("log"),
        }
        let _ = LENT.set(*self);
        follow();
    }

    fn unknown(&self, library: &str) {
        (self.warn)(&format!(
            "the new code has another build of `{library}` than the program, so that its records go nowhere; restart, or \
             undo the change to `{library}`"
        ));
    }
}

/// What images follow: the level of records, and whether there is a subscriber, in one number.
fn settings() -> usize {
    log::max_level() as usize | usize::from(subscriber::is_set()) << 8
}

/// What was lent to this image, if it has copies of its own.
static LENT: OnceLock<Records> = OnceLock::new();

/// Follows what the program has changed. At every call, since the program's threads come by no other place, and the macros
/// ask the image's copies before they tell anybody.
#[inline]
pub fn follow() {
    if let Some(records) = LENT.get() {
        compare(records);
    }
}

fn compare(records: &Records) {
    let now = (records.settings)();
    if now != settings() {
        adopt(records, now);
    }
}

#[cold]
fn adopt(records: &Records, settings: usize) {
    let level = LevelFilter::iter().nth(settings & 0xff);
    log::set_max_level(level.unwrap_or(LevelFilter::Trace));
    if settings >> 8 != 0 {
        // No `Once`: the program's subscriber, which hears of it, may call reloadable functions, and so come by here.
        static IS_TAKEN: AtomicBool = AtomicBool::new(false);
        if !IS_TAKEN.swap(true, Ordering::Relaxed) && !subscriber::adopt(records.subscriber) {
            records.unknown("tracing-core");
        }
    }
}

/// Whatever logger the program has at the time, at whatever level.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level() && log::logger().enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        // A thread of an image's own may not have followed yet.
        if record.level() <= log::max_level() {
            log::logger().log(record);
        }
    }

    fn flush(&self) {
        log::logger().flush();
    }
}
