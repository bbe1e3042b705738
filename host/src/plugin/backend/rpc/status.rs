//! The statuses of gRPC as errors of a plugin.

use pitstop_reloadable::PluginError;
use pitstop_rpc::ERROR_METADATA;
use std::time::Duration;
use tonic::{Code, Status};

/// By which the service of Pitstop's own is known.
pub(super) const PROCESS: &str = "pitstop.v1.Plugin/Process";

/// What a call may take up.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) output: u64,
}

/// A status that the plugin has sent.
pub(super) fn error(status: &Status, bounds: Bounds) -> PluginError {
    let message = status.message().to_owned();
    if has_run_out_of_time(status) {
        return PluginError::TimedOut { limit: bounds.time };
    }
    match status.metadata().get(ERROR_METADATA).and_then(|kind| kind.to_str().ok()) {
        Some("panicked") => return PluginError::Panicked { message },
        Some("unsupported") => return PluginError::Unsupported { verb: message },
        _ => {}
    }
    match status.code() {
        Code::Unknown => PluginError::Failed { message },
        Code::Unimplemented => PluginError::Unsupported { verb: PROCESS.to_owned() },
        Code::DeadlineExceeded => PluginError::TimedOut { limit: bounds.time },
        // What tonic says of a message that is longer than it may be: its own limit, or the other end's.
        Code::OutOfRange | Code::ResourceExhausted if message.contains("message length too large") => {
            PluginError::TooMuchOutput { limit: bounds.output }
        }
        _ => PluginError::Failed { message: told(status) },
    }
}

/// Whether the status was made here, and not by the plugin: mostly since the connection broke.
pub(super) fn is_of_transport(status: &Status) -> bool {
    use std::error::Error as _;
    let is_limit = matches!(status.code(), Code::OutOfRange | Code::DeadlineExceeded) || has_run_out_of_time(status);
    status.source().is_some() && !is_limit
}

/// Whether the call's own time is over: noticed here, or by a plugin that is served by tonic too.
fn has_run_out_of_time(status: &Status) -> bool {
    let first = std::error::Error::source(status);
    let mut causes = std::iter::successors(first, |error| error.source());
    causes.any(|error| error.is::<tonic::TimeoutExpired>())
        || (status.code() == Code::Cancelled && status.message() == "Timeout expired")
}

/// A status in words, with what is behind it.
pub(super) fn told(status: &Status) -> String {
    let mut text = format!("{:?}", status.code());
    if !status.message().is_empty() {
        text += ": ";
        text += status.message();
    }
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text += ": ";
            text += &said;
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(1), output: 10 };

    #[test]
    fn statuses_are_the_errors_that_they_stand_for() {
        let kind = |status: Status| error(&status, BOUNDS).kind();
        assert_eq!(error(&Status::unknown("too cold"), BOUNDS), PluginError::failed("too cold"));
        assert_eq!(kind(Status::unimplemented("")), "unsupported");
        assert_eq!(kind(Status::deadline_exceeded("")), "timed-out");
        assert_eq!(kind(Status::out_of_range("Error, decoded message length too large: found 7")), "too-much-output");
        let mut panicked = Status::internal("boom");
        panicked.metadata_mut().insert(ERROR_METADATA, "panicked".parse().expect("a value"));
        assert_eq!(error(&panicked, BOUNDS), PluginError::Panicked { message: "boom".to_owned() });
        assert_eq!(error(&Status::not_found("key"), BOUNDS), PluginError::failed("NotFound: key"));
    }

    #[test]
    fn the_end_of_a_calls_time_is_no_broken_connection() {
        let here = Status::from_error(Box::new(tonic::TimeoutExpired(())));
        let there = Status::cancelled("Timeout expired");
        for status in [here, there] {
            assert!(!is_of_transport(&status), "{status:?}");
            assert_eq!(error(&status, BOUNDS).kind(), "timed-out");
        }
    }

    #[test]
    fn what_the_plugin_has_sent_is_not_taken_for_a_broken_connection() {
        assert!(!is_of_transport(&Status::unknown("")));
        let broken = Status::from_error(Box::new(std::io::Error::other("gone")));
        assert!(is_of_transport(&broken), "{broken:?}");
        assert!(told(&broken).contains("gone"));
    }
}
