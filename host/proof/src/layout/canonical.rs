//! One form for equal borders: types that cannot be told apart become one, and are numbered as a walk meets them.
//!
//! A compiler describes a type once in every unit that uses it, and which units there are changes from build to build.

use super::model::{Kind, Layouts, Root, RootKind, Type, TypeId, Variant};
use crate::order::{set, sort};
use crate::sparse::Sparse;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The canonical form of what was read.
pub(super) fn canonical(mut layouts: Layouts) -> Layouts {
    for root in &mut layouts.roots {
        if matches!(root.kind, RootKind::Keyed | RootKind::Own)
            && let Some(ty) = usize::try_from(root.ty.0).ok().and_then(|index| layouts.types.get(index))
        {
            root.name.clone_from(&ty.name);
        }
    }
    forget_declarations(&mut layouts);
    let classes = classes(&layouts.types);
    let class = |id: TypeId| usize::try_from(id.0).ok().and_then(|index| classes.get(index)).copied();
    sort(&mut layouts.roots, &|one, other| {
        let names = one.kind.cmp(&other.kind).then_with(|| one.name.cmp(&other.name));
        names.then_with(|| class(one.ty).cmp(&class(other.ty)))
    });
    layouts.roots.dedup_by_key(|root| (root.kind, root.name.clone(), class(root.ty)));

    let mut numbers = Sparse::default();
    let mut order = Vec::new();
    let mut number = |id: TypeId, order: &mut Vec<TypeId>| {
        let Some(class) = class(id) else { return id };
        let Ok(class) = usize::try_from(class) else { return id };
        if let Some(number) = numbers.get(class) {
            return *number;
        }
        let number = TypeId(u32::try_from(order.len()).unwrap_or(u32::MAX));
        order.push(id);
        numbers.insert(class, number);
        number
    };
    let roots = layouts.roots.iter().map(|root| Root { ty: number(root.ty, &mut order), ..root.clone() }).collect();
    let mut types = Vec::new();
    while let Some(id) = order.get(types.len()).copied() {
        let Some(ty) = usize::try_from(id.0).ok().and_then(|index| layouts.types.get(index)) else { break };
        let mut ty = ty.clone();
        ty.each_reference(|reference| *reference = number(*reference, &mut order));
        types.push(ty);
    }
    Layouts { roots, types, ..layouts }
}

/// A unit of the compiler's may declare a type that another one defines: then the definition tells.
fn forget_declarations(layouts: &mut Layouts) {
    let types = &layouts.types;
    let is_declared = |root: &Root| {
        let ty = usize::try_from(root.ty.0).ok().and_then(|index| types.get(index));
        ty.is_none_or(|ty| ty.kind == Kind::Opaque)
    };
    let of = |kind: RootKind| {
        let defined = layouts.roots.iter().filter(|root| root.kind == kind && !is_declared(root));
        set(defined.map(|root| root.name.clone()))
    };
    let (keyed, own) = (of(RootKind::Keyed), of(RootKind::Own));
    let is_defined = |root: &Root| match root.kind {
        RootKind::Keyed => keyed.contains(&root.name),
        RootKind::Own => own.contains(&root.name),
        RootKind::Slot | RootKind::Method | RootKind::Carried | RootKind::Export => false,
    };
    layouts.roots.retain(|root| !is_declared(root) || !is_defined(root));
}

/// A number for each type: types have the same one when no walk from them, however long, tells them apart.
///
/// Begins with what each type says of itself, and then adds what the types that it refers to say, again and again,
/// until no more classes come out of it.
fn classes(types: &[Type]) -> Vec<u32> {
    let own: Vec<u64> = types.iter().map(|ty| hash(&shape(ty))).collect();
    let references: Vec<Vec<usize>> = types
        .iter()
        .map(|ty| {
            let mut found = Vec::new();
            ty.clone().each_reference(|id| found.push(usize::try_from(id.0).unwrap_or(usize::MAX)));
            found
        })
        .collect();
    let (mut classes, mut count) = numbered(&own);
    loop {
        let refined: Vec<u64> = references
            .iter()
            .zip(&classes)
            .map(|(references, class)| {
                let referred: Vec<Option<&u32>> = references.iter().map(|&index| classes.get(index)).collect();
                hash(&(class, referred))
            })
            .collect();
        let (next, more) = numbered(&refined);
        if more == count {
            return classes;
        }
        (classes, count) = (next, more);
    }
}

/// Numbers instead of hashes, in the order of their first occurrence, and how many there are.
fn numbered(hashes: &[u64]) -> (Vec<u32>, usize) {
    let mut numbers = HashMap::new();
    let classes = hashes
        .iter()
        .map(|hash| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(*hash).or_insert(next)
        })
        .collect();
    (classes, numbers.len())
}

/// Without what it refers to.
fn shape(ty: &Type) -> Type {
    let mut shape = ty.clone();
    shape.each_reference(|reference| *reference = TypeId(0));
    shape
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Type {
    /// All types that this one refers to, in a fixed order.
    pub(super) fn each_reference(&mut self, mut take: impl FnMut(&mut TypeId)) {
        self.generics.iter_mut().for_each(|generic| take(&mut generic.ty));
        let variant = |variants: &mut Vec<Variant>, take: &mut dyn FnMut(&mut TypeId)| {
            variants.iter_mut().flat_map(|variant| &mut variant.fields).for_each(|field| take(&mut field.ty));
        };
        match &mut self.kind {
            Kind::Scalar | Kind::Opaque => {}
            Kind::Struct { fields } | Kind::Union { fields } => {
                fields.iter_mut().for_each(|field| take(&mut field.ty));
            }
            Kind::Enum { tag, variants } => {
                tag.iter_mut().for_each(|tag| take(&mut tag.ty));
                variant(variants, &mut take);
            }
            Kind::Names { repr, variants } => {
                take(repr);
                variant(variants, &mut take);
            }
            Kind::Pointer { to } => take(to),
            Kind::Array { of, .. } => take(of),
            Kind::Function { parameters, result } => {
                parameters.iter_mut().for_each(&mut take);
                result.iter_mut().for_each(take);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use crate::layout::{Kind, Layouts, Root, RootKind, Type, TypeId};

    #[test]
    fn a_definition_tells_of_a_type_that_another_unit_declares() {
        let ty = |name: &str, kind| Type { name: name.to_owned(), size: None, align: None, generics: Vec::new(), kind };
        let root = |ty| Root { name: String::new(), kind: RootKind::Keyed, ty: TypeId(ty) };
        let types = vec![
            ty("logic::Extra", Kind::Opaque),
            ty("logic::Extra", Kind::Struct { fields: Vec::new() }),
            ty("logic::Other", Kind::Opaque),
        ];
        let read = canonical(Layouts { types, roots: vec![root(0), root(1), root(2)], ..Layouts::default() });
        let kept: Vec<_> = read.roots.iter().filter_map(|root| read.get(root.ty)).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert_eq!((kept[0].name.as_str(), &kept[0].kind), ("logic::Extra", &Kind::Struct { fields: Vec::new() }));
        assert_eq!((kept[1].name.as_str(), &kept[1].kind), ("logic::Other", &Kind::Opaque));
    }
}
