//! The live forms of a reloadable item.
//!
//! Linked into a host, a function becomes a trampoline: it loads its slot and calls through it, and the slot begins at
//! the function's own body. In an image the item stays as it is, so that code within the image calls it directly. In both
//! the slot points to a wrapper around the body, which catches its panics.

use crate::arguments::Arguments;
use crate::border::{Policy, bordered};
use crate::signature::{
    Mentioned, Owner, StaticLifetimes, carried, describe, function_type, mentioned, pointer, pretty, replace_self,
    with_plain_arguments,
};
use pitstop_contract::descriptor::{
    CarriedFact, Facts, Part, SECTION_COFF, SECTION_ELF, SECTION_MACHO, SlotFact, TypeFact, allocator, fact, linkage,
};
use pitstop_contract::session::{ENV_FACTS, ENV_LIVE, LIVE_HOST, LIVE_IMAGE};
use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Visibility;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, FnArg, Generics, ImplItem, ImplItemFn, ItemFn, ItemImpl, Pat, ReturnType, Safety, Signature, Type,
};

/// What the crate is compiled for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To be linked into a host, or into another crate's image.
    Host,
    /// To be an image.
    Image,
}

impl Mode {
    /// `None` in a plain build.
    pub(crate) fn of_this_build() -> syn::Result<Option<Self>> {
        let Ok(value) = std::env::var(ENV_LIVE) else {
            return Ok(None);
        };
        match value.as_str() {
            LIVE_HOST => Ok(Some(Self::Host)),
            LIVE_IMAGE => Ok(Some(Self::Image)),
            other => {
                let message = format!(
                    "{ENV_LIVE} is {other:?}; the command sets it to {LIVE_HOST:?} or {LIVE_IMAGE:?}, unset it"
                );
                Err(syn::Error::new(Span::call_site(), message))
            }
        }
    }
}

pub(crate) fn runtime() -> TokenStream {
    quote!(::pitstop_reloadable::__private)
}

/// The runtime, in its own crate.
pub(crate) const SELF_CRATE: &str = "crate::__private";

