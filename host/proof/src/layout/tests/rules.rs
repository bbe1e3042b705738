//! Each rule of the comparison, on the smallest graph that shows it.

use super::build::{Graph, all, lines, said, update};
use crate::layout::{Kind, Layouts, Root, RootKind, TypeId};

type Fields<'a> = &'a [(&'a str, u64, &'a str)];

/// A struct of scalars.
fn flat(graph: &mut Graph, name: &str, extent: (u64, u64), fields: Fields<'_>) -> TypeId {
    let fields: Vec<_> = fields.iter().map(|(name, offset, ty)| (*name, *offset, graph.scalar(ty))).collect();
    graph.structure(name, extent, &fields)
}

/// `World` of scalars, before and after.
fn world(before: ((u64, u64), Fields<'_>), after: ((u64, u64), Fields<'_>)) -> Vec<String> {
    let make = |(extent, fields)| move |graph: &mut Graph| flat(graph, "logic::World", extent, fields);
    lines(make(before), make(after))
}

const NONE: [&str; 0] = [];

#[test]
fn retyped_field_is_one_difference_with_the_new_size() {
    let before = ((8, 4), [("x", 0, "f32"), ("y", 4, "f32")]);
    let after = ((16, 8), [("y", 8, "f32"), ("x", 0, "f64")]);
    assert_eq!(
        world((before.0, &before.1), (after.0, &after.1)),
        ["x: f32 at 0 → f64 at 0; size 8 → 16, alignment 4 → 8"].map(|line| format!("World.{line}"))
    );
    assert_eq!(world(((4, 4), &[("x", 0, "f32")]), ((4, 4), &[("x", 0, "u32")])), ["World.x: f32 at 0 → u32 at 0"]);
}

#[test]
fn added_and_removed_fields_explain_moves() {
    let before: Fields<'_> = &[("x", 0, "u64"), ("y", 8, "u32")];
    let after: Fields<'_> = &[("new", 0, "u64"), ("x", 8, "u64"), ("y", 16, "u32")];
    let added = ["World.new: no such field → u64 at 0; size 16 → 24"];
    assert_eq!(world(((16, 8), before), ((24, 8), after)), added);
    let removed = ["World.new: u64 at 0 → no such field; size 24 → 16"];
    assert_eq!(world(((24, 8), after), ((16, 8), before)), removed);
}

#[test]
fn reordered_fields_of_one_type_differ() {
    let swapped = world(((8, 4), &[("x", 0, "f32"), ("y", 4, "f32")]), ((8, 4), &[("y", 0, "f32"), ("x", 4, "f32")]));
    assert_eq!(swapped, ["World.x: f32 at 0 → f32 at 4", "World.y: f32 at 4 → f32 at 0"]);
}

#[test]
fn names_that_move_on_by_one_are_no_rename() {
    let shifted = world(((8, 4), &[("x", 0, "f32"), ("y", 4, "f32")]), ((8, 4), &[("z", 0, "f32"), ("x", 4, "f32")]));
    assert_eq!(shifted, ["World.y: f32 at 4 → no such field", "World.z: no such field → f32 at 0"]);
}

#[test]
fn renamed_field_is_a_note() {
    let renamed = world(((4, 4), &[("speed", 0, "f32")]), ((4, 4), &[("velocity", 0, "f32")]));
    assert_eq!(
        renamed,
        [
            "note: World.speed is now called velocity: the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are not found"
        ]
    );
}

#[test]
fn another_field_at_the_same_place_is_no_rename() {
    let replaced = world(((4, 4), &[("speed", 0, "f32")]), ((4, 4), &[("ticks", 0, "u32")]));
    assert_eq!(replaced, ["World.speed: f32 at 0 → no such field", "World.ticks: no such field → u32 at 0"]);
}

