//! Values that outlive a guest's instances and versions.

use crate::lock::lock;
use crate::plugin::spec::Spec;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

/// What an entry takes up beside its key and value.
const ENTRY: u64 = 64;

/// The values of one plugin, for as long as a version of it is there.
pub(in super::super) struct KeyValue {
    share: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    values: HashMap<String, Vec<u8>>,
    bytes: u64,
}

/// Plugins of one name in two configurations have nothing to do with each other.
type Owner = (PathBuf, String);

impl KeyValue {
    /// Those of a plugin: if a version of it is there already, that one's. A share that was changed begins anew with what
    /// fits into it.
    pub(in super::super) fn of(spec: &Spec, share: u64) -> Arc<Self> {
        static ALL: Mutex<Option<HashMap<Owner, Weak<KeyValue>>>> = Mutex::new(None);
        let mut all = lock(&ALL);
        let all = all.get_or_insert_default();
        all.retain(|_, values| values.strong_count() > 0);
        let owner = (spec.origin.file.clone(), spec.name.clone());
        let before = all.get(&owner).and_then(Weak::upgrade);
        let values = match before {
            Some(before) if before.share == share => return before,
            Some(before) => Arc::new(before.with_share(share)),
            None => Arc::new(Self { share, kept: Mutex::default() }),
        };
        all.insert(owner, Arc::downgrade(&values));
        values
    }

    fn with_share(&self, share: u64) -> Self {
        let other = Self { share, kept: Mutex::default() };
        for (key, value) in &lock(&self.kept).values {
            // What does not fit is left out.
            let _ = other.set(key, value);
        }
        other
    }

    pub(in super::super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        lock(&self.kept).values.get(key).cloned()
    }

    /// Puts a value in the place of another.
    ///
    /// # Errors
    /// In words, where it does not fit into the share.
    pub(in super::super) fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        let mut kept = lock(&self.kept);
        let before = kept.values.get(key).map_or(0, |before| size(key, before));
        let bytes = kept.bytes - before + size(key, value);
        if bytes > self.share {
            let share = self.share;
            return Err(format!(
                "its share of {share} bytes is full; delete something, or raise `key-value-bytes` in the table `wasm`"
            ));
        }
        kept.bytes = bytes;
        kept.values.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    pub(in super::super) fn delete(&self, key: &str) {
        let mut kept = lock(&self.kept);
        if let Some(value) = kept.values.remove(key) {
            kept.bytes -= size(key, &value);
        }
    }
}

fn size(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + ENTRY
}
