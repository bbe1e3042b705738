//! Edits as people make them, each of one thing. What they mean for the layout is not said here: see `truth`.

use crate::dice::Dice;
use crate::generate::{NUMBERS, SINGLE, crossing, leaf, number, use_of};
use crate::model::{Body, Crate, Field, Fields, Function, Head, Ty, Variant};

/// Gives `None` where there is nothing to edit in this way.
type Edit = fn(&mut Crate, &mut Dice) -> Option<()>;

/// Edits that mostly leave the layout alone.
pub(crate) const QUIET: [(&str, Edit); 31] = [
    ("another body", |made, dice| {
        let text = format!("    let mut sum = {};\n    for n in 0..3_u64 {{ sum += n; }}\n", dice.below(100));
        a_function(made, dice)?.body.insert_str(0, &text);
        Some(())
    }),
    ("a private helper", |made, dice| {
        let ty = crossing(made, made.defs.len() - 5, dice, 2);
        made.extra.push(format!("fn helper(with: &{}) -> usize {{ size_of_val(with) }}", made.text(&ty)));
        let world = made.functions.iter_mut().find(|function| function.result.is_none())?;
        world.body.push_str("    let _ = helper as usize;\n");
        Some(())
    }),
    ("a comment", |made, dice| {
        let text = format!("/// Seen {} times.\n// TODO\n", dice.below(100));
        a_def(made, dice)?.before.insert_str(0, &text);
        Some(())
    }),
    ("a new type that nothing uses", |made, _| {
        made.extra.push("pub struct Fresh { a: u8, b: Vec<Fresh> }\npub enum Newer { A, B(Fresh) }".to_owned());
        Some(())
    }),
    ("a field more in a type that does not cross", |made, dice| {
        let def = made.defs.iter_mut().filter(|def| def.private).nth(dice.below(4))?;
        add_field(def.all_fields().pop()?, Ty::plain("u64"), dice)
    }),
    ("another order of items", |made, dice| {
        made.order = Some(dice.next());
        Some(())
    }),
    ("a method", |made, dice| inherent(made, dice, "pub fn added(&self) -> usize { size_of_val(self) }")),
    ("an associated constant", |made, dice| inherent(made, dice, "pub const ADDED: usize = 5;")),
    ("a trait for a type", |made, dice| {
        let def = a_closed(made, dice)?;
        let text = format!("impl Extra for {} {{}}\n", def.name);
        def.after.push_str(&text);
        made.extra.push("pub trait Extra { fn extra(&self) -> u8 { 1 } }".to_owned());
        Some(())
    }),
    ("a Debug for a type", |made, dice| {
        let def = a_closed(made, dice)?;
        let text = format!(
            "impl std::fmt::Debug for {} {{ fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ \
             f.write_str(\"it\") }} }}\n",
            def.name
        );
        def.after.push_str(&text);
        Some(())
    }),
    ("a Drop for a type", |made, dice| {
        let def = a_closed(made, dice)?;
        let text = format!("impl Drop for {} {{ fn drop(&mut self) {{ std::hint::black_box(1); }} }}\n", def.name);
        def.after.push_str(&text);
        Some(())
    }),
    ("derives", |made, dice| {
        let defs = made.defs.iter_mut().filter(|def| matches!(&def.body, Body::Enum(variants) if is_plain(variants)));
        let mut defs: Vec<_> = defs.filter(|def| def.before.is_empty()).collect();
        let at = dice.below(defs.len());
        defs.get_mut(at)?.before.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n");
        Some(())
    }),
    ("a parameter's other name", |made, dice| {
        let function = a_function(made, dice)?;
        function.parameters.last_mut()?.0 = "anything".to_owned();
        Some(())
    }),
    ("a field's other name", |made, dice| {
        let fields = some_fields(made, dice, |fields| fields.named)?;
        let at = dice.below(fields.list.len());
        fields.list.get_mut(at)?.name = "renamed".to_owned();
        Some(())
    }),
    ("a variant's other name", |made, dice| {
        let variants = some_variants(made, dice, |_| true)?;
        let at = dice.below(variants.len());
        variants.get_mut(at)?.name = "Renamed".to_owned();
        Some(())
    }),
    ("a lifetime's name", |made, dice| {
        let refers = |function: &&mut Function| matches!(function.parameters.first(), Some((_, ty)) if matches!(ty.head, Head::Pointer(_)));
        let mut functions: Vec<_> = made.functions.iter_mut().filter(refers).collect();
        let at = dice.below(functions.len());
        functions.get_mut(at)?.lifetime = Some("'long");
        Some(())
    }),
    ("a field's visibility", |made, dice| {
        let mut structs: Vec<&mut Fields> = made.defs.iter_mut().filter_map(plain_struct).collect();
        let at = dice.below(structs.len());
        structs.get_mut(at)?.list.first_mut()?.visibility = "pub(crate) ";
        Some(())
    }),
    ("an alias for a field's type", |made, dice| {
        let (text, id, at) = aliasable(made, dice)?;
        made.extra.push(format!("pub type Short = {text};"));
        set_alias(made, id, at, "Short".to_owned())
    }),
    ("a generic alias", |made, dice| {
        let (text, id, at) = aliasable(made, dice)?;
        made.extra.push("pub type Just<T> = T;".to_owned());
        set_alias(made, id, at, format!("Just<{text}>"))
    }),
    ("an associated type for a field's type", |made, dice| {
        let (text, id, at) = aliasable(made, dice)?;
        made.extra.push(format!("pub trait Has {{ type It; }}\nimpl Has for u8 {{ type It = {text}; }}"));
        set_alias(made, id, at, "<u8 as Has>::It".to_owned())
    }),
    ("a closure", |made, dice| {
        a_function(made, dice)?.body.insert_str(
            0,
            "    let boxed: Box<dyn Fn(u8) -> u8> = Box::new(move |n| n.wrapping_add(1));\n    std::hint::black_box(boxed(1));\n",
        );
        Some(())
    }),
    ("a type inside a function", |made, dice| {
        a_function(made, dice)?.body.insert_str(
            0,
            "    struct Local { a: u8, b: Vec<u64> }\n    std::hint::black_box(Local { a: 1, b: vec![] });\n",
        );
        Some(())
    }),
    ("another module", |made, dice| {
        let def = a_def(made, dice)?;
        def.inner = !def.inner;
        Some(())
    }),
    ("a type's other name", |made, dice| {
        let named: Vec<usize> = made
            .functions
            .iter()
            .flat_map(|function| {
                let mut ids = Vec::new();
                let mut types: Vec<Ty> =
                    function.parameters.iter().map(|(_, ty)| ty.clone()).chain(function.result.clone()).collect();
                types.iter_mut().for_each(|ty| {
                    ty.each(&mut |ty| {
                        if let Head::Def(id, _) = ty.head {
                            ids.push(id)
                        }
                    })
                });
                ids
            })
            .collect();
        let free: Vec<usize> = (0..made.defs.len()).filter(|id| !named.contains(id)).collect();
        if free.is_empty() {
            return None;
        }
        let id = dice.pick(&free);
        let def = &mut made.defs[id];
        if !def.after.is_empty() || made.keyed == Some(id) {
            return None;
        }
        def.name = "Renamed".to_owned();
        Some(())
    }),
    ("a new reloadable function", |made, dice| {
        let ty = use_of(made, dice.below(10), dice, true);
        let function = Function {
            name: "brand_new".to_owned(),
            public: true,
            is_async: false,
            lifetime: None,
            parameters: vec![("with".to_owned(), ty)],
            result: None,
            body: String::new(),
        };
        made.functions.push(function);
        Some(())
    }),
    ("another signature of a private function", |made, dice| {
        let function = made.functions.iter_mut().rfind(|function| !function.public)?;
        function.parameters.push(("more".to_owned(), leaf(dice)));
        Some(())
    }),
    ("a private function less", |made, _| {
        let at = made.functions.iter().rposition(|function| !function.public)?;
        made.functions.remove(at);
        Some(())
    }),
    ("a static", |made, _| {
        made.extra
            .push("pub static SEEN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);".to_owned());
        Some(())
    }),
    ("a field without bytes", |made, dice| {
        let ty = Ty::std("std::marker::PhantomData", vec![leaf(dice)]);
        let fields = some_fields(made, dice, |fields| fields.named)?;
        fields.list.push(field("marker", ty));
        Some(())
    }),
    ("values written out", |made, dice| {
        let variants = some_variants(made, dice, is_plain)?;
        let mut next = 0;
        for variant in variants {
            next = *variant.value.get_or_insert(next) + 1;
        }
        Some(())
    }),
    ("another order of variants with values", |made, dice| {
        let valued = |variants: &[Variant]| variants.iter().all(|variant| variant.value.is_some());
        some_variants(made, dice, valued)?.reverse();
        Some(())
    }),
];

