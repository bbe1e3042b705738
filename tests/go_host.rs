//! A host in Go, by go-plugin, that does what it is told by lines.

use crate::go::{GoPlugin, go};
use crate::session::TIMEOUT;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// Whether the two ends have certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Neither has.
    None,
    /// Each makes one: AutoMTLS.
    Auto,
}

impl Tls {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::None, Self::Auto];

    /// As the host in Go and `plugin.toml` have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Auto => "auto",
        }
    }
}

/// A host in Go that runs one plugin. Killed when dropped, and its plugin with it.
#[derive(Debug)]
pub struct GoHost {
    child: Child,
    stdin: Option<ChildStdin>,
    replies: Receiver<String>,
}

impl GoHost {
    /// Starts the host and, by it, the plugin. `folder` is where the plugin's socket is put.
    ///
    /// # Errors
    /// What the host says is wrong with the plugin.
    pub fn start(plugin: &Path, tls: Tls, folder: &Path, more: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(go("host", GoPlugin::Debian));
        command.arg("-plugin").arg(plugin).args(["-tls", tls.name()]).args(more).env("TMPDIR", folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a host in Go");
        let (sender, replies) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stdin = child.stdin.take();
        let host = Self { child, stdin, replies };
        host.reply().map(|_| host)
    }

    /// Has it do something; its answer.
    ///
    /// # Errors
    /// What the host says went wrong.
    pub fn does(&mut self, line: &str) -> Result<String, String> {
        let stdin = self.stdin.as_mut().expect("it is not ended");
        writeln!(stdin, "{line}").expect("a host that listens");
        self.reply()
    }

    /// Ends it, as a host ends that is done: it ends its plugin first.
    pub fn ends(mut self) {
        self.stdin = None;
        assert!(self.child.wait().is_ok_and(|status| status.success()));
    }

    fn reply(&self) -> Result<String, String> {
        let line = self.replies.recv_timeout(TIMEOUT).expect("a reply");
        match line.split_once(' ') {
            Some(("ok", reply)) => Ok(reply.to_owned()),
            Some(("error", why)) => Err(why.to_owned()),
            _ => panic!("the host in Go says: {line}"),
        }
    }
}

impl Drop for GoHost {
    fn drop(&mut self) {
        // It is asked to end its plugin; a host that hangs is not waited for.
        self.stdin = None;
        if self.replies.recv_timeout(TIMEOUT).is_ok() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
