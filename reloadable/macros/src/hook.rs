//! A hook: the function as it is, and its entry in the link-time table.

use crate::expand::{Mode, once_per_crate, runtime};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

/// `mode` is `None` in a plain build, where nobody calls it.
pub(crate) fn expand(item: &ItemFn, before: bool, mode: Option<Mode>) -> TokenStream {
    let Some(mode) = mode else {
        return quote!(#[allow(dead_code)] #item);
    };
    let rt = runtime();
    let once = once_per_crate(mode);
    let original = &item.sig.ident;
    let name = original.to_string();
    let kind = if before { quote!(#rt::HookKind::Before) } else { quote!(#rt::HookKind::After) };
    quote! {
        #once
        #item
        const _: () = {
            #[#rt::linkme::distributed_slice(#rt::HOOKS)]
            #[linkme(crate = #rt::linkme)]
            static HOOK: #rt::HookEntry = #rt::HookEntry {
                kind: #kind,
                name: ::core::concat!(::core::module_path!(), "::", #name),
                run: |swap| #rt::run_hook(#original, swap),
            };
        };
    }
}
