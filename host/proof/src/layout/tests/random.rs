//! Random graphs: a changed one differs, and one that is only numbered otherwise does not.

use super::build::{Graph, all, said};
use crate::layout::{Kind, Layouts, TypeId};

/// Xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// Types of every kind that refer to each other at random. All are reached: each is a parameter.
fn random(dice: &mut Dice) -> Layouts {
    let mut graph = Graph::default();
    let count = 8 + dice.roll(12);
    let ids: Vec<TypeId> = (0..count).map(|number| TypeId(u32::try_from(number).unwrap())).collect();
    for number in 0..count {
        let (one, two) = (dice.pick(&ids), dice.pick(&ids));
        match dice.roll(7) {
            _ if number < 3 => graph.scalar(["u32", "f32", "u64"][number]),
            0 => graph.structure(&format!("logic::S{number}"), (16, 8), &[("a", 0, one), ("b", 8, two)]),
            1 => graph.union(&format!("logic::U{number}"), (16, 8), &[("a", 0, one), ("b", 0, two)]),
            2 => {
                let (a, b) = ([("0", 8, one)], [("x", 8, two), ("y", 12, one)]);
                let variants: [(&str, Option<i128>, &[_]); 3] =
                    [("A", Some(0), &a), ("B", Some(1), &b), ("C", Some(2), &[])];
                graph.choice(&format!("logic::E{number}"), (16, 8), Some((0, ids[0])), &variants)
            }
            3 => {
                let id = graph.structure(&format!("alloc::vec::Vec<T{number}>"), (8, 8), &[("len", 0, ids[2])]);
                graph.with(id, &[("T", one)])
            }
            4 => {
                let id = graph.structure(&format!("logic::G{number}<T>"), (8, 8), &[("x", 0, two)]);
                graph.with(id, &[("T", one)])
            }
            5 => graph.ty(crate::layout::Type {
                name: format!("&mut T{number}"),
                size: Some(8),
                align: None,
                generics: vec![],
                kind: Kind::Pointer { to: one },
            }),
            _ => graph.ty(crate::layout::Type {
                name: format!("[T{number}; 4]"),
                size: Some(16),
                align: Some(8),
                generics: vec![],
                kind: Kind::Array { of: one, count: 4 },
            }),
        };
    }
    let function = graph.function(&ids, Some(dice.pick(&ids)));
    graph.slot("logic::f", function);
    graph.0
}

/// Changes one thing that is no rename.
fn change(layouts: &mut Layouts, dice: &mut Dice) -> String {
    loop {
        // The last is the function.
        let at = dice.roll(layouts.types.len() - 1);
        let name = layouts.types[at].name.clone();
        // A pointer or a collection does not say what its insides are like: another target is what it can get.
        let target = TypeId(u32::try_from(dice.roll(3)).unwrap());
        let is_other = |layouts: &Layouts, id: TypeId| {
            !matches!(layouts.get(id).unwrap().kind, Kind::Scalar)
                || layouts.get(id).unwrap().name != layouts.types[target.0 as usize].name
        };
        let before = layouts.clone();
        let ty = &mut layouts.types[at];
        let choice = dice.roll(8);
        match (&mut ty.kind, choice) {
            (_, 0) => ty.size = ty.size.map(|size| size + 8),
            (_, 1) if ty.align.is_some() => ty.align = Some(16),
            (Kind::Scalar, _) => ty.name = "i16".into(),
            (Kind::Struct { fields } | Kind::Union { fields }, 2) => {
                fields.pop();
            }
            (Kind::Struct { fields } | Kind::Union { fields }, 3) => fields[0].offset += 4,
            (Kind::Struct { fields } | Kind::Union { fields }, 4) if is_other(&before, fields[0].ty) => {
                fields[0].ty = target;
            }
            (Kind::Struct { fields }, 5) if fields.len() == 2 => {
                let [first, second] = fields.as_mut_slice() else { unreachable!() };
                std::mem::swap(&mut first.name, &mut second.name);
            }
            (Kind::Enum { variants, .. }, 2) => {
                variants.remove(dice.roll(3));
            }
            (Kind::Enum { variants, .. }, 3) => variants[1].value = Some(7),
            (Kind::Enum { variants, .. }, 4) => variants[0].fields[0].offset += 4,
            (Kind::Enum { variants, .. }, 5) if is_other(&before, variants[0].fields[0].ty) => {
                variants[0].fields[0].ty = target;
            }
            (Kind::Enum { tag, .. }, 6) => tag.as_mut().unwrap().offset += 1,
            (Kind::Enum { tag, .. }, 7) => tag.as_mut().unwrap().ty = TypeId(2),
            (Kind::Pointer { to }, _) if is_other(&before, *to) => *to = target,
            (Kind::Array { count, .. }, 2) => *count += 1,
            (Kind::Array { of, .. }, 3) if is_other(&before, *of) => *of = target,
            (_, 6) if !ty.generics.is_empty() && is_other(&before, ty.generics[0].ty) => ty.generics[0].ty = target,
            (_, 7) if !ty.generics.is_empty() => ty.generics.clear(),
            _ => continue,
        }
        return format!("{name}, change {choice}");
    }
}

/// The same graph with other numbers.
fn permuted(layouts: &Layouts, dice: &mut Dice) -> Layouts {
    let count = layouts.types.len();
    let mut places: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        places.swap(at, dice.roll(at + 1));
    }
    let moved = |id: &mut TypeId| *id = TypeId(u32::try_from(places[id.0 as usize]).unwrap());
    let mut result = layouts.clone();
    for ty in &mut result.types {
        ty.generics.iter_mut().for_each(|generic| moved(&mut generic.ty));
        match &mut ty.kind {
            Kind::Scalar | Kind::Opaque => {}
            Kind::Struct { fields } | Kind::Union { fields } => {
                fields.iter_mut().for_each(|field| moved(&mut field.ty))
            }
            Kind::Enum { tag, variants } => {
                tag.iter_mut().for_each(|tag| moved(&mut tag.ty));
                variants.iter_mut().flat_map(|variant| &mut variant.fields).for_each(|field| moved(&mut field.ty));
            }
            Kind::Names { repr, .. } => moved(repr),
            Kind::Pointer { to } => moved(to),
            Kind::Array { of, .. } => moved(of),
            Kind::Function { parameters, result } => parameters.iter_mut().chain(result).for_each(moved),
        }
    }
    result.roots.iter_mut().for_each(|root| moved(&mut root.ty));
    let mut types = result.types.clone();
    for (at, ty) in result.types.into_iter().enumerate() {
        types[places[at]] = ty;
    }
    Layouts { types, ..result }
}

#[test]
fn any_change_is_a_difference() {
    let mut dice = Dice(0x5eed_1234_5678_9abc);
    for round in 0..4000 {
        let before = random(&mut dice);
        let mut after = before.clone();
        let change = change(&mut after, &mut dice);
        let after = permuted(&after, &mut dice);
        assert!(!all(&before, &after).differences.is_empty(), "round {round}: {change}\n{before:#?}");
        assert!(!all(&after, &before).differences.is_empty(), "round {round}, back: {change}\n{before:#?}");
    }
}

#[test]
fn other_numbers_are_no_difference() {
    let mut dice = Dice(0x0dd5_eed5_1234_5678);
    for round in 0..1000 {
        let before = random(&mut dice);
        let after = permuted(&before, &mut dice);
        assert_eq!(said(&all(&before, &after)), [""; 0], "round {round}\n{before:#?}");
    }
}