/// Edits that mostly change the layout.
pub(crate) const LOUD: [(&str, Edit); 35] = [
    ("a field more in what is kept by type", |made, dice| {
        let id = made.keyed?;
        add_field(made.defs[id].all_fields().pop()?, Ty::plain("u64"), dice)
    }),
    ("a field more", |made, dice| {
        let ty = leaf(dice);
        add_field(some_fields(made, dice, |_| true)?, ty, dice)
    }),
    ("a large field more", |made, dice| {
        let ty = crossing(made, 5, dice, 3);
        add_field(some_fields(made, dice, |fields| fields.named)?, ty, dice)
    }),
    ("a field less", |made, dice| {
        let fields = some_fields(made, dice, |fields| fields.list.len() > 1)?;
        fields.list.remove(dice.below(fields.list.len()));
        fields.number();
        Some(())
    }),
    ("another order of fields", |made, dice| {
        let fields = some_fields(made, dice, |fields| fields.list.len() > 1)?;
        fields.list.reverse();
        fields.number();
        Some(())
    }),
    ("two fields' types exchanged", |made, dice| {
        let fields = some_fields(made, dice, |fields| fields.list.len() > 1)?;
        let at = dice.below(fields.list.len() - 1);
        let (first, rest) = fields.list.split_at_mut(at + 1);
        std::mem::swap(&mut first[at].ty, &mut rest[0].ty);
        Some(())
    }),
    ("two fields' names exchanged", |made, dice| {
        let fields = some_fields(made, dice, |fields| fields.named && fields.list.len() > 1)?;
        let at = dice.below(fields.list.len() - 1);
        let (first, rest) = fields.list.split_at_mut(at + 1);
        std::mem::swap(&mut first[at].name, &mut rest[0].name);
        Some(())
    }),
    ("another type of the same size", |made, dice| {
        retype(made, dice, &|ty, _| match &ty.head {
            Head::Plain(text) => {
                let other = match text.as_str() {
                    "u8" => "i8",
                    "i8" => "bool",
                    "bool" => "u8",
                    "u16" => "i16",
                    "u32" => "f32",
                    "i32" => "u32",
                    "f32" => "char",
                    "char" => "u32",
                    "u64" => "usize",
                    "usize" => "f64",
                    "i64" => "u64",
                    "f64" => "i64",
                    "u128" => "i128",
                    "i128" => "u128",
                    "String" => "std::path::PathBuf",
                    "std::path::PathBuf" => "Vec<u8>",
                    "&'static str" => "&'static [u8]",
                    "std::num::NonZero<u32>" => "std::num::NonZero<i32>",
                    "std::time::Duration" => "std::time::Instant",
                    _ => return None,
                };
                Some(Ty::plain(other))
            }
            _ => None,
        })
    }),
    ("another width", |made, dice| {
        retype(made, dice, &|ty, dice| match &ty.head {
            Head::Plain(text) if NUMBERS.contains(&text.as_str()) => Some(number(dice)),
            _ => None,
        })
    }),
    ("another type altogether", |made, dice| {
        let to = crossing(made, 8, dice, 2);
        retype(made, dice, &|_, _| Some(to.clone()))
    }),
    ("another type of the crate", |made, dice| {
        let to = use_of(made, dice.below(10), dice, true);
        retype(made, dice, &|ty, _| matches!(ty.head, Head::Def(..)).then(|| to.clone()))
    }),
    ("an option of it", |made, dice| retype(made, dice, &|ty, _| Some(Ty::std("Option", vec![ty.clone()])))),
    ("a box of it", |made, dice| retype(made, dice, &|ty, _| Some(ty.clone().boxed()))),
    ("another wrapper", |made, dice| {
        retype(made, dice, &|ty, dice| match ty.head {
            Head::Std(path) if SINGLE.contains(&path) => Some(Ty::new(Head::Std(dice.pick(&SINGLE)), ty.args.clone())),
            _ => None,
        })
    }),
    ("another collection", |made, dice| {
        retype(made, dice, &|ty, _| {
            let to = match ty.head {
                Head::Std("Vec") => "std::collections::VecDeque",
                Head::Std("std::collections::VecDeque") => "Vec",
                Head::Std("std::collections::HashMap") => "std::collections::BTreeMap",
                Head::Std("std::collections::BTreeMap") => "std::collections::HashMap",
                _ => return None,
            };
            Some(Ty::new(Head::Std(to), ty.args.clone()))
        })
    }),
    ("an Rc in the place of a Box", |made, dice| {
        retype(made, dice, &|ty, _| match ty.head {
            Head::Std("Box") => Some(Ty::new(Head::Std("std::rc::Rc"), ty.args.clone())),
            Head::Std("std::rc::Rc") => Some(Ty::new(Head::Std("std::sync::Arc"), ty.args.clone())),
            _ => None,
        })
    }),
    ("another argument", |made, dice| {
        retype(made, dice, &|ty, dice| match ty.head {
            Head::Std(_) | Head::Def(..) if !ty.args.is_empty() => {
                let mut ty = ty.clone();
                *ty.args.last_mut()? = number(dice);
                Some(ty)
            }
            _ => None,
        })
    }),
    ("another length", |made, dice| {
        retype(made, dice, &|ty, dice| match ty.head {
            Head::Array(length) => Some(Ty::new(Head::Array(length + 1 + dice.below(3) as u64), ty.args.clone())),
            _ => None,
        })
    }),
    ("another constant argument", |made, dice| {
        retype(made, dice, &|ty, _| match ty.head {
            Head::Def(id, Some(length)) => Some(Ty::new(Head::Def(id, Some(length + 2)), ty.args.clone())),
            _ => None,
        })
    }),
    ("another function pointer", |made, dice| {
        retype(made, dice, &|ty, dice| match ty.head {
            Head::Function | Head::Closure => {
                let mut ty = ty.clone();
                match dice.below(3) {
                    0 => ty.args.insert(0, number(dice)),
                    1 => *ty.args.first_mut()? = number(dice),
                    _ => *ty.args.last_mut()? = number(dice),
                }
                Some(ty)
            }
            _ => None,
        })
    }),
    ("another tuple", |made, dice| {
        retype(made, dice, &|ty, dice| match ty.head {
            Head::Tuple => {
                let mut ty = ty.clone();
                match dice.below(3) {
                    0 => ty.args.push(number(dice)),
                    1 => ty.args.reverse(),
                    _ => drop(ty.args.pop()),
                }
                Some(ty)
            }
            _ => None,
        })
    }),
    ("a variant more", |made, dice| {
        let ty = leaf(dice);
        let variants = some_variants(made, dice, |_| true)?;
        let fields = if is_plain(variants) || dice.chance(50) {
            Fields::unit()
        } else {
            Fields::of(false, vec![(String::new(), ty)])
        };
        let at = dice.below(variants.len() + 1);
        variants.insert(at, Variant { name: "Added".to_owned(), value: None, fields });
        Some(())
    }),
    ("a variant less", |made, dice| {
        let variants = some_variants(made, dice, |variants| variants.len() > 1)?;
        variants.remove(dice.below(variants.len()));
        Some(())
    }),
    ("another order of variants", |made, dice| {
        some_variants(made, dice, |variants| variants.len() > 1)?.reverse();
        Some(())
    }),
    ("other fields of a variant", |made, dice| {
        let ty = crossing(made, 4, dice, 2);
        let variants = some_variants(made, dice, |variants| !is_plain(variants))?;
        let at = dice.below(variants.len());
        variants[at].fields = Fields::of(false, vec![(String::new(), ty)]);
        Some(())
    }),
    ("data in a plain enum", |made, dice| {
        let ty = number(dice);
        let unvalued = |variants: &[Variant]| is_plain(variants) && variants.iter().all(|found| found.value.is_none());
        some_variants(made, dice, unvalued)?[0].fields = Fields::of(false, vec![(String::new(), ty)]);
        Some(())
    }),
    ("another value", |made, dice| {
        let variants = some_variants(made, dice, |variants| variants.iter().all(|found| found.value.is_some()))?;
        let value = variants.last_mut()?.value.as_mut()?;
        *value += 1 + dice.below(50) as i64;
        Some(())
    }),
    ("a first value", |made, dice| {
        let unvalued = |variants: &[Variant]| is_plain(variants) && variants.iter().all(|found| found.value.is_none());
        some_variants(made, dice, unvalued)?[0].value = Some(1 + dice.below(9) as i64);
        Some(())
    }),
    ("another representation", |made, dice| {
        let choices: &[&str] = &["", "C", "packed", "align(8)", "align(32)", "u8", "u16", "u64", "i8", "C, align(4)"];
        let repr = (dice.pick(choices)).to_owned();
        a_def(made, dice)?.repr = repr;
        Some(())
    }),
    ("a representation as in C", |made, dice| {
        a_def(made, dice)?.repr = "C".to_owned();
        Some(())
    }),
    ("a trait's method more", |made, dice| {
        let found = dice.below(made.traits.len());
        let ty = number(dice);
        let methods = &mut made.traits[found].methods;
        methods.insert(dice.below(methods.len() + 1), ("added".to_owned(), ty));
        Some(())
    }),
    ("another order of a trait's methods", |made, dice| {
        let found = dice.below(made.traits.len());
        made.traits[found].methods.swap(0, 2);
        Some(())
    }),
    ("another signature of a trait's method", |made, dice| {
        let found = dice.below(made.traits.len());
        let ty = number(dice);
        made.traits[found].methods[dice.below(3)].1 = ty;
        Some(())
    }),
    ("another signature", |made, dice| {
        let ty = crossing(made, 8, dice, 2);
        let mut functions: Vec<_> = made.functions.iter_mut().filter(|function| function.public).collect();
        let at = dice.below(functions.len());
        match (dice.below(3), functions.get_mut(at)?) {
            (0, function) => function.parameters.push(("more".to_owned(), ty)),
            (1, function) => function.parameters.last_mut()?.1 = ty,
            (_, function) => *function.result.as_mut()? = ty,
        }
        Some(())
    }),
    ("a public function less", |made, dice| {
        let at = dice.below(made.functions.len());
        made.functions[at].public.then(|| drop(made.functions.remove(at)))
    }),
];

