//! A program with all that it is started with, in the system's terms, so that a call only has to hand it over.

use super::super::{FOLDER_VARIABLE, NAME_VARIABLE};
use crate::plugin::spec::Spec;
use pitstop_reloadable::PluginError;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What becomes of a program when the host is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlives {
    /// It is told by the end of its standard input, and goes or not.
    MayOutlive,
    /// The system kills it with the thread that started it, where the system can: on Linux.
    #[cfg(feature = "rpc")]
    NeverOutlives,
}

/// A program with all that it is started with.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) file: PathBuf,
    pub(crate) directory: PathBuf,
    /// The address space that it may take up.
    pub(crate) memory: Option<u64>,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nothing ties it to the host there"))]
    pub(crate) outlives: Outlives,
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    working_directory: CString,
}

impl Command {
    /// `FILE VERB ARGUMENTS..`, with these variables besides those of every plugin. The environment is that of now.
    pub(crate) fn new(
        file: &Path,
        spec: &Spec,
        verb: Option<&str>,
        arguments: &[String],
        variables: &[(String, OsString)],
    ) -> Result<Self, PluginError> {
        let text = |text: &OsStr| {
            CString::new(text.as_bytes()).map_err(|_| PluginError::NotStarted {
                file: file.display().to_string(),
                why: format!("{text:?} has a NUL in it; no path, argument or variable can"),
            })
        };
        let program = text(file.as_os_str())?;
        let rest = verb.into_iter().chain(arguments.iter().map(String::as_str));
        let arguments: Result<Vec<CString>, _> = rest.map(|argument| text(argument.as_ref())).collect();
        let environment: Result<Vec<CString>, _> =
            environment(spec, variables).iter().map(|variable| text(variable)).collect();
        Ok(Self {
            file: file.to_owned(),
            directory: spec.directory.clone(),
            memory: spec.limits.memory,
            outlives: Outlives::MayOutlive,
            arguments: [program.clone()].into_iter().chain(arguments?).collect(),
            environment: environment?,
            working_directory: text(spec.directory.as_os_str())?,
            program,
        })
    }

    pub(crate) fn program(&self) -> &CStr {
        &self.program
    }

    pub(crate) fn arguments(&self) -> &[CString] {
        &self.arguments
    }

    pub(crate) fn environment(&self) -> &[CString] {
        &self.environment
    }

    pub(crate) fn working_directory(&self) -> &CStr {
        &self.working_directory
    }
}

/// What is allowed, then what is set, then what Pitstop tells; the later one counts. Each `NAME=value`.
fn environment(spec: &Spec, more: &[(String, OsString)]) -> Vec<OsString> {
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
    for name in &spec.environment {
        if let Some(value) = std::env::var_os(name) {
            variables.insert(name.into(), value);
        }
    }
    variables.extend(spec.set.iter().map(|(name, value)| (name.into(), value.into())));
    variables.insert(NAME_VARIABLE.into(), spec.name.clone().into());
    variables.insert(FOLDER_VARIABLE.into(), spec.origin.folder().into_os_string());
    variables.extend(more.iter().map(|(name, value)| (name.into(), value.clone())));
    let joined =
        |(name, value): (OsString, OsString)| OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat());
    variables.into_iter().map(joined).collect()
}
