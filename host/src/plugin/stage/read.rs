//! Reads a plugin's file as it is at one moment, from one descriptor.

use crate::plugin::access::{self, Change, Policy};
use crate::plugin::spec::{Source, Spec};
use pitstop_contract::{Reason, Rule};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A plugin's file is at most this long: 1 GiB.
const LARGEST: u64 = 1 << 30;
/// A file that was written to more recently could be again without its time's changing: systems count by up to 10 ms.
const SETTLED: Duration = Duration::from_millis(11);
/// How often a file that changes is looked at, about half a second in all.
const ATTEMPTS: u32 = 40;

/// Reads a plugin's file, whole and unchanged while it was read.
///
/// Not seen is a writer that stood still in the middle of a write for longer than [`SETTLED`]: nothing tells of it.
pub(super) fn read<T: Deref<Target = [u8]>>(
    asked: &Asked<'_>,
    mut bytes_of: impl FnMut(&File, u64) -> io::Result<T>,
) -> Result<T, Reason> {
    for _ in 0..ATTEMPTS {
        match attempt(asked, &mut bytes_of)? {
            Attempt::Read(bytes) => return Ok(bytes),
            Attempt::Again(pause) => settle(pause),
        }
    }
    let found = "it changes while it is being staged";
    let advice = "write it under another name and move it into place once it is complete";
    Err(Reason { rule: Rule::Complete, ..asked.refuse("a file that is complete", found, advice) })
}

/// What is read, for whom.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) spec: &'a Spec,
    pub(super) artifact: &'a Path,
    pub(super) policy: Policy,
}

/// How an attempt to read ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt<T> {
    Read(T),
    /// It changed meanwhile, or is so new that a change would not be seen: again, after some time.
    Again(Duration),
}

/// Opens the file, and checks and reads what is open.
pub(super) fn attempt<T: Deref<Target = [u8]>>(
    asked: &Asked<'_>,
    bytes_of: impl FnOnce(&File, u64) -> io::Result<T>,
) -> Result<Attempt<T>, Reason> {
    let file = access::open(asked.artifact).map_err(|error| asked.unopened(&error))?;
    let unreadable =
        |error: io::Error| asked.refuse("a file that can be read", error.to_string(), "see its permissions");
    let metadata = file.metadata().map_err(unreadable)?;
    asked.fits(&metadata)?;
    let before = access::change(&metadata);
    if before.names == 0 || !asked.is_in_place(&file)? {
        return Ok(Attempt::Again(SETTLED));
    }
    asked.is_ours_alone(&metadata)?;
    if let Some(rest) = unsettled(&before) {
        return Ok(Attempt::Again(rest));
    }
    let bytes = bytes_of(&file, before.length).map_err(unreadable)?;
    let after = access::change(&file.metadata().map_err(unreadable)?);
    let unchanged = before == after && bytes.len() as u64 == before.length;
    Ok(if unchanged { Attempt::Read(bytes) } else { Attempt::Again(SETTLED) })
}

