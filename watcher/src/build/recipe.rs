//! Runs a plugin's own build command: no shell, a file to write, and its last words when it fails.

use super::cancel::Cancel;
use crate::process::{exit_of, own_group, signal_name, wait_for_tree};
use crossbeam_channel::{Receiver, bounded};
use std::ffi::OsString;
use std::io::{ErrorKind, PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// In a word of a command: the file to write.
const OUT: &str = "{out}";
/// The same, for commands that look into their environment.
const ENV_OUT: &str = "PITSTOP_OUT";
/// How much of what a command says is kept: its end, where it says why it failed.
const KEPT: usize = 64 << 10;
/// How long the output of a command that has ended is waited for, where a process that has left its group still has it open.
const LINGER: Duration = Duration::from_millis(500);

/// A build that is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    pub(crate) directory: PathBuf,
    /// The file to write, in a folder that nobody else uses.
    pub(crate) out: PathBuf,
    /// The file that is written where the command does not ask for another.
    pub(crate) artifact: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// This file.
    File(PathBuf),
    /// Nothing: what the command said, and what is wrong.
    Failed(String),
    /// Stopped by [`Cancel`].
    Cancelled,
}

/// Runs the command to its end. What it leaves behind in its process group is killed then.
pub(crate) fn make(order: &Order, cancel: &Cancel) -> Made {
    let made = run(order, cancel);
    let made = made.and_then(|output| order.made().map_err(|problem| with_output(&output, &problem)));
    match made {
        _ if cancel.is_cancelled() => Made::Cancelled,
        Ok(path) => Made::File(path),
        Err(problem) => Made::Failed(problem),
    }
}

impl Order {
    /// As a person would type it.
    fn shown(&self) -> String {
        self.command.join(" ")
    }

    /// The command; or why there is none.
    fn command(&self) -> Result<Command, String> {
        let words: Vec<OsString> = self.command.iter().map(|word| filled(word, &self.out)).collect();
        let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.is_empty()) else {
            return Err("its build command is empty: name a program to run".to_owned());
        };
        if !self.directory.is_dir() {
            return Err(format!("it is to be built in {}, which is no folder", self.directory.display()));
        }
        let folder = self.out.parent().unwrap_or(&self.directory);
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        // A path is looked up from where the command runs, and a mere name on PATH.
        let is_path = Path::new(program).components().count() > 1;
        let mut command = match is_path {
            true => Command::new(self.directory.join(program)),
            false => Command::new(program),
        };
        command.args(arguments).current_dir(&self.directory).env(ENV_OUT, &self.out);
        own_group(&mut command);
        Ok(command)
    }

    /// The file that a command which succeeded has written.
    fn made(&self) -> Result<PathBuf, String> {
        let asks_for_out = self.command.iter().any(|word| word.contains(OUT));
        let artifact = self.artifact.as_ref().filter(|_| !asks_for_out);
        if let Some(found) = [Some(&self.out), artifact].into_iter().flatten().find(|path| path.is_file()) {
            return Ok(found.clone());
        }
        let shown = self.shown();
        Err(match artifact {
            None if asks_for_out => {
                format!("`{shown}` succeeded, but wrote no file {}, which `{OUT}` stands for", self.out.display())
            }
            None => format!(
                "`{shown}` succeeded, but nobody knows what it wrote: let it write `{OUT}`, or name the artifact that it \
                 makes"
            ),
            Some(artifact) => format!("`{shown}` succeeded, but there is no file {}", artifact.display()),
        })
    }
}

/// A word with the path in it.
fn filled(word: &str, out: &Path) -> OsString {
    let mut parts = word.split(OUT);
    let mut filled = OsString::from(parts.next().unwrap_or(""));
    for part in parts {
        filled.push(out);
        filled.push(part);
    }
    filled
}

