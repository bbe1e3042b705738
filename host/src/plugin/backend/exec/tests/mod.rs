//! Programs as they are found in the wild, most of them bad.

mod once;
mod prove;
mod serve;

use super::super::{Instance, Proven, backend, prove};
use crate::plugin::backend::Candidate;
use crate::plugin::spec::{Limits, Mechanism, Mode, Origin, Source, Spec};
use pitstop_contract::Reason;
use pitstop_reloadable::PluginError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Against hangs only.
const LONG: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// A plugin in a folder of its own.
struct Plugin {
    folder: TempDir,
    file: PathBuf,
    spec: Spec,
}

impl Plugin {
    /// Of a file with these bytes and this mode.
    fn file(bytes: &[u8], mode: u32) -> Self {
        let plugin = Self::named("plugin-1");
        std::fs::write(&plugin.file, bytes).expect("a file");
        std::fs::set_permissions(&plugin.file, Permissions::from_mode(mode)).expect("a mode");
        plugin
    }

    /// Of a file that is not there yet.
    fn named(name: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join(name);
        let origin = Origin { file: folder.path().join("plugin.toml"), line: 1, drop_in: false };
        let spec = Spec {
            name: "tried".to_owned(),
            mechanism: Mechanism::Exec,
            source: Source::File(file.clone()),
            mode: Mode::Once,
            arguments: Vec::new(),
            rpc: crate::plugin::spec::Rpc::default(),
            wasm: crate::plugin::spec::Wasm::default(),
            build: None,
            limits: Limits::default(),
            environment: Vec::new(),
            set: [].into(),
            directory: folder.path().to_owned(),
            sha256: None,
            enabled: true,
            origin,
        };
        Self { folder, file, spec }
    }

    /// Of a shell script that does this with each input. Its processes are told in the file `pids`.
    fn script(body: &str) -> Self {
        let start = "#!/bin/sh\necho $$ >>\"$PITSTOP_PLUGIN_FOLDER/pids\"\n[ \"$1\" = describe ] && exit 64\n";
        Self::file(format!("{start}{body}\n").as_bytes(), 0o755)
    }

    /// Of a Python program that is kept running; `answer(request)` is called for each line.
    fn serving(body: &str) -> Self {
        let program = format!("{}{body}{}", include_str!("serve_start.py"), include_str!("serve_end.py"));
        let mut plugin = Self::file(program.as_bytes(), 0o755);
        plugin.spec.mode = Mode::Serve;
        plugin
    }

    fn with_time(mut self, milliseconds: u64) -> Self {
        self.spec.limits.time = Duration::from_millis(milliseconds);
        self
    }

    fn with_output(mut self, bytes: u64) -> Self {
        self.spec.limits.output = bytes;
        self
    }

    fn with_memory(mut self, bytes: u64) -> Self {
        self.spec.limits.memory = Some(bytes);
        self
    }

    fn prove(&self) -> Result<Proven, Vec<Reason>> {
        let bytes = std::fs::read(&self.file).unwrap_or_default();
        prove(Candidate {
            spec: Arc::new(self.spec.clone()),
            file: self.file.clone(),
            bytes: bytes.into(),
            layouts: None,
        })
    }

    fn try_open(&self) -> Result<Box<dyn Instance>, PluginError> {
        backend(Mechanism::Exec).open(&self.prove().expect("a program"))
    }

    fn open(&self) -> Box<dyn Instance> {
        self.try_open().expect("a plugin that starts")
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        self.open().process(input)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The processes that have told of themselves in a file.
    fn pids(&self, name: &str) -> Vec<Pid> {
        let told = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        told.lines().filter_map(|line| Pid::from_raw(line.parse().expect("a number"))).collect()
    }

    /// Neither a program that was started nor a zombie of one is left, nor what these have started.
    fn assert_none_is_left(&self) {
        let leaders = self.pids("pids");
        assert!(!leaders.is_empty(), "a program was started");
        for pid in leaders {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
            assert!(stat.is_err(), "{pid:?} is left: {stat:?}");
        }
        self.pids("children").into_iter().for_each(assert_ends);
    }
}

/// Awaits the end of a process that is nobody's child here: once it was killed, the system takes its time.
fn assert_ends(pid: Pid) {
    match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => {}
        Err(error) => panic!("{pid:?}: {error}"),
        Ok(end) => {
            let ended = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&LONG)).expect("a poll");
            assert_eq!(ended, 1, "{pid:?} is left");
        }
    }
}

/// Awaits a file that a program makes.
fn await_file(path: &Path) {
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        assert!(std::time::Instant::now() < until, "no {}", path.display());
        std::thread::yield_now();
    }
}
