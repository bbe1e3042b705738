//! Makes crates as people write them: some two dozen types over each other, and functions that reach most of them.

use crate::dice::Dice;
use crate::model::{Body, Crate, Def, Fields, Function, Head, Trait, Ty, Variant};

const NAMES: [&str; 28] = [
    "Ball", "Wall", "Player", "Item", "Stack", "Quest", "Map", "Tile", "Light", "Sound", "Score", "Timer", "Layer",
    "Sprite", "Route", "Crowd", "Order", "Price", "Clock", "Frame", "Input", "Level", "Point", "Region", "Spell",
    "Token", "Unit", "Weapon",
];
pub(crate) const FIELDS: [&str; 20] = [
    "x", "y", "speed", "name", "parts", "owner", "next", "count", "kind", "state", "seen", "weight", "left", "right",
    "cache", "id", "flags", "time", "value", "inner",
];
pub(crate) const NUMBERS: [&str; 12] =
    ["u8", "u16", "u32", "u64", "i8", "i32", "i64", "f32", "f64", "usize", "u128", "i128"];
const PLAIN: [&str; 8] = [
    "bool",
    "char",
    "String",
    "&'static str",
    "std::num::NonZero<u32>",
    "std::time::Duration",
    "std::path::PathBuf",
    "()",
];
pub(crate) const SINGLE: [&str; 11] = [
    "Box",
    "Option",
    "Vec",
    "std::rc::Rc",
    "std::sync::Arc",
    "std::collections::VecDeque",
    "std::cell::RefCell",
    "std::cell::Cell",
    "std::sync::Mutex",
    "std::rc::Weak",
    "std::marker::PhantomData",
];
const VARIANTS: [&str; 9] = ["Idle", "Busy", "Gone", "Red", "Green", "Blue", "Open", "Shut", "Other"];

/// How many types a crate has, besides its world.
const TYPES: usize = 25;

pub(crate) fn generate(seed: u64) -> Crate {
    let dice = &mut Dice::new(seed);
    let mut made = Crate::default();
    for name in ["Hook", "Draw"] {
        let methods = ["begin", "step", "finish"].map(|method| (method.to_owned(), Ty::plain(dice.pick(&NUMBERS))));
        made.traits.push(Trait { name: name.to_owned(), methods: methods.to_vec() });
    }
    let private = TYPES - 4;
    // The last of those that cross do so in one way only: from an async function, to a closure, and to a method.
    let [awaited, called, hooked] = [private - 1, private - 2, private - 3];
    let common = private - 3;
    for id in 0..TYPES {
        let def = define(&made, id, id >= private, dice);
        made.defs.push(def);
    }
    // Methods over types of the crate.
    for found in 0..made.traits.len() {
        let target = use_of(&made, if found == 0 { hooked } else { dice.below(common) }, dice, true);
        made.traits[found].methods[1].1 = Ty::new(Head::Pointer("&mut "), vec![target]);
    }
    let mut fields: Vec<(String, Ty)> = Vec::new();
    for (index, name) in FIELDS.iter().take(10).enumerate() {
        let ty = match index {
            0 => Ty::new(Head::Object(0), vec![]).boxed(),
            1 => Ty::std(
                "Vec",
                vec![Ty::new(Head::Closure, vec![use_of(&made, called, dice, true), Ty::plain("u32")]).boxed()],
            ),
            2 => Ty::new(Head::Slice, vec![use_of(&made, 5, dice, true)]).boxed(),
            _ => crossing(&made, common, dice, 2),
        };
        fields.push(((*name).to_owned(), ty));
    }
    let secret = private + 1;
    if dice.chance(50) {
        fields.push(("store".to_owned(), Ty::std("Vec", vec![Ty::plain("dyn std::any::Any").boxed()])));
    }
    made.keyed = (made.defs[secret].parameters == 0 && !made.defs[secret].sized).then_some(secret);
    made.defs.push(plain_def("World", Body::Struct(Fields::of(true, fields))));
    functions(&mut made, common, awaited, dice);
    made
}

fn plain_def(name: &str, body: Body) -> Def {
    Def {
        name: name.to_owned(),
        inner: false,
        parameters: 0,
        sized: false,
        repr: String::new(),
        body,
        before: String::new(),
        after: String::new(),
        private: false,
    }
}

