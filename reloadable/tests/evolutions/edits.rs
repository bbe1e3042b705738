//! Edits of carried types as people make them, each of one thing; some cannot be migrated, and serde says so.

use crate::dice::Dice;
use crate::generate::{LEAVES, name, ty};
use crate::model::{Body, Conversion, Def, Field, Holds, Model, Ty, Variant};

/// Gives `None` where there is nothing to edit in this way.
type Edit = fn(&mut Model, &mut Dice) -> Option<()>;

pub(crate) const EDITS: [(&str, Edit); 34] = [
    ("a field with a default", |model, dice| added(model, dice, |field, _| field.default = Some("default"))),
    ("a field with a default of a function", |model, dice| {
        added(model, dice, |field, dice| {
            field.ty = Ty::Leaf(dice.pick(&LEAVES[..4]));
            field.default = Some("default = \"crate::retyped::seven\"");
        })
    }),
    ("an optional field", |model, dice| {
        added(model, dice, |field, _| field.ty = Ty::Of("Option", Box::new(field.ty.clone())))
    }),
    ("a field without a default", |model, dice| added(model, dice, |_, _| {})),
    ("a default for the whole type", |model, dice| {
        let def = a_struct(model, dice)?;
        attribute(def, "default")?;
        let ty = Ty::Leaf(dice.pick(&LEAVES));
        def.fields()?.push(Field::new(&format!("fresh_{}", dice.below(1000)), ty));
        Some(())
    }),
    ("a field less", |model, dice| {
        let fields = a_struct(model, dice)?.fields()?;
        fields.remove(dice.below(fields.len()));
        Some(())
    }),
    ("a field less, and no unknown ones", |model, dice| {
        if model.defs.iter_mut().any(|def| def.fields().is_some_and(|fields| fields.iter().any(is_flat))) {
            return None;
        }
        let def = a_struct(model, dice)?;
        attribute(def, "deny_unknown_fields")?;
        let fields = def.fields()?;
        fields.remove(dice.below(fields.len()));
        Some(())
    }),
    ("another name with an alias", |model, dice| {
        let (saved, field) = a_field(model, dice)?;
        renamed(field, dice);
        field.rename = None;
        field.alias.push(saved);
        Some(())
    }),
    ("another name with the old one for serde", |model, dice| {
        let (saved, field) = a_field(model, dice)?;
        renamed(field, dice);
        field.rename = Some(saved);
        Some(())
    }),
    ("another name", |model, dice| {
        let (_, field) = a_field(model, dice)?;
        field.rename = None;
        renamed(field, dice);
        Some(())
    }),
    ("another name with a default", |model, dice| {
        let (_, field) = a_field(model, dice)?;
        field.rename = None;
        field.default = Some("default");
        renamed(field, dice);
        Some(())
    }),
    ("another order", |model, dice| {
        let fields = a_struct(model, dice)?.fields()?;
        shuffle(fields, dice);
        Some(())
    }),
    ("other names for all fields", |model, dice| {
        let def = a_struct(model, dice)?;
        let saved: Vec<String> = def.fields()?.clone().iter().map(|field| def.saved_name(field)).collect();
        attribute(def, "rename_all = \"SCREAMING_SNAKE_CASE\"")?;
        for (field, saved) in def.fields()?.iter_mut().zip(saved) {
            // As people do it: an alias here, a default there.
            match dice.below(5) {
                0 => field.default = Some("default"),
                _ => field.alias.push(saved),
            }
        }
        Some(())
    }),
    ("fields moved into a flattened type", |model, dice| moved(model, dice, Some("flatten"))),
    ("fields moved into another type", |model, dice| moved(model, dice, None)),
    ("a type's fields moved up", |model, _| {
        let defs = model.defs.clone();
        let fields = model.defs.last_mut()?.fields()?;
        let is_struct = |ty: &Ty| matches!(ty, Ty::Def(id) if matches!(defs[*id].body, Body::Struct(_)));
        let at = fields.iter().position(|field| is_struct(&field.ty))?;
        let field = fields.remove(at);
        let Ty::Def(id) = field.ty else { return None };
        if fields.iter().any(|other| other.flag == Some("flatten")) {
            return None;
        }
        let from = defs[id].clone();
        let Body::Struct(list) = &from.body else { return None };
        fields.extend(list.iter().map(|inner| Field {
            rename: Some(from.saved_name(inner)),
            default: inner.default.or(Some("default")),
            ..inner.clone()
        }));
        Some(())
    }),
    ("a field that is not carried", |model, dice| {
        let (_, field) = a_field(model, dice)?;
        (field.flag, field.with, field.default) = (Some("skip"), None, None);
        Some(())
    }),
    ("another type by a function", |model, dice| {
        let (_, field) = a_field(model, dice)?;
        let (ty, with) = by_function(&field.ty, dice)?;
        (field.ty, field.with, field.flag) = (ty, Some(with), None);
        Some(())
    }),
    ("another type by a function, with a default", |model, dice| {
        let (_, field) = a_field(model, dice)?;
        let (ty, with) = by_function(&field.ty, dice)?;
        (field.ty, field.with, field.flag, field.default) = (ty, Some(with), None, Some("default"));
        Some(())
    }),
    ("a wider type", |model, dice| retyped(model, dice, wider)),
    ("a narrower type", |model, dice| retyped(model, dice, narrower)),
    ("an unrelated type", |model, dice| {
        let other = ty(0, 2, dice);
        let (_, field) = a_field(model, dice)?;
        // Text and numbers are keys alike in JSON only.
        if matches!(field.ty, Ty::Map(..)) && matches!(other, Ty::Map(..)) {
            return None;
        }
        (field.ty, field.flag, field.with) = (other, None, None);
        Some(())
    }),
    ("a type around one value", |model, dice| {
        let id = model.defs.len() - 1;
        let (_, field) = a_field(model, dice).filter(|(_, field)| field.flag.is_none())?;
        let inner = std::mem::replace(&mut field.ty, Ty::Def(id));
        if field.with.is_some() {
            return None;
        }
        let name = format!("Around{id}");
        insert(model, Def { name, body: Body::New(inner), attributes: Vec::new(), conversion: None });
        Some(())
    }),
    ("a type that is made of what it was", |model, dice| {
        let is_last = |id: usize, model: &Model| id + 1 == model.defs.len();
        let ids: Vec<usize> = (0..model.defs.len()).filter(|id| !is_last(*id, model)).collect();
        let flat: Vec<usize> = flattened(model);
        let able: Vec<usize> =
            ids.into_iter().filter(|id| convertible(&model.defs[*id]) && !flat.contains(id)).collect();
        let id = if able.is_empty() { None } else { Some(dice.pick(&able)) }?;
        convert(model, id, dice)
    }),
    ("a newer version", |model, dice| {
        model.knows = Some(model.version.unwrap_or(0));
        model.version = Some(model.version.unwrap_or(0) + 1 + dice.below(5) as u32);
        convert(model, model.defs.len() - 1, dice)
    }),
    ("an older version", |model, dice| {
        let version = model.version.filter(|version| *version > 0)?;
        model.knows = Some(version);
        model.version = Some(version - 1);
        convert(model, model.defs.len() - 1, dice)
    }),
    ("the same version, edited", |model, dice| {
        model.version?;
        added(model, dice, |field, _| field.default = Some("default"))
    }),
    ("a variant more", |model, dice| {
        let leaf = ty(0, 2, dice);
        let holds = dice.one(&[Holds::Nothing, Holds::Fields(vec![Field::new("fresh", leaf)])]).clone();
        let variants = an_enum(model, dice)?.variants()?;
        let variant = Variant { name: "Fresh".to_owned(), rename: None, alias: Vec::new(), holds };
        variants.insert(dice.below(variants.len() + 1), variant);
        Some(())
    }),
    ("a variant less", |model, dice| {
        let variants = an_enum(model, dice)?.variants()?;
        // The first is what is there by default.
        let at = 1 + dice.below(variants.len() - 1);
        variants.remove(at);
        Some(())
    }),
    ("a variant's other name, with an alias", |model, dice| {
        let variant = a_variant(model, dice)?;
        variant.alias.push(variant.name.clone());
        variant.name = format!("Renamed{}", dice.below(1000));
        Some(())
    }),
    ("a variant's other name", |model, dice| {
        a_variant(model, dice)?.name = format!("Renamed{}", dice.below(1000));
        Some(())
    }),
    ("another order of variants", |model, dice| {
        shuffle(an_enum(model, dice)?.variants()?, dice);
        Some(())
    }),
    ("a field more in a variant", |model, dice| {
        let holds = &mut a_variant(model, dice)?.holds;
        let mut field = Field::new(&format!("fresh_{}", dice.below(1000)), ty(0, 2, dice));
        field.default = Some("default");
        match holds {
            Holds::Fields(fields) => fields.push(field),
            _ => return None,
        }
        Some(())
    }),
    ("a variant that holds something else", |model, dice| {
        let def = an_enum(model, dice)?;
        let is_plain = def.attributes.is_empty();
        let variants = def.variants()?;
        let at = 1 + dice.below(variants.len() - 1);
        variants[at].holds = match &variants[at].holds {
            Holds::Nothing if is_plain => Holds::Values(vec![ty(0, 1, dice)]),
            Holds::Values(types) => Holds::Fields(vec![Field::new("held", types[0].clone())]),
            _ => Holds::Nothing,
        };
        Some(())
    }),
];

