//! What is known of plugins and of their versions.

use super::post::Post;
use super::route::Routing;
use super::version::Version;
use pitstop_contract::Generation;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What is known of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginInfo {
    /// Its name.
    pub name: String,
    /// How it is run; empty where its file does not come to say it.
    pub mechanism: &'static str,
    /// Whether calls go to it.
    pub state: PluginState,
    /// Where it is configured.
    pub file: PathBuf,
    /// The versions that are loaded, the oldest first.
    pub versions: Vec<VersionInfo>,
    /// Why its newest file is not live, if it is not; or what is wrong with the file that configures it.
    pub problem: Option<String>,
}

/// Whether calls go to a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginState {
    /// They do.
    Live,
    /// It is switched off.
    Disabled,
    /// It has no version that can be used yet.
    Absent,
}

/// What is known of a version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// Its number.
    pub number: Generation,
    /// What its author calls it.
    pub version: String,
    /// Its share of the calls; 0 for one that is only loaded.
    pub weight: u32,
    /// Calls that have begun.
    pub calls: u64,
    /// Calls that ended in an error.
    pub errors: u64,
    /// The time that half of the timed calls took at most; `None` before the first. In a library one call of 256 is timed.
    pub median: Option<Duration>,
    /// The time that 99 of 100 took at most.
    pub p99: Option<Duration>,
}

/// All versions of a plugin that are loaded, the oldest first.
pub(super) fn loaded(post: &Post) -> Vec<Arc<Version>> {
    let standing = post.standing();
    let mut versions = post.live().versions();
    versions.extend(standing.parked.iter().flat_map(|parked| parked.versions()));
    versions.extend(standing.standby.iter().cloned());
    versions.sort_by_key(|version| version.number);
    versions.dedup_by(|one, other| Arc::ptr_eq(one, other));
    versions
}

/// What is known of a plugin.
pub(super) fn info(post: &Post) -> PluginInfo {
    let live = post.live();
    let weight = |version: &Arc<Version>| match &*live {
        Routing::Away(_) => 0,
        Routing::One(one) => u32::from(Arc::ptr_eq(one, version)),
        Routing::Split(split) => {
            split.legs.iter().filter(|leg| Arc::ptr_eq(&leg.version, version)).map(|leg| leg.weight).sum()
        }
    };
    let versions = loaded(post).into_iter().map(|version| VersionInfo {
        number: version.number,
        version: version.description.version.clone(),
        weight: weight(&version),
        calls: version.counts.calls(),
        errors: version.counts.errors(),
        median: version.counts.percentile(50),
        p99: version.counts.percentile(99),
    });
    let versions = versions.collect();
    let standing = post.standing();
    PluginInfo {
        name: post.name.clone(),
        mechanism: standing.spec.mechanism.name(),
        state: match &*live {
            _ if !standing.is_enabled => PluginState::Disabled,
            Routing::Away(_) => PluginState::Absent,
            _ => PluginState::Live,
        },
        file: standing.spec.origin.file.clone(),
        versions,
        problem: standing.problem.clone(),
    }
}

/// What is known of a drop-in whose file has a fault, so that there is no plugin of it.
pub(super) fn faulty(file: PathBuf, problem: String) -> PluginInfo {
    let name = folder_name(&file);
    let (state, versions, problem) = (PluginState::Absent, Vec::new(), Some(problem));
    PluginInfo { name, mechanism: "", state, file, versions, problem }
}

/// By which a drop-in is known before its file has said a name.
pub(super) fn folder_name(file: &Path) -> String {
    file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
}
