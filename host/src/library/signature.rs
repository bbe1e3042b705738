//! stub
pub(crate) struct Found;
pub(crate) fn find(_f: &[u8], _s: &str) -> Result<Option<Found>, String> { Ok(None) }
pub(crate) fn compare(_w: &str, _f: &Found) -> Result<(), (String, String)> { Ok(()) }