fn is_flat(field: &Field) -> bool {
    field.flag == Some("flatten")
}

/// Definitions that are flattened into others.
fn flattened(model: &Model) -> Vec<usize> {
    let fields = model.defs.iter().filter_map(|def| match &def.body {
        Body::Struct(fields) => Some(fields),
        _ => None,
    });
    let flat = fields.flatten().filter(|field| is_flat(field));
    flat.filter_map(|field| if let Ty::Def(id) = field.ty { Some(id) } else { None }).collect()
}

/// The world, half of the time, or another struct with fields.
fn a_struct<'m>(model: &'m mut Model, dice: &mut Dice) -> Option<&'m mut Def> {
    let last = model.defs.len() - 1;
    let ids: Vec<usize> = (0..=last).filter(|id| convertible(&model.defs[*id])).collect();
    let id = if dice.chance(50) { last } else { *ids.get(dice.below(ids.len()))? };
    Some(&mut model.defs[id]).filter(|def| convertible(def))
}

/// A struct whose fields are not spoken of in code.
fn convertible(def: &Def) -> bool {
    def.conversion.is_none() && matches!(&def.body, Body::Struct(fields) if !fields.is_empty())
}

fn an_enum<'m>(model: &'m mut Model, dice: &mut Dice) -> Option<&'m mut Def> {
    let enums = model.defs.iter_mut().filter(|def| matches!(&def.body, Body::Enum(variants) if variants.len() > 1));
    let mut enums: Vec<&mut Def> = enums.collect();
    let at = dice.below(enums.len());
    if enums.is_empty() { None } else { Some(enums.swap_remove(at)) }
}

