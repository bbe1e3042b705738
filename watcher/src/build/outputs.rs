//! Tells a person's edits from what a plugin's build writes beside its sources: an edit starts the build again, and its own
//! files must not, or it would never end.

use crate::tree::{Changed, How};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How often in a row a build is stopped for a file before it is thought to be the build's own.
const STOPS: u32 = 2;

/// The files that a build writes itself.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    known: BTreeSet<PathBuf>,
    /// For which the build was stopped since it was last done, and how often.
    stopped_for: BTreeMap<PathBuf, u32>,
    /// A person's or the build's: whatever it writes again when it is run once more is its own.
    doubtful: BTreeSet<PathBuf>,
    /// Files of a compiler or archiver that changed during a build.
    binary: BTreeSet<PathBuf>,
}

/// What a build is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// An edit, or the first time.
    Edit,
    /// To tell what is its own, and to have seen what is not.
    Doubt,
}

/// Whose a change is that was made while a build ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Person,
    Build,
}

/// What is to be done once a build is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    /// Run it once more.
    Again,
}

impl Outputs {
    /// A file was changed while no build ran.
    pub(crate) fn edited(&mut self, path: &Path) {
        self.known.remove(path);
        self.binary.remove(path);
        self.stopped_for.clear();
    }

    /// A file was changed while a build ran; `is_like_sources` if others of its kind were there before.
    pub(crate) fn changed(
        &mut self,
        change: &Changed,
        errand: Errand,
        is_like_sources: impl FnOnce() -> bool,
    ) -> Whose {
        let path = &change.path;
        if self.known.contains(path) {
            return Whose::Build;
        }
        if self.doubtful.contains(path) {
            if errand == Errand::Doubt {
                self.known.insert(path.clone());
            }
            return Whose::Build;
        }
        match change.how {
            // What nobody knew of is no reason to stop: the build has found it, or does so when it is run once more.
            How::Appeared if change.is_text && errand == Errand::Edit && is_like_sources() => {
                self.doubtful.insert(path.clone());
            }
            How::Appeared => {
                self.known.insert(path.clone());
            }
            How::Altered | How::Vanished if !change.is_text => {
                let is_again = !self.binary.insert(path.clone());
                let set = if is_again || errand == Errand::Doubt { &mut self.known } else { &mut self.doubtful };
                set.insert(path.clone());
            }
            How::Altered | How::Vanished => {
                let stops = self.stopped_for.entry(path.clone()).or_insert(0);
                if *stops < STOPS {
                    *stops += 1;
                    return Whose::Person;
                }
                self.doubtful.insert(path.clone());
            }
        }
        Whose::Build
    }

    /// The build has come to its end.
    pub(crate) fn ended(&mut self, errand: Errand) -> Next {
        self.stopped_for.clear();
        // What is gone again was never a person's.
        self.doubtful.retain(|path| path.exists());
        if errand == Errand::Doubt {
            self.doubtful.clear();
        }
        if self.doubtful.is_empty() { Next::Nothing } else { Next::Again }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &Path, how: How, is_text: bool) -> Changed {
        Changed { path: path.to_owned(), how, is_text }
    }

    /// How often a build runs, once it is started, that changes this file in each run.
    fn runs(how: How, is_text: bool, is_like_sources: bool) -> u32 {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut outputs = Outputs::default();
        let mut errand = Errand::Edit;
        for run in 1..20 {
            let how = if run == 1 { how } else { How::Altered };
            let whose = outputs.changed(&change(file.path(), how, is_text), errand, || is_like_sources);
            if whose == Whose::Person {
                errand = Errand::Edit;
            } else if outputs.ended(errand) == Next::Again {
                errand = Errand::Doubt;
            } else {
                // And from now on it is not even looked at.
                let whose = outputs.changed(&change(file.path(), How::Altered, is_text), Errand::Edit, || true);
                assert_eq!(whose, Whose::Build);
                return run;
            }
        }
        panic!("it does not end");
    }

    #[test]
    fn a_build_that_writes_among_its_sources_ends() {
        assert_eq!(runs(How::Appeared, false, false), 1, "an object file");
        assert_eq!(runs(How::Appeared, true, false), 1, "a list of dependencies");
        assert_eq!(runs(How::Appeared, true, true), 2, "a generated header");
        assert_eq!(runs(How::Altered, false, false), 2, "an object file that was there");
        assert_eq!(runs(How::Altered, true, true), 4, "a header that was there");
    }

    #[test]
    fn a_person_who_saves_a_source_again_and_again_is_always_heard() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut outputs = Outputs::default();
        let edit = change(file.path(), How::Altered, true);
        for _ in 0..STOPS {
            assert_eq!(outputs.changed(&edit, Errand::Edit, || true), Whose::Person);
        }
        // In doubt it is run once more, for the last edit.
        assert_eq!(outputs.changed(&edit, Errand::Edit, || true), Whose::Build);
        assert_eq!(outputs.ended(Errand::Edit), Next::Again);
        assert_eq!(outputs.ended(Errand::Doubt), Next::Nothing);
        assert_eq!(outputs.changed(&edit, Errand::Edit, || true), Whose::Person, "it is nobody else's");
    }

    #[test]
    fn a_source_that_is_made_during_a_build_is_built() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut outputs = Outputs::default();
        let made = change(file.path(), How::Appeared, true);
        assert_eq!(outputs.changed(&made, Errand::Edit, || true), Whose::Build);
        assert_eq!(outputs.ended(Errand::Edit), Next::Again);
        assert_eq!(outputs.ended(Errand::Doubt), Next::Nothing);
    }

    #[test]
    fn an_output_that_a_person_edits_is_a_source() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut outputs = Outputs::default();
        assert_eq!(outputs.changed(&change(file.path(), How::Appeared, true), Errand::Edit, || false), Whose::Build);
        outputs.ended(Errand::Edit);
        outputs.edited(file.path());
        assert_eq!(outputs.changed(&change(file.path(), How::Altered, true), Errand::Edit, || true), Whose::Person);
    }
}