/// A free function.
pub(crate) fn function(item: &ItemFn, arguments: &Arguments, mode: Mode) -> TokenStream {
    let once = once_per_crate(mode);
    let sig = &item.sig;
    let name = sig.ident.to_string();
    let (plain, names) = with_plain_arguments(sig);
    let export = quote!(__pitstop_export);
    let policy = Policy::new(arguments, None, sig, |tokens| tokens);
    let wrapper = |original: &TokenStream| {
        let wrapped = wrapper_signature(&plain, "__pitstop_export");
        let bordered = bordered(&plain, &name, original, &names, &export, &policy, mode);
        quote!(#wrapped { #bordered })
    };
    match mode {
        Mode::Host => {
            let (outer, inner) = split_attributes(&item.attrs);
            let mut original = sig.clone();
            original.ident = format_ident!("__pitstop_body");
            let wrapper = wrapper(&quote!(__pitstop_body));
            let mut trampoline = plain.clone();
            if sig.asyncness.is_some() {
                trampoline.asyncness = None;
                trampoline.output = future_output(sig);
            }
            let vis = &item.vis;
            let block = &item.block;
            let slot = quote!(__PITSTOP_SLOT);
            let register = register(&name, is_public(vis), sig, &Owner::default(), Some(&slot), &export);
            let through = through_slot(sig, &slot, &export, &quote!(__pitstop_body), &names);
            quote! {
                #once
                #(#outer)*
                #[inline]
                #[allow(clippy::all, clippy::pedantic, unused_qualifications)]
                #vis #trampoline {
                    #(#inner)* #original #block
                    #wrapper
                    #register
                    #through
                }
            }
        }
        Mode::Image => {
            let wrapper = wrapper(&sig.ident.to_token_stream());
            let register = register(&name, is_public(&item.vis), sig, &Owner::default(), None, &export);
            quote! {
                #once
                #item
                #[allow(clippy::all, clippy::pedantic, unused_qualifications, deprecated)]
                const _: () = { #wrapper #register };
            }
        }
    }
}

/// Every method of an `impl` block.
///
/// `methods` has the arguments of each of its items, `arguments` those of the block itself.
pub(crate) fn block(item: &ItemImpl, arguments: &Arguments, methods: &[Arguments], mode: Mode) -> TokenStream {
    let once = once_per_crate(mode);
    let self_ty = &*item.self_ty;
    let generics = &item.generics;
    let (parameters, generic_arguments, clause) = generics.split_for_impl();
    let mut static_ty = self_ty.clone();
    StaticLifetimes::default().visit_type_mut(&mut static_ty);
    let static_arguments = generics.params.iter().map(|_| quote!('static));
    let hidden = quote!(__PitstopBodies);
    let hidden_static = quote!(<#static_ty as #hidden<#(#static_arguments),*>>);
    let associated = associated_paths(item);

    let mut items = Vec::new();
    let mut declarations = Vec::new();
    let mut definitions = Vec::new();
    let mut registrations = Vec::new();
    for (index, (entry, own)) in item.items.iter().zip(methods).enumerate() {
        let ImplItem::Fn(method) = entry else {
            items.push(entry.to_token_stream());
            continue;
        };
        let said = (own, arguments);
        let parts = Method { item, method, said, index, associated: &associated, hidden: &hidden, generics };
        let expanded = parts.expand(mode, &static_ty, &hidden_static);
        items.push(expanded.item);
        declarations.push(expanded.declaration);
        definitions.push(expanded.definition);
        registrations.push(expanded.registration);
    }
    let attrs = &item.attrs;
    let unsafety = &item.unsafety;
    let of_trait = item.trait_.as_ref().map(|(path, for_token)| quote!(#path #for_token));
    let lifetimes = &generics.params;
    quote! {
        #once
        #[allow(clippy::all, clippy::pedantic, unused_qualifications, non_upper_case_globals, deprecated)]
        const _: () = {
            #(#attrs)*
            #unsafety impl #parameters #of_trait #self_ty #clause { #(#items)* }
            #[allow(non_camel_case_types, async_fn_in_trait)]
            trait #hidden<#lifetimes> #clause { #(#declarations)* }
            impl #parameters #hidden #generic_arguments for #self_ty #clause { #(#definitions)* }
            #(#registrations)*
        };
    }
}

struct Method<'a> {
    item: &'a ItemImpl,
    method: &'a ImplItemFn,
    /// The attribute's arguments: the method's own, and the block's.
    said: (&'a Arguments, &'a Arguments),
    index: usize,
    associated: &'a [(String, TokenStream)],
    hidden: &'a TokenStream,
    generics: &'a Generics,
}

struct ExpandedMethod {
    item: TokenStream,
    declaration: TokenStream,
    definition: TokenStream,
    registration: TokenStream,
}

impl Method<'_> {
    fn expand(&self, mode: Mode, static_ty: &Type, hidden_static: &TokenStream) -> ExpandedMethod {
        let method = self.method;
        let sig = &method.sig;
        let name = self.slot_name();
        let wrapper = format!("__pitstop_{}", sig.ident);
        let wrapper_ident = format_ident!("{wrapper}");
        let slot = format_ident!("__PITSTOP_{}", self.index);
        let (plain, arguments) = with_plain_arguments(sig);
        let (_, hidden_arguments, _) = self.generics.split_for_impl();
        let hidden = self.hidden;
        let path = quote!(<Self as #hidden #hidden_arguments>);
        let seen_from_outside = quote!(#hidden_static::#wrapper_ident);
        // The hidden trait knows nothing of the `impl` block's associated types, so both sides name them in full.
        let rename = |signature: &Signature| -> TokenStream {
            let self_ty = self.item.self_ty.to_token_stream();
            keep_receiver(signature, &self_ty, self.associated)
        };
        let (own, block) = self.said;
        let policy = Policy::new(own, Some(block), sig, |tokens| self.replaced(tokens));
        let wrapped = rename(&wrapper_signature(&plain, &wrapper));
        let bordered = |original: &TokenStream| {
            bordered(&plain, &name, original, &arguments, &quote!(#path::#wrapper_ident), &policy, mode)
        };
        match mode {
            Mode::Host => {
                let (outer, inner) = split_attributes(&method.attrs);
                let vis = &method.vis;
                let block = self.replaced(method.block.to_token_stream());
                let body_ident = format_ident!("__pitstop_body_{}", sig.ident);
                let body = quote!(#path::#body_ident);
                let bordered = bordered(&body);
                let mut declared = plain.clone();
                declared.ident = body_ident.clone();
                let declared = rename(&declared);
                let mut original = sig.clone();
                original.ident = body_ident;
                let original = rename(&original);
                let mut trampoline = plain.clone();
                if sig.asyncness.is_some() {
                    trampoline.asyncness = None;
                    trampoline.output = future_output(sig);
                }
                let through = through_slot(sig, &quote!(#slot), &quote!(#path::#wrapper_ident), &body, &arguments);
                ExpandedMethod {
                    item: quote!(#(#outer)* #[inline] #vis #trampoline { #through }),
                    declaration: quote!(#declared; #wrapped;),
                    definition: quote!(#(#inner)* #original #block #wrapped { #bordered }),
                    registration: self.register(static_ty, &name, Some(&quote!(#slot)), &seen_from_outside),
                }
            }
            Mode::Image => {
                let method_ident = &sig.ident;
                let original = match &self.item.trait_ {
                    Some((of_trait, _)) => quote!(<Self as #of_trait>::#method_ident),
                    None => quote!(Self::#method_ident),
                };
                let bordered = bordered(&original);
                ExpandedMethod {
                    item: method.to_token_stream(),
                    declaration: quote!(#wrapped;),
                    definition: quote!(#wrapped { #bordered }),
                    registration: self.register(static_ty, &name, None, &seen_from_outside),
                }
            }
        }
    }

    fn slot_name(&self) -> String {
        let ty = pretty(self.item.self_ty.to_token_stream());
        let method = &self.method.sig.ident;
        match &self.item.trait_ {
            Some((of_trait, _)) => {
                format!("<{ty} as {}>::{method}", pretty(of_trait.to_token_stream()))
            }
            None => format!("{ty}::{method}"),
        }
    }

    fn replaced(&self, tokens: TokenStream) -> TokenStream {
        replace_self(tokens, &quote!(Self), self.associated)
    }

    fn register(&self, static_ty: &Type, name: &str, slot: Option<&TokenStream>, body: &TokenStream) -> TokenStream {
        let public = self.item.trait_.is_some() || is_public(&self.method.vis);
        let owner = Owner { ty: Some(static_ty), associated: self.associated };
        register(name, public, &self.method.sig, &owner, slot, body)
    }
}

/// `Self::Item` of a trait's `impl` block, by name, as a path that holds outside of it.
fn associated_paths(item: &ItemImpl) -> Vec<(String, TokenStream)> {
    let Some((of_trait, _)) = &item.trait_ else {
        return Vec::new();
    };
    let self_ty = &item.self_ty;
    let names = item.items.iter().filter_map(|entry| match entry {
        ImplItem::Type(ty) => Some(&ty.ident),
        ImplItem::Const(constant) => Some(&constant.ident),
        _ => None,
    });
    names.map(|name| (name.to_string(), quote!(<#self_ty as #of_trait>::#name))).collect()
}

/// Names concrete types everywhere but in the receiver, where only `Self` is allowed.
fn keep_receiver(signature: &Signature, self_ty: &TokenStream, associated: &[(String, TokenStream)]) -> TokenStream {
    let mut renamed = signature.clone();
    for argument in &mut renamed.inputs {
        if let FnArg::Typed(typed) = argument {
            let tokens = replace_self(typed.ty.to_token_stream(), self_ty, associated);
            *typed.ty = Type::Verbatim(tokens);
        }
    }
    if let ReturnType::Type(_, ty) = &mut renamed.output {
        let tokens = replace_self(ty.to_token_stream(), self_ty, associated);
        **ty = Type::Verbatim(tokens);
    }
    renamed.to_token_stream()
}

/// Documentation and lints belong to what callers see, everything else to the body.
fn split_attributes(attributes: &[Attribute]) -> (Vec<&Attribute>, Vec<&Attribute>) {
    const OUTER: [&str; 11] = [
        "doc",
        "cfg",
        "cfg_attr",
        "must_use",
        "deprecated",
        "no_mangle",
        "export_name",
        "unsafe",
        "diagnostic",
        "rustfmt",
        "clippy",
    ];
    let is_lint = |attribute: &&Attribute| {
        ["allow", "warn", "deny", "forbid", "expect"].iter().any(|lint| attribute.path().is_ident(lint))
    };
    let is_outer = |attribute: &&Attribute| OUTER.iter().any(|name| attribute.path().is_ident(name));
    let outer = attributes.iter().filter(|a| is_outer(a) || (is_lint(a) && !a.path().is_ident("expect")));
    let inner = attributes.iter().filter(|a| !is_outer(a) && !a.path().is_ident("inline"));
    (outer.collect(), inner.collect())
}

fn output_type(signature: &Signature) -> TokenStream {
    match &signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    }
}

/// The signature of the wrapper around a body. An `async fn`'s future is boxed, so that callers need not know its type.
fn wrapper_signature(plain: &Signature, name: &str) -> Signature {
    let rt = runtime();
    let mut wrapped = plain.clone();
    wrapped.ident = format_ident!("{name}");
    if plain.asyncness.is_some() {
        let output = output_type(plain);
        wrapped.asyncness = None;
        wrapped.output = syn::parse_quote!(-> #rt::Erased<#output>);
    }
    wrapped
}

/// What an `async fn` returns, spelled so that all lifetimes are captured whatever the user's edition is.
fn future_output(signature: &Signature) -> ReturnType {
    let output = output_type(signature);
    let tokens = quote_spanned!(Span::mixed_site()=> -> impl ::core::future::Future<Output = #output>);
    syn::parse2(tokens).unwrap_or(ReturnType::Default)
}

pub(crate) fn call(signature: &Signature, function: &TokenStream, arguments: &[TokenStream]) -> TokenStream {
    if matches!(signature.safety, Safety::Unsafe(_)) {
        // SAFETY: expanded only inside of an `unsafe fn` with the same contract.
        quote!(unsafe { #function(#(#arguments),*) })
    } else {
        quote!(#function(#(#arguments),*))
    }
}

/// Loads the slot and calls what it points to. `witness` is the original `async fn`, whose future says what is `Send`.
fn through_slot(
    signature: &Signature,
    slot: &TokenStream,
    body: &TokenStream,
    witness: &TokenStream,
    arguments: &[TokenStream],
) -> TokenStream {
    let rt = runtime();
    let pointer = pointer(signature);
    let call = call(signature, &quote!(__pitstop_live), arguments);
    if signature.asyncness.is_some() {
        quote! {
            let __pitstop_live = #slot.get(#body as #pointer);
            #[allow(unused_imports)]
            use #rt::MaybeSend as _;
            let send = #rt::IsSend::result_of(#witness as #pointer).is_send();
            #rt::live(#call, #witness as #pointer, send)
        }
    } else {
        quote! {
            let __pitstop_live = #slot.get(#body as #pointer);
            #call
        }
    }
}

/// The slot, the record in the descriptor's section, and the entry in the link-time table.
fn register(
    name: &str,
    public: bool,
    signature: &Signature,
    owner: &Owner<'_>,
    slot: Option<&TokenStream>,
    body: &TokenStream,
) -> TokenStream {
    let rt = runtime();
    let pointer = pointer(signature);
    let function = function_type(signature, owner);
    let mentioned = mentioned(signature, owner);
    let fact = fact_of(name.to_owned(), public, signature, owner, &mentioned);
    let record = record(&fact.parts(), &mentioned, &function);
    let slot_static =
        slot.map(|slot| quote!(static #slot: #rt::Slot = #rt::Slot::new(#body as #pointer as *const ());));
    let slot = match slot {
        Some(slot) => quote!(::core::option::Option::Some(&#slot)),
        None => quote!(::core::option::Option::None),
    };
    let states = carried(signature, owner).into_iter().map(register_carried);
    quote! {
        #slot_static
        #(#states)*
        const _: () = {
            use #rt as rt;
            #[allow(unused_imports)]
            use rt::Unsized as _;
            #record
            #[rt::linkme::distributed_slice(rt::ENTRIES)]
            #[linkme(crate = rt::linkme)]
            static ENTRY: rt::Entry = rt::Entry::new(RECORD.bytes(), #slot, #body as #pointer as *const ());
        };
    }
}

/// What the descriptor says of a function.
pub(crate) fn fact_of(
    name: String,
    public: bool,
    signature: &Signature,
    owner: &Owner<'_>,
    mentioned: &[Mentioned],
) -> SlotFact {
    SlotFact {
        name,
        signature: describe(signature, owner.ty),
        public,
        parameters: parameter_names(signature),
        types: mentioned.iter().map(|found| TypeFact { name: found.name.clone(), size: 0, align: 0 }).collect(),
    }
}

/// The type of a carried value: its record in the descriptor, and what the host can have done to its values.
fn register_carried(found: Mentioned) -> TokenStream {
    let rt = runtime();
    let fact = CarriedFact { name: found.name.clone(), ty: TypeFact { name: found.name.clone(), size: 0, align: 0 } };
    let ty = found.ty.clone();
    let record = record(&fact.parts(), &[found], &quote!(fn(#ty)));
    quote! {
        const _: () = {
            use #rt as rt;
            #[allow(unused_imports)]
            use rt::{NoMigrate as _, NoRestore as _, NoSave as _, Unsized as _};
            #record
            type Of = rt::Of<#ty>;
            #[rt::linkme::distributed_slice(rt::STATES)]
            #[linkme(crate = rt::linkme)]
            static STATE: rt::Carried = rt::Carried {
                record: RECORD.bytes(),
                type_name: ::core::any::type_name::<#ty>,
                operations: rt::Operations::new(Of::SAVE, Of::READ, Of::MIGRATE, Of::DROP),
            };
        };
    }
}

/// `RECORD`, a static in the descriptor's section, from whose type debug info leads to `function`. For a place where `rt` is
/// the runtime.
pub(crate) fn record(parts: &[Part], mentioned: &[Mentioned], function: &TokenStream) -> TokenStream {
    let section = section();
    // Of those parts that do not hang on the module.
    let fixed: usize = parts.iter().map(fixed_length).sum();
    let expression = |part: &Part| match part {
        Part::Bytes(bytes) => {
            let literal = Literal::byte_string(bytes);
            quote!(#literal as &[u8])
        }
        Part::BodyLength(length) => quote!(&((#length + MODULE.len()) as u32).to_le_bytes()),
        Part::Layout(index) => {
            let ty = mentioned.get(*index).map(|found| &found.ty);
            quote!(&rt::Layout::<#ty>::NUMBERS)
        }
        Part::ModuleLength => quote!(&(MODULE.len() as u32).to_le_bytes()),
        Part::Module => quote!(MODULE.as_bytes()),
    };
    let parts = parts.iter().map(expression);
    quote! {
        const MODULE: &str = ::core::module_path!();
        const LENGTH: usize = #fixed + MODULE.len();
        #section
        static RECORD: rt::Record<#function, LENGTH> = rt::Record::new(&[#(#parts),*]);
    }
}

/// What the report of a mismatch calls the parameters.
fn parameter_names(signature: &Signature) -> Vec<String> {
    let name = |argument: &FnArg| match argument {
        FnArg::Receiver(_) => "self".to_owned(),
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(pattern) => pattern.ident.to_string(),
            _ => "_".to_owned(),
        },
    };
    signature.inputs.iter().map(name).collect()
}

fn fixed_length(part: &Part) -> usize {
    match part {
        Part::Bytes(bytes) => bytes.len(),
        Part::BodyLength(_) | Part::ModuleLength => 4,
        Part::Layout(_) => 16,
        Part::Module => 0,
    }
}

/// Whether other crates may name it; `pub(crate)` and its like do not count.
fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

pub(crate) fn section() -> TokenStream {
    quote! {
        #[cfg_attr(any(target_os = "macos", target_os = "ios"), unsafe(link_section = #SECTION_MACHO))]
        #[cfg_attr(windows, unsafe(link_section = #SECTION_COFF))]
        #[cfg_attr(not(any(windows, target_os = "macos", target_os = "ios")), unsafe(link_section = #SECTION_ELF))]
    }
}

/// The crate's facts, the image's entry, and what its linkage asks for: said once, beside the first item.
pub(crate) fn once_per_crate(mode: Mode) -> TokenStream {
    if !crate::first_in_this_crate() {
        return TokenStream::new();
    }
    let rt = runtime();
    let crate_name = std::env::var("CARGO_CRATE_NAME").unwrap_or_default();
    let lines = std::env::var(ENV_FACTS).unwrap_or_default();
    let mut facts = Facts::from_lines(&crate_name, &lines);
    let shared = facts.get(fact::LINKAGE) == linkage::SHARED;
    if mode == Mode::Image {
        // Said by whoever writes the allocator, below.
        let allocator = if shared { allocator::SHARED } else { allocator::HOST };
        facts.values.insert(fact::ALLOCATOR.to_owned(), allocator.to_owned());
    }
    let record = facts.encode();
    let length = record.len();
    let record = Literal::byte_string(&record);
    let section = section();
    let dependencies = (shared && !facts.get(fact::DEPENDENCIES).is_empty()).then(|| {
        let name = format_ident!("{}", facts.get(fact::DEPENDENCIES));
        quote!(extern crate #name as _;)
    });
    let entry = (mode == Mode::Image).then(|| {
        let allocator = (!shared).then(|| {
            quote! {
                #[global_allocator]
                static ALLOCATOR: #rt::HostAllocator = #rt::HostAllocator;
            }
        });
        let entry = format_ident!("{}", pitstop_contract::descriptor::ENTRY_SYMBOL);
        quote! {
            #allocator
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn #entry(services: *const #rt::Services) -> *const #rt::Table {
                // SAFETY: the caller of this `unsafe fn` keeps the contract of `enter_image`.
                unsafe { #rt::enter_image(services) }
            }
        }
    });
    quote! {
        const _: () = {
            #dependencies
            #section
            static FACTS: [u8; #length] = *#record;
            #[#rt::linkme::distributed_slice(#rt::CRATES)]
            #[linkme(crate = #rt::linkme)]
            static CRATE: &[u8] = &FACTS;
            #entry
        };
    }
}