fn is_plain(variants: &[Variant]) -> bool {
    variants.iter().all(|variant| variant.fields.list.is_empty())
}

fn a_function<'c>(made: &'c mut Crate, dice: &mut Dice) -> Option<&'c mut Function> {
    let at = dice.below(made.functions.len());
    made.functions.get_mut(at)
}

fn a_def<'c>(made: &'c mut Crate, dice: &mut Dice) -> Option<&'c mut crate::model::Def> {
    let at = dice.below(made.defs.len());
    made.defs.get_mut(at)
}

/// One without parameters, which nothing else is yet said of.
fn a_closed<'c>(made: &'c mut Crate, dice: &mut Dice) -> Option<&'c mut crate::model::Def> {
    a_def(made, dice).filter(|def| def.parameters == 0 && !def.sized && !matches!(def.body, Body::Union(_)))
}

fn inherent(made: &mut Crate, dice: &mut Dice, item: &str) -> Option<()> {
    let def = a_closed(made, dice)?;
    let text = format!("impl {} {{ {item} }}\n", def.name);
    def.after.push_str(&text);
    Some(())
}

fn plain_struct(def: &mut crate::model::Def) -> Option<&mut Fields> {
    match &mut def.body {
        Body::Struct(fields) if !fields.list.is_empty() => Some(fields),
        _ => None,
    }
}

