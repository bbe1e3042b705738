//! A configuration file as its text and its tables, every value with its place.

use super::error::ConfigError;
use super::nearest::nearest;
use crate::plugin::access;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// A configuration file is at most this long: 1 MiB.
const LONGEST: u64 = 1 << 20;

/// The file that is read.
pub(super) struct Document<'d> {
    pub(super) file: &'d Path,
    pub(super) text: &'d str,
}

impl<'d> Document<'d> {
    /// Its tables.
    pub(super) fn parse(&self) -> Result<DeTable<'d>, ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, format!("this is no TOML: {}", error.message()))
        })?;
        Ok(table.into_inner())
    }

    /// What is wrong at a place.
    pub(super) fn error(&self, at: usize, message: impl Into<String>) -> ConfigError {
        ConfigError::new(self.file, self.place(at), message)
    }

    /// Line and column of a place.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        place(&self.text.as_bytes()[..at.min(self.text.len())])
    }
}

/// Reads a file that is a configuration file as far as can be told without its meaning; what it is says whose it is.
pub(super) fn read(file: &Path) -> Result<(String, Metadata), ConfigError> {
    let unreadable =
        |error: io::Error| ConfigError::whole(file, format!("this cannot be read: {error}")).because_of(error);
    let opened = access::open(file).map_err(unreadable)?;
    let metadata = opened.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let found = access::kind(&metadata);
        return Err(ConfigError::whole(file, format!("this is {found}; a file of TOML is to be in its place")));
    }
    let bytes = read_bounded(&opened).map_err(unreadable)?;
    let Some(bytes) = bytes else {
        let message = format!("this is longer than {LONGEST} bytes, which no configuration is; is it another file?");
        return Err(ConfigError::whole(file, message));
    };
    String::from_utf8(bytes).map(|text| (without_mark(text), metadata)).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let place = place(&error.as_bytes()[..valid]);
        ConfigError::new(file, place, "this is no UTF-8 from here on; save the file as UTF-8")
    })
}

fn read_bounded(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= LONGEST).then_some(bytes))
}

