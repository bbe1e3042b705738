//! Makes types as people carry them: a few over each other, and a world of them.

use crate::dice::Dice;
use crate::model::{Body, Def, Field, Holds, Model, Ty, Variant};

const NAMES: [&str; 16] = [
    "max_speed",
    "name",
    "parts",
    "owner",
    "next_turn",
    "count",
    "kind",
    "seen_by",
    "weight",
    "left_hand",
    "cache",
    "id",
    "flags",
    "start_time",
    "value",
    "inner",
];
const VARIANTS: [&str; 8] = ["Idle", "Busy", "Gone", "Red", "Green", "Blue", "Open", "Shut"];
pub(crate) const LEAVES: [&str; 15] =
    ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "F32", "F64", "bool", "char", "String", "Place", "Kind"];
const KEYS: [&str; 9] = ["String", "u32", "u32", "i64", "char", "bool", "(u8, i16)", "Place", "Kind"];

/// Makes names that are used once: what is flattened into another type must not collide there.
pub(crate) fn name(model: &Model, dice: &mut Dice) -> String {
    format!("{}_{}", dice.pick(&NAMES), dice.below(1_000_000) * 10 + model.defs.len() % 10)
}

pub(crate) fn generate(dice: &mut Dice) -> Model {
    let mut model = Model::default();
    let count = 1 + dice.below(2);
    for id in 0..count {
        let body = match dice.below(10) {
            0 => Body::New(ty(id, 2, dice)),
            1..5 => Body::Enum(variants(&model, id, dice)),
            _ => Body::Struct(fields(&model, id, 1 + dice.below(4), dice)),
        };
        let attributes = attributes(&body, dice);
        model.defs.push(Def { name: format!("Part{id}"), body, attributes, conversion: None });
    }
    let mut all = fields(&model, count, 2 + dice.below(4), dice);
    // All types are there, once at least.
    all.extend((0..count).map(|id| Field::new(&name(&model, dice), around(Ty::Def(id), dice))));
    for field in &mut all {
        let is_struct = |id: usize| matches!(model.defs[id].body, Body::Struct(_));
        match &field.ty {
            Ty::Def(id) if is_struct(*id) && dice.chance(25) => field.flag = Some("flatten"),
            Ty::Of("Option", _) if dice.chance(40) => {
                field.flag = Some("skip_serializing_if = \"Option::is_none\"");
                field.default = Some("default");
            }
            _ => {}
        }
    }
    let attributes = if dice.chance(25) { vec!["rename_all = \"camelCase\"".to_owned()] } else { Vec::new() };
    model.defs.push(Def { name: "World".to_owned(), body: Body::Struct(once(all)), attributes, conversion: None });
    model.version = dice.chance(30).then(|| 1 + dice.below(3) as u32);
    model
}

/// Of one type, no more than one field is flattened.
fn once(mut fields: Vec<Field>) -> Vec<Field> {
    let mut seen = Vec::new();
    for field in &mut fields {
        if field.flag == Some("flatten") {
            if seen.contains(&field.ty) {
                field.flag = None;
            }
            seen.push(field.ty.clone());
        }
    }
    fields
}

fn attributes(body: &Body, dice: &mut Dice) -> Vec<String> {
    let text = match body {
        Body::Struct(_) if dice.chance(20) => "rename_all = \"camelCase\"",
        Body::Enum(variants) => {
            let named = |variant: &Variant| !matches!(variant.holds, Holds::Values(_));
            match dice.below(10) {
                0 | 1 => "tag = \"tag\", content = \"content\"",
                2 | 3 if variants.iter().all(named) => "tag = \"tag\"",
                _ => return Vec::new(),
            }
        }
        _ => return Vec::new(),
    };
    vec![text.to_owned()]
}

fn fields(model: &Model, below: usize, count: usize, dice: &mut Dice) -> Vec<Field> {
    (0..count).map(|_| Field::new(&name(model, dice), ty(below, 3, dice))).collect()
}

fn variants(model: &Model, below: usize, dice: &mut Dice) -> Vec<Variant> {
    let count = 2 + dice.below(4);
    let mut variants: Vec<Variant> = Vec::new();
    for (at, name) in VARIANTS.iter().take(count).enumerate() {
        let holds = match dice.below(4) {
            _ if at == 0 => Holds::Nothing,
            0 => Holds::Nothing,
            1 => Holds::Values(vec![ty(below, 2, dice)]),
            2 => Holds::Values(vec![ty(below, 2, dice), ty(below, 1, dice)]),
            _ => Holds::Fields(fields(model, below, 1 + dice.below(2), dice)),
        };
        variants.push(Variant { name: (*name).to_owned(), rename: None, alias: Vec::new(), holds });
    }
    variants
}

/// Any type over the definitions below `below`.
pub(crate) fn ty(below: usize, depth: usize, dice: &mut Dice) -> Ty {
    let Some(depth) = depth.checked_sub(1) else { return Ty::Leaf(dice.pick(&LEAVES)) };
    match dice.below(20) {
        0..6 => Ty::Leaf(dice.pick(&LEAVES)),
        6..9 if below > 0 => Ty::Def(dice.below(below)),
        9..15 => Ty::Of(dice.pick(&["Option", "Vec", "Vec", "VecDeque", "Box"]), Box::new(ty(below, depth, dice))),
        15..18 => Ty::Map(dice.pick(&["BTreeMap", "HashMap"]), dice.pick(&KEYS), Box::new(ty(below, depth, dice))),
        18 => Ty::Pair(Box::new(ty(below, depth, dice)), Box::new(ty(below, 0, dice))),
        19 => Ty::Three(Box::new(ty(below, depth, dice))),
        _ => Ty::Leaf(dice.pick(&LEAVES)),
    }
}

fn around(ty: Ty, dice: &mut Dice) -> Ty {
    match dice.below(5) {
        0 => Ty::Of("Vec", Box::new(ty)),
        1 => Ty::Of("Option", Box::new(ty)),
        2 => Ty::Map("HashMap", dice.pick(&KEYS), Box::new(ty)),
        _ => ty,
    }
}