/// Fields of a type that may cross.
fn some_fields<'c>(made: &'c mut Crate, dice: &mut Dice, fit: impl Fn(&Fields) -> bool) -> Option<&'c mut Fields> {
    let defs = made.defs.iter_mut().filter(|def| !def.private);
    let mut all: Vec<&mut Fields> = defs.flat_map(|def| def.all_fields()).collect();
    all.retain(|fields| !fields.list.is_empty() && fit(fields));
    let at = dice.below(all.len());
    (at < all.len()).then(|| all.swap_remove(at))
}

fn some_variants<'c>(
    made: &'c mut Crate,
    dice: &mut Dice,
    fit: impl Fn(&[Variant]) -> bool,
) -> Option<&'c mut Vec<Variant>> {
    let defs = made.defs.iter_mut().filter(|def| !def.private);
    let all = defs.filter_map(|def| match &mut def.body {
        Body::Enum(variants) if fit(variants) => Some(variants),
        _ => None,
    });
    let mut all: Vec<_> = all.collect();
    let at = dice.below(all.len());
    (at < all.len()).then(|| all.swap_remove(at))
}

fn field(name: &str, ty: Ty) -> Field {
    Field { name: name.to_owned(), ty, alias: None, visibility: "pub " }
}

fn add_field(fields: &mut Fields, ty: Ty, dice: &mut Dice) -> Option<()> {
    if fields.list.is_empty() && !fields.named {
        return None;
    }
    let at = dice.below(fields.list.len() + 1);
    fields.list.insert(at, field("added", ty));
    fields.number();
    Some(())
}

