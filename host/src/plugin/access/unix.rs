//! Files, their owners and permissions on Unix.

use super::{Change, Danger};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Opens a file for reading. A FIFO that nobody writes to does not block, and a terminal does not take the program over.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Who could change it. That a folder is sticky keeps others from renaming what is in it, not from adding to it.
pub(crate) fn danger(metadata: &Metadata) -> Option<Danger> {
    let (owner, ours) = (metadata.uid(), our_user());
    if metadata.mode() & 0o002 != 0 {
        Some(Danger::Everybody(metadata.mode() & 0o7777))
    } else if owner != 0 && owner != ours {
        Some(Danger::Owner { owner, ours })
    } else {
        None
    }
}

/// Whether it belongs to the user that runs this program.
pub(crate) fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == our_user()
}

/// Whether what is in a folder can be renamed or removed by its owner only.
pub(crate) fn is_sticky(metadata: &Metadata) -> bool {
    metadata.mode() & 0o1000 != 0
}

/// What is compared to see whether somebody wrote to it.
pub(crate) fn change(metadata: &Metadata) -> Change {
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    Change { length: metadata.len(), modified: metadata.modified().ok(), changed, names: metadata.nlink() }
}

/// Whether anybody may execute it.
pub(crate) fn is_executable(metadata: &Metadata) -> bool {
    metadata.mode() & 0o111 != 0
}

/// The path of the file that is open, whatever has become of the path that it was opened by. `None` if it has none any
/// more.
pub(crate) fn real_path(file: &File, opened: &Path) -> io::Result<Option<PathBuf>> {
    let path = descriptor_path(file, opened)?;
    let (there, here) = match std::fs::symlink_metadata(&path) {
        Ok(there) => (there, file.metadata()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok((there.dev() == here.dev() && there.ino() == here.ino()).then_some(path))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn descriptor_path(file: &File, _opened: &Path) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd;
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(target_vendor = "apple")]
fn descriptor_path(file: &File, _opened: &Path) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStringExt;
    let mut path = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the system writes a path with its zero, which is at most this long.
    let got = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETPATH, path.as_mut_ptr()) };
    if got == -1 {
        return Err(io::Error::last_os_error());
    }
    path.truncate(path.iter().position(|&byte| byte == 0).unwrap_or(path.len()));
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

/// The path is found anew, and that it leads to the file that is open is what the caller checks.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn descriptor_path(_file: &File, opened: &Path) -> io::Result<PathBuf> {
    opened.canonicalize()
}

/// Makes a folder that nobody else can look into.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Makes a new file for writing, with these permissions from then on.
pub(crate) fn write_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Whether nothing in this folder can be executed, because of how its file system is mounted.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn noexec(folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(folder) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return false };
    let mut system = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: both point to what the call asks for.
    if unsafe { libc::statvfs(folder.as_ptr(), system.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call has filled it in.
    let system = unsafe { system.assume_init() };
    system.f_flag & libc::ST_NOEXEC != 0
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn noexec(_: &Path) -> bool {
    false
}

fn our_user() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
