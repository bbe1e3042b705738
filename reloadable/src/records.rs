//! Records of an image that has its own copy of `log`, or of `tracing-core`, go to the program's logger and subscriber.

#[cfg(feature = "tracing")]
mod subscriber;

use crate::services::services;
use log::LevelFilter;
use std::any::Any;

/// What the program lends for records. Lives as long as the process.
#[derive(Clone, Copy)]
pub struct Records {
    /// A `&'static dyn log::Log`. An image whose `log` is another build knows it by another type.
    logger: &'static (dyn Any + Send + Sync),
    /// Makes a subscriber, in the same way.
    subscriber: Option<&'static (dyn Any + Send + Sync)>,
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
        #[cfg(feature = "tracing")]
        let subscriber: Option<&'static (dyn Any + Send + Sync)> = Some(&subscriber::LENT);
        #[cfg(not(feature = "tracing"))]
        let subscriber = None;
        Self { logger: &LOGGER, subscriber, settings, warn: |text| log::warn!("pitstop: {text}") }
    }

    /// Makes the program's logger that of this image.
    pub(crate) fn enter(&self) {
        match self.logger.downcast_ref::<&'static dyn log::Log>() {
            // Fails when one is set already: then one is.
            Some(logger) => drop(log::set_logger(*logger)),
            None => self.unknown("log"),
        }
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
    #[cfg(feature = "tracing")]
    let subscriber = usize::from(tracing_core::dispatcher::has_been_set());
    #[cfg(not(feature = "tracing"))]
    let subscriber = 0;
    log::max_level() as usize | subscriber << 8
}

/// In an image with copies of its own: follows what the program has changed. At every call, since the program's threads
/// come by no other place, and the macros ask the copies before they tell anybody.
#[inline]
pub(crate) fn follow() {
    if let Some(services) = services()
        && !services.shared_std
    {
        let now = (services.records.settings)();
        if now != settings() {
            adopt(&services.records, now);
        }
    }
}

#[cold]
fn adopt(records: &Records, settings: usize) {
    let level = LevelFilter::iter().nth(settings & 0xff);
    log::set_max_level(level.unwrap_or(LevelFilter::Trace));
    #[cfg(feature = "tracing")]
    if settings >> 8 != 0 {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            if !records.subscriber.is_some_and(subscriber::adopt) {
                records.unknown("tracing-core");
            }
        });
    }
    #[cfg(not(feature = "tracing"))]
    let _ = records.subscriber;
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