/// Puts another type in the place of one, wherever it is in a field's type.
fn retype(made: &mut Crate, dice: &mut Dice, change: &dyn Fn(&Ty, &mut Dice) -> Option<Ty>) -> Option<()> {
    let mut count = 0;
    let mut defs: Vec<_> = made.defs.iter_mut().filter(|def| !def.private).collect();
    defs.iter_mut()
        .for_each(|def| def.each_type(&mut |ty| count += usize::from(change(ty, &mut Dice::new(0)).is_some())));
    if count == 0 {
        return None;
    }
    let mut left = dice.below(count);
    let mut done = false;
    for def in defs {
        def.each_type(&mut |ty| {
            if done || change(ty, &mut Dice::new(0)).is_none() {
                return;
            }
            if left == 0 {
                if let Some(other) = change(ty, dice) {
                    *ty = other;
                }
                done = true;
            } else {
                left -= 1;
            }
        });
    }
    Some(())
}

/// A field whose type names nothing of its holder's, as text, and where it is.
fn aliasable(made: &Crate, dice: &mut Dice) -> Option<(String, usize, usize)> {
    let id = dice.below(made.defs.len());
    let Body::Struct(fields) = &made.defs[id].body else { return None };
    if made.defs[id].parameters > 0 || made.defs[id].sized {
        return None;
    }
    let at = dice.below(fields.list.len());
    Some((made.text(&fields.list.get(at)?.ty), id, at))
}

fn set_alias(made: &mut Crate, id: usize, at: usize, alias: String) -> Option<()> {
    let Body::Struct(fields) = &mut made.defs[id].body else { return None };
    fields.list.get_mut(at)?.alias = Some(alias);
    Some(())
}