#[test]
fn size_and_alignment_alone_are_told() {
    let size = world(((4, 4), &[("x", 0, "f32")]), ((8, 4), &[("x", 0, "f32")]));
    assert_eq!(size, ["World: size 4, alignment 4 → size 8, alignment 4"]);
    let align = world(((8, 4), &[("x", 0, "f32")]), ((8, 8), &[("x", 0, "f32")]));
    assert_eq!(align, ["World: size 8, alignment 4 → size 8, alignment 8"]);
}

#[test]
fn fields_without_bytes_come_and_go_with_a_note() {
    let gone = world(((4, 4), &[("x", 0, "f32"), ("mark", 0, "()")]), ((4, 4), &[("x", 0, "f32")]));
    assert_eq!(gone, ["note: World.mark is gone; it had no bytes"]);
    let new = world(((4, 4), &[("x", 0, "f32")]), ((4, 4), &[("x", 0, "f32"), ("mark", 4, "()")]));
    assert_eq!(new, ["note: World.mark is new; it has no bytes"]);
    let moved = world(((4, 4), &[("x", 0, "f32"), ("m", 0, "()")]), ((4, 4), &[("x", 0, "f32"), ("m", 4, "()")]));
    assert_eq!(moved, NONE);
}

#[test]
fn fields_without_bytes_do_not_take_the_names_of_others() {
    let moved = world(((4, 4), &[("0", 0, "f32"), ("1", 4, "()")]), ((4, 4), &[("0", 4, "()"), ("1", 0, "f32")]));
    assert!(moved.iter().all(|line| line.starts_with("note: ")), "{moved:?}");
    let filled = world(((4, 4), &[("0", 0, "f32"), ("1", 4, "()")]), ((8, 4), &[("0", 0, "f32"), ("1", 4, "f32")]));
    assert_eq!(filled[0], "World.1: no such field → f32 at 4; size 4 → 8");
}

#[test]
fn a_field_without_bytes_that_aligns_is_a_field() {
    let make = |aligned: bool| {
        move |graph: &mut Graph| {
            let x = graph.scalar("u8");
            let zero = graph.structure("logic::Align8", (0, 8), &[]);
            let fields = [("x", 0, x), ("align", 0, zero)];
            if aligned {
                graph.structure("logic::World", (8, 8), &fields)
            } else {
                graph.structure("logic::World", (1, 1), &fields[..1])
            }
        }
    };
    let added = ["World.align: no such field → logic::Align8 at 0; size 1 → 8, alignment 1 → 8"];
    assert_eq!(lines(make(false), make(true)), added);
}

/// `World { balls: Vec<Ball> }`.
fn balls(radius: &str, extent: (u64, u64)) -> impl FnOnce(&mut Graph) -> TypeId {
    move |graph| {
        let ball = flat(graph, "logic::Ball", extent, &[("id", 0, "u64"), ("radius", 8, radius)]);
        let balls = graph.vec(ball);
        graph.structure("logic::World", (24, 8), &[("balls", 0, balls)])
    }
}

#[test]
fn what_collections_hold_is_told_at_their_elements() {
    let changed = lines(balls("f32", (16, 8)), balls("f64", (16, 8)));
    assert_eq!(changed, ["World.balls[].radius: f32 at 8 → f64 at 8"]);
    let make = |of: &'static str| {
        move |graph: &mut Graph| {
            let of = graph.scalar(of);
            let list = graph.vec(of);
            graph.structure("logic::World", (24, 8), &[("xs", 0, list)])
        }
    };
    assert_eq!(lines(make("f32"), make("f64")), ["World.xs[]: f32 → f64"]);
}

#[test]
fn changes_of_parts_explain_their_holders_sizes() {
    let make = |fields: Fields<'static>, (at, size): (u64, u64)| {
        move |graph: &mut Graph| {
            let inner = flat(graph, "logic::Inner", (at, 4), fields);
            let score = graph.scalar("u32");
            let middle = graph.structure("logic::Middle", (size, 4), &[("inner", 0, inner), ("score", at, score)]);
            let array = graph.array(middle, 3);
            graph.structure("logic::World", (size * 3, 4), &[("all", 0, array)])
        }
    };
    let before = make(&[("a", 0, "u32")], (4, 8));
    let after = make(&[("a", 0, "u32"), ("b", 4, "u32")], (8, 12));
    assert_eq!(lines(before, after), ["World.all[].inner.b: no such field → u32 at 4; size 4 → 8"]);
}

