//! The arguments of the attribute: what is done about a panic, or that a function is a hook.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, FnArg, Ident, ImplItem, ItemImpl, ReturnType, Safety, Signature, Token, Type};

type Result<T> = syn::Result<T>;

const TAKES: &str = "#[reloadable] takes `on_panic = rollback`, `on_panic = hold` or `on_panic = propagate`, \
                     `fallback = <expression>`, or, on a hook, `before_swap` or `after_swap`";

/// What the attribute was given.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) on_panic: Option<OnPanic>,
    pub(crate) fallback: Option<Fallback>,
    pub(crate) hook: Option<Hook>,
}

/// `on_panic = rollback`, and where it stands.
#[derive(Clone)]
pub(crate) struct OnPanic {
    pub(crate) answer: Answer,
    word: Ident,
}

/// What is done about a panic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Rollback,
    Hold,
    Propagate,
}

/// `fallback = 0`, and where it stands.
pub(crate) struct Fallback {
    pub(crate) value: Expr,
    word: Ident,
}

/// `before_swap` or `after_swap`, and where it stands.
pub(crate) struct Hook {
    pub(crate) before: bool,
    word: Ident,
}

enum Argument {
    OnPanic(Ident, OnPanic),
    Fallback(Fallback),
    Hook(Hook),
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let word: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), TAKES))?;
        match word.to_string().as_str() {
            "on_panic" => {
                equals(input, &word, "on_panic = rollback")?;
                let chosen: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), TAKES))?;
                let answer = match chosen.to_string().as_str() {
                    "rollback" => Answer::Rollback,
                    "hold" => Answer::Hold,
                    "propagate" => Answer::Propagate,
                    other => {
                        let message =
                            format!("`{other}` is no answer to a panic: write `rollback`, `hold` or `propagate`");
                        return Err(syn::Error::new(chosen.span(), message));
                    }
                };
                Ok(Self::OnPanic(word, OnPanic { answer, word: chosen }))
            }
            "fallback" => {
                equals(input, &word, "fallback = <what to return in place of a result>")?;
                Ok(Self::Fallback(Fallback { value: input.parse()?, word }))
            }
            "before_swap" | "after_swap" => Ok(Self::Hook(Hook { before: word == "before_swap", word })),
            other => Err(syn::Error::new(word.span(), format!("`{other}` is not known: {TAKES}"))),
        }
    }
}

fn equals(input: ParseStream<'_>, word: &Ident, write: &str) -> Result<()> {
    if input.parse::<Option<Token![=]>>()?.is_some() {
        return Ok(());
    }
    Err(syn::Error::new(word.span(), format!("`{word}` needs a value: write `{write}`")))
}

/// Reads what stands in the attribute's parentheses.
pub(crate) fn read(tokens: TokenStream) -> Result<Arguments> {
    let listed = Punctuated::<Argument, Token![,]>::parse_terminated.parse2(tokens)?;
    let mut arguments = Arguments::default();
    for argument in listed {
        let (word, doubled) = match argument {
            Argument::OnPanic(word, chosen) => (word, arguments.on_panic.replace(chosen).is_some()),
            Argument::Fallback(chosen) => (chosen.word.clone(), arguments.fallback.replace(chosen).is_some()),
            Argument::Hook(chosen) => (chosen.word.clone(), arguments.hook.replace(chosen).is_some()),
        };
        if doubled {
            let message = if arguments.hook.is_some() {
                "a hook is called either before a swap or after it; write two functions".to_owned()
            } else {
                format!("`{word}` is given twice; leave one of them out")
            };
            return Err(syn::Error::new(word.span(), message));
        }
    }
    if let Some(hook) = &arguments.hook
        && (arguments.on_panic.is_some() || arguments.fallback.is_some())
    {
        let message = "a hook is not reloadable itself: a panic in it cancels the swap; write nothing beside it";
        return Err(syn::Error::new(hook.word.span(), message));
    }
    Ok(arguments)
}

/// The arguments of each item of a block, taken off it, and whether there were any.
pub(crate) fn of_methods(block: &mut ItemImpl) -> Result<(Vec<Arguments>, bool)> {
    let mut any = false;
    let mut all = Vec::new();
    for item in &mut block.items {
        let mut arguments = Arguments::default();
        if let ImplItem::Fn(method) = item
            && let Some(own) = take_off(&mut method.attrs)?
        {
            no_hook(&own)?;
            fit(&own, &method.sig)?;
            arguments = own;
            any = true;
        }
        all.push(arguments);
    }
    Ok((all, any))
}

