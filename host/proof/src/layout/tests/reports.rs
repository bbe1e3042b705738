//! What people and programs read.

use super::build::{Graph, all, update};
use crate::layout::{Comparison, Layouts, TypeId, tree};

fn arena(radius: &'static str, extent: (u64, u64), speed: &'static str) -> Layouts {
    update(|graph: &mut Graph| {
        let (id, at, scalar) = (graph.scalar("u32"), graph.scalar(radius), graph.scalar("f32"));
        let offset = if radius == "f64" { 8 } else { 4 };
        let mut fields = vec![("id", 0, id), ("radius", offset, at)];
        if radius == "f64" {
            fields.push(("colour", 16, id));
        }
        let ball: TypeId = graph.structure("logic::Ball", extent, &fields);
        let balls = graph.vec(ball);
        let hidden = graph.opaque("logic::Hidden");
        let handle = graph.pointer("*mut ", hidden);
        let fields = [("balls", 0, balls), (speed, 24, scalar), ("handle", 32, handle)];
        graph.structure("logic::World", (40, 8), &fields)
    })
}

fn changed() -> Comparison {
    all(&arena("f32", (8, 4), "speed"), &arena("f64", (24, 8), "velocity"))
}

fn parameter(root: &str, index: usize) -> Option<String> {
    (root == "logic::update" && index == 0).then(|| "world".to_owned())
}

#[test]
fn a_difference_is_a_reason_by_itself() {
    let reasons: Vec<String> =
        changed().differences.iter().map(|difference| difference.reason(&parameter).to_string()).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    World.balls[].colour (layout): expected no such field, found u32 at 16; size 8 → 24, alignment 4 → 8; reached from logic::update(world); undo the change, or restart the program, so that its code and its values are made anew
    World.balls[].radius (layout): expected f32 at 4, found f64 at 8; size 8 → 24, alignment 4 → 8; reached from logic::update(world); undo the change, or restart the program, so that its code and its values are made anew
    "#);
}

#[test]
fn a_tree_for_the_terminal() {
    insta::assert_snapshot!(tree(&changed(), &parameter), @r#"
    logic::Ball, reached from logic::update(world) as World.balls[]
        colour: no such field → u32 at 16
        radius: f32 at 4 → f64 at 8
        size 8 → 24, alignment 4 → 8
    World.speed is now called velocity: the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are not found
    World.handle: nothing is known of logic::Hidden
    "#);
}

#[test]
fn json_for_programs() {
    let comparison = changed();
    let json = serde_json::to_string_pretty(&comparison).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);
    insta::assert_snapshot!(json, @r#"
    {
      "differences": [
        {
          "root": "logic::update",
          "root_kind": "slot",
          "parameter": 0,
          "path": "World.balls[].colour",
          "within": "World.balls[]",
          "ty": "logic::Ball",
          "expected": "no such field",
          "found": "u32 at 16",
          "resized": {
            "expected": {
              "size": 8,
              "align": 4
            },
            "found": {
              "size": 24,
              "align": 8
            }
          }
        },
        {
          "root": "logic::update",
          "root_kind": "slot",
          "parameter": 0,
          "path": "World.balls[].radius",
          "within": "World.balls[]",
          "ty": "logic::Ball",
          "expected": "f32 at 4",
          "found": "f64 at 8",
          "resized": {
            "expected": {
              "size": 8,
              "align": 4
            },
            "found": {
              "size": 24,
              "align": 8
            }
          }
        }
      ],
      "notes": [
        {
          "root": "logic::update",
          "path": "World.speed",
          "text": "is now called velocity: the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are not found"
        }
      ],
      "unproven": [
        "World.handle: nothing is known of logic::Hidden"
      ],
      "compared": 14
    }
    "#);
}

#[test]
fn a_changed_parameter_is_a_tree_too() {
    let make = |name: &str| {
        let mut graph = Graph::default();
        let ty = graph.scalar(name);
        let function = graph.function(&[ty], None);
        graph.slot("logic::f", function);
        graph.0
    };
    insta::assert_snapshot!(tree(&all(&make("u8"), &make("u16")), &parameter), @r#"
    logic::f(argument 0)
        u8 → u16
    "#);
}