/// One that is not there by default.
fn a_variant<'m>(model: &'m mut Model, dice: &mut Dice) -> Option<&'m mut Variant> {
    let variants = an_enum(model, dice)?.variants()?;
    let at = 1 + dice.below(variants.len() - 1);
    variants.get_mut(at)
}

/// A field, and its name in the saved form.
fn a_field<'m>(model: &'m mut Model, dice: &mut Dice) -> Option<(String, &'m mut Field)> {
    let def = a_struct(model, dice)?;
    let at = dice.below(def.fields()?.len());
    let saved = def.fields()?.get(at).cloned().map(|field| def.saved_name(&field))?;
    // What is flattened or left out has no name there.
    let field = def.fields()?.get_mut(at).filter(|field| !matches!(field.flag, Some("flatten" | "skip")))?;
    Some((saved, field))
}

fn attribute(def: &mut Def, text: &str) -> Option<()> {
    let key = text.split(' ').next()?;
    if def.has(key) || def.conversion.is_some() {
        return None;
    }
    def.attributes.push(text.to_owned());
    Some(())
}

fn renamed(field: &mut Field, dice: &mut Dice) {
    field.name = format!("renamed_{}", dice.below(1_000_000));
}

fn added(model: &mut Model, dice: &mut Dice, change: fn(&mut Field, &mut Dice)) -> Option<()> {
    let mut field = Field::new(&name(model, dice), ty(0, 3, dice));
    change(&mut field, dice);
    let fields = a_struct(model, dice)?.fields()?;
    fields.insert(dice.below(fields.len() + 1), field);
    Some(())
}