/// Returns what a command said that succeeded; or what it said, and how it failed.
fn run(order: &Order, cancel: &Cancel) -> Result<String, String> {
    let mut command = order.command()?;
    let shown = order.shown();
    let cannot = |error: std::io::Error| cannot_start(&shown, &order.command[0], &error);
    let (reader, writer) = std::io::pipe().map_err(cannot)?;
    let second = writer.try_clone().map_err(cannot)?;
    command.stdin(Stdio::null()).stdout(writer).stderr(second);
    let Some(spawned) = cancel.spawn(&mut command) else { return Err(String::new()) };
    let mut child = spawned.map_err(cannot)?;
    // It has our ends of the pipe, too.
    drop(command);
    let (tail, closed) = listen(reader);
    let pid = child.id();
    let status = wait_for_tree(&mut child, || cancel.ended(pid));
    // Disconnected when all is read.
    let _ = closed.recv_timeout(LINGER);
    let output = lock(&tail).text();
    match status {
        Ok(status) if status.success() => Ok(output),
        Ok(status) => Err(with_output(&output, &format!("`{shown}` ended {}", how(status)))),
        Err(error) => Err(with_output(&output, &format!("`{shown}`: {error}"))),
    }
}

fn cannot_start(shown: &str, program: &str, error: &std::io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::NotFound => format!("; is `{program}` installed, and the program that its first line may name?"),
        ErrorKind::PermissionDenied => format!("; is `{program}` a file that may be executed?"),
        // ENOEXEC.
        _ if error.raw_os_error() == Some(8) => {
            format!("; is `{program}` a program, or a script whose first line names one, such as `#!/bin/sh`?")
        }
        _ => String::new(),
    };
    format!("cannot start `{shown}`: {error}{advice}")
}

fn how(status: ExitStatus) -> String {
    match exit_of(status) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by {}", signal_name(signal)),
        (None, None) => "in an unknown way".to_owned(),
    }
}

fn with_output(output: &str, problem: &str) -> String {
    let output = output.trim_end();
    if output.is_empty() { problem.to_owned() } else { format!("{output}\n{problem}") }
}

/// The end of what was said.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Rarely, so that little is moved.
        if self.bytes.len() > 2 * KEPT {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if let Some(over) = self.bytes.len().checked_sub(KEPT).filter(|&over| over > 0) {
            self.bytes.drain(..over);
            self.is_cut = true;
        }
    }

    fn text(&mut self) -> String {
        self.cut();
        let text = String::from_utf8_lossy(&self.bytes);
        match text.split_once('\n') {
            // What is left of its first line means nothing.
            Some((_, rest)) if self.is_cut => format!("[the last {} KiB of its output]\n{rest}", KEPT >> 10),
            _ => text.into_owned(),
        }
    }
}