/// Without the mark that some editors put in front of UTF-8.
fn without_mark(text: String) -> String {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// Line and column of what comes after these bytes, which are UTF-8.
fn place(before: &[u8]) -> (usize, usize) {
    let line = before.split(|&byte| byte == b'\n').count();
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// A key that may stand in a table, and how it is written.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) example: &'static str,
}

/// A table all of whose keys are known.
pub(super) struct Section<'s, 'd> {
    pub(super) document: &'s Document<'d>,
    table: &'s DeTable<'d>,
    /// Where it begins.
    pub(super) at: usize,
    keys: &'static [Key],
}

impl<'s, 'd> Section<'s, 'd> {
    /// Refuses keys that are not among `keys`, of which `owner`, such as "a plugin", has its own.
    pub(super) fn new(
        document: &'s Document<'d>,
        table: Found<&'s DeTable<'d>>,
        owner: &str,
        keys: &'static [Key],
    ) -> Result<Self, ConfigError> {
        let unknown = table.value.keys().filter(|key| !keys.iter().any(|known| known.name == key.get_ref()));
        let first = unknown.min_by_key(|key| key.span().start);
        if let Some(key) = first {
            let names = keys.iter().map(|key| key.name);
            let instead = match nearest(key.get_ref(), names.clone()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("{owner} has {}", list(names, "and")),
            };
            return Err(document.error(key.span().start, format!("unknown key {}; {instead}", quoted(key.get_ref()))));
        }
        Ok(Self { document, table: table.value, at: table.at, keys })
    }

    /// Where a key stands; where the table begins, if it is not in it.
    pub(super) fn place_of(&self, key: &str) -> usize {
        self.table.get_key_value(key).map_or(self.at, |(key, _)| key.span().start)
    }

    /// Where the value of a key stands, or else as [`place_of`](Self::place_of).
    pub(super) fn value_place(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.at, |value| value.span().start)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Something is wrong with a value.
    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.document.error(self.value_place(key), message)
    }

    /// A key that has to be there is not.
    pub(super) fn missing(&self, key: &str) -> ConfigError {
        self.document.error(self.at, format!("`{key}` is missing; write {}", self.example(key)))
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<Found<&'s str>>, ConfigError> {
        self.get(key).map(|value| self.as_text(key, "a text", value)).transpose()
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&'static str, T)]) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Ok(Some(*choice));
        }
        let words = choices.iter().map(|(word, _)| *word);
        let hint = nearest(text.value, words.clone()).map(|word| format!("; did you mean `{word}`?"));
        let message =
            format!("`{key}` is {}, not {}{}", list(words, "or"), quoted(text.value), hint.unwrap_or_default());
        Err(self.document.error(text.at, message))
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<Found<&'s str>>>, ConfigError> {
        let Some(found) = self.get(key) else { return Ok(None) };
        let DeValue::Array(array) = found.value else { return Err(self.wrong(key, "a list of texts", &found)) };
        let items = array.iter().map(|item| Found { value: item.get_ref(), at: item.span().start });
        items.map(|item| self.as_text(key, "a list of texts", item)).collect::<Result<_, _>>().map(Some)
    }

    /// A text, or a list of texts.
    pub(super) fn words(&self, key: &str) -> Result<Option<Words<'s>>, ConfigError> {
        match self.get(key).map(|found| found.value) {
            None => Ok(None),
            Some(DeValue::String(_)) => Ok(self.text(key)?.map(Words::Line)),
            Some(DeValue::Array(_)) => Ok(self.texts(key)?.map(Words::List)),
            Some(value) => Err(self.wrong(key, "a text or a list of texts", &self.found(key, value))),
        }
    }

    /// A table from names to texts.
    pub(super) fn map(&self, key: &str) -> Result<Option<BTreeMap<&'s str, Found<&'s str>>>, ConfigError> {
        let Some(table) = self.table(key)? else { return Ok(None) };
        let entry = |(name, value): (&'s toml::Spanned<toml::de::DeString<'d>>, &'s toml::Spanned<DeValue<'d>>)| {
            let found = Found { value: value.get_ref(), at: value.span().start };
            self.without_nul(key, name.get_ref(), name.span().start)?;
            let text = self.as_text(key, "a table of texts", found)?;
            Ok((&**name.get_ref(), Found { value: text.value, at: name.span().start }))
        };
        table.value.iter().map(entry).collect::<Result<_, _>>().map(Some)
    }

    /// A table.
    pub(super) fn table(&self, key: &str) -> Result<Option<Found<&'s DeTable<'d>>>, ConfigError> {
        let Some(found) = self.get(key) else { return Ok(None) };
        match found.value {
            DeValue::Table(table) => Ok(Some(Found { value: table, at: found.at })),
            _ => Err(self.wrong(key, "a table", &found)),
        }
    }

    /// A list of tables.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Found<&'s DeTable<'d>>>, ConfigError> {
        let Some(found) = self.get(key) else { return Ok(Vec::new()) };
        let DeValue::Array(array) = found.value else { return Err(self.wrong(key, "a list of tables", &found)) };
        let item = |item: &'s toml::Spanned<DeValue<'d>>| match item.get_ref() {
            DeValue::Table(table) => Ok(Found { value: table, at: item.span().start }),
            other => Err(self.wrong(key, "a list of tables", &Found { value: other, at: item.span().start })),
        };
        array.iter().map(item).collect()
    }

    /// True or false.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(found) = self.get(key) else { return Ok(None) };
        match found.value {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            _ => Err(self.wrong(key, "true or false", &found)),
        }
    }

    /// A whole number above zero.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some(found) = self.get(key) else { return Ok(None) };
        self.as_number(key, "a whole number", 1, &found).map(Some)
    }

    /// A list of whole numbers, none below `least`.
    pub(super) fn numbers(&self, key: &str, least: u64) -> Result<Option<Vec<Found<u64>>>, ConfigError> {
        let Some(found) = self.get(key) else { return Ok(None) };
        let wanted = "a list of whole numbers";
        let DeValue::Array(array) = found.value else { return Err(self.wrong(key, wanted, &found)) };
        let items = array.iter().map(|item| Found { value: item.get_ref(), at: item.span().start });
        let numbers = items.map(|item| Ok(Found { value: self.as_number(key, wanted, least, &item)?, at: item.at }));
        numbers.collect::<Result<_, _>>().map(Some)
    }

    fn as_number(&self, key: &str, wanted: &str, least: u64, found: &Found<&DeValue<'_>>) -> Result<u64, ConfigError> {
        let DeValue::Integer(integer) = found.value else { return Err(self.wrong(key, wanted, found)) };
        // What TOML calls an integer is within 64 bits, with a sign.
        match i64::from_str_radix(integer.as_str(), integer.radix()).map(u64::try_from) {
            Ok(Ok(number)) if number >= least => Ok(number),
            _ => {
                let (most, example) = (i64::MAX, self.example(key));
                let message = format!("`{key}` is from {least} to {most}, not {integer}; write {example}");
                Err(self.document.error(found.at, message))
            }
        }
    }

    fn get(&self, key: &str) -> Option<Found<&'s DeValue<'d>>> {
        self.table.get(key).map(|value| self.found(key, value.get_ref()))
    }

    fn found(&self, key: &str, value: &'s DeValue<'d>) -> Found<&'s DeValue<'d>> {
        Found { value, at: self.value_place(key) }
    }

    fn as_text(&self, key: &str, wanted: &str, found: Found<&'s DeValue<'d>>) -> Result<Found<&'s str>, ConfigError> {
        let DeValue::String(text) = found.value else { return Err(self.wrong(key, wanted, &found)) };
        self.without_nul(key, text, found.at)?;
        Ok(Found { value: text, at: found.at })
    }

    /// The system's names and arguments end at a NUL.
    fn without_nul(&self, key: &str, text: &str, at: usize) -> Result<(), ConfigError> {
        if text.contains('\0') {
            return Err(self.document.error(at, format!("a NUL character is in `{key}`; leave out the \\u0000")));
        }
        Ok(())
    }

    fn wrong(&self, key: &str, wanted: &str, found: &Found<&DeValue<'_>>) -> ConfigError {
        let is = type_name(found.value);
        self.document.error(found.at, format!("`{key}` is {wanted}, not {is}; write {}", self.example(key)))
    }

    pub(super) fn example(&self, key: &str) -> String {
        let example = self.keys.iter().find(|known| known.name == key).map_or(key, |known| known.example);
        format!("`{example}`")
    }
}

/// One line of words, or the words themselves.
pub(super) enum Words<'s> {
    Line(Found<&'s str>),
    List(Vec<Found<&'s str>>),
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A text of somebody's, on one line and no longer than one.
pub(super) fn quoted(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{rest}`", start.escape_debug())
}

/// "`a`, `b` and `c`".
pub(super) fn list(names: impl Iterator<Item = &'static str>, before_last: &str) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} {before_last} {last}", names.join(", ")),
        None => String::new(),
    }
}