#[test]
fn a_move_beside_a_changed_part_of_the_same_size_is_told() {
    let make = |radius: &'static str, (x, y): (u64, u64)| {
        move |graph: &mut Graph| {
            let ball = flat(graph, "logic::Ball", (4, 4), &[("radius", 0, radius)]);
            let score = graph.scalar("u32");
            graph.structure("logic::World", (12, 4), &[("ball", 0, ball), ("x", x, score), ("y", y, score)])
        }
    };
    assert_eq!(
        lines(make("f32", (4, 8)), make("u32", (8, 4))),
        ["World.x: u32 at 4 → u32 at 8", "World.y: u32 at 8 → u32 at 4", "World.ball.radius: f32 at 0 → u32 at 0"]
    );
}

/// `struct Node { value: .., next: Option<Rc<RefCell<Node>>> }`
fn list(value: &'static str) -> impl FnOnce(&mut Graph) -> TypeId {
    move |graph| {
        let value = graph.scalar(value);
        let tag = graph.scalar("u64");
        let node = graph.structure("logic::Node", (16, 8), &[]);
        let cell = graph.wrapper("core::cell::RefCell", node);
        let inner = graph.structure("alloc::rc::RcInner<logic::Node>", (32, 8), &[("value", 16, cell)]);
        graph.with(inner, &[("T", cell)]);
        let pointer = graph.pointer("*mut ", inner);
        let rc = graph.structure("alloc::rc::Rc<core::cell::RefCell<logic::Node>>", (8, 8), &[("ptr", 0, pointer)]);
        graph.with(rc, &[("T", cell)]);
        let some = [("0", 0, rc)];
        let variants: [(&str, Option<i128>, &[_]); 2] = [("None", Some(0), &[]), ("Some", None, &some)];
        let option = graph.choice("core::option::Option<alloc::rc::Rc<..>>", (8, 8), Some((0, tag)), &variants);
        graph.with(option, &[("T", rc)]);
        let fields = super::build::parts(&[("value", 8, value), ("next", 0, option)]);
        graph.at(node).kind = Kind::Struct { fields };
        graph.structure("logic::World", (8, 8), &[("first", 0, option)])
    }
}

#[test]
fn cycles_end() {
    assert_eq!(lines(list("u64"), list("u64")), NONE);
    assert_eq!(lines(list("u64"), list("f64")), ["World.first?.value: u64 at 8 → f64 at 8"]);
}

#[test]
fn maps_options_and_results_have_steps_of_their_own() {
    let make = |of: &'static str| {
        move |graph: &mut Graph| {
            let text = graph.scalar("u32");
            let item = flat(graph, "logic::Item", (8, 8), &[("price", 0, of)]);
            let hold = |graph: &mut Graph, name: &str, generics: &[(&str, TypeId)]| {
                let id = graph.structure(name, (8, 8), &[]);
                graph.with(id, generics)
            };
            let fail = flat(graph, "logic::Fail", (8, 8), &[("code", 0, of)]);
            let result = hold(graph, "core::result::Result<u32, logic::Fail>", &[("T", text), ("E", fail)]);
            let option = hold(graph, "core::option::Option<logic::Item>", &[("T", item)]);
            let map = hold(graph, "std::collections::hash::map::HashMap<u32, ..>", &[("K", text), ("V", option)]);
            let key = flat(graph, "logic::Key", (8, 8), &[("id", 0, of)]);
            let keys = hold(graph, "alloc::collections::btree::map::BTreeMap<..>", &[("K", key), ("V", text)]);
            graph.structure("logic::World", (24, 8), &[("stock", 0, map), ("keys", 8, keys), ("last", 16, result)])
        }
    };
    assert_eq!(
        lines(make("u64"), make("i64")),
        [
            "World.stock[]?.price: u64 at 0 → i64 at 0",
            "World.keys.keys().id: u64 at 0 → i64 at 0",
            "World.last.Err.code: u64 at 0 → i64 at 0"
        ]
    );
}