fn functions(made: &mut Crate, common: usize, awaited: usize, dice: &mut Dice) {
    let world = Ty::new(Head::Pointer("&mut "), vec![Ty::new(Head::Def(made.defs.len() - 1, None), vec![])]);
    for index in 0..9 {
        let target = if index == 7 { awaited } else { (index * 3 + dice.below(3)).min(common - 1) };
        let target = use_of(made, target, dice, true);
        let other = use_of(made, dice.below(common), dice, true);
        let (ty, result) = match index {
            0 => (Ty::new(Head::Pointer("&"), vec![target]), None),
            1 => (Ty::new(Head::Pointer("&mut "), vec![target]), Some(Ty::std("Option", vec![other]))),
            2 => (target, None),
            3 => (Ty::new(Head::Pointer("&mut "), vec![Ty::new(Head::Slice, vec![target])]), Some(Ty::plain("u64"))),
            4 => (Ty::std("Vec", vec![target]), Some(other)),
            5 => (
                Ty::new(Head::Pointer("&"), vec![Ty::new(Head::Object(1), vec![])]),
                Some(Ty::new(Head::Tuple, vec![target, other])),
            ),
            6 => (Ty::new(Head::Function, vec![target, Ty::plain("bool")]), None),
            7 => (Ty::plain("u32"), Some(target)),
            _ => (Ty::std("std::collections::HashMap", vec![Ty::plain("String"), target]), None),
        };
        let mut parameters = vec![("with".to_owned(), ty)];
        if dice.chance(40) {
            parameters.insert(0, ("world".to_owned(), world.clone()));
        }
        made.functions.push(function(&format!("run_{index}"), true, parameters, result, index == 7));
    }
    let mut update = function("update", true, vec![("world".to_owned(), world)], None, false);
    if let Some(secret) = made.keyed {
        let secret = made.text(&Ty::new(Head::Def(secret, None), vec![]));
        update.body.push_str(&format!(
            "    let any: &dyn std::any::Any = &0_u8;\n    std::hint::black_box(any.is::<{secret}>());\n"
        ));
    }
    made.functions.push(update);
    for index in 0..2 {
        let target = use_of(made, awaited + 3 + index, dice, true);
        let parameters = vec![("hidden".to_owned(), Ty::new(Head::Pointer("&mut "), vec![target]))];
        made.functions.push(function(&format!("only_here_{index}"), false, parameters, None, false));
    }
}

fn function(name: &str, public: bool, parameters: Vec<(String, Ty)>, result: Option<Ty>, is_async: bool) -> Function {
    let body = if result.is_some() { "    unimplemented!()\n" } else { "    std::hint::black_box(1);\n" };
    Function { name: name.to_owned(), public, is_async, lifetime: None, parameters, result, body: body.to_owned() }
}

/// A type of the crate with arguments.
pub(crate) fn use_of(made: &Crate, id: usize, dice: &mut Dice, closed: bool) -> Ty {
    let def = &made.defs[id];
    let args = (0..def.parameters).map(|_| if closed { leaf(dice) } else { number(dice) }).collect();
    Ty::new(Head::Def(id, def.sized.then(|| 1 + dice.below(5) as u64)), args)
}

pub(crate) fn number(dice: &mut Dice) -> Ty {
    Ty::plain(dice.pick(&NUMBERS))
}

pub(crate) fn leaf(dice: &mut Dice) -> Ty {
    if dice.chance(65) { number(dice) } else { Ty::plain(dice.pick(&PLAIN)) }
}

/// Any type, over those below `below`.
pub(crate) fn crossing(made: &Crate, below: usize, dice: &mut Dice, depth: usize) -> Ty {
    let Some(depth) = depth.checked_sub(1) else { return leaf(dice) };
    match dice.below(20) {
        0..5 => leaf(dice),
        5..9 if below > 0 => use_of(made, dice.below(below), dice, true),
        9..14 => Ty::std(dice.pick(&SINGLE), vec![crossing(made, below, dice, depth)]),
        14 => Ty::std("std::collections::HashMap", vec![Ty::plain("u32"), crossing(made, below, dice, depth)]),
        15 => Ty::std("std::collections::BTreeMap", vec![Ty::plain("String"), crossing(made, below, dice, depth)]),
        16 => Ty::std("Result", vec![crossing(made, below, dice, depth), leaf(dice)]),
        17 => Ty::new(Head::Tuple, vec![crossing(made, below, dice, depth), leaf(dice), number(dice)]),
        18 => Ty::new(Head::Array(1 + dice.below(6) as u64), vec![crossing(made, below, dice, depth)]),
        _ => Ty::new(Head::Function, vec![crossing(made, below, dice, depth), number(dice)]),
    }
}

