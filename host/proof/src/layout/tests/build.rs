//! Puts graphs of types together.

use crate::layout::{
    Comparison, FORMAT, Field, Generic, Kind, Layouts, Root, RootKind, Type, TypeId, Variant, compare,
};

/// A graph in the making.
#[derive(Clone, Default)]
pub(super) struct Graph(pub(super) Layouts);

/// Name, offset, type.
pub(super) type Part<'a> = (&'a str, u64, TypeId);

impl Graph {
    pub(super) fn ty(&mut self, ty: Type) -> TypeId {
        let id = TypeId(u32::try_from(self.0.types.len()).unwrap());
        self.0.types.push(ty);
        id
    }

    fn sized(&mut self, name: &str, (size, align): (u64, u64), kind: Kind) -> TypeId {
        self.ty(Type { name: name.into(), size: Some(size), align: Some(align), generics: vec![], kind })
    }

    pub(super) fn scalar(&mut self, name: &str) -> TypeId {
        let bits: String = name.chars().filter(char::is_ascii_digit).collect();
        let size = match name {
            "()" => 0,
            "bool" => 1,
            "usize" => 8,
            _ => bits.parse::<u64>().unwrap() / 8,
        };
        self.ty(Type { name: name.into(), size: Some(size), align: None, generics: vec![], kind: Kind::Scalar })
    }

    pub(super) fn structure(&mut self, name: &str, extent: (u64, u64), fields: &[Part<'_>]) -> TypeId {
        self.sized(name, extent, Kind::Struct { fields: parts(fields) })
    }

    pub(super) fn union(&mut self, name: &str, extent: (u64, u64), fields: &[Part<'_>]) -> TypeId {
        self.sized(name, extent, Kind::Union { fields: parts(fields) })
    }

    pub(super) fn choice(
        &mut self,
        name: &str,
        extent: (u64, u64),
        tag: Option<(u64, TypeId)>,
        variants: &[(&str, Option<i128>, &[Part<'_>])],
    ) -> TypeId {
        let tag = tag.map(|(offset, ty)| Field { name: "tag".into(), offset, ty });
        let variant = |(name, value, fields): &(&str, Option<i128>, &[Part<'_>])| Variant {
            name: (*name).into(),
            value: *value,
            fields: parts(fields),
        };
        self.sized(name, extent, Kind::Enum { tag, variants: variants.iter().map(variant).collect() })
    }

    pub(super) fn names(&mut self, name: &str, variants: &[(&str, i128)]) -> TypeId {
        let repr = self.scalar("u8");
        let variant =
            |(name, value): &(&str, i128)| Variant { name: (*name).into(), value: Some(*value), fields: vec![] };
        self.sized(name, (1, 1), Kind::Names { repr, variants: variants.iter().map(variant).collect() })
    }

    pub(super) fn pointer(&mut self, prefix: &str, to: TypeId) -> TypeId {
        let name = format!("{prefix}{}", self.name(to));
        self.sized(&name, (8, 8), Kind::Pointer { to })
    }

    pub(super) fn array(&mut self, of: TypeId, count: u64) -> TypeId {
        let (name, size) = (self.name(of), self.0.get(of).unwrap().size.unwrap());
        self.sized(&format!("[{name}; {count}]"), (size * count, 1), Kind::Array { of, count })
    }

    pub(super) fn opaque(&mut self, name: &str) -> TypeId {
        self.ty(Type { name: name.into(), size: None, align: None, generics: vec![], kind: Kind::Opaque })
    }

    pub(super) fn function(&mut self, parameters: &[TypeId], result: Option<TypeId>) -> TypeId {
        let list: Vec<String> = parameters.iter().map(|id| self.name(*id)).collect();
        let arrow = result.map(|id| format!(" -> {}", self.name(id))).unwrap_or_default();
        let kind = Kind::Function { parameters: parameters.to_vec(), result };
        let name = format!("fn({}){arrow}", list.join(", "));
        self.ty(Type { name, size: None, align: None, generics: vec![], kind })
    }

    /// Of a generic type: sets its arguments.
    pub(super) fn with(&mut self, id: TypeId, generics: &[(&str, TypeId)]) -> TypeId {
        let generic = |(name, ty): &(&str, TypeId)| Generic { name: (*name).into(), ty: *ty };
        self.at(id).generics = generics.iter().map(generic).collect();
        id
    }

    /// As std's debug info has it: what it holds shows in the argument alone.
    pub(super) fn vec(&mut self, of: TypeId) -> TypeId {
        let byte = self.scalar("u8");
        let pointer = self.pointer("*const ", byte);
        let length = self.scalar("usize");
        let name = format!("alloc::vec::Vec<{}, alloc::alloc::Global>", self.name(of));
        let id = self.structure(&name, (24, 8), &[("cap", 0, length), ("ptr", 8, pointer), ("len", 16, length)]);
        let global = self.structure("alloc::alloc::Global", (0, 1), &[]);
        self.with(id, &[("T", of), ("A", global)])
    }

    /// A wrapper of std's, with what it holds at its beginning.
    pub(super) fn wrapper(&mut self, path: &str, of: TypeId) -> TypeId {
        let (name, size) = (self.name(of), self.0.get(of).unwrap().size.unwrap());
        let id = self.structure(&format!("{path}<{name}>"), (size, 8), &[("value", 0, of)]);
        self.with(id, &[("T", of)])
    }

    pub(super) fn slot(&mut self, name: &str, ty: TypeId) -> &mut Self {
        self.0.roots.push(Root { name: name.into(), kind: RootKind::Slot, ty });
        self
    }

    pub(super) fn at(&mut self, id: TypeId) -> &mut Type {
        &mut self.0.types[id.0 as usize]
    }

    pub(super) fn name(&self, id: TypeId) -> String {
        self.0.get(id).map_or("?".into(), |ty| ty.name.clone())
    }
}

pub(super) fn parts(fields: &[Part<'_>]) -> Vec<Field> {
    fields.iter().map(|(name, offset, ty)| Field { name: (*name).into(), offset: *offset, ty: *ty }).collect()
}

/// A graph with one slot, `logic::update(&mut ...)`.
pub(super) fn update(make: impl FnOnce(&mut Graph) -> TypeId) -> Layouts {
    let mut graph = Graph::default();
    graph.0.format = FORMAT;
    let world = make(&mut graph);
    let parameter = graph.pointer("&mut ", world);
    let function = graph.function(&[parameter], None);
    graph.slot("logic::update", function);
    graph.0
}

/// Compares all roots.
pub(super) fn all(expected: &Layouts, found: &Layouts) -> Comparison {
    compare(expected, found, |_| true)
}

/// The differences as `path: expected → found`, and the other findings after them.
pub(super) fn lines(
    expected: impl FnOnce(&mut Graph) -> TypeId,
    found: impl FnOnce(&mut Graph) -> TypeId,
) -> Vec<String> {
    said(&all(&update(expected), &update(found)))
}

pub(super) fn said(comparison: &Comparison) -> Vec<String> {
    let Comparison { differences, notes, unproven, .. } = comparison;
    let differences = differences.iter().map(|it| {
        let resized = it.resized.map(|resized| format!("; {resized}")).unwrap_or_default();
        format!("{}: {} → {}{resized}", it.path, it.expected, it.found)
    });
    let notes = notes.iter().map(|note| format!("note: {} {}", note.path, note.text));
    differences.chain(notes).chain(unproven.iter().map(|text| format!("unproven: {text}"))).collect()
}
