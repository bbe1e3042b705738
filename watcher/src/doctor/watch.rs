//! Whether edits can be seen: the system's limits on watches, and file systems that tell of no edits.

use super::finding::Finding;
use crate::cargo::Workspace;
use crate::watch::{Watch, watched_folders};
use crossbeam_channel::unbounded;
use notify::RecursiveMode;
use std::path::{Path, PathBuf};

/// Numbers of Linux's inotify, which counts per user.
#[derive(Clone, Copy, Debug, Default)]
struct Inotify {
    instances: u64,
    watches: u64,
}

pub(super) fn look(workspace: &Workspace) -> Vec<Finding> {
    let folders = watched_folders(workspace);
    let used = in_use();
    let needed = Inotify { instances: 2, watches: folders.iter().map(|(folder, mode)| count(folder, *mode)).sum() };
    let mut findings = match watch(&folders) {
        Err(error) => vec![Finding::error(
            "watch-limit",
            "watches",
            format!("the system allows no more: {error}"),
            "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512",
        )],
        Ok(()) => match limits() {
            Some(limits) => near(used, needed, limits),
            None => Vec::new(),
        },
    };
    if findings.is_empty() {
        let found = format!("{} folders to watch; this user's programs watch {}", needed.watches, used.watches);
        findings.push(Finding::ok("watch", "watch", found));
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    findings.extend(without_events(workspace.root(), &mounts));
    findings
}

/// Begins to watch as a session would, and stops again.
fn watch(folders: &[(PathBuf, RecursiveMode)]) -> notify::Result<()> {
    let (sender, _edits) = unbounded();
    let mut watch = Watch::new(sender.clone(), |edit| edit)?;
    let _hosts = Watch::new(sender, |edit| edit)?;
    folders.iter().try_for_each(|(folder, mode)| watch.folder(folder, *mode))
}

/// How many folders have to be watched.
fn count(folder: &Path, mode: RecursiveMode) -> u64 {
    let inside = || {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.map(|entry| count(&entry.path(), mode)).sum::<u64>()
    };
    match mode {
        _ if !folder.is_dir() => 0,
        RecursiveMode::Recursive => 1 + inside(),
        RecursiveMode::NonRecursive => 1,
    }
}

fn limits() -> Option<Inotify> {
    let limit = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?;
        text.trim().parse().ok()
    };
    Some(Inotify { instances: limit("max_user_instances")?, watches: limit("max_user_watches")? })
}

/// What this user's processes have, as far as that can be read.
fn in_use() -> Inotify {
    let mut used = Inotify::default();
    let user = |process: &Path| {
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        Some(status.lines().find(|line| line.starts_with("Uid:"))?.to_owned())
    };
    let me = user(Path::new("/proc/self"));
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = process.path();
        if me.is_none() || user(&process) != me {
            continue;
        }
        for open in std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            if std::fs::read_link(open.path()).is_ok_and(|target| target.ends_with("anon_inode:inotify")) {
                let about = std::fs::read_to_string(process.join("fdinfo").join(open.file_name())).unwrap_or_default();
                used.instances += 1;
                used.watches += about.lines().filter(|line| line.starts_with("inotify ")).count() as u64;
            }
        }
    }
    used
}

/// Limits that leave no room for as much again: another program may take it.
fn near(used: Inotify, needed: Inotify, limits: Inotify) -> Vec<Finding> {
    let kinds = [
        ("max_user_watches", used.watches, needed.watches, limits.watches, "524288"),
        ("max_user_instances", used.instances, needed.instances, limits.instances, "512"),
    ];
    let near = kinds.into_iter().filter(|(_, used, needed, limit, _)| limit.saturating_sub(*used) < 2 * needed);
    near.map(|(name, used, needed, limit, enough)| {
        Finding::warning(
            "watch-limit-near",
            format!("fs.inotify.{name}"),
            format!("{limit}, of which {used} are in use and a session takes {needed}"),
            format!("sudo sysctl fs.inotify.{name}={enough}"),
        )
    })
    .collect()
}

/// File systems whose files can be changed by others than this system, which does not see that.
const FOREIGN: [&str; 9] = ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "vboxsf", "drvfs", "fuse"];

/// Judges the file system of a folder from the text of `/proc/self/mountinfo`.
fn without_events(folder: &Path, mounts: &str) -> Option<Finding> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?.replace("\\040", " ");
        Some((PathBuf::from(point), source.split(' ').next()?))
    });
    let mounts = mounts.filter(|(point, _)| folder.starts_with(point));
    // Of several at one place the last one covers the others.
    let (_, kind) = mounts.max_by_key(|(point, _)| point.components().count())?;
    let is_foreign = FOREIGN.contains(&kind) || kind.starts_with("fuse.");
    is_foreign.then(|| {
        Finding::warning(
            "no-watch-events",
            folder.display().to_string(),
            format!("is on {kind}: the system does not tell of edits made from the other side"),
            "edit on this system, or keep the workspace on a local disk",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_near_when_a_second_session_would_not_fit() {
        let needed = Inotify { instances: 2, watches: 100 };
        let limits = Inotify { instances: 128, watches: 8192 };
        assert!(near(Inotify { instances: 20, watches: 7992 }, needed, limits).is_empty());
        let watches = near(Inotify { instances: 20, watches: 7993 }, needed, limits);
        assert_eq!(watches[0].finding, "watch-limit-near");
        assert_eq!(watches[0].remedy, "sudo sysctl fs.inotify.max_user_watches=524288");
        let instances = near(Inotify { instances: 127, watches: 0 }, needed, limits);
        assert_eq!(instances[0].subject, "fs.inotify.max_user_instances");
    }

    #[test]
    fn the_innermost_mount_decides_whether_edits_are_told() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      40 22 0:35 / /mnt/c\\040d rw - 9p drvfs rw,aname=drvfs\n\
                      41 40 0:36 / /mnt/c\\040d/local rw - tmpfs tmpfs rw\n\
                      42 22 0:37 / /home/me/far rw - fuse.sshfs me@far: rw\n";
        let finding = |folder: &str| without_events(Path::new(folder), mounts).map(|finding| finding.finding);
        assert_eq!(finding("/home/me/near"), None);
        assert_eq!(finding("/mnt/c d/game"), Some("no-watch-events"));
        assert_eq!(finding("/mnt/c d/local/game"), None);
        assert_eq!(finding("/home/me/far/game"), Some("no-watch-events"));
    }
}
