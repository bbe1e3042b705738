//! Plugins by `rpc`, most of them bad: scripts that break the protocol, and this test program as a plugin of several kinds.

mod broken;
mod logged;
mod plugin;
mod runs;
mod typed;

use super::super::{Instance, Proven, backend, prove};
use crate::plugin::backend::Candidate;
use crate::plugin::spec::{Limits, Mechanism, Mode, Origin, Rpc, Source, Spec, Tls, Wasm};
use pitstop_reloadable::PluginError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Against hangs only.
const LONG: Duration = Duration::from_secs(60);

/// A plugin in a folder of its own.
struct Plugin {
    folder: TempDir,
    spec: Spec,
}

impl Plugin {
    /// Of a shell script.
    fn script(body: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("plugin");
        let start = "#!/bin/sh\necho $$ >>\"$PITSTOP_PLUGIN_FOLDER/pids\"\n";
        std::fs::write(&file, format!("{start}{body}\n")).expect("a file");
        std::fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("a mode");
        let spec = Spec {
            name: "tried".to_owned(),
            mechanism: Mechanism::Rpc,
            source: Source::File(file),
            mode: Mode::Once,
            arguments: Vec::new(),
            rpc: Rpc { tls: Tls::None, ..Rpc::default() },
            wasm: Wasm::default(),
            build: None,
            limits: Limits::default(),
            environment: Vec::new(),
            set: [].into(),
            directory: folder.path().to_owned(),
            sha256: None,
            enabled: true,
            origin: Origin { file: folder.path().join("plugin.toml"), line: 1, drop_in: false },
        };
        Self { folder, spec }
    }

    /// Of this test program, which then does what is said in [`plugin`].
    fn of_kind(kind: &str) -> Self {
        let own = std::env::current_exe().expect("a path");
        let test = "plugin::backend::rpc::tests::plugin::runs_as_a_plugin_where_it_is_told_to";
        // The test harness writes to its standard output first.
        let body = format!("exec '{}' --exact {test} --nocapture --test-threads=1 3>&1 >/dev/null", own.display());
        let mut plugin = Self::script(&body);
        plugin.spec.set.insert(plugin::KIND.to_owned(), kind.to_owned());
        plugin
    }

    fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }

    fn with_time(self, milliseconds: u64) -> Self {
        self.with(|spec| spec.limits.time = Duration::from_millis(milliseconds))
    }

    fn file(&self) -> PathBuf {
        let Source::File(file) = &self.spec.source else { unreachable!("a file was made") };
        file.clone()
    }

    fn prove(&self) -> Proven {
        let bytes = std::fs::read(self.file()).expect("readable");
        let candidate =
            Candidate { spec: Arc::new(self.spec.clone()), file: self.file(), bytes: bytes.into(), layouts: None };
        prove(candidate).expect("a program")
    }

    fn try_open(&self) -> Result<Box<dyn Instance>, PluginError> {
        backend(Mechanism::Rpc).open(&self.prove())
    }

    fn open(&self) -> Box<dyn Instance> {
        self.try_open().expect("a plugin that starts")
    }

    /// Why it cannot be opened; nothing of it is left then.
    fn refused(&self) -> String {
        let error = self.try_open().map(drop).expect_err("no plugin");
        self.assert_none_is_left();
        error.to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The processes that were started.
    fn pids(&self) -> Vec<Pid> {
        let told = std::fs::read_to_string(self.path("pids")).unwrap_or_default();
        told.lines().filter_map(|line| Pid::from_raw(line.parse().expect("a number"))).collect()
    }

    /// Neither a process nor a zombie of one.
    fn assert_none_is_left(&self) {
        let pids = self.pids();
        assert!(!pids.is_empty(), "a program was started");
        for pid in pids {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
            assert!(stat.is_err(), "{pid:?} is left: {stat:?}");
        }
    }
}

/// Awaits the end of a process that is nobody's child here.
fn assert_ends(pid: Pid) {
    match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => {}
        Err(error) => panic!("{pid:?}: {error}"),
        Ok(end) => {
            let limit = Timespec::try_from(LONG).expect("a time");
            let ended = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&limit)).expect("a poll");
            assert_eq!(ended, 1, "{pid:?} is left");
        }
    }
}

/// Awaits what another process or thread makes true.
fn awaited<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "never {what}");
        std::thread::yield_now();
    }
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}
