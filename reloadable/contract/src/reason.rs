//! Why an image was refused, in terms a person can act on.

use std::fmt;

/// Which check refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Rule {
    /// The manifest cannot be read, or is of a format this host does not know.
    Manifest,
    /// The file is absent or cannot be read.
    File,
    /// The file is not a complete dynamic library: cut short, empty, or something else altogether.
    Complete,
    /// The bytes are not the ones that the watcher published.
    Checksum,
    /// The library is for another processor or operating system.
    Target,
    /// The image carries no descriptor, or one that cannot be read.
    Descriptor,
    /// Another compiler built the image.
    Compiler,
    /// The image was built with other settings (panic strategy, optimisation, debug assertions, ...).
    Profile,
    /// The image does not link the same standard library or shared dependencies as the host.
    Linkage,
    /// A function that the program calls is not in the image.
    Missing,
    /// A function's signature is not the one that the program was built with.
    Signature,
    /// A type in a signature, or one that such a type leads to, has another layout.
    Layout,
    /// The system's loader refused the library.
    Load,
    /// The changed file is part of the host itself, which cannot be replaced while it runs.
    HostCode,
    /// A dependency of the program changed: its code is linked into the running host.
    Dependencies,
    /// The image would allocate with something else than the program, and each would free the other's memory.
    Allocator,
    /// A carried value cannot be brought into the new code's form, or code with another layout touches it.
    State,
    /// A hook of the user's cancelled the swap.
    Hook,
}

impl Rule {
    /// The rule's name as events and reports write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::File => "file",
            Self::Complete => "complete",
            Self::Checksum => "checksum",
            Self::Target => "target",
            Self::Descriptor => "descriptor",
            Self::Compiler => "compiler",
            Self::Profile => "profile",
            Self::Linkage => "linkage",
            Self::Missing => "missing",
            Self::Signature => "signature",
            Self::Layout => "layout",
            Self::Load => "load",
            Self::HostCode => "host-code",
            Self::Dependencies => "dependencies",
            Self::Allocator => "allocator",
            Self::State => "state",
            Self::Hook => "hook",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One finding of a verification: what was checked, on what, what should be and what is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reason {
    /// Which check refused.
    pub rule: Rule,
    /// What it looked at: a file, a function, a type, a setting.
    pub subject: String,
    /// What the running program needs.
    pub expected: String,
    /// What was found instead.
    pub found: String,
    /// What else there is to know: a type's size before and after, where it is reached from.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub notes: Vec<String>,
    /// What to do about it.
    pub advice: String,
}

impl Reason {
    /// A finding; see the fields for what each part says.
    #[must_use]
    pub fn new(
        rule: Rule,
        subject: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (subject, expected, found, advice) = (subject.into(), expected.into(), found.into(), advice.into());
        Self { rule, subject, expected, found, notes: Vec::new(), advice }
    }

    /// With what else there is to know.
    #[must_use]
    pub fn with_notes(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): expected {}, found {}; ", self.subject, self.rule, self.expected, self.found)?;
        for note in &self.notes {
            write!(f, "{note}; ")?;
        }
        f.write_str(&self.advice)
    }
}