fn moved(model: &mut Model, dice: &mut Dice, flag: Option<&'static str>) -> Option<()> {
    let world = model.defs.last_mut()?;
    if world.has("rename_all") || world.has("deny") || world.conversion.is_some() {
        return None;
    }
    let fields = world.fields()?;
    if fields.len() < 3 || fields.iter().any(is_flat) {
        return None;
    }
    let at = dice.below(fields.len() - 1);
    let part: Vec<Field> = fields.drain(at..at + 2).collect();
    let id = model.defs.len() - 1;
    let mut field = Field::new(&name(model, dice), Ty::Def(id));
    field.flag = flag;
    field.default = flag.is_none().then_some("default");
    model.defs.last_mut()?.fields()?.push(field);
    let def = Def { name: format!("Moved{id}"), body: Body::Struct(part), attributes: Vec::new(), conversion: None };
    insert(model, def);
    Some(())
}

/// Before the world, where nothing but it can refer to the definition.
fn insert(model: &mut Model, def: Def) {
    model.defs.insert(model.defs.len() - 1, def);
}

fn shuffle<T>(list: &mut [T], dice: &mut Dice) {
    for at in (1..list.len()).rev() {
        list.swap(at, dice.below(at + 1));
    }
}

fn retyped(model: &mut Model, dice: &mut Dice, to: fn(&Ty, &mut Dice) -> Option<Ty>) -> Option<()> {
    let (_, field) = a_field(model, dice)?;
    if field.with.is_some() {
        return None;
    }
    (field.ty, field.flag) = (to(&field.ty, dice)?, None);
    Some(())
}

fn wider(from: &Ty, dice: &mut Dice) -> Option<Ty> {
    let to = match from {
        Ty::Leaf("u8") => Ty::Leaf(dice.pick(&["u16", "i32", "u64", "F32"])),
        Ty::Leaf("u16" | "i8" | "i16") => Ty::Leaf(dice.pick(&["i32", "i64", "F64"])),
        Ty::Leaf("u32" | "i32") => Ty::Leaf(dice.pick(&["i64", "F64"])),
        Ty::Leaf("F32") => Ty::Leaf("F64"),
        Ty::Leaf("char" | "Kind") => Ty::Leaf("String"),
        Ty::Of("Vec", of) => Ty::Of("VecDeque", of.clone()),
        Ty::Of("VecDeque", of) => Ty::Of("Vec", Box::new(Ty::Of("Option", of.clone()))),
        Ty::Map("HashMap", key, of) => Ty::Map("BTreeMap", key, of.clone()),
        Ty::Map(_, key, of) => Ty::Map("HashMap", key, Box::new(Ty::Of("Option", of.clone()))),
        Ty::Three(of) => Ty::Of("Vec", of.clone()),
        other => Ty::Of(dice.pick(&["Option", "Box"]), Box::new(other.clone())),
    };
    Some(to)
}

