//! The `#[reloadable]` attribute: the plain item in a plain build, a trampoline or an exported body in a live one.

mod check;
mod expand;
mod signature;

use proc_macro::TokenStream;
use std::sync::atomic::{AtomicBool, Ordering};
use syn::Item;

/// Makes a function, or every method of an `impl` block, replaceable while the program runs.
///
/// See the crate `pitstop-reloadable`, which re-exports it.
#[proc_macro_attribute]
pub fn reloadable(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match attribute(arguments.into(), item.clone()) {
        Ok(Some(live)) => live.into(),
        Ok(None) => item,
        Err(error) => {
            let mut tokens = TokenStream::from(error.to_compile_error());
            tokens.extend(item);
            tokens
        }
    }
}

/// `Ok(None)` leaves the item as it is: nothing of Pitstop is in a plain build.
fn attribute(arguments: proc_macro2::TokenStream, item: TokenStream) -> syn::Result<Option<proc_macro2::TokenStream>> {
    check::arguments(&arguments)?;
    let item = syn::parse(item).map_err(|error| {
        let hint = "#[reloadable] goes on a function or an `impl` block";
        syn::Error::new(error.span(), format!("{error}; {hint}"))
    })?;
    match item {
        Item::Fn(function) => {
            check::function(&function.sig)?;
            Ok(expand::Mode::of_this_build()?.map(|mode| expand::function(&function, mode)))
        }
        Item::Impl(block) => {
            check::block(&block)?;
            Ok(expand::Mode::of_this_build()?.map(|mode| expand::block(&block, mode)))
        }
        other => Err(check::neither(&other)),
    }
}

/// True the first time in a compilation: rustc runs the macros of each crate in a process of its own, so this
/// is how one record per crate comes about without an attribute on the crate.
fn first_in_this_crate() -> bool {
    static SEEN: AtomicBool = AtomicBool::new(false);
    !SEEN.swap(true, Ordering::Relaxed)
}
