//! Why a program cannot be started, from the system's number for it, and what to do about it.

use super::super::shebang;
use super::command::Command;
use super::executable;
use pitstop_reloadable::PluginError;
use rustix::io::Errno;
use std::io::Read as _;

pub(crate) fn not_started(command: &Command, error: Errno) -> PluginError {
    let why = match error {
        _ if !command.directory.is_dir() => {
            format!(
                "its working directory {} is not a directory that is there; set `directory`",
                command.directory.display()
            )
        }
        Errno::NOENT => missing(command),
        Errno::ACCESS | Errno::PERM => match interpreter(command) {
            Some((interpreter, Err(why))) => format!("its interpreter `{interpreter}` is {why} (EACCES); name another"),
            _ => {
                let found =
                    executable(&command.file).err().unwrap_or_else(|| "not accessible for this user".to_owned());
                format!("it is {found} (EACCES); make it executable with `chmod +x`")
            }
        },
        Errno::NOEXEC => {
            "it is neither a program for this machine nor a script that begins with `#!` (ENOEXEC); begin it \
                          with `#!` and what runs it, as in `#!/bin/sh`"
                .to_owned()
        }
        Errno::TOOBIG => {
            "its arguments and environment are too long (E2BIG); shorten `arguments`, `environment` or `set`, \
                          and pass what is long as the input"
                .to_owned()
        }
        Errno::NOTDIR => "a part of its path is no directory (ENOTDIR); correct the path".to_owned(),
        Errno::LOOP => "its path goes in circles through links (ELOOP); correct the links".to_owned(),
        Errno::TXTBSY => "it is open for writing somewhere (ETXTBSY); end what writes to it".to_owned(),
        Errno::NOMEM => {
            "there is too little memory for it (ENOMEM); raise `limits.memory_bytes` if that is set".to_owned()
        }
        Errno::AGAIN => "there are too many processes (EAGAIN); end some, or raise the limit (`ulimit -u`)".to_owned(),
        Errno::MFILE | Errno::NFILE => {
            "there are too many open files (EMFILE); close some, or raise the limit (`ulimit -n`)".to_owned()
        }
        other => std::io::Error::from(other).to_string(),
    };
    PluginError::NotStarted { file: command.file.display().to_string(), why }
}

/// The system's number is the same for a file that is not there and for an interpreter that is not.
fn missing(command: &Command) -> String {
    if !command.file.exists() {
        return "it is not there (ENOENT); build it, or correct the path".to_owned();
    }
    match interpreter(command) {
        Some((interpreter, Err(why))) => {
            format!("its interpreter `{interpreter}` is {why} (ENOENT); install it, or name another in the first line")
        }
        _ => "its interpreter or loader is not there (ENOENT); install it, or link the program statically".to_owned(),
    }
}

/// The interpreter of a script, and whether it can be executed.
fn interpreter(command: &Command) -> Option<(String, Result<(), String>)> {
    let mut start = Vec::new();
    std::fs::File::open(&command.file).ok()?.take(512).read_to_end(&mut start).ok()?;
    let found = start.starts_with(b"#!").then(|| shebang::interpreter(&start).ok())??;
    Some((found.file.display().to_string(), executable(&found.file)))
}
