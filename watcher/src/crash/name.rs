//! Paths of functions as the source names them, without what the attribute has made of them.

use pitstop_contract::descriptor::crate_of;

/// What a function is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The user's, or any other.
    Plain,
    /// A reloadable function's body in the program, called by a trampoline that bears the function's own name.
    Body,
    /// What keeps an image's panics from crossing.
    Border,
}

/// Takes a demangled path back to the source's; `image` is the crate of the image that it is in.
pub(super) fn as_written(path: &str, image: Option<&str>) -> (String, Kind) {
    if path.contains("::__pitstop_export") {
        return (path.to_owned(), Kind::Border);
    }
    if let Some((self_type, of_crate, method)) = hidden_method(path) {
        let kind = if image == Some(of_crate) { Kind::Border } else { kind_of(method) };
        return (format!("{self_type}::{method}"), kind);
    }
    for body in ["::__pitstop_body", "::__pitstop_async"] {
        if let Some((function, rest)) = path.split_once(body) {
            return (format!("{function}{rest}"), kind_of(rest));
        }
    }
    (without_impl(path), Kind::Plain)
}

/// A closure within a body is as any other function.
fn kind_of(method: &str) -> Kind {
    if method.contains("::") { Kind::Plain } else { Kind::Body }
}

/// `<logic::World as logic::_::__PitstopBodies>::__pitstop_update`: the type, the crate with the attribute, the method.
fn hidden_method(path: &str) -> Option<(&str, &str, &str)> {
    let (self_type, rest) = path.strip_prefix('<')?.split_once(" as ")?;
    let (of_trait, method) = rest.split_once(">::__pitstop_")?;
    let method = method.strip_prefix("async_").unwrap_or(method);
    of_trait.contains("__PitstopBodies").then_some((self_type, crate_of(of_trait), method))
}

/// `logic::World::update` for `logic::_::<impl logic::World>::update`, and for `<logic::World>::update`.
fn without_impl(path: &str) -> String {
    let begin = path.find("<impl ").map(|at| at + "<impl ".len()).or(path.starts_with('<').then_some(1));
    let parts = begin.and_then(|begin| path.get(begin..)?.rsplit_once(">::"));
    match parts {
        Some((self_type, method)) if self_type.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':') => {
            format!("{self_type}::{method}")
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_that_of_the_source_whatever_the_attribute_made_of_it() {
        for (path, written, kind) in [
            ("logic::update", "logic::update", Kind::Plain),
            ("logic::update::{{closure}}", "logic::update::{{closure}}", Kind::Plain),
            ("logic::update::__pitstop_body", "logic::update", Kind::Body),
            ("logic::update::__pitstop_body::{closure#0}", "logic::update::{closure#0}", Kind::Plain),
            ("logic::fetch::__pitstop_async::{{closure}}", "logic::fetch::{{closure}}", Kind::Plain),
            ("<logic::World as logic::_::__PitstopBodies>::__pitstop_step", "logic::World::step", Kind::Body),
            (
                "<logic::World as logic::_::__PitstopBodies>::__pitstop_async_go::{{closure}}",
                "logic::World::go::{{closure}}",
                Kind::Plain,
            ),
            ("logic::_::<impl logic::World>::step", "logic::World::step", Kind::Plain),
            ("<logic::World>::step", "logic::World::step", Kind::Plain),
            ("<logic::World as core::fmt::Display>::fmt", "<logic::World as core::fmt::Display>::fmt", Kind::Plain),
            ("core::ptr::mut_ptr::<impl *mut T>::write", "core::ptr::mut_ptr::<impl *mut T>::write", Kind::Plain),
            ("tick", "tick", Kind::Plain),
        ] {
            assert_eq!(as_written(path, None), (written.to_owned(), kind), "{path}");
        }
    }

    #[test]
    fn an_image_has_borders_where_the_program_has_bodies() {
        let method = "<util::World as logic::_::__PitstopBodies>::__pitstop_step";
        assert_eq!(as_written(method, Some("logic")).1, Kind::Border);
        assert_eq!(as_written(&format!("{method}::{{{{closure}}}}"), Some("logic")).1, Kind::Border);
        // Another reloadable crate that is linked into the image.
        assert_eq!(as_written(method, Some("rules")).1, Kind::Body);
        assert_eq!(as_written("logic::_::__pitstop_export::{{closure}}", Some("logic")).1, Kind::Border);
    }
}