#[test]
fn fields_tell_a_users_generic_better_than_its_argument() {
    let make = |of: &'static str, has_cells: bool| {
        move |graph: &mut Graph| {
            let of = graph.scalar(of);
            let cells = graph.vec(of);
            let fields = [("cells", 0, cells)];
            let fields = if has_cells { &fields[..] } else { &[] };
            let grid = graph.structure("logic::Grid<T>", (24, 8), fields);
            graph.with(grid, &[("T", of)]);
            graph.structure("logic::World", (24, 8), &[("grid", 0, grid)])
        }
    };
    assert_eq!(lines(make("f32", true), make("f64", true)), ["World.grid.cells[]: f32 → f64"]);
    assert_eq!(lines(make("f32", false), make("f64", false)), ["World.grid<T>: f32 → f64"]);
}

#[test]
fn values_among_arguments_count() {
    let make = |name: &'static str| {
        move |graph: &mut Graph| {
            let fixed = flat(graph, name, (4, 4), &[("bits", 0, "i32")]);
            graph.structure("logic::World", (4, 4), &[("x", 0, fixed)])
        }
    };
    let changed = lines(make("logic::Fixed<8>"), make("logic::Fixed<16>"));
    assert_eq!(changed, ["World.x: logic::Fixed<8> at 0 → logic::Fixed<16> at 0"]);
}

#[test]
fn pointers_are_of_one_kind() {
    let make = |prefix: &'static str| {
        move |graph: &mut Graph| {
            let item = flat(graph, "logic::Item", (4, 4), &[("x", 0, "f32")]);
            let pointer = graph.pointer(prefix, item);
            graph.structure("logic::World", (8, 8), &[("item", 0, pointer)])
        }
    };
    let changed = lines(make("&"), make("&mut "));
    assert_eq!(changed, ["World.item: &logic::Item at 0 → &mut logic::Item at 0"]);
    assert_eq!(lines(make("*const "), make("*const ")), NONE);
}

/// A pointer of two words.
fn fat(graph: &mut Graph, name: &str, of: TypeId, second: (&str, TypeId)) -> TypeId {
    let data = graph.pointer("*const ", of);
    let first = if second.0 == "vtable" { "pointer" } else { "data_ptr" };
    graph.structure(name, (16, 8), &[(first, 0, data), (second.0, 8, second.1)])
}

#[test]
fn fat_pointers_are_compared_by_what_they_point_to() {
    let slice = |of: &'static str, name: &'static str| {
        move |graph: &mut Graph| {
            let item = flat(graph, "logic::Item", (8, 8), &[("x", 0, of)]);
            let length = graph.scalar("usize");
            let slice = fat(graph, name, item, ("length", length));
            graph.structure("logic::World", (16, 8), &[("items", 0, slice)])
        }
    };
    let (shared, unique) = ("&[logic::Item]", "&mut [logic::Item]");
    assert_eq!(lines(slice("u64", shared), slice("f64", shared)), ["World.items[].x: u64 at 0 → f64 at 0"]);
    let changed = lines(slice("u64", shared), slice("u64", unique));
    assert_eq!(changed, ["World.items: &[logic::Item] at 0 → &mut [logic::Item] at 0"]);
    let object = |name: &'static str| {
        move |graph: &mut Graph| {
            let target = graph.opaque(name.strip_prefix('&').unwrap());
            let word = graph.scalar("usize");
            let table = graph.array(word, 4);
            let vtable = graph.pointer("&", table);
            let object = fat(graph, name, target, ("vtable", vtable));
            graph.structure("logic::World", (16, 8), &[("hook", 0, object)])
        }
    };
    assert_eq!(lines(object("&dyn logic::Hook"), object("&dyn logic::Hook")), NONE);
    let changed = lines(object("&dyn logic::Hook"), object("&dyn logic::Draw"));
    assert_eq!(changed, ["World.hook: &dyn logic::Hook at 0 → &dyn logic::Draw at 0"]);
}

