//! Reads `pitstop.toml` and drop-in `plugin.toml` files: all that is wrong in them has its line and column.

mod document;
mod entry;
mod error;
mod nearest;
mod paths;
mod rpc;
#[cfg(test)]
mod tests;
mod wasm;

pub use error::ConfigError;

pub(crate) use super::access::Policy;
use super::spec::Spec;
use document::{Document, Found, Key, Section};
use paths::{Ground, Looked, Reach, Wanted};
use std::path::{Path, PathBuf};

/// The file that a drop-in's folder has.
pub(crate) const DROP_IN: &str = "plugin.toml";

/// What the program's `pitstop.toml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) plugins: Vec<Spec>,
    /// Folders of drop-ins, absolute.
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) policy: Policy,
    /// Where copies are put, absolute; the system's temporary folder if nothing is said.
    pub(crate) staging: Option<PathBuf>,
}

const TOP: &[Key] = &[
    Key { name: "plugins", example: "[plugins]" },
    // Told apart by its brackets: it comes once for each plugin.
    Key { name: "plugin", example: "[[plugin]]" },
];

const PLUGINS: &[Key] = &[
    Key { name: "directories", example: "directories = [\"plugins\"]" },
    Key { name: "world-writable", example: "world-writable = \"refuse\"" },
    Key { name: "staging", example: "staging = \"target/plugins\"" },
];

/// Reads a program's `pitstop.toml`.
///
/// # Errors
/// The first thing that is wrong in it.
pub(crate) fn read(path: &Path) -> Result<Config, ConfigError> {
    let (text, _) = document::read(path)?;
    let document = Document { file: path, text: &text };
    let table = document.parse()?;
    misplaced_plugin_keys(&document, &table)?;
    let top = Section::new(&document, Found { value: &table, at: 0 }, "pitstop.toml", TOP)?;
    let mut ground = ground(path, Reach::Anywhere, Policy::default())?;
    let mut config = Config::default();
    if let Some(table) = top.table("plugins")? {
        let section = Section::new(&document, table, "`[plugins]`", PLUGINS)?;
        let choices = [("refuse", Policy::RefuseWorldWritable), ("allow", Policy::AllowWorldWritable)];
        config.policy = section.choice("world-writable", &choices)?.unwrap_or_default();
        ground.policy = config.policy;
        config.directories = directories(&section, &ground)?;
        config.staging = staging(&section, &ground)?;
    }
    let mut names: Vec<(String, usize)> = Vec::new();
    for table in top.tables("plugin")? {
        let section = Section::new(&document, table, "a plugin", entry::KEYS)?;
        let spec = entry::spec(&section, &ground)?;
        let at = section.value_place("name");
        if let Some((name, first)) = names.iter().find(|(name, _)| *name == spec.name) {
            let (line, column) = document.place(*first);
            let place = format!("{}:{line}:{column}", path.display());
            return Err(
                document.error(at, format!("`name` is `{name}`, which the plugin at {place} has; change one of them"))
            );
        }
        names.push((spec.name.clone(), at));
        config.plugins.push(spec);
    }
    Ok(config)
}

/// Reads a drop-in's `plugin.toml`.
///
/// # Errors
/// The first thing that is wrong in it, or with its folder.
pub(crate) fn read_drop_in(path: &Path, policy: &Policy) -> Result<Spec, ConfigError> {
    let ground = ground(path, Reach::Folder, *policy)?;
    let (text, file) = document::read(path)?;
    let refuse = |why: String| ConfigError::whole(path, format!("this plugin is refused: {why}"));
    let folder = std::fs::metadata(&ground.folder).map_err(|error| refuse(error.to_string()).because_of(error))?;
    ground.trust(&ground.folder, &folder).and_then(|()| ground.trust(&ground.file, &file)).map_err(refuse)?;
    let document = Document { file: path, text: &text };
    let table = document.parse()?;
    if let Some((key, _)) = table.get_key_value("plugin") {
        let message =
            "unknown key `plugin`; a plugin.toml is one plugin: leave out `[[plugin]]`, and write its keys first";
        return Err(document.error(key.span().start, message));
    }
    let section = Section::new(&document, Found { value: &table, at: 0 }, "a plugin", entry::KEYS)?;
    entry::spec(&section, &ground)
}

/// The drop-ins below a folder: `*/plugin.toml`, sorted. What is no folder is passed over, and so is one without the file.
pub(crate) fn drop_ins(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).map(|folder| folder.join(DROP_IN));
    // Whatever it is: that it is no file is for `read_drop_in` to say.
    let mut files: Vec<PathBuf> = files.filter(|file| file.symlink_metadata().is_ok()).collect();
    files.sort();
    files
}

/// A drop-in has the name of another plugin.
pub(crate) fn taken(spec: &Spec, by: &Spec) -> ConfigError {
    let place = format!("{}:{}", by.origin.file.display(), by.origin.line);
    let message = format!("the name `{}` is that of the plugin at {place}; give one of them another `name`", spec.name);
    ConfigError::new(&spec.origin.file, (spec.origin.line, 1), message)
}

fn ground(path: &Path, reach: Reach, policy: Policy) -> Result<Ground, ConfigError> {
    Ground::new(path, reach, policy)
        .map_err(|error| ConfigError::whole(path, format!("this has no absolute path: {error}")).because_of(error))
}

/// Keys of a plugin that stand above the first `[[plugin]]` deserve a better hint than the nearest table.
fn misplaced_plugin_keys(document: &Document<'_>, table: &toml::de::DeTable<'_>) -> Result<(), ConfigError> {
    let is_plugins = |key: &str| entry::KEYS.iter().any(|known| known.name == key);
    let first = table.keys().filter(|key| is_plugins(key.get_ref())).min_by_key(|key| key.span().start);
    match first {
        None => Ok(()),
        Some(key) => {
            let message = format!("unknown key `{}`; the keys of a plugin stand below `[[plugin]]`", key.get_ref());
            Err(document.error(key.span().start, message))
        }
    }
}

fn directories(section: &Section<'_, '_>, ground: &Ground) -> Result<Vec<PathBuf>, ConfigError> {
    let mut directories: Vec<PathBuf> = Vec::new();
    let mut known: Vec<PathBuf> = Vec::new();
    for path in section.texts("directories")?.unwrap_or_default() {
        let refuse = |why: String| section.document.error(path.at, format!("`directories` {why}"));
        let folder = ground.resolve(path.value).map_err(refuse)?;
        let unfit = |why: String| refuse(format!("names no folder: {why}"));
        let Looked::There(metadata) = ground.look(&folder, Wanted::Folder).map_err(unfit)? else {
            return Err(refuse(format!("names a folder that is not there: {}; make it", folder.display())));
        };
        ground.trust(&folder, &metadata).map_err(|why| refuse(format!("names a folder that is refused: {why}")))?;
        let real = folder.canonicalize().map_err(|error| unfit(error.to_string()))?;
        if known.contains(&real) {
            return Err(refuse(format!("has {} twice; remove one", folder.display())));
        }
        known.push(real);
        directories.push(folder);
    }
    Ok(directories)
}

fn staging(section: &Section<'_, '_>, ground: &Ground) -> Result<Option<PathBuf>, ConfigError> {
    let Some(path) = section.text("staging")? else { return Ok(None) };
    let refuse = |why: String| section.error("staging", format!("`staging` {why}"));
    let folder = ground.resolve(path.value).map_err(refuse)?;
    // It is made once it is needed.
    ground.look(&folder, Wanted::Folder).map_err(|why| refuse(format!("is no folder: {why}")))?;
    Ok(Some(folder))
}
