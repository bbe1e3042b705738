//! Reads a signature: how it is written in the descriptor, what types occur in it, and its forms in generated code.

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Abi, FnArg, Lifetime, ReceiverKind, ReturnType, Safety, Signature, Type};

/// `fn(&mut World, f32) -> bool`, with the receiver as its type.
pub(crate) fn describe(signature: &Signature, self_ty: Option<&Type>) -> String {
    let arguments = signature.inputs.iter().map(|argument| match argument {
        FnArg::Typed(typed) => pretty(typed.ty.to_token_stream()),
        FnArg::Receiver(receiver) => pretty(receiver_type(&receiver.kind, self_ty)),
    });
    let arguments = arguments.collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    if signature.asyncness.is_some() {
        text.push_str("async ");
    }
    if matches!(signature.safety, Safety::Unsafe(_)) {
        text.push_str("unsafe ");
    }
    if let Some(abi) = &signature.abi {
        text.push_str(&pretty(abi.to_token_stream()));
        text.push(' ');
    }
    text.push_str(&format!("fn({arguments})"));
    if let ReturnType::Type(_, ty) = &signature.output {
        text.push_str(&format!(" -> {}", pretty(ty.to_token_stream())));
    }
    text
}

fn receiver_type(kind: &ReceiverKind, self_ty: Option<&Type>) -> TokenStream {
    let concrete = self_ty.map_or_else(|| quote!(Self), ToTokens::to_token_stream);
    match kind {
        ReceiverKind::Reference(and, lifetime, mutability) => {
            quote!(#and #lifetime #mutability #concrete)
        }
        ReceiverKind::Typed(_, ty) => replace_self(ty.to_token_stream(), &concrete, &[]),
        _ => concrete,
    }
}

/// The cast target that makes a function item a pointer, with everything but its shape left to inference.
pub(crate) fn pointer(signature: &Signature) -> TokenStream {
    let unsafety = matches!(signature.safety, Safety::Unsafe(_)).then(|| quote!(unsafe));
    let abi: &Option<Abi> = &signature.abi;
    let holes = signature.inputs.iter().map(|_| quote!(_));
    let output = match &signature.output {
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) && signature.asyncness.is_none() => {
            quote!(!)
        }
        _ => quote!(_),
    };
    quote!(#unsafety #abi fn(#(#holes),*) -> #output)
}

/// The function pointer type in full, for a place where nothing is inferred and every lifetime is `'static`.
pub(crate) fn function_type(signature: &Signature, owner: &Owner<'_>) -> TokenStream {
    let unsafety = matches!(signature.safety, Safety::Unsafe(_)).then(|| quote!(unsafe));
    let abi = &signature.abi;
    let inputs = signature.inputs.iter().map(|argument| match argument {
        FnArg::Typed(typed) => constant(typed.ty.to_token_stream(), owner),
        FnArg::Receiver(receiver) => constant(receiver_type(&receiver.kind, owner.ty), owner),
    });
    let output = match &signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => constant(ty.to_token_stream(), owner),
    };
    quote!(#unsafety #abi fn(#(#inputs),*) -> #output)
}

/// A type of a signature as it can be written outside of its function.
fn constant(tokens: TokenStream, owner: &Owner<'_>) -> TokenStream {
    let concrete = owner.ty.map_or_else(|| quote!(Self), ToTokens::to_token_stream);
    let tokens = replace_self(tokens, &concrete, owner.associated);
    match syn::parse2::<Type>(tokens.clone()) {
        Ok(mut ty) => {
            StaticLifetimes::default().visit_type_mut(&mut ty);
            ty.to_token_stream()
        }
        Err(_) => tokens,
    }
}

/// The signature with plain names for its arguments, and these names (`self` included).
pub(crate) fn with_plain_arguments(signature: &Signature) -> (Signature, Vec<TokenStream>) {
    let mut plain = signature.clone();
    let mut names = Vec::new();
    for (index, argument) in plain.inputs.iter_mut().enumerate() {
        match argument {
            FnArg::Receiver(receiver) => {
                receiver.attrs.clear();
                if !matches!(receiver.kind, ReceiverKind::Reference(..)) {
                    receiver.mutability = None;
                }
                names.push(receiver.self_token.to_token_stream());
            }
            FnArg::Typed(typed) => {
                typed.attrs.clear();
                let name = format_ident!("__pitstop_{index}", span = Span::mixed_site());
                typed.pat = syn::parse_quote!(#name);
                names.push(name.to_token_stream());
            }
        }
    }
    (plain, names)
}

/// A type of the signature whose size is recorded.
pub(crate) struct Mentioned {
    /// As the source writes it.
    pub(crate) name: String,
    /// In a form that a constant outside of the function can name.
    pub(crate) ty: Type,
}

/// The `impl` block that a function is in; empty for a free function.
#[derive(Default)]
pub(crate) struct Owner<'a> {
    /// The block's type, with `'static` for its lifetimes.
    pub(crate) ty: Option<&'a Type>,
    /// What `Self::Name` stands for, see [`replace_self`].
    pub(crate) associated: &'a [(String, TokenStream)],
}

/// The types that the signature passes or points to, references peeled, each once.
pub(crate) fn mentioned(signature: &Signature, owner: &Owner<'_>) -> Vec<Mentioned> {
    let mut found = Vec::new();
    for argument in &signature.inputs {
        match argument {
            FnArg::Typed(typed) => collect(&typed.ty, owner, &mut found),
            FnArg::Receiver(_) => {
                if let Some(ty) = owner.ty {
                    collect(ty, owner, &mut found);
                }
            }
        }
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        collect(ty, owner, &mut found);
    }
    found
}

fn collect(ty: &Type, owner: &Owner<'_>, found: &mut Vec<Mentioned>) {
    match ty {
        Type::Reference(inner) => collect(&inner.elem, owner, found),
        Type::Ptr(inner) => collect(&inner.elem, owner, found),
        Type::Slice(inner) => collect(&inner.elem, owner, found),
        Type::Paren(inner) => collect(&inner.elem, owner, found),
        Type::Group(inner) => collect(&inner.elem, owner, found),
        Type::Array(inner) => collect(&inner.elem, owner, found),
        Type::Tuple(inner) => inner.elems.iter().for_each(|ty| collect(ty, owner, found)),
        Type::Path(path) => {
            let mut constant = Type::Path(path.clone());
            if let Some(concrete) = owner.ty {
                let concrete = concrete.to_token_stream();
                let tokens = replace_self(constant.to_token_stream(), &concrete, owner.associated);
                let Ok(replaced) = syn::parse2(tokens) else {
                    return;
                };
                constant = replaced;
            }
            StaticLifetimes::default().visit_type_mut(&mut constant);
            let name = pretty(constant.to_token_stream());
            if found.iter().any(|known| known.name == name) {
                return;
            }
            found.push(Mentioned { name, ty: constant });
            if carried_in(path).is_some() {
                // What a `State` holds is not the caller's: it is registered by itself.
                return;
            }
            for segment in &path.path.segments {
                if let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments {
                    for argument in &arguments.args {
                        if let syn::GenericArgument::Type(ty) = argument {
                            collect(ty, owner, found);
                        }
                    }
                }
            }
        }
        _ => {}
    }
}

/// The types `T` of every `State<T>` in the signature, each once.
pub(crate) fn carried(signature: &Signature, owner: &Owner<'_>) -> Vec<Mentioned> {
    let mut held = Vec::new();
    each_type(signature.clone(), owner.ty.filter(|_| signature.receiver().is_some()), &mut |ty| {
        if let Type::Path(path) = ty {
            held.extend(carried_in(path).cloned());
        }
    });
    let mut found: Vec<Mentioned> = Vec::new();
    for ty in held {
        let Ok(ty) = syn::parse2::<Type>(constant(ty.to_token_stream(), owner)) else { continue };
        let name = format!("State<{}>", pretty(ty.to_token_stream()));
        if found.iter().all(|known| known.name != name) {
            found.push(Mentioned { name, ty });
        }
    }
    found
}

/// Shows all types of a signature, and of the one whose method it is, with those that they are made of.
pub(crate) fn each_type(mut signature: Signature, owner: Option<&Type>, take: &mut dyn FnMut(&Type)) {
    struct Each<'a>(&'a mut dyn FnMut(&Type));
    // Nothing is changed: who visits without a change is another few hundred functions for the compiler.
    impl VisitMut for Each<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            (self.0)(ty);
            visit_mut::visit_type_mut(self, ty);
        }
    }
    let mut each = Each(take);
    each.visit_signature_mut(&mut signature);
    if let Some(mut owner) = owner.cloned() {
        each.visit_type_mut(&mut owner);
    }
}

