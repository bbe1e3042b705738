//! A swap as hooks see it, and the hooks of this link unit.

use crate::border::contained;
use pitstop_contract::Generation;

/// A swap, as a hook sees it.
///
/// ```
/// use pitstop_reloadable::{Swap, reloadable};
///
/// #[reloadable(before_swap)]
/// fn close_the_files(swap: &Swap) {
///     println!("{} leaves #{} for #{}", swap.crate_name, swap.from, swap.to);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swap {
    /// The crate whose code is swapped.
    pub crate_name: String,
    /// What is live before it; 0 is the code that is linked into the program.
    pub from: Generation,
    /// What is live after it. After an undo, or a panic of the new code, this is the lower number.
    pub to: Generation,
}

impl Swap {
    /// For the host.
    #[doc(hidden)]
    #[must_use]
    pub fn new(crate_name: impl Into<String>, from: Generation, to: Generation) -> Self {
        Self { crate_name: crate_name.into(), from, to }
    }
}

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// Of the old code, before new code is live.
    Before,
    /// Of the new code, once it is live.
    After,
}

/// One hook.
#[derive(Debug)]
pub struct HookEntry {
    /// When it is called.
    pub kind: HookKind,
    /// The function's full name; it begins with its crate's.
    pub name: &'static str,
    /// Calls it. `Err` is the message of its panic, which stays on this side of the border.
    pub run: fn(&Swap) -> Result<(), String>,
}

/// Calls a hook.
///
/// # Errors
/// Its panic's message.
pub fn run_hook(hook: fn(&Swap), swap: &Swap) -> Result<(), String> {
    contained(|| hook(swap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_panics_says_so_to_who_called_it() {
        fn fails(swap: &Swap) {
            panic!("{} is busy", swap.crate_name);
        }
        let swap = Swap::new("logic", Generation::LINKED, Generation(1));
        assert_eq!(run_hook(|_| (), &swap), Ok(()));
        assert!(run_hook(fails, &swap).is_err_and(|said| said.starts_with("logic is busy")));
    }
}
