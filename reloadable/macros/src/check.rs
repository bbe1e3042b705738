//! What cannot be reloaded, said at the place in the source, with what to write instead.

use crate::signature::each_type;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{GenericParam, Generics, ImplItem, Item, ItemImpl, Signature, Type};

type Result = syn::Result<()>;

fn refuse(at: &impl ToTokens, message: &str) -> syn::Error {
    syn::Error::new_spanned(at, message)
}

/// A method has its place in a block, which has the attribute.
pub(crate) fn free(signature: &Signature) -> Result {
    match signature.receiver() {
        Some(receiver) => Err(refuse(
            receiver,
            "a method is made reloadable by #[reloadable] on its `impl` block; arguments for this method alone then go into a \
             #[reloadable(...)] on the method",
        )),
        None => Ok(()),
    }
}

/// A function that can have one machine-code address, and callers that only know its signature.
pub(crate) fn function(signature: &Signature) -> Result {
    if let Some(token) = &signature.constness {
        return Err(refuse(
            token,
            "a `const fn` is evaluated by the compiler, so it cannot be replaced while the program runs; \
             remove `const`, or leave out #[reloadable]",
        ));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(refuse(
            variadic,
            "a variadic function cannot be reloaded: its arguments cannot be passed on; take a slice instead",
        ));
    }
    generics(&signature.generics)?;
    let mut found = None;
    each_type(signature.clone(), None, &mut |ty| {
        if let (None, Type::ImplTrait(ty)) = (&found, ty) {
            found = Some(ty.clone());
        }
    });
    match found {
        Some(found) => Err(refuse(
            &found,
            "an `impl Trait` here is a type that only this compilation knows, so callers cannot be handed a new one; \
             write a concrete type, `&dyn Trait` or `Box<dyn Trait>`",
        )),
        None => Ok(()),
    }
}

/// An `impl` block for one concrete type.
pub(crate) fn block(block: &ItemImpl) -> Result {
    generics(&block.generics)?;
    let mut any = false;
    for item in &block.items {
        if let ImplItem::Fn(method) = item {
            function(&method.sig)?;
            any = true;
        }
    }
    if any {
        return Ok(());
    }
    Err(refuse(&block.self_ty, "this `impl` block has no functions, so there is nothing to reload"))
}

/// Neither a function nor an `impl` block.
pub(crate) fn neither(item: &Item) -> syn::Error {
    let hint = match item {
        Item::Struct(_) | Item::Enum(_) | Item::Union(_) => {
            "types need no attribute; put #[reloadable] on the functions that use them"
        }
        Item::Trait(_) => "put #[reloadable] on the `impl` blocks of the trait",
        Item::Mod(_) => "put #[reloadable] on each function or `impl` block in the module",
        Item::Static(_) | Item::Const(_) => {
            "callers have the value already; return it from a function with #[reloadable]"
        }
        _ => "nothing else has code to replace",
    };
    let message = format!("#[reloadable] goes on a function or an `impl` block: {hint}");
    syn::Error::new(item.span(), message)
}

fn generics(generics: &Generics) -> Result {
    for parameter in &generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            return Err(refuse(
                parameter,
                "generic code is compiled into each caller, so there is no one function to replace; \
                 write concrete types, or `&dyn Trait`, or call a concrete #[reloadable] function from generic code",
            ));
        }
    }
    Ok(())
}
