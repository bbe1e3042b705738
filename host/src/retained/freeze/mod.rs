//! The whole process at one moment: all registers, and a copy of all memory.

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", target_pointer_width = "64")))]
mod elsewhere;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", target_pointer_width = "64"))]
mod linux;

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", target_pointer_width = "64")))]
pub(super) use elsewhere::Frozen;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64", target_pointer_width = "64"))]
pub(super) use linux::Frozen;
