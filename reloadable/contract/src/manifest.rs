//! What the watcher publishes: the images that a host should be running, as one JSON file replaced atomically.

use crate::Generation;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the manifest's format. A reader refuses any other.
pub const FORMAT: u32 = 1;

/// The newest image of every crate that has one. Cumulative: a host may skip any number of manifests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`]; checked before anything else.
    pub format: u32,
    /// The session's name.
    pub session: String,
    /// The highest generation below.
    pub generation: Generation,
    /// By crate, in no particular order.
    pub images: Vec<Image>,
}

/// How the functions of an image are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// By slot: the crate uses `#[reloadable]`.
    Reloadable,
    /// By symbol: any dynamic library, asked for with `Pitstop::library`.
    Library,
    /// By the plugin's mechanism: a file of any kind, asked for with [`Event::PluginWanted`](crate::event::Event).
    Plugin,
}

/// What the name of a plugin's image begins with.
const PLUGIN: &str = "plugin:";

/// The name of a plugin's image, in the manifest and in events.
#[must_use]
pub fn plugin_image(name: &str) -> String {
    format!("{PLUGIN}{name}")
}

/// The plugin that an image is of, by the image's name.
#[must_use]
pub fn plugin_of(image: &str) -> Option<&str> {
    image.strip_prefix(PLUGIN)
}

/// One staged image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The crate's name as rustc knows it, the path that a library was asked for by, or [`plugin_image`].
    #[serde(rename = "crate")]
    pub crate_name: String,
    /// How its functions are found.
    pub kind: Kind,
    /// Its number.
    pub generation: Generation,
    /// The file, relative to the session directory.
    pub file: String,
    /// The file's length.
    pub bytes: u64,
    /// The CRC-32 of the file.
    pub crc32: u32,
    /// The file [`layouts_of`] the image: the types that cross its border, as the watcher read them from its debug info.
    /// A host that does not find this very file reads them itself, which takes unoptimised code several times as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layouts: Option<Attachment>,
    /// When the edit was first seen, in microseconds since 1970.
    pub edit_at_us: u64,
    /// When the manifest was written, in microseconds since 1970.
    pub published_at_us: u64,
    /// From the edit to the start of the compiler, in ms.
    pub detect_ms: f64,
    /// The compiler, in ms.
    pub build_ms: f64,
    /// From the compiler's end to the published manifest, in ms.
    pub stage_ms: f64,
}

/// A file that belongs to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its length.
    pub bytes: u64,
    /// The CRC-32 of it.
    pub crc32: u32,
}

/// Where the layouts of an image are, beside it.
#[must_use]
pub fn layouts_of(image: &Path) -> PathBuf {
    image.with_extension("layouts.json")
}