/// An item whose attribute was refused, with nothing on the methods of a block that would be refused once more.
pub(crate) fn taken_off(item: TokenStream) -> TokenStream {
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else { return item };
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item {
            method.attrs.retain(|attribute| !is_ours(attribute));
        }
    }
    block.into_token_stream()
}

fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "reloadable")
}

/// Takes `#[reloadable(...)]` off a method of a block that has the attribute itself.
fn take_off(attributes: &mut Vec<Attribute>) -> Result<Option<Arguments>> {
    let Some(at) = attributes.iter().position(is_ours) else { return Ok(None) };
    let attribute = attributes.remove(at);
    if let Some(second) = attributes.iter().find(|attribute| is_ours(attribute)) {
        let message = "a second #[reloadable] on one method; write all arguments into one";
        return Err(syn::Error::new_spanned(second.path(), message));
    }
    match &attribute.meta {
        syn::Meta::List(list) => read(list.tokens.clone()).map(Some),
        _ => Ok(Some(Arguments::default())),
    }
}

/// The arguments fit a reloadable function.
pub(crate) fn fit(arguments: &Arguments, signature: &Signature) -> Result<()> {
    if signature.asyncness.is_some()
        && let Some(chosen) = &arguments.on_panic
        && chosen.answer == Answer::Hold
    {
        let message = "a future that panicked cannot be polled again, so there is no call to hold; \
                       write `rollback` or `propagate`";
        return Err(syn::Error::new(chosen.word.span(), message));
    }
    let Some(fallback) = &arguments.fallback else { return Ok(()) };
    let refuse = |message: &str| Err(syn::Error::new(fallback.word.span(), message));
    if signature.asyncness.is_some() {
        return refuse("a future that panicked has no result: whoever awaits it gets the panic; remove `fallback`");
    }
    if !has_result(signature) {
        return refuse("this function returns nothing, so there is nothing to fall back on; remove `fallback`");
    }
    if arguments.on_panic.as_ref().is_some_and(|chosen| chosen.answer == Answer::Propagate) {
        return refuse("with `on_panic = propagate` the caller gets the panic and no fallback; remove one of the two");
    }
    Ok(())
}

/// The arguments fit a block: what is said there holds for all of its methods.
pub(crate) fn fit_block(arguments: &Arguments) -> Result<()> {
    if let Some(fallback) = &arguments.fallback {
        let message = "a fallback is one function's: write `#[reloadable(fallback = ...)]` on the method";
        return Err(syn::Error::new(fallback.word.span(), message));
    }
    no_hook(arguments)
}

/// Hooks are free functions.
fn no_hook(arguments: &Arguments) -> Result<()> {
    let Some(hook) = &arguments.hook else { return Ok(()) };
    let message = format!("a hook is a free function: write `#[reloadable({0})] fn {0}(swap: &Swap)`", hook.word);
    Err(syn::Error::new(hook.word.span(), message))
}

/// The function is one that can be called at a swap.
pub(crate) fn fit_hook(signature: &Signature) -> Result<()> {
    let is_plain = signature.asyncness.is_none()
        && signature.constness.is_none()
        && signature.abi.is_none()
        && signature.variadic.is_none()
        && !matches!(signature.safety, Safety::Unsafe(_))
        && signature.generics.params.is_empty();
    let takes_swap = match signature.inputs.first() {
        Some(FnArg::Typed(typed)) => is_swap(&typed.ty),
        _ => false,
    };
    if is_plain && takes_swap && signature.inputs.len() == 1 && !has_result(signature) {
        return Ok(());
    }
    let message = format!(
        "a hook takes the swap and returns nothing: write `fn {}(swap: &pitstop_reloadable::Swap)`",
        signature.ident
    );
    Err(syn::Error::new_spanned(signature, message))
}

fn is_swap(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    reference.mutability.is_none() && path.path.segments.last().is_some_and(|segment| segment.ident == "Swap")
}

/// Whether a caller is given anything. A function that never returns has none to give.
pub(crate) fn has_result(signature: &Signature) -> bool {
    match &signature.output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(tuple) => !tuple.elems.is_empty(),
            Type::Never(_) => false,
            _ => true,
        },
    }
}

/// Whether the result is `()`, which is its own fallback.
pub(crate) fn returns_unit(signature: &Signature) -> bool {
    match &signature.output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()),
    }
}