#[test]
fn arrays_and_tuples() {
    let make = |of: &'static str, count: u64| {
        move |graph: &mut Graph| {
            let of = graph.scalar(of);
            let array = graph.array(of, count);
            let name = format!("({}, u8)", graph.name(array));
            let byte = graph.scalar("u8");
            let tuple = graph.structure(&name, (32, 8), &[("0", 0, array), ("1", 24, byte)]);
            graph.structure("logic::World", (32, 8), &[("pair", 0, tuple)])
        }
    };
    assert_eq!(lines(make("f64", 3), make("f64", 2)), ["World.pair.0: [f64; 3] at 0 → [f64; 2] at 0"]);
    assert_eq!(lines(make("f64", 3), make("u64", 3)), ["World.pair.0[]: f64 → u64"]);
}

#[test]
fn function_pointers_are_compared_by_signature() {
    let make = |parameters: &'static [&'static str], result: Option<&'static str>| {
        move |graph: &mut Graph| {
            let parameters: Vec<_> = parameters.iter().map(|name| graph.scalar(name)).collect();
            let result = result.map(|name| graph.scalar(name));
            let function = graph.function(&parameters, result);
            let pointer = graph.pointer("", function);
            graph.structure("logic::World", (8, 8), &[("hook", 0, pointer)])
        }
    };
    assert_eq!(lines(make(&["f32"], None), make(&["f64"], None)), ["World.hook(argument 0): f32 → f64"]);
    assert_eq!(lines(make(&[], Some("f32")), make(&[], Some("f64"))), ["World.hook(result): f32 → f64"]);
    assert_eq!(lines(make(&[], Some("()")), make(&[], None)), NONE);
    assert_eq!(lines(make(&["u8"], None), make(&[], None)), ["World.hook: fn(u8) → fn()"]);
}

type Variants = &'static [(&'static str, i128, Fields<'static>)];

const SQUARE: Fields<'_> = &[("0", 4, "f32"), ("1", 8, "f32")];
const CIRCLE: Fields<'_> = &[("radius", 4, "f32")];

/// `World { shape: Shape }`, with an enum that has fields.
fn shape(variants: Variants) -> Vec<String> {
    let make = |variants: Variants| {
        move |graph: &mut Graph| {
            let tag = graph.scalar("u8");
            let mut built = Vec::new();
            for (name, value, fields) in variants {
                let fields: Vec<_> = fields.iter().map(|(name, at, ty)| (*name, *at, graph.scalar(ty))).collect();
                built.push((*name, Some(*value), fields));
            }
            let built: Vec<_> = built.iter().map(|(name, value, fields)| (*name, *value, fields.as_slice())).collect();
            let shape = graph.choice("logic::Shape", (16, 4), Some((0, tag)), &built);
            graph.structure("logic::World", (16, 4), &[("shape", 0, shape)])
        }
    };
    lines(make(&[("Circle", 0, CIRCLE), ("Square", 1, SQUARE)]), make(variants))
}

#[test]
fn enums_are_compared_by_variant() {
    assert_eq!(shape(&[("Circle", 0, CIRCLE), ("Square", 1, SQUARE)]), NONE);
    assert_eq!(
        shape(&[("Circle", 0, &[("radius", 4, "u32")]), ("Square", 1, SQUARE)]),
        ["World.shape.Circle.radius: f32 at 4 → u32 at 4"]
    );
    assert_eq!(
        shape(&[("Circle", 1, CIRCLE), ("Square", 0, SQUARE)]),
        ["World.shape.Circle: variant 0 → variant 1", "World.shape.Square: variant 1 → variant 0"]
    );
    assert_eq!(
        shape(&[("Point", 0, &[]), ("Circle", 1, CIRCLE), ("Square", 2, SQUARE)]),
        ["World.shape.Point: no such variant → variant 0"]
    );
    assert_eq!(
        shape(&[("Disc", 0, CIRCLE), ("Square", 1, SQUARE)]),
        [
            "note: World.shape.Circle is now called Disc: the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are not found"
        ]
    );
    assert_eq!(
        shape(&[("Point", 0, &[]), ("Square", 1, SQUARE)]),
        ["World.shape.Circle: variant 0 → no such variant", "World.shape.Point: no such variant → variant 0"]
    );
}

