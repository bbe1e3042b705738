//! What a host gets of a plugin, and of one that fails.

use super::{ERROR_METADATA, LONGEST_MESSAGE, Served, Service as _};
use crate::{Metadata, Plugin, PluginError};
use pitstop_rpc::proto::pitstop::{DescribeRequest, ProcessRequest, SaveRequest, Saved};
use std::sync::Mutex;
use tonic::{Code, Request, Status};

/// Does what its input says, and keeps what it was told to restore.
#[derive(Default)]
struct Obedient(Mutex<Vec<u8>>);

impl Plugin for Obedient {
    fn name(&self) -> &str {
        "obedient"
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        match input {
            b"fail" => Err("in its own words: ü".into()),
            b"fail at length" => Err("ü".repeat(LONGEST_MESSAGE).into()),
            b"refuse" => Err(PluginError::Unsupported { verb: "juggle".to_owned() }),
            b"exit" => Err(PluginError::Exited { code: 3, message: "gone".to_owned() }),
            b"panic" => panic!("at the disco"),
            _ => Ok(input.to_vec()),
        }
    }

    fn keeps_state(&self) -> bool {
        true
    }

    fn save(&self) -> Result<Option<Vec<u8>>, PluginError> {
        let kept = self.0.lock().unwrap();
        Ok((!kept.is_empty()).then(|| kept.clone()))
    }

    fn restore(&self, saved: &[u8]) -> Result<(), PluginError> {
        self.0.lock().unwrap().extend_from_slice(saved);
        Ok(())
    }

    fn metadata(&self) -> Metadata {
        Metadata::new("1.2.3").with_capabilities(&["obey"])
    }
}

fn served() -> Served {
    Served::new(Obedient::default())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap().block_on(future)
}

fn process(input: &'static str) -> Result<Vec<u8>, Status> {
    let output = run(served().process(Request::new(ProcessRequest { input: input.into() })))?;
    Ok(output.into_inner().output.into())
}

#[test]
fn output_goes_back_and_a_plugin_describes_itself() {
    assert_eq!(process("hello").unwrap(), b"hello");
    let described = run(served().describe(Request::new(DescribeRequest {}))).unwrap().into_inner();
    assert_eq!((described.name.as_str(), described.version.as_str()), ("obedient", "1.2.3"));
    assert_eq!(described.capabilities, ["obey"]);
    assert!(described.keeps_state);
}

#[test]
fn each_error_is_a_status_that_a_host_can_tell_from_others() {
    for (input, code, kind, message) in [
        ("fail", Code::Unknown, "failed", "in its own words: ü"),
        ("refuse", Code::Unknown, "unsupported", "juggle"),
        ("exit", Code::Unknown, "exited", "the plugin ended with exit code 3: gone"),
        ("panic", Code::Internal, "panicked", "at the disco"),
    ] {
        let status = process(input).unwrap_err();
        assert_eq!((status.code(), status.message()), (code, message), "{input}");
        assert_eq!(status.metadata().get(ERROR_METADATA).unwrap(), kind, "{input}");
    }
}

#[test]
fn a_message_that_is_too_long_for_a_header_is_cut_between_letters() {
    let status = process("fail at length").unwrap_err();
    assert!(status.message().ends_with(&format!("ü... ({} bytes)", 2 * LONGEST_MESSAGE)));
    assert!(status.message().len() < LONGEST_MESSAGE + 50);
}

#[test]
fn what_one_version_saves_the_next_restores() {
    let (old, new) = (served(), served());
    let saved = |served: &Served| run(served.save(Request::new(SaveRequest {}))).unwrap().into_inner().state;
    assert_eq!(saved(&old), None, "nothing is kept yet");
    run(old.restore(Request::new(Saved { state: Some("state".into()) }))).unwrap();
    let state = saved(&old);
    assert_eq!(state.as_deref(), Some(b"state".as_slice()));
    run(new.restore(Request::new(Saved { state }))).unwrap();
    run(new.restore(Request::new(Saved { state: None }))).unwrap();
    assert_eq!(saved(&new).as_deref(), Some(b"state".as_slice()));
}
