//! The thread that starts programs which must not outlive the host: the system ties them to the thread that started them, so
//! that is one that lives as long as the process.

use super::child::Child;
use super::command::Command;
use crossbeam_channel::{Sender, bounded, unbounded};
use pitstop_reloadable::PluginError;
use std::sync::OnceLock;

struct Wanted {
    command: Command,
    started: Sender<Result<Child, PluginError>>,
}

/// Starts a program from the thread that stays.
pub(crate) fn start_kept(command: &Command) -> Result<Child, PluginError> {
    let none = || PluginError::NotStarted {
        file: command.file.display().to_string(),
        why: "there is no thread to start it from; end threads that are no longer used".to_owned(),
    };
    let (started, child) = bounded(1);
    keeper().ok_or_else(none)?.send(Wanted { command: command.clone(), started }).map_err(|_| none())?;
    child.recv().map_err(|_| none())?
}

fn keeper() -> Option<&'static Sender<Wanted>> {
    static KEEPER: OnceLock<Option<Sender<Wanted>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (sender, wanted) = unbounded::<Wanted>();
        let work = move || {
            for Wanted { command, started } in wanted {
                // Whoever has gone meanwhile drops the child, which ends it.
                let _ = started.send(Child::start(&command));
            }
        };
        std::thread::Builder::new().name("pitstop-keeper".to_owned()).spawn(work).ok()?;
        Some(sender)
    });
    keeper.as_ref()
}