/// `T` of a path that ends in `State<T>`.
fn carried_in(path: &syn::TypePath) -> Option<&Type> {
    let last = path.path.segments.last().filter(|segment| segment.ident == "State")?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.iter().collect::<Vec<_>>().as_slice() {
        [syn::GenericArgument::Type(ty)] => Some(ty),
        _ => None,
    }
}

/// Puts `'static` for every lifetime: outside of its function no other can be named.
#[derive(Default)]
pub(crate) struct StaticLifetimes {
    /// What `for<'a>` binds stays bound.
    bound: Vec<Ident>,
}

impl StaticLifetimes {
    /// How many were bound before.
    fn bind(&mut self, lifetimes: Option<&syn::BoundLifetimes>) -> usize {
        let outer = self.bound.len();
        for parameter in lifetimes.into_iter().flat_map(|lifetimes| &lifetimes.lifetimes) {
            if let syn::GenericParam::Lifetime(parameter) = parameter {
                self.bound.push(parameter.lifetime.ident.clone());
            }
        }
        outer
    }
}

impl VisitMut for StaticLifetimes {
    fn visit_bound_lifetimes_mut(&mut self, _: &mut syn::BoundLifetimes) {}

    fn visit_type_fn_ptr_mut(&mut self, ty: &mut syn::TypeFnPtr) {
        let outer = self.bind(ty.lifetimes.as_ref());
        visit_mut::visit_type_fn_ptr_mut(self, ty);
        self.bound.truncate(outer);
    }

