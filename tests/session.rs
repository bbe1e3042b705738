//! A running `cargo pitstop`, its events, and what the program prints.

use pitstop_contract::Reason;
use pitstop_contract::event::Event;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Generous: it guards against hangs, nothing else.
pub const TIMEOUT: Duration = Duration::from_secs(400);

/// A running `cargo pitstop ... --json`, ended when dropped.
#[derive(Debug)]
pub struct Session {
    child: Child,
    lines: Receiver<Line>,
    /// Everything so far, for messages of failing tests and for looking back.
    seen: Vec<Line>,
    /// Up to where [`Session::event`] has looked.
    events_taken: usize,
    printed_taken: usize,
    hosts: Vec<u32>,
}

#[derive(Clone, Debug)]
enum Line {
    Event(Box<Event>),
    NoEvent(String),
    Printed(String),
}

impl Session {
    /// Starts a command.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("cargo pitstop starts");
        let (sender, lines) = channel();
        read(child.stdout.take().expect("piped"), sender.clone(), |line| match serde_json::from_str(&line) {
            Ok(event) => Line::Event(Box::new(event)),
            Err(_) => Line::NoEvent(line),
        });
        read(child.stderr.take().expect("piped"), sender, Line::Printed);
        Self { child, lines, seen: Vec::new(), events_taken: 0, printed_taken: 0, hosts: Vec::new() }
    }

    /// The command's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The program's process.
    #[must_use]
    pub fn host(&self) -> u32 {
        *self.hosts.last().expect("a host that attached")
    }

    /// Waits until a program has attached.
    pub fn attached(&mut self) -> u32 {
        self.event("attached", |event| match event {
            Event::Attached { pid } => Some(*pid),
            Event::BuildFailed { rendered, .. } => panic!("the program does not build: {rendered}"),
            _ => None,
        })
    }

    /// Waits for an event that `pick` finds, and passes over all before it.
    pub fn event<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            while self.events_taken < self.seen.len() {
                let line = &self.seen[self.events_taken];
                self.events_taken += 1;
                if let Line::Event(event) = line
                    && let Some(found) = pick(event)
                {
                    return found;
                }
            }
            self.more(deadline, what);
        }
    }

    /// Waits until a crate's new generation is live, and returns its number.
    pub fn goes_live(&mut self, crate_name: &str) -> u32 {
        self.event(&format!("`{crate_name}` live"), |event| match event {
            Event::Live { crate_name: name, generation, .. } if name == crate_name => Some(generation.0),
            Event::BuildFailed { rendered, .. } => panic!("the build failed: {rendered}"),
            Event::Rejected { reasons, .. } => panic!("refused: {reasons:?}"),
            _ => None,
        })
    }

    /// Makes an edit and waits until it is live.
    pub fn goes_live_after(&mut self, edit: impl FnOnce(), crate_name: &str) -> u32 {
        edit();
        self.goes_live(crate_name)
    }

    /// Waits for a refusal, and returns its reasons.
    pub fn rejected(&mut self) -> Vec<Reason> {
        self.event("rejected", |event| match event {
            Event::Rejected { reasons, .. } => Some(reasons.clone()),
            Event::Live { crate_name, generation, .. } => panic!("{crate_name} {generation} went live"),
            _ => None,
        })
    }

    /// Waits for a failed build, and returns rustc's words.
    pub fn build_failed(&mut self) -> String {
        self.event("build-failed", |event| match event {
            Event::BuildFailed { rendered, .. } => Some(rendered.clone()),
            _ => None,
        })
    }

    /// Waits until the program prints a line that contains `text`, after the last line that was waited for.
    pub fn prints(&mut self, text: &str) -> String {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            while self.printed_taken < self.seen.len() {
                let line = &self.seen[self.printed_taken];
                self.printed_taken += 1;
                if let Line::Printed(line) | Line::NoEvent(line) = line
                    && line.contains(text)
                {
                    return line.clone();
                }
            }
            self.more(deadline, &format!("printed line with `{text}`"));
        }
    }

    /// Whether any line so far, event or printed, contains `text`.
    #[must_use]
    pub fn has_seen(&self, text: &str) -> bool {
        self.seen.iter().any(|line| match line {
            Line::Event(event) => serde_json::to_string(event).is_ok_and(|line| line.contains(text)),
            Line::NoEvent(line) | Line::Printed(line) => line.contains(text),
        })
    }

    /// What the program has printed so far.
    pub fn printed(&self) -> impl Iterator<Item = &str> {
        self.seen.iter().filter_map(|line| match line {
            Line::Printed(line) | Line::NoEvent(line) => Some(line.as_str()),
            Line::Event(_) => None,
        })
    }

    /// How many events so far `pick` accepts.
    #[must_use]
    pub fn count(&self, pick: impl Fn(&Event) -> bool) -> usize {
        let events = self.seen.iter().filter(|line| matches!(line, Line::Event(event) if pick(event)));
        events.count()
    }

    /// Waits for the command to end by itself. Every line on its standard output must have been an event.
    pub fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIMEOUT;
        while !self.is_closed(deadline) {}
        let status = self.child.wait().expect("a status");
        let strange: Vec<&Line> = self.seen.iter().filter(|line| matches!(line, Line::NoEvent(_))).collect();
        assert!(strange.is_empty(), "lines on standard output that are no events: {strange:?}");
        status
    }

    /// Kills the command without a chance to clean up.
    pub fn kill_command(&mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("a status");
    }

    /// Appends a request to the session's, as the commands do.
    pub fn asks(&mut self, request: &str) {
        let directory = self.seen.iter().find_map(|line| match line {
            Line::Event(event) => match &**event {
                Event::Session { directory, .. } => Some(directory.clone()),
                _ => None,
            },
            _ => None,
        });
        let path = std::path::Path::new(&directory.expect("a session")).join(pitstop_contract::session::REQUESTS);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(format!("{request}\n").as_bytes()));
        written.expect("a written request");
    }

    /// Sends Ctrl-C to the command.
    pub fn interrupt(&self) {
        signal(self.child.id(), "INT");
    }

    /// Kills the program without a chance to clean up.
    pub fn kill_host(&self) {
        signal(self.host(), "KILL");
    }

    fn more(&mut self, deadline: Instant, what: &str) {
        assert!(!self.is_closed(deadline), "ended before {what}; so far:\n{}", self.history());
    }

    /// Takes in one line; true when there are no more.
    fn is_closed(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                if let Line::Event(event) = &line
                    && let Event::Attached { pid } = **event
                {
                    self.hosts.push(pid);
                }
                self.seen.push(line);
                false
            }
            Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => panic!("nothing within {TIMEOUT:?}; so far:\n{}", self.history()),
        }
    }

    fn history(&self) -> String {
        let tail = self.seen.len().saturating_sub(60);
        self.seen[tail..].iter().map(|line| format!("  {line:?}\n")).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hosts.iter().for_each(|&pid| signal(pid, "KILL"));
    }
}

/// Sends a signal by name to a process that may be gone.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([format!("-{name}"), pid.to_string()]).stderr(Stdio::null()).status();
}

fn read(pipe: impl Read + Send + 'static, sender: Sender<Line>, make: fn(String) -> Line) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if sender.send(make(line)).is_err() {
                break;
            }
        }
    });
}
