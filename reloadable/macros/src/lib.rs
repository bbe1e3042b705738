//! The `#[reloadable]` attribute: the plain item in a plain build, a trampoline or an exported body in a live one.

mod arguments;
mod border;
mod check;
mod expand;
mod hook;
mod plugin;
mod signature;

use proc_macro::TokenStream;
use quote::ToTokens;
use std::sync::atomic::{AtomicBool, Ordering};
use syn::Item;

/// Makes a function, or every method of an `impl` block, replaceable while the program runs.
///
/// # Arguments
/// `on_panic = rollback`, `hold` or `propagate` says what is done when the function panics; on a block it holds for all of
/// its methods that do not say otherwise in a `#[reloadable(...)]` of their own. What is not said is the host's to decide.
///
/// - `rollback`: the last good generation is live from the next safe point on. The call returns `fallback`.
/// - `hold`: the call waits for a generation that may do better, and is made again with that. Where an argument cannot be
///   had twice, since it is neither `Copy` nor a `&mut`, it returns `fallback` then.
/// - `propagate`: the caller gets the panic.
///
/// `fallback = <expression>` is what a function with a result returns when it has none; without it, the caller gets the
/// panic after all. It is evaluated beside the function, and sees none of its arguments; a plain build leaves it out, so that
/// what nothing else names is unused there. Whoever awaits an `async fn` gets
/// its panic in any case.
///
/// `before_swap` and `after_swap` make a free function `fn(&pitstop_reloadable::Swap)` a hook: the old code's is called
/// before new code is live, the new code's after. A panic in it cancels the swap.
///
/// See the crate `pitstop-reloadable`, which re-exports it.
#[proc_macro_attribute]
pub fn reloadable(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match attribute(arguments.into(), item.clone()) {
        Ok(Some(expanded)) => expanded.into(),
        Ok(None) => item,
        Err(error) => {
            let mut tokens = TokenStream::from(error.to_compile_error());
            tokens.extend(TokenStream::from(arguments::taken_off(item.into())));
            tokens
        }
    }
}

/// Makes a library of the crate that a program loads as a plugin: on `impl Plugin for Type`, where the type is `Default`.
///
/// The crate is built as a `cdylib`. It exports one plugin, by the table of `pitstop_plugin.h`; panics stay in it. Where the
/// block has no `fn metadata`, it gets one that tells the crate's version.
///
/// See the crate `pitstop-reloadable`, which re-exports it.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let block = syn::parse::<syn::ItemImpl>(item.clone());
    let block = block.map_err(|error| syn::Error::new(error.span(), format!("{error}; {}", plugin::SHAPE)));
    let expanded = block.and_then(|block| plugin::expand(&arguments.into(), block));
    expanded.map_or_else(
        |error| {
            let mut tokens = TokenStream::from(error.to_compile_error());
            tokens.extend(item);
            tokens
        },
        TokenStream::from,
    )
}

/// The record of an interface that programs and plugins share, for `pitstop-reloadable` itself.
#[doc(hidden)]
#[proc_macro]
pub fn interface(declaration: TokenStream) -> TokenStream {
    match syn::parse::<syn::ForeignItemFn>(declaration) {
        Ok(declaration) => plugin::interface(&declaration.sig).into(),
        Err(error) => error.to_compile_error().into(),
    }
}

/// `Ok(None)` leaves the item as it is: nothing of Pitstop is in a plain build.
fn attribute(tokens: proc_macro2::TokenStream, item: TokenStream) -> syn::Result<Option<proc_macro2::TokenStream>> {
    let arguments = arguments::read(tokens)?;
    let item = syn::parse(item).map_err(|error| {
        let hint = "#[reloadable] goes on a function or an `impl` block";
        syn::Error::new(error.span(), format!("{error}; {hint}"))
    })?;
    match item {
        Item::Fn(function) => {
            check::free(&function.sig)?;
            if let Some(hook) = &arguments.hook {
                arguments::fit_hook(&function.sig)?;
                return Ok(Some(hook::expand(&function, hook.before, expand::Mode::of_this_build()?)));
            }
            check::function(&function.sig)?;
            arguments::fit(&arguments, &function.sig)?;
            Ok(expand::Mode::of_this_build()?.map(|mode| expand::function(&function, &arguments, mode)))
        }
        Item::Impl(mut block) => {
            arguments::fit_block(&arguments)?;
            let (methods, any) = arguments::of_methods(&mut block)?;
            check::block(&block)?;
            match expand::Mode::of_this_build()? {
                Some(mode) => Ok(Some(expand::block(&block, &arguments, &methods, mode))),
                None => Ok(any.then(|| block.into_token_stream())),
            }
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