#[test]
fn niches_are_tags() {
    let make = |offset: u64, value: i128| {
        move |graph: &mut Graph| {
            let (tag, x) = (graph.scalar("u64"), graph.scalar("u64"));
            let inner = graph.structure("logic::Inner", (16, 8), &[("a", 0, x), ("b", 8, x)]);
            let some = [("0", 0, inner)];
            let variants: [(&str, Option<i128>, &[_]); 2] = [("Empty", Some(value), &[]), ("Full", None, &some)];
            let hand = graph.choice("logic::Hand", (16, 8), Some((offset, tag)), &variants);
            graph.structure("logic::World", (16, 8), &[("hand", 0, hand)])
        }
    };
    assert_eq!(lines(make(0, 0), make(0, 0)), NONE);
    assert_eq!(lines(make(0, 0), make(8, 0)), ["World.hand: tag u64 of 8 bytes at 0 → tag u64 of 8 bytes at 8"]);
    assert_eq!(lines(make(0, 0), make(0, 2)), ["World.hand.Empty: variant 0 → variant 2"]);
}

#[test]
fn enums_of_names_are_compared_by_value() {
    let make = |variants: &'static [(&'static str, i128)]| {
        move |graph: &mut Graph| {
            let mood = graph.names("logic::Mood", variants);
            graph.structure("logic::World", (1, 1), &[("mood", 0, mood)])
        }
    };
    let before: &[_] = &[("Calm", 0), ("Angry", 1)];
    let added = ["World.mood.Sad: no such variant → variant 2"];
    assert_eq!(lines(make(before), make(&[("Calm", 0), ("Angry", 1), ("Sad", 2)])), added);
    let renamed = [
        "note: World.mood.Angry is now called Cross: the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are not found",
    ];
    assert_eq!(lines(make(before), make(&[("Calm", 0), ("Cross", 1)])), renamed);
    let swapped = ["World.mood.Calm: variant 0 → variant 1", "World.mood.Angry: variant 1 → variant 0"];
    assert_eq!(lines(make(before), make(&[("Angry", 0), ("Calm", 1)])), swapped);
}

#[test]
fn an_enum_of_names_that_gets_a_field_says_so() {
    let names = |graph: &mut Graph| graph.names("logic::Mood", &[("Calm", 0), ("Angry", 1)]);
    let fields = |graph: &mut Graph| {
        let (tag, x) = (graph.scalar("u8"), graph.scalar("u32"));
        let angry = [("0", 4, x)];
        let variants: [(&str, Option<i128>, &[_]); 2] = [("Calm", Some(0), &[]), ("Angry", Some(1), &angry)];
        graph.choice("logic::Mood", (8, 4), Some((0, tag)), &variants)
    };
    let changed = ["Mood.Angry.0: no such field → u32 at 4; size 1 → 8, alignment 1 → 4"];
    assert_eq!(lines(names, fields), changed);
}

#[test]
fn unions_are_compared_like_structs() {
    let make = |fields: Fields<'static>| {
        move |graph: &mut Graph| {
            let fields: Vec<_> = fields.iter().map(|(name, at, ty)| (*name, *at, graph.scalar(ty))).collect();
            graph.union("logic::Bits", (4, 4), &fields)
        }
    };
    let before: Fields<'_> = &[("int", 0, "u32"), ("float", 0, "f32")];
    assert_eq!(
        lines(make(before), make(&[("int", 0, "u32"), ("float", 0, "i32")])),
        ["Bits.float: f32 at 0 → i32 at 0"]
    );
    assert_eq!(
        lines(make(before), make(&[("real", 0, "f32"), ("whole", 0, "u32")])),
        [
            "note: Bits.int is now called whole: the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are not found",
            "note: Bits.float is now called real: the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are not found"
        ]
    );
}