fn narrower(from: &Ty, dice: &mut Dice) -> Option<Ty> {
    let to = match from {
        Ty::Leaf("u16" | "u32" | "u64") => Ty::Leaf(dice.pick(&["u8", "i16"])),
        Ty::Leaf("i8" | "i16" | "i32" | "i64") => Ty::Leaf(dice.pick(&["u8", "u32", "i8"])),
        Ty::Leaf("F64") => Ty::Leaf("F32"),
        Ty::Leaf("F32") => Ty::Leaf("i32"),
        Ty::Leaf("String") => Ty::Leaf("char"),
        Ty::Of("Option" | "Box", of) => (**of).clone(),
        Ty::Of(_, of) => Ty::Three(of.clone()),
        Ty::Map(kind, "i64", of) => Ty::Map(kind, "u32", of.clone()),
        _ => return None,
    };
    Some(to)
}

/// A type that a function of one's own makes of another, and the function.
fn by_function(from: &Ty, dice: &mut Dice) -> Option<(Ty, &'static str)> {
    let found = match from {
        Ty::Leaf("u8" | "u16" | "u32") => (Ty::Leaf("Place"), "place_of_number"),
        Ty::Leaf("u64") => (Ty::Leaf("String"), "text_of_number"),
        Ty::Leaf("i8" | "i16" | "i32" | "i64") => (Ty::Leaf("F64"), "half"),
        Ty::Leaf("F32" | "F64") => (Ty::Leaf("u64"), "bits"),
        Ty::Leaf("String") => (Ty::Leaf("u32"), "length"),
        Ty::Leaf("bool") => (Ty::Leaf("u8"), "number_of_bool"),
        Ty::Of("Option", of) => (Ty::Of("Vec", of.clone()), "list_of_option"),
        Ty::Of("Vec" | "VecDeque", of) if dice.chance(50) => (Ty::Of("Option", of.clone()), "first"),
        Ty::Map("BTreeMap", key, of) => {
            let pair = Ty::Pair(Box::new(Ty::Leaf(key)), of.clone());
            (Ty::Of("Vec", Box::new(pair)), "pairs")
        }
        other => (Ty::Of("Vec", Box::new(other.clone())), "one"),
    };
    Some(found)
}

/// Gives a struct other fields, and code that makes them of what they were.
fn convert(model: &mut Model, id: usize, dice: &mut Dice) -> Option<()> {
    if !convertible(&model.defs[id]) {
        return None;
    }
    let def = &mut model.defs[id];
    let former = Def { name: format!("Former{}", def.name), ..def.clone() };
    let (mut fields, mut made) = (Vec::new(), Vec::new());
    for mut field in std::mem::take(def.fields()?) {
        let old = format!("old.{}", field.name);
        let expression = match (dice.below(6), &field.ty) {
            (0, _) => continue,
            (1, Ty::Leaf("u8" | "u32" | "i64")) => {
                field.ty = Ty::Leaf("String");
                format!("{old}.to_string()")
            }
            (1, Ty::Leaf("F32")) => {
                field.ty = Ty::Leaf("F64");
                format!("F64({old}.0.into())")
            }
            (1 | 2, ty) if field.flag.is_none() && field.with.is_none() => {
                field.ty = Ty::Of("Vec", Box::new(ty.clone()));
                format!("vec![{old}]")
            }
            (3, _) => {
                renamed(&mut field, dice);
                old
            }
            _ => old,
        };
        if !matches!(field.ty, Ty::Of("Option", _) | Ty::Def(_)) {
            field.flag = None;
        }
        made.push((field.name.clone(), expression));
        fields.push(field);
    }
    let fresh = Field::new(&format!("fresh_{}", dice.below(1000)), Ty::Leaf(dice.pick(&LEAVES)));
    made.push((fresh.name.clone(), "Default::default()".to_owned()));
    fields.push(fresh);
    def.body = Body::Struct(fields);
    def.conversion = Some(Box::new(Conversion { former, fields: made }));
    Some(())
}
