//! Finds values that may point into an old image and outlive the call that made them.

use super::name::{is_function, is_standard, pointer, short};
use super::path::{Paths, Step, Way};
use super::{Field, Kind, Layouts, Root, RootKind, Type, TypeId};

/// How many are told; of a large program's state, nobody reads more.
const TOLD: usize = 20;

/// What may point into an old image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Borrowed {
    /// The way to it, and what it is: `World.hooks[]`, ``trait object `dyn logic::Hook` ``.
    pub values: Vec<(String, String)>,
    /// How many more there are.
    pub more: usize,
}

/// The values that may point into an old image, in what is reached through a `&mut` parameter of the slots that `roots`
/// picks: state that outlives the call.
///
/// These are trait objects, function pointers and references. Old images stay mapped, so that they go on working, with
/// old code. A type is looked into once, at the first way that leads to it.
#[must_use]
pub fn borrowed(layouts: &Layouts, roots: impl Fn(&Root) -> bool) -> Borrowed {
    let mut search = Search { layouts, paths: Paths::default(), open: Vec::new(), result: Borrowed::default() };
    let mut visited = vec![false; layouts.types.len()];
    for root in layouts.roots.iter().filter(|root| roots(root)) {
        let kept: Vec<TypeId> = match (root.kind, layouts.get(root.ty).map(|ty| &ty.kind)) {
            (RootKind::Slot, Some(Kind::Function { parameters, .. })) => {
                let outlives = |id: &&TypeId| layouts.get(**id).is_some_and(|ty| ty.name.starts_with("&mut "));
                parameters.iter().filter(outlives).copied().collect()
            }
            (RootKind::Carried, _) => vec![root.ty],
            _ => continue,
        };
        for ty in kept.into_iter().filter_map(|id| layouts.get(id)) {
            // The parameter itself is a reference, and does not outlive the call.
            search.inside(ty, None);
            while let Some((id, way)) = search.open.pop() {
                let seen = usize::try_from(id.0).ok().and_then(|at| visited.get_mut(at));
                if seen.is_some_and(|seen| !std::mem::replace(seen, true)) {
                    search.visit(id, way);
                }
            }
        }
    }
    search.result
}

struct Search<'a> {
    layouts: &'a Layouts,
    paths: Paths<'a>,
    open: Vec<(TypeId, Way)>,
    result: Borrowed,
}

impl<'a> Search<'a> {
    fn visit(&mut self, id: TypeId, way: Way) {
        let Some(ty) = self.layouts.get(id) else { return };
        match what(ty) {
            Some(_) if self.result.values.len() == TOLD => self.result.more += 1,
            Some(what) => self.result.values.push((self.paths.show(way, ty), what)),
            None => self.inside(ty, way),
        }
    }

    /// Into the parts of a type.
    fn inside(&mut self, ty: &'a Type, way: Way) {
        let before = self.open.len();
        let standard = is_standard(&ty.name);
        if standard && short(&ty.name) == "PhantomData" {
            return;
        }
        // The standard library's own insides are full of pointers, none of them into an image.
        if standard || !matches!(ty.kind, Kind::Struct { .. } | Kind::Union { .. } | Kind::Enum { .. }) {
            for (index, generic) in ty.generics.iter().enumerate() {
                self.go(ty, way, generic.ty, Step::generic(ty, index, &generic.name));
            }
        }
        match &ty.kind {
            Kind::Pointer { to } => self.go(ty, way, *to, Step::Through),
            Kind::Array { of, .. } => self.go(ty, way, *of, Step::Element),
            Kind::Struct { fields } | Kind::Union { fields } if !standard => {
                self.fields(ty, way, fields, |name| Step::field(ty, name));
            }
            Kind::Enum { variants, .. } if !standard => {
                for variant in variants {
                    self.fields(ty, way, &variant.fields, |name| Step::VariantField(&variant.name, name));
                }
            }
            _ => {}
        }
        self.open[before..].reverse();
    }

    fn fields(&mut self, ty: &'a Type, way: Way, fields: &'a [Field], step: impl Fn(&'a str) -> Step<'a>) {
        for field in fields {
            self.go(ty, way, field.ty, step(&field.name));
        }
    }

    fn go(&mut self, ty: &'a Type, way: Way, to: TypeId, step: Step<'a>) {
        let way = self.paths.on(way, ty, step);
        self.open.push((to, way));
    }
}

/// What a type is, if values of it may point into an image.
fn what(ty: &Type) -> Option<String> {
    let name = ty.name.as_str();
    let has_vtable = matches!(&ty.kind, Kind::Struct { fields } if fields.iter().any(|field| field.name == "vtable"));
    if name.starts_with("dyn ") || has_vtable && pointer(name).is_some() {
        Some(format!("trait object `{}`", super::name::shown(name)))
    } else if is_function(name) && matches!(ty.kind, Kind::Pointer { .. }) {
        Some(format!("function pointer `{name}`"))
    } else if name.starts_with('&') {
        Some(format!("reference `{}`", super::name::shown(name)))
    } else {
        None
    }
}
