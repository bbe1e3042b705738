//! What is in a file that nobody else writes: mapped where that is possible, so that only what is looked at takes time.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// The bytes of a staged file. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Contents(Arc<Bytes>);

#[derive(Debug)]
enum Bytes {
    Read(Vec<u8>),
    #[cfg(all(unix, feature = "plugins"))]
    Mapped(map::Map),
}

impl Contents {
    /// Of a file that nobody else writes: whoever shortened it would end the program at its next look.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        #[cfg(all(unix, feature = "plugins"))]
        if let Ok(length) = usize::try_from(length)
            && let Ok(map) = map::Map::of(file, length)
        {
            return Ok(Self(Arc::new(Bytes::Mapped(map))));
        }
        super::read::whole(file, length).map(Self::from)
    }
}

impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Bytes::Read(bytes)))
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Bytes::Read(bytes) => bytes,
            #[cfg(all(unix, feature = "plugins"))]
            Bytes::Mapped(map) => map,
        }
    }
}

impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(all(unix, feature = "plugins"))]
#[expect(unsafe_code, reason = "maps a file")]
mod map {
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    use std::fs::File;
    use std::io;
    use std::ops::Deref;
    use std::ptr::NonNull;

    /// A file in memory.
    #[derive(Debug)]
    pub(super) struct Map {
        start: NonNull<u8>,
        length: usize,
    }

    // SAFETY: it is only read, and nobody writes to the file.
    unsafe impl Send for Map {}
    // SAFETY: as above.
    unsafe impl Sync for Map {}

    impl Map {
        pub(super) fn of(file: &File, length: usize) -> io::Result<Self> {
            // SAFETY: the system chooses a place that is free. An empty file is an error.
            let start = unsafe { mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, file, 0)? };
            NonNull::new(start.cast())
                .map(|start| Self { start, length })
                .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
        }
    }

    impl Deref for Map {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            // SAFETY: so many bytes are mapped for as long as this lives, and nobody writes to the file.
            unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
        }
    }

    impl Drop for Map {
        fn drop(&mut self) {
            // SAFETY: it was mapped by `of`, and nobody has a reference into it any more.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        }
    }
}
