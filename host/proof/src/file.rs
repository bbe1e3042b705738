//! The file of an image: a plain one, with the bytes that were published. The only I/O of this crate.

use pitstop_contract::{Reason, Rule};
use std::path::Path;

/// Reads a plain file. Nothing else is opened: a FIFO would block.
///
/// # Errors
/// When it is not there, is something else than a plain file, or cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Reason> {
    let subject = path.display().to_string();
    let refuse = |found: String| {
        let advice = "save the source again; if it persists, end the session and start it anew";
        Reason::new(Rule::File, &subject, "the staged image", found, advice)
    };
    let metadata = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    if !metadata.is_file() {
        return Err(refuse("something that is not a plain file".to_owned()));
    }
    std::fs::read(path).map_err(|error| refuse(error.to_string()))
}

/// Shows that these are the bytes that were published.
///
/// # Errors
/// When their number or their CRC-32 is another.
pub fn identical(path: &Path, bytes: &[u8], length: u64, crc32: u32) -> Result<(), Reason> {
    let refuse = |expected: String, found: String| {
        let advice = "something changed or cut the staged file; save the source again";
        Err(Reason::new(Rule::Checksum, path.display().to_string(), expected, found, advice))
    };
    if bytes.len() as u64 != length {
        return refuse(format!("{length} bytes"), format!("{} bytes", bytes.len()));
    }
    match crc32fast::hash(bytes) {
        found if found == crc32 => Ok(()),
        found => refuse(format!("CRC-32 {crc32:08x}"), format!("{found:08x}")),
    }
}
