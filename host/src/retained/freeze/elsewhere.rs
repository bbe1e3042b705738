//! Systems on which no such moment can be had.

use std::time::Duration;

/// See the other twin. There is none of these.
pub(crate) struct Frozen {
    never: std::convert::Infallible,
}

impl Frozen {
    pub(crate) fn new() -> Result<Self, String> {
        Err("only Linux with glibc on x86-64 has the means".to_owned())
    }

    pub(crate) fn own_stack(&self) -> Option<u64> {
        match self.never {}
    }

    pub(crate) fn process(&self) -> u32 {
        match self.never {}
    }

    pub(crate) fn paused(&self) -> Duration {
        match self.never {}
    }

    pub(crate) fn threads(&self) -> usize {
        match self.never {}
    }

    pub(crate) fn id(&self, _thread: usize) -> u32 {
        match self.never {}
    }

    pub(crate) fn stack(&self, _thread: usize) -> u64 {
        match self.never {}
    }

    pub(crate) fn code(&self, _thread: usize) -> u64 {
        match self.never {}
    }

    pub(crate) fn thread_local(&self, _thread: usize) -> u64 {
        match self.never {}
    }

    pub(crate) fn is_in_system_call(&self, _thread: usize) -> bool {
        match self.never {}
    }

    pub(crate) fn vectors(&self, _thread: usize) -> impl Iterator<Item = u64> {
        match self.never {}
        #[expect(unreachable_code, reason = "gives the iterator a type")]
        std::iter::empty()
    }

    pub(crate) fn registers(&self, _thread: usize) -> impl Iterator<Item = u64> {
        match self.never {}
        #[expect(unreachable_code, reason = "gives the iterator a type")]
        std::iter::empty()
    }

    pub(crate) fn handlers(&self) -> impl Iterator<Item = (u32, u64)> {
        match self.never {}
        #[expect(unreachable_code, reason = "gives the iterator a type")]
        std::iter::empty()
    }
}
