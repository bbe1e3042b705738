//! The wrapper around a body that callers reach through a slot: it catches a panic, and does what the host says.

use crate::arguments::{Answer, Arguments, has_result, returns_unit};
use crate::expand::{Mode, call, runtime};
use crate::signature::pointer;
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{FnArg, Lifetime, ReceiverKind, Safety, Signature, Type};

/// What is done about a panic in one function.
pub(crate) struct Policy {
    answer: Option<Answer>,
    /// Returned in place of a result.
    fallback: Option<TokenStream>,
}

impl Policy {
    /// What the function says itself goes before what its block says. `replaced` rewrites what the user wrote to what holds
    /// at the place of the expansion.
    pub(crate) fn new(
        own: &Arguments,
        block: Option<&Arguments>,
        signature: &Signature,
        replaced: impl FnOnce(TokenStream) -> TokenStream,
    ) -> Self {
        let said = own.on_panic.as_ref().or_else(|| block?.on_panic.as_ref());
        let fallback = match &own.fallback {
            Some(fallback) if has_result(signature) => Some(replaced(fallback.value.to_token_stream())),
            _ => returns_unit(signature).then(|| quote!(())),
        };
        Self { answer: said.map(|said| said.answer), fallback }
    }

    fn site(&self, name: &str, signature: &Signature) -> TokenStream {
        let rt = runtime();
        let future = signature.asyncness.is_some();
        let answer = match self.answer {
            None => quote!(::core::option::Option::None),
            Some(Answer::Rollback) => quote!(::core::option::Option::Some(#rt::OnPanic::Rollback)),
            Some(Answer::Hold) => quote!(::core::option::Option::Some(#rt::OnPanic::Hold)),
            Some(Answer::Propagate) => quote!(::core::option::Option::Some(#rt::OnPanic::Propagate)),
        };
        let fallback = self.fallback.is_some() && !future;
        quote! {
            &#rt::Site {
                function: ::core::concat!(::core::module_path!(), "::", #name),
                on_panic: #answer,
                fallback: #fallback,
                future: #future,
            }
        }
    }
}

/// The body of the wrapper named `own`, whose arguments are plain: calls `original`.
pub(crate) fn bordered(
    signature: &Signature,
    name: &str,
    original: &TokenStream,
    arguments: &[TokenStream],
    own: &TokenStream,
    policy: &Policy,
    mode: Mode,
) -> TokenStream {
    let rt = runtime();
    let site = policy.site(name, signature);
    let called = call(signature, original, arguments);
    if signature.asyncness.is_some() {
        return quote!(#rt::erase!(#rt::border_future(#site, #called)));
    }
    // The program's threads come into an image by no other place. A future does so at each poll.
    let follow = (mode == Mode::Image).then(|| quote!(#rt::follow();));
    let over = match &policy.fallback {
        Some(value) => quote!(__pitstop_over.give_way(move || #value)),
        None => quote!(__pitstop_over.go_on()),
    };
    let Some(given) = given(signature, arguments, policy) else {
        return quote! {
            #follow
            #rt::border(move || #called, |__pitstop_caught| {
                let __pitstop_over = __pitstop_caught.answer(#site);
                #over
            })
        };
    };
    let pointer = pointer(signature);
    let places = (0..given.len()).map(Literal::usize_unsuffixed);
    let twice = quote!(true #(&& __pitstop_given.#places.is_copy())*);
    let kept: Vec<_> = (0..arguments.len()).map(|index| format_ident!("__pitstop_kept_{index}")).collect();
    quote! {
        #follow
        #[allow(unused_imports)]
        use #rt::MaybeCopy as _;
        // No bytes, so that the closure has to keep none on the stack.
        let __pitstop_given = (#(#rt::IsCopy::of(&#given),)*);
        #(let #kept = #rt::Kept::of(&#arguments, #twice);)*
        #rt::border(move || #called, move |__pitstop_caught| {
            let __pitstop_own = #own as #pointer;
            match __pitstop_caught.answer_or_again(#site, __pitstop_own as *const (), #twice) {
                ::core::result::Result::Ok(__pitstop_live) => #rt::like(__pitstop_live, __pitstop_own)(#(#kept.again()),*),
                ::core::result::Result::Err(__pitstop_over) => #over,
            }
        })
    }
}

/// The arguments that are given away, unless their types are `Copy`, and then the call cannot be made twice; `None` where it is
/// not to be in any case.
fn given(signature: &Signature, arguments: &[TokenStream], policy: &Policy) -> Option<Vec<TokenStream>> {
    // The caller of an unsafe function has promised that one call is sound.
    if matches!(policy.answer, Some(Answer::Rollback | Answer::Propagate))
        || matches!(signature.safety, Safety::Unsafe(_))
    {
        return None;
    }
    let mut given = Vec::new();
    for (argument, name) in signature.inputs.iter().zip(arguments) {
        match lends(argument) {
            Lent::Anew => {}
            Lent::ForGood => return None,
            Lent::No => given.push(name.clone()),
        }
    }
    Some(given)
}

/// How an argument is lent to the function.
enum Lent {
    /// For this call alone, so that it can be lent again after it.
    Anew,
    /// For a lifetime with a name: the call may have put it where it is still used.
    ForGood,
    /// It is given away, if its type is not `Copy`.
    No,
}

fn lends(argument: &FnArg) -> Lent {
    let reference = |mutable: bool, lifetime: Option<&Lifetime>| match lifetime {
        Some(lifetime) if mutable && lifetime.ident != "_" => Lent::ForGood,
        _ => Lent::Anew,
    };
    let of_type = |ty: &Type| match ty {
        Type::Reference(ty) => reference(ty.mutability.is_some(), ty.lifetime.as_ref()),
        _ => Lent::No,
    };
    match argument {
        FnArg::Receiver(receiver) => match &receiver.kind {
            ReceiverKind::Reference(_, lifetime, mutability) => reference(mutability.is_some(), lifetime.as_ref()),
            ReceiverKind::Typed(_, ty) => of_type(ty),
            _ => Lent::No,
        },
        FnArg::Typed(typed) => of_type(&typed.ty),
    }
}