#[test]
fn renamed_type_matches_with_a_note_if_all_else_does() {
    let make = |name: &'static str, of: &'static str| {
        move |graph: &mut Graph| {
            let ball = flat(graph, name, (8, 8), &[("x", 0, of)]);
            let balls = graph.vec(ball);
            graph.structure("logic::World", (32, 8), &[("balls", 0, balls), ("last", 24, ball)])
        }
    };
    let renamed = lines(make("logic::Ball", "u64"), make("logic::Sphere", "u64"));
    assert_eq!(renamed.len(), 1, "{renamed:?}");
    assert!(renamed[0].starts_with("note: World.balls[] logic::Ball is now called logic::Sphere"), "{renamed:?}");
    assert_eq!(
        lines(make("logic::Ball", "u64"), make("logic::Sphere", "i64")),
        ["World.last: logic::Ball at 24 → logic::Sphere at 24", "World.balls[]: logic::Ball → logic::Sphere"]
    );
}

#[test]
fn types_of_the_standard_library_are_not_renamed() {
    let make = |path: &'static str| {
        move |graph: &mut Graph| {
            let x = graph.scalar("u64");
            let x = graph.wrapper(path, x);
            graph.structure("logic::World", (8, 8), &[("x", 0, x)])
        }
    };
    assert_eq!(
        lines(make("core::num::wrapping::Wrapping"), make("core::num::saturating::Saturating")),
        ["World.x: Wrapping<u64> at 0 → Saturating<u64> at 0"]
    );
}

#[test]
fn numbers_of_closures_do_not_count() {
    let make = |name: &'static str| move |graph: &mut Graph| flat(graph, name, (4, 4), &[("x", 0, "u32")]);
    assert_eq!(lines(make("logic::f::{closure_env#0}"), make("logic::f::{closure_env#3}")), NONE);
}

#[test]
fn what_nothing_is_known_of_is_unproven() {
    let make = |graph: &mut Graph| {
        let hidden = graph.opaque("logic::Hidden");
        let pointer = graph.pointer("*mut ", hidden);
        graph.structure("logic::World", (8, 8), &[("handle", 0, pointer)])
    };
    assert_eq!(lines(make, make), ["unproven: World.handle: nothing is known of logic::Hidden"]);
    let known = |graph: &mut Graph| {
        let hidden = flat(graph, "logic::Hidden", (4, 4), &[]);
        let pointer = graph.pointer("*mut ", hidden);
        graph.structure("logic::World", (8, 8), &[("handle", 0, pointer)])
    };
    assert_eq!(lines(make, known), ["unproven: World.handle: nothing is known of logic::Hidden"]);
    let sizeless = |graph: &mut Graph| {
        let world = flat(graph, "logic::World", (4, 4), &[]);
        graph.at(world).size = None;
        world
    };
    assert_eq!(lines(sizeless, sizeless), ["unproven: logic::update: the size of logic::World is not known"]);
}

#[test]
fn slices_of_unknown_length_are_compared_by_what_is_in_them() {
    let make = |of: &'static str, is_described: bool| {
        move |graph: &mut Graph| {
            let slice = graph.opaque("[logic::Item]");
            let items = graph.structure("alloc::rc::Rc<[logic::Item]>", (16, 8), &[]);
            graph.with(items, &[("T", slice)]);
            if is_described {
                flat(graph, "logic::Item", (8, 8), &[("x", 0, of)]);
            }
            graph.structure("logic::World", (16, 8), &[("items", 0, items)])
        }
    };
    assert_eq!(lines(make("u64", true), make("u64", true)), NONE);
    assert_eq!(lines(make("u64", true), make("f64", true)), ["World.items[].x: u64 at 0 → f64 at 0"]);
    let unproven = ["unproven: World.items: nothing is known of [logic::Item]"];
    assert_eq!(lines(make("u64", false), make("u64", false)), unproven);
}