    fn visit_trait_bound_mut(&mut self, bound: &mut syn::TraitBound) {
        let outer = self.bind(bound.lifetimes.as_ref());
        visit_mut::visit_trait_bound_mut(self, bound);
        self.bound.truncate(outer);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if !self.bound.contains(&lifetime.ident) {
            lifetime.ident = Ident::new("static", lifetime.ident.span());
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(Lifetime::new("'static", Span::mixed_site()));
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }
}

/// Puts `concrete` for `Self`, and `<Self as Trait>::Name` for `Self::Name` where the `impl` block defines `Name`.
///
/// `associated` holds these names with the qualified path of each. Works on tokens, and so inside macro calls too.
pub(crate) fn replace_self(
    tokens: TokenStream,
    concrete: &TokenStream,
    associated: &[(String, TokenStream)],
) -> TokenStream {
    let mut output = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                let inner = replace_self(group.stream(), concrete, associated);
                let mut replaced = Group::new(group.delimiter(), inner);
                replaced.set_span(group.span());
                output.extend([TokenTree::Group(replaced)]);
            }
            TokenTree::Ident(ident) if ident == "Self" => {
                let rest: Vec<TokenTree> = tokens.clone().take(3).collect();
                match associated_name(&rest, associated) {
                    Some(path) => {
                        output.extend(path);
                        tokens.nth(2);
                    }
                    // A group without delimiters keeps `Foo<u32>` one type even in an expression.
                    None => output.extend(concrete.clone()),
                }
            }
            other => output.extend([other]),
        }
    }
    output
}

