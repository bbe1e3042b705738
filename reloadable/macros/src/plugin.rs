//! `#[plugin]`: what a library exports of a plugin; and the record of the interface, which is part of every program and plugin.

use crate::expand::{SELF_CRATE, fact_of, record, runtime};
use crate::signature::{Owner, function_type, mentioned};
use pitstop_contract::descriptor::{Facts, fact};
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use std::sync::atomic::{AtomicBool, Ordering};
use syn::{ImplItem, ItemImpl, Signature};

pub(crate) const SHAPE: &str = "#[plugin] goes on `impl Plugin for` a type that is `Default`";

/// The block as it is, and the exports of the library.
pub(crate) fn expand(arguments: &TokenStream, mut item: ItemImpl) -> syn::Result<TokenStream> {
    if !arguments.is_empty() {
        let message = "#[plugin] has no arguments; version and capabilities are said by `fn metadata`";
        return Err(syn::Error::new_spanned(arguments, message));
    }
    if item.trait_.is_none() {
        return Err(syn::Error::new_spanned(&item.self_ty, SHAPE));
    }
    if !item.generics.params.is_empty() {
        let message = "one plugin is one type: a generic one cannot be exported; write the block for a concrete type";
        return Err(syn::Error::new_spanned(&item.generics, message));
    }
    static SEEN: AtomicBool = AtomicBool::new(false);
    if SEEN.swap(true, Ordering::Relaxed) {
        let message = "a crate exports one plugin: put the other one into a crate of its own";
        return Err(syn::Error::new_spanned(&item.self_ty, message));
    }
    let says =
        |name: &str| item.items.iter().any(|item| matches!(item, ImplItem::Fn(found) if found.sig.ident == name));
    let says_metadata = says("metadata");
    let rt = runtime();
    if !says_metadata {
        item.items.push(syn::parse_quote! {
            fn metadata(&self) -> #rt::Metadata {
                #rt::Metadata::new(::core::env!("CARGO_PKG_VERSION"))
            }
        });
    }
    let ty = &item.self_ty;
    Ok(quote! {
        #item
        #[allow(unsafe_code, clippy::all, clippy::pedantic, unused_qualifications)]
        const _: () = {
            use #rt as rt;
            static STORAGE: rt::Storage<#ty> = rt::Storage::new();
            unsafe extern "C" fn create(
                _host: *const rt::PluginHost,
                instance: *mut *mut ::core::ffi::c_void,
                error: *mut rt::Buffer,
            ) -> rt::Status {
                // SAFETY: the program keeps the contract of `PluginTable::create`.
                unsafe { STORAGE.create(instance, error) }
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn pitstop_plugin_abi() -> u32 {
                rt::ABI
            }
            #[unsafe(no_mangle)]
            pub extern "C" fn pitstop_plugin() -> *const rt::PluginTable {
                let package = (::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION"));
                STORAGE.table(rt::Functions { create, package })
            }
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn __pitstop_plugin_enter(records: *const rt::Records) {
                // SAFETY: the caller of this `unsafe fn` keeps the contract of `enter_plugin`.
                unsafe { rt::enter_plugin(records) }
            }
        };
    })
}

/// A function that returns the records of the interface: the one that leads to its types, and its facts. For this crate's own
/// runtime.
pub(crate) fn interface(signature: &Signature) -> TokenStream {
    let owner = Owner::default();
    let mentioned = mentioned(signature, &owner);
    let fact = fact_of(signature.ident.to_string(), true, signature, &owner, &mentioned);
    let record = record(&fact.parts(), &mentioned, &function_type(signature, &owner));
    let variant = |panic: &str| {
        let crate_name = std::env::var("CARGO_CRATE_NAME").unwrap_or_default();
        let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
        let mut facts = Facts::from_lines(&crate_name, "");
        facts.values.insert(fact::VERSION.to_owned(), version);
        facts.values.insert(fact::PANIC.to_owned(), panic.to_owned());
        let bytes = facts.encode();
        let length = bytes.len();
        let bytes = Literal::byte_string(&bytes);
        let section = crate::expand::section();
        let condition = quote!(panic = #panic);
        quote! {
            #[cfg(#condition)]
            #section
            static FACTS: [u8; #length] = *#bytes;
        }
    };
    let (unwind, abort) = (variant("unwind"), variant("abort"));
    let name = format_ident!("{}_records", signature.ident);
    let own = SELF_CRATE.parse::<TokenStream>().unwrap_or_default();
    quote! {
        /// What a library or a program says of this interface in its file: see the descriptor in `pitstop-contract`.
        #[must_use]
        pub fn #name() -> [&'static [u8]; 2] {
            #[allow(unused_imports)]
            use #own as rt;
            #[allow(unused_imports)]
            use rt::Unsized as _;
            #record
            #unwind
            #abort
            [RECORD.bytes(), &FACTS]
        }
    }
}