#[test]
fn function_pointers_are_of_one_abi() {
    let make = |abi: &'static str| {
        move |graph: &mut Graph| {
            let byte = graph.scalar("u8");
            let function = graph.function(&[byte], None);
            graph.at(function).name.insert_str(0, abi);
            let pointer = graph.pointer("", function);
            graph.structure("logic::World", (8, 8), &[("hook", 0, pointer)])
        }
    };
    assert_eq!(lines(make("extern \"C\" "), make("extern \"C\" ")), NONE);
    let changed = ["World.hook: fn(u8) at 0 → extern \"C\" fn(u8) at 0"];
    assert_eq!(lines(make(""), make("extern \"C\" ")), changed);
}

#[test]
fn a_renamed_part_that_changed_is_told_by_its_old_name() {
    let make = |name: &'static str, of: &'static str| {
        move |graph: &mut Graph| {
            let inner = flat(graph, "logic::Vec2", (8, 8), &[("x", 0, of)]);
            graph.structure("logic::World", (8, 8), &[(name, 0, inner)])
        }
    };
    assert_eq!(
        lines(make("pos", "u64"), make("place", "f64")),
        ["World.pos.x: u64 at 0 → f64 at 0", "note: World.pos is now called place"]
    );
}

#[test]
fn parameters_and_results_are_told_by_their_places() {
    let make = |parameters: &[&str], result: &str| {
        let mut graph = Graph::default();
        let parameters: Vec<_> = parameters.iter().map(|name| graph.scalar(name)).collect();
        let result = graph.scalar(result);
        let function = graph.function(&parameters, Some(result));
        graph.slot("logic::f", function);
        graph.0
    };
    let before = make(&["f32", "u8"], "f32");
    let changed = all(&before, &make(&["f32", "u16"], "f64"));
    assert_eq!(said(&changed), ["(argument 1): u8 → u16", "(result): f32 → f64"]);
    assert_eq!(changed.differences[0].parameter, Some(1));
    assert_eq!(changed.differences[1].parameter, None);
    let changed = all(&before, &make(&["f32"], "f32"));
    assert_eq!(said(&changed), ["logic::f: fn(f32, u8) -> f32 → fn(f32) -> f32"]);
}

#[test]
fn only_the_roots_asked_for_are_compared() {
    let before = update(balls("f32", (16, 8)));
    let after = update(balls("f64", (16, 8)));
    let none = crate::layout::compare(&before, &after, |root| root.name == "logic::draw");
    assert_eq!((said(&none), none.compared), (vec![], 0));
}

#[test]
fn roots_without_counterpart() {
    let before = update(balls("f32", (16, 8)));
    let empty = Layouts::default();
    assert_eq!(said(&all(&before, &empty)), ["unproven: logic::update: no debug info"]);
    assert_eq!(said(&all(&empty, &before)), NONE);
    let gaps = Layouts { gaps: vec!["cut short".into()], ..before.clone() };
    assert_eq!(said(&all(&empty, &gaps)), ["unproven: logic::update: no debug info in the program"]);
}

#[test]
fn types_kept_by_type_are_compared_if_both_sides_have_them() {
    let make = |of: &str| {
        let mut graph = Graph::default();
        let ty = flat(&mut graph, "logic::Health", (8, 8), &[("points", 0, of)]);
        graph.0.roots.push(Root { name: "logic::Health".into(), kind: RootKind::Keyed, ty });
        graph.0
    };
    assert_eq!(said(&all(&make("u64"), &make("f64"))), ["Health.points: u64 at 0 → f64 at 0"]);
    assert_eq!(said(&all(&make("u64"), &Layouts::default())), NONE);
}
