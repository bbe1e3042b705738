//! Gives back the memory of images that are not live any more, as far as their files hold what was in it.
//!
//! They stay mapped: who gets into one after all, a thread or an undo, has the system read it from the file again, mostly
//! from memory. What somebody has patched into their code, such as a debugger's breakpoint, is gone then.

use super::place::Place;

/// Gives back an image's code and constants. What was written, its data and what the loader has filled in, stays.
pub(super) fn rest(place: &Place) {
    #[cfg(target_os = "linux")]
    for pages in place.unwritten_pages() {
        let (Ok(start), Ok(end)) = (usize::try_from(pages.start), usize::try_from(pages.end)) else { continue };
        #[expect(unsafe_code, reason = "has the system let go of pages")]
        // SAFETY: whole pages of segments that cannot be written, and that the loader has not written to: the system reads
        // them from the file again, which nobody changes. An error leaves them as they are.
        unsafe {
            libc::madvise(std::ptr::without_provenance_mut(start), end.saturating_sub(start), libc::MADV_DONTNEED)
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = place;
}