/// At most `length` bytes and one more.
pub(super) fn whole(mut file: &File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let room = usize::try_from(length.saturating_add(1)).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
    file.by_ref().take(length.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Asked<'_> {
    /// Refuses what is no file of the right kind.
    fn fits(&self, metadata: &Metadata) -> Result<(), Reason> {
        if !metadata.is_file() {
            return Err(self.refuse("a file", access::kind(metadata), "name the plugin's file as `artifact`"));
        }
        if metadata.len() > LARGEST {
            let expected = format!("a file of at most {LARGEST} bytes");
            let found = format!("one of {} bytes", metadata.len());
            return Err(self.refuse(&expected, found, "name the plugin's file as `artifact`"));
        }
        if metadata.len() == 0 {
            let advice = "see whether it was built to its end";
            return Err(Reason { rule: Rule::Complete, ..self.refuse("a plugin", "an empty file", advice) });
        }
        if self.spec.mechanism.is_program() && !access::is_executable(metadata) {
            let advice = format!("`chmod +x {}`", self.artifact.display());
            return Err(self.refuse("a program", "a file that nobody may execute", &advice));
        }
        Ok(())
    }

    fn is_ours_alone(&self, metadata: &Metadata) -> Result<(), Reason> {
        match (self.policy, access::danger(metadata)) {
            (Policy::RefuseWorldWritable, Some(danger)) => Err(self.unsafe_at(self.artifact, danger)),
            (Policy::RefuseWorldWritable, None) | (Policy::AllowWorldWritable, _) => Ok(()),
        }
    }

    /// Refuses what is not in the folder of the drop-in that names it. `false` if it is nowhere any more.
    fn is_in_place(&self, file: &File) -> Result<bool, Reason> {
        let names_it = matches!(&self.spec.source, Source::File(path) if path == self.artifact);
        if !self.spec.origin.drop_in || !names_it {
            return Ok(true);
        }
        let lost = |error: io::Error| {
            self.refuse("a file whose place is known", error.to_string(), "see whether /proc is there, and the folder")
        };
        let Some(real) = access::real_path(file, self.artifact).map_err(lost)? else { return Ok(false) };
        let folder = self.spec.origin.folder().canonicalize().map_err(lost)?;
        if !real.starts_with(&folder) {
            let expected = format!("a file in the plugin's folder {}", folder.display());
            let advice = "put the file itself there, in place of the link that leads out";
            return Err(self.refuse(&expected, real.display().to_string(), advice));
        }
        if self.policy == Policy::AllowWorldWritable {
            return Ok(true);
        }
        match access::danger_above(&real, &folder).map_err(lost)? {
            Some((folder, danger)) => Err(self.unsafe_at(&folder, danger)),
            None => Ok(true),
        }
    }

    fn unsafe_at(&self, path: &Path, danger: access::Danger) -> Reason {
        let found = format!("{} {}", path.display(), danger.found());
        let advice = format!("{}, or {}", danger.remedy(path), access::ALLOW);
        self.refuse("a file that nobody else can change", found, &advice)
    }

    fn unopened(&self, error: &io::Error) -> Reason {
        let link = std::fs::read_link(self.artifact).ok();
        let (found, advice) = match (error.kind(), link) {
            (io::ErrorKind::NotFound, Some(target)) => {
                let found = format!("a link to {}, which is not there", target.display());
                (found, "mend the link, or build the plugin".to_owned())
            }
            (io::ErrorKind::NotFound, None) => ("nothing".to_owned(), self.how_it_is_made()),
            _ => (error.to_string(), "see what it is, and its permissions".to_owned()),
        };
        self.refuse("a file that can be read", found, &advice)
    }

    /// What to do about a file that nobody has built.
    fn how_it_is_made(&self) -> String {
        let Some(build) = &self.spec.build else { return "build the plugin, or mend `artifact`".to_owned() };
        let artifact = self.artifact.display().to_string();
        let words: Vec<String> = build.command.iter().map(|word| word.replace("{out}", &artifact)).collect();
        let command = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "));
        let folder = self.spec.origin.folder();
        format!(
            "start the program by `cargo pitstop run`, which builds it; or by hand, in {}: `{command}`",
            folder.display()
        )
    }

    fn refuse(&self, expected: &str, found: impl Into<String>, advice: &str) -> Reason {
        Reason::new(Rule::File, self.artifact.display().to_string(), expected, found, advice)
    }
}

/// How long it takes until a change of a file would be seen by its time. Times to come are of another clock.
fn unsettled(change: &Change) -> Option<Duration> {
    let age = SystemTime::now().duration_since(change.modified?).ok()?;
    SETTLED.checked_sub(age).filter(|rest| !rest.is_zero())
}

#[expect(clippy::disallowed_methods, reason = "no event tells that a file's time has grown old")]
fn settle(pause: Duration) {
    std::thread::sleep(pause);
}
