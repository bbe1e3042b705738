//! Carried values, as they are between two programs: a file that a host writes and a later one reads.

use crate::Generation;
use serde::{Deserialize, Serialize};

/// The version of the file's format. A reader refuses any other.
pub const FORMAT: u32 = 1;

/// All carried values of a program at one safe point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`FORMAT`]; checked before anything else.
    pub format: u32,
    /// When it was made, in microseconds since 1970.
    pub at_us: u64,
    /// The values.
    pub states: Vec<SavedState>,
}

/// One carried value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedState {
    /// Its type, as `std::any::type_name` says it.
    pub type_name: String,
    /// Its key, empty for the one without.
    pub key: String,
    /// The version of its type, see `pitstop_reloadable::Migrate`; 0 where there is none.
    pub version: u32,
    /// The generation that saved it.
    pub generation: Generation,
    /// The value, in MessagePack with the names of fields.
    #[serde(with = "bytes")]
    pub value: Vec<u8>,
}

/// As bytes, and not as a list of numbers.
mod bytes {
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Vec<u8>, E> {
                Ok(value.to_vec())
            }

            fn visit_byte_buf<E: Error>(self, value: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(value)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
