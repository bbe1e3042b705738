//! Graphs that no compiler makes.

use super::build::{Graph, all, parts, said, update};
use crate::layout::compare::compare_within;
use crate::layout::{Kind, Layouts, TypeId, borrowed};

#[test]
fn missing_types_are_unproven() {
    let make = |graph: &mut Graph| graph.structure("logic::World", (8, 8), &[("x", 0, TypeId(u32::MAX))]);
    assert_eq!(said(&all(&update(make), &update(make))), ["unproven: World.x: its type is missing"]);
    let tagged = |graph: &mut Graph| graph.choice("logic::World", (8, 8), Some((0, TypeId(99))), &[]);
    assert_eq!(
        said(&all(&update(tagged), &update(tagged))),
        ["unproven: logic::update: the type of its tag is missing"]
    );
    let mut rootless = update(make);
    rootless.roots[0].ty = TypeId(77);
    assert_eq!(said(&all(&rootless, &rootless)), ["unproven: logic::update: its type is missing"]);
    assert!(borrowed(&rootless, |_| true).values.is_empty());
}

#[test]
fn structs_that_contain_themselves() {
    let make = |size: u64| {
        update(|graph| {
            let world = graph.structure("logic::World", (size, 8), &[]);
            graph.at(world).kind = Kind::Struct { fields: parts(&[("me", 0, world)]) };
            world
        })
    };
    assert_eq!(said(&all(&make(8), &make(8))), [""; 0]);
    assert_eq!(all(&make(8), &make(16)).differences.len(), 1);
}

/// Types that each hold the next, by value.
fn chain(length: u64, last: &str) -> Layouts {
    update(|graph| {
        let mut next = graph.scalar(last);
        for number in 0..length {
            next = graph.structure(&format!("logic::Link{number}"), (8, 8), &[("next", 0, next)]);
        }
        next
    })
}

#[test]
fn long_chains_neither_overflow_nor_take_long() {
    let (before, after) = (chain(100_000, "u64"), chain(100_000, "f64"));
    assert_eq!(said(&all(&before, &before)), [""; 0]);
    let comparison = all(&before, &after);
    assert_eq!(comparison.compared, 100_003);
    let path = "Link99999.next.next.next.next.next.next.next.next.next.next.next.….next.next.next.next.next.next.next.next\
                .next.next.next.next";
    assert_eq!(said(&comparison), [format!("{path}: u64 at 0 → f64 at 0")]);
    assert!(borrowed(&before, |_| true).values.is_empty());
}

/// A ring of structs of one name, each pointing to the next.
fn ring(length: u32) -> Layouts {
    update(|graph| {
        for number in 0..length {
            let next = TypeId((number + 1) % length);
            graph.structure("logic::Link", (8, 8), &[("next", 0, next)]);
        }
        TypeId(0)
    })
}

#[test]
fn rings_of_other_lengths_mean_the_same() {
    assert_eq!(said(&all(&ring(2), &ring(3))), [""; 0]);
    assert_eq!(all(&ring(7), &ring(11)).compared, 79);
}

#[test]
fn too_many_pairs_are_unproven() {
    let (before, after) = (ring(199), ring(201));
    assert_eq!(said(&all(&before, &after)), [""; 0]);
    let comparison = compare_within(&before, &after, |_| true, 1000);
    assert_eq!(said(&comparison), ["unproven: the types lead to more pairs than can be compared"]);
}