fn associated_name(rest: &[TokenTree], associated: &[(String, TokenStream)]) -> Option<TokenStream> {
    let [TokenTree::Punct(first), TokenTree::Punct(second), TokenTree::Ident(name)] = rest else {
        return None;
    };
    if first.as_char() != ':' || second.as_char() != ':' {
        return None;
    }
    let known = associated.iter().find(|(known, _)| name == known)?;
    Some(known.1.clone())
}

/// Tokens as a person would space them.
pub(crate) fn pretty(tokens: TokenStream) -> String {
    let mut text = String::new();
    write_pretty(tokens, &mut text);
    text
}

fn write_pretty(tokens: TokenStream, text: &mut String) {
    let mut after_word = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                let apart = group.delimiter() == Delimiter::Bracket
                    || ["mut", "dyn", "const"].iter().any(|word| text.ends_with(word));
                if after_word && apart {
                    text.push(' ');
                }
                text.push_str(open);
                write_pretty(group.stream(), text);
                text.push_str(close);
                after_word = true;
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if after_word {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
                after_word = true;
            }
            TokenTree::Punct(punct) => {
                after_word = write_punct(punct.as_char(), punct.spacing(), after_word, text);
                // A lifetime is an apostrophe and a word.
                if punct.as_char() == '\''
                    && let Some(name) = tokens.next()
                {
                    text.push_str(&name.to_string());
                    after_word = true;
                }
            }
        }
    }
}

fn write_punct(character: char, spacing: Spacing, after_word: bool, text: &mut String) -> bool {
    match character {
        ',' | ';' => {
            text.push(character);
            text.push(' ');
            false
        }
        '-' | '+' | '=' if spacing == Spacing::Alone || character == '-' => {
            text.push(' ');
            text.push(character);
            if spacing == Spacing::Alone {
                text.push(' ');
            }
            false
        }
        '>' if text.ends_with('-') => {
            text.push_str("> ");
            false
        }
        '>' => {
            text.push('>');
            true
        }
        '\'' => {
            if after_word {
                text.push(' ');
            }
            text.push('\'');
            false
        }
        other => {
            text.push(other);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(source: &str) -> String {
        let function: syn::ItemFn = syn::parse_str(source).expect("a function");
        describe(&function.sig, None)
    }

    #[test]
    fn signatures_are_written_as_a_person_would() {
        let cases = [
            ("fn f() {}", "fn()"),
            ("fn f(w: &mut World, dt: f32) -> bool {}", "fn(&mut World, f32) -> bool"),
            ("fn f<'a>(w: &'a mut [Vec<u8>]) -> Option<&'a u8> {}", "fn(&'a mut [Vec<u8>]) -> Option<&'a u8>"),
            ("unsafe extern \"C\" fn f(p: *const u8) {}", "unsafe extern \"C\" fn(*const u8)"),
            ("fn f(g: &dyn Fn(u32) -> u64, x: [f32; 4]) {}", "fn(&dyn Fn(u32) -> u64, [f32; 4])"),
            (
                "async fn f(m: std::collections::HashMap<String, (u8, u16)>) {}",
                "async fn(std::collections::HashMap<String, (u8, u16)>)",
            ),
            ("fn f(b: Box<dyn Send + Sync>) {}", "fn(Box<dyn Send + Sync>)"),
        ];
        for (source, expected) in cases {
            assert_eq!(described(source), expected);
        }
    }

    #[test]
    fn types_are_found_behind_references_and_in_generics_once_each() {
        let function: syn::ItemFn =
            syn::parse_str("fn f(w: &mut World, v: Vec<Ball<'_>>, p: (World, &Path)) -> Option<u8> {}")
                .expect("a function");
        let names: Vec<String> = mentioned(&function.sig, &Owner::default()).into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["World", "Vec<Ball<'static>>", "Ball<'static>", "Path", "Option<u8>", "u8"]);
    }
}