fn define(made: &Crate, id: usize, private: bool, dice: &mut Dice) -> Def {
    // Private types are over private types, and the others never over them.
    let name = NAMES[id];
    let mut def = plain_def(name, Body::Struct(Fields::unit()));
    def.private = private;
    def.inner = dice.chance(30);
    let count = 1 + dice.below(5);
    let some = |dice: &mut Dice| crossing(made, if private { 0 } else { id }, dice, 3);
    let named = |dice: &mut Dice, count: usize| -> Vec<(String, Ty)> {
        let from = dice.below(FIELDS.len() - count);
        FIELDS[from..from + count].iter().map(|name| ((*name).to_owned(), some(dice))).collect()
    };
    match dice.below(20) {
        0..7 => {
            let mut list = named(dice, count);
            if !private && dice.chance(30) {
                // A list of itself.
                let path = dice.pick(&["Vec", "std::rc::Rc", "Box"]);
                let own = Ty::std("Option", vec![Ty::std(path, vec![Ty::new(Head::Def(id, None), vec![])])]);
                list.push(("again".to_owned(), own));
            }
            def.body = Body::Struct(Fields::of(true, list));
            def.repr = (dice.pick(&["", "", "", "", "C", "packed", "align(16)"])).to_owned();
        }
        7..9 => def.body = Body::Struct(Fields::of(false, named(dice, count))),
        9 => {}
        10..12 => {
            def.parameters = 1 + dice.below(2);
            let mut list = named(dice, count);
            for index in 0..def.parameters {
                let own = Ty::new(Head::Param(index), vec![]);
                let own = if dice.chance(50) { own } else { Ty::std(dice.pick(&SINGLE), vec![own]) };
                list.push((format!("of_{index}"), own));
            }
            def.body = Body::Struct(Fields::of(true, list));
        }
        12 => {
            def.sized = true;
            let cells = if dice.chance(70) { Ty::new(Head::ArrayOfN, vec![some(dice)]) } else { some(dice) };
            def.body = Body::Struct(Fields::of(true, vec![("cells".to_owned(), cells)]));
        }
        13 => {
            def.body = Body::Struct(Fields::of(false, vec![(String::new(), some(dice))]));
            def.repr = "transparent".to_owned();
        }
        14 => {
            let field = |dice: &mut Dice, name: &str| (name.to_owned(), number(dice));
            def.body =
                Body::Union(Fields::of(true, vec![field(dice, "whole"), field(dice, "part"), field(dice, "raw")]));
            def.repr = (dice.pick(&["", "C"])).to_owned();
        }
        15..17 => {
            def.repr = (dice.pick(&["", "u8", "i16", "C", "i128"])).to_owned();
            let mut value = if def.repr == "u8" { 0 } else { -3 };
            let explicit = dice.chance(50);
            let variants = VARIANTS.iter().take(1 + count).map(|name| {
                value += 1 + dice.below(4) as i64;
                Variant { name: (*name).to_owned(), value: explicit.then_some(value), fields: Fields::unit() }
            });
            def.body = Body::Enum(variants.collect());
        }
        _ => {
            let variants = VARIANTS.iter().take(1 + count).map(|name| {
                let fields = match dice.below(4) {
                    0 => Fields::unit(),
                    1 => Fields::of(true, named(dice, 2)),
                    _ => Fields::of(false, vec![(String::new(), some(dice))]),
                };
                Variant { name: (*name).to_owned(), value: None, fields }
            });
            def.body = Body::Enum(variants.collect());
            def.repr = (dice.pick(&["", "", "", "u8", "C"])).to_owned();
        }
    }
    def
}