/// Reads on a thread of its own, until the other end is closed.
fn listen(mut reader: PipeReader) -> (Arc<Mutex<Tail>>, Receiver<()>) {
    let tail = Arc::new(Mutex::new(Tail::default()));
    let (open, closed) = bounded(0);
    let heard = Arc::clone(&tail);
    std::thread::spawn(move || {
        let _open = open;
        let mut buffer = vec![0; 16 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => lock(&heard).take(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    });
    (tail, closed)
}

fn lock(tail: &Mutex<Tail>) -> std::sync::MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Instant;

    fn order(folder: &Path, command: &[&str]) -> Order {
        Order {
            command: command.iter().map(ToString::to_string).collect(),
            directory: folder.to_owned(),
            out: folder.join("out/greeter"),
            artifact: None,
        }
    }

    fn sh(folder: &Path, script: &str) -> Order {
        order(folder, &["sh", "-c", script, "{out}"])
    }

    fn failed(order: &Order) -> String {
        match make(order, &Cancel::default()) {
            Made::Failed(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_command_writes_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let order = sh(folder.path(), "test \"$0\" = \"$PITSTOP_OUT\" && pwd > \"$0\"");
        assert_eq!(make(&order, &Cancel::default()), Made::File(order.out.clone()));
        let written = std::fs::read_to_string(&order.out).expect("a file");
        assert_eq!(written.trim(), folder.path().canonicalize().expect("a path").to_string_lossy());
    }

    #[test]
    fn a_command_that_is_not_told_where_writes_the_artifact() {
        let folder = tempfile::tempdir().expect("a folder");
        let artifact = folder.path().join("greeter.so");
        let order = order(folder.path(), &["sh", "-c", "echo one > greeter.so"]);
        let words = failed(&order);
        assert!(words.contains("nobody knows what it wrote") && words.contains("{out}"), "{words}");
        let order = Order { artifact: Some(artifact.clone()), ..order };
        assert_eq!(make(&order, &Cancel::default()), Made::File(artifact));
    }

    #[test]
    fn a_script_is_found_where_the_command_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("build.sh"), "#!/bin/sh\necho x > \"$1\"\n").expect("a script");
        let order = order(folder.path(), &["./build.sh", "{out}"]);
        let words = failed(&order);
        assert!(words.contains("cannot start `./build.sh {out}`") && words.contains("may be executed"), "{words}");
        let chmod = Command::new("chmod").arg("+x").arg(folder.path().join("build.sh")).status();
        assert!(chmod.is_ok_and(|status| status.success()));
        assert_eq!(make(&order, &Cancel::default()), Made::File(order.out.clone()));
    }

    #[test]
    fn a_failure_says_what_the_command_said_and_how_it_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let words = failed(&sh(folder.path(), "echo one; echo two >&2; echo three; exit 3"));
        assert!(words.starts_with("one\ntwo\nthree\n`sh -c "), "{words}");
        assert!(words.ends_with("ended with exit code 3"), "{words}");
        let words = failed(&sh(folder.path(), "kill -9 $$"));
        assert!(words.ends_with("ended by SIGKILL"), "{words}");
    }

    #[test]
    fn a_command_that_cannot_be_started_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let words = failed(&order(folder.path(), &["no-such-compiler", "-o", "{out}"]));
        assert!(words.contains("cannot start `no-such-compiler -o {out}`"), "{words}");
        assert!(words.contains("is `no-such-compiler` installed"), "{words}");
        assert!(failed(&order(folder.path(), &[])).contains("its build command is empty"));
        assert!(failed(&order(folder.path(), &["", "x"])).contains("its build command is empty"));
        let nowhere = Order { directory: folder.path().join("no"), ..order(folder.path(), &["true"]) };
        assert!(failed(&nowhere).contains("which is no folder"));
    }

    #[test]
    fn a_command_that_writes_nothing_has_failed() {
        let folder = tempfile::tempdir().expect("a folder");
        let words = failed(&sh(folder.path(), "echo done"));
        assert!(words.starts_with("done\n") && words.contains("wrote no file"), "{words}");
        assert!(failed(&sh(folder.path(), "mkdir -p \"$0\"")).contains("wrote no file"));
    }

    #[test]
    fn only_the_end_of_much_output_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = "i=0; while [ $i -lt 40000 ]; do echo \"line $i of much output\"; i=$((i+1)); done; exit 1";
        let words = failed(&sh(folder.path(), script));
        assert!(words.len() < KEPT + 1000, "{}", words.len());
        assert!(words.starts_with("[the last 64 KiB of its output]\nline "), "{}", &words[..80]);
        assert!(words.contains("line 39999 of much output\n`sh"), "{}", &words[words.len() - 80..]);
    }

    #[test]
    fn cancelling_kills_all_that_the_command_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()));
        // The inner shell has the pipe open for as long as it lives, and waits for a word that nobody says.
        let order = sh(folder.path(), "mkfifo never; sh -c 'exec 3> pipe; echo started >&3; read word < never' & wait");
        let cancel = Cancel::default();
        let maker = std::thread::spawn({
            let cancel = cancel.clone();
            move || make(&order, &cancel)
        });
        let mut pipe = File::open(&path).expect("a pipe");
        let mut started = [0; 8];
        pipe.read_exact(&mut started).expect("started");
        cancel.cancel();
        assert_eq!(maker.join().expect("no panic"), Made::Cancelled);
        let mut rest = Vec::new();
        pipe.read_to_end(&mut rest).expect("the end, once the inner shell is gone");
        // And none is started after that.
        assert_eq!(make(&sh(folder.path(), "touch late"), &cancel), Made::Cancelled);
        assert!(!folder.path().join("late").exists());
    }

    #[test]
    fn what_a_command_leaves_behind_does_not_hold_it_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let begun = Instant::now();
        let order = sh(folder.path(), "sleep 300 & echo x > \"$0\"");
        assert_eq!(make(&order, &Cancel::default()), Made::File(order.out.clone()));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
