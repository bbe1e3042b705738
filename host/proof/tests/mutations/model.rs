//! A crate as a model: its types, traits and functions, and the source that it stands for.

use crate::dice::Dice;
use std::fmt::Write as _;

#[derive(Clone, Debug, Default)]
pub(crate) struct Crate {
    pub(crate) defs: Vec<Def>,
    pub(crate) traits: Vec<Trait>,
    pub(crate) functions: Vec<Function>,
    /// Items that nothing refers to.
    pub(crate) extra: Vec<String>,
    /// Whether items are shuffled, and how.
    pub(crate) order: Option<u64>,
    /// A type that is kept by type: code takes its `TypeId`.
    pub(crate) keyed: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Def {
    pub(crate) name: String,
    /// Whether it is in the module `parts`.
    pub(crate) inner: bool,
    pub(crate) parameters: usize,
    /// Whether it has a parameter `const N: usize`.
    pub(crate) sized: bool,
    /// The inside of `#[repr(...)]`, if any.
    pub(crate) repr: String,
    pub(crate) body: Body,
    /// What stands before and after it and changes nothing.
    pub(crate) before: String,
    pub(crate) after: String,
    /// Whether nothing that crosses leads to it.
    pub(crate) private: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Struct(Fields),
    Union(Fields),
    Enum(Vec<Variant>),
}

#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) named: bool,
    pub(crate) list: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    /// Another way to write the type, which means the same.
    pub(crate) alias: Option<String>,
    pub(crate) visibility: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) value: Option<i64>,
    pub(crate) fields: Fields,
}

#[derive(Clone, Debug)]
pub(crate) struct Trait {
    pub(crate) name: String,
    /// Name and the type of the one argument.
    pub(crate) methods: Vec<(String, Ty)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) public: bool,
    pub(crate) is_async: bool,
    /// A lifetime that the first parameter's reference is given a name by.
    pub(crate) lifetime: Option<&'static str>,
    pub(crate) parameters: Vec<(String, Ty)>,
    pub(crate) result: Option<Ty>,
    pub(crate) body: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Head {
    /// `u32`, `String`, `&'static str`: the text says all.
    Plain(String),
    Param(usize),
    /// A type of the crate, and its `N`.
    Def(usize, Option<u64>),
    /// `std::vec::Vec`: of the standard library, over its arguments.
    Std(&'static str),
    Tuple,
    Array(u64),
    /// An array of the type's own `N`.
    ArrayOfN,
    Slice,
    /// `&'static `, `*const `.
    Pointer(&'static str),
    /// A function pointer; the last argument is its result.
    Function,
    /// A trait object of one of the crate's traits.
    Object(usize),
    /// `dyn Fn`; the last argument is its result.
    Closure,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ty {
    pub(crate) head: Head,
    pub(crate) args: Vec<Ty>,
}

impl Ty {
    pub(crate) fn new(head: Head, args: Vec<Ty>) -> Self {
        Self { head, args }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::new(Head::Plain(text.to_owned()), Vec::new())
    }

    pub(crate) fn std(path: &'static str, args: Vec<Ty>) -> Self {
        Self::new(Head::Std(path), args)
    }

    pub(crate) fn boxed(self) -> Self {
        Self::std("Box", vec![self])
    }

    /// With arguments in the place of parameters.
    pub(crate) fn concrete(&self, args: &[Ty], length: Option<u64>) -> Self {
        if let Head::Param(index) = self.head {
            return args[index].clone();
        }
        let head = match self.head {
            Head::ArrayOfN => Head::Array(length.unwrap_or(0)),
            ref head => head.clone(),
        };
        Self::new(head, self.args.iter().map(|arg| arg.concrete(args, length)).collect())
    }

    /// This and all that it is made of.
    pub(crate) fn each(&mut self, take: &mut dyn FnMut(&mut Ty)) {
        take(self);
        self.args.iter_mut().for_each(|arg| arg.each(take));
    }

    pub(crate) fn is_sized(&self) -> bool {
        !matches!(self.head, Head::Slice | Head::Object(_) | Head::Closure)
            && !matches!(&self.head, Head::Plain(text) if text == "str" || text.starts_with("dyn "))
    }
}

impl Fields {
    pub(crate) fn unit() -> Self {
        Self { named: false, list: Vec::new() }
    }

    pub(crate) fn of(named: bool, list: Vec<(String, Ty)>) -> Self {
        let field = |(name, ty)| Field { name, ty, alias: None, visibility: "pub " };
        let mut fields = Self { named, list: list.into_iter().map(field).collect() };
        fields.number();
        fields
    }

    /// A tuple's fields are called by their numbers.
    pub(crate) fn number(&mut self) {
        if !self.named {
            self.list.iter_mut().enumerate().for_each(|(index, field)| field.name = index.to_string());
        }
    }
}

impl Def {
    pub(crate) fn all_fields(&mut self) -> Vec<&mut Fields> {
        match &mut self.body {
            Body::Struct(fields) | Body::Union(fields) => vec![fields],
            Body::Enum(variants) => variants.iter_mut().map(|variant| &mut variant.fields).collect(),
        }
    }

    /// All types that it is made of.
    pub(crate) fn each_type(&mut self, take: &mut dyn FnMut(&mut Ty)) {
        for fields in self.all_fields() {
            fields.list.iter_mut().for_each(|field| field.ty.each(take));
        }
    }
}

impl Crate {
    pub(crate) fn text(&self, ty: &Ty) -> String {
        let args: Vec<String> = ty.args.iter().map(|arg| self.text(arg)).collect();
        let list = || args.join(", ");
        let call = || {
            let (result, parameters) = args.split_last().expect("a result");
            format!("({}) -> {result}", parameters.join(", "))
        };
        match &ty.head {
            Head::Plain(text) => text.clone(),
            Head::Param(index) => format!("T{index}"),
            Head::Def(id, length) => {
                let mut all = args.clone();
                all.extend(length.map(|length| length.to_string()));
                let name = &self.defs[*id].name;
                if all.is_empty() { name.clone() } else { format!("{name}<{}>", all.join(", ")) }
            }
            Head::Std(path) => format!("{path}<{}>", list()),
            Head::Tuple if args.len() == 1 => format!("({},)", args[0]),
            Head::Tuple => format!("({})", list()),
            Head::Array(length) => format!("[{}; {length}]", args[0]),
            Head::ArrayOfN => format!("[{}; N]", args[0]),
            Head::Slice => format!("[{}]", args[0]),
            Head::Pointer(prefix) => format!("{prefix}{}", args[0]),
            Head::Function => format!("fn{}", call()),
            Head::Object(id) => format!("dyn {}", self.traits[*id].name),
            Head::Closure => format!("dyn Fn{}", call()),
        }
    }

    /// The crate's source. `probes` are put behind it.
    pub(crate) fn source(&self, probes: &str) -> String {
        let mut items: Vec<(bool, String)> = Vec::new();
        items.extend(self.defs.iter().map(|def| (def.inner, self.definition(def))));
        items.extend(self.traits.iter().map(|found| (false, self.of_trait(found))));
        items.extend(self.functions.iter().map(|function| (false, self.function(function))));
        items.extend(self.extra.iter().map(|item| (false, format!("{item}\n"))));
        if let Some(seed) = self.order {
            let dice = &mut Dice::new(seed);
            for at in (1..items.len()).rev() {
                items.swap(at, dice.below(at + 1));
            }
        }
        let side = |inner: bool| -> String {
            items.iter().filter(|(found, _)| *found == inner).map(|(_, text)| text.as_str()).collect()
        };
        format!(
            "#![allow(unused, private_interfaces)]\nuse pitstop_reloadable::reloadable;\npub use parts::*;\n\
             pub mod parts {{\nuse super::*;\n{}}}\n{}{probes}",
            side(true),
            side(false)
        )
    }

    fn definition(&self, def: &Def) -> String {
        let mut text = def.before.clone();
        if !def.repr.is_empty() {
            let _ = writeln!(text, "#[repr({})]", def.repr);
        }
        let mut generics: Vec<String> = (0..def.parameters).map(|index| format!("T{index}")).collect();
        if def.sized {
            generics.push("const N: usize".to_owned());
        }
        let generics = if generics.is_empty() { String::new() } else { format!("<{}>", generics.join(", ")) };
        let name = format!("{}{generics}", def.name);
        let _ = match &def.body {
            Body::Struct(fields) if fields.named => writeln!(text, "pub struct {name} {}", self.fields(fields, true)),
            Body::Struct(fields) => writeln!(text, "pub struct {name}{};", self.fields(fields, true)),
            Body::Union(fields) => {
                writeln!(text, "#[derive(Clone, Copy)] pub union {name} {}", self.fields(fields, true))
            }
            Body::Enum(variants) => {
                let variants = variants.iter().map(|variant| {
                    let value = variant.value.map(|value| format!(" = {value}")).unwrap_or_default();
                    format!("    {}{}{value},\n", variant.name, self.fields(&variant.fields, false))
                });
                writeln!(text, "pub enum {name} {{\n{}}}", variants.collect::<String>())
            }
        };
        text.push_str(&def.after);
        text
    }

    fn fields(&self, fields: &Fields, visible: bool) -> String {
        let one = |field: &Field| {
            let visibility = if visible { field.visibility } else { "" };
            let ty = field.alias.clone().unwrap_or_else(|| self.text(&field.ty));
            if fields.named { format!("{visibility}{}: {ty}", field.name) } else { format!("{visibility}{ty}") }
        };
        let list = fields.list.iter().map(one).collect::<Vec<_>>().join(", ");
        match (fields.named, fields.list.is_empty()) {
            (true, _) => format!(" {{ {list} }}"),
            (false, true) => String::new(),
            (false, false) => format!("({list})"),
        }
    }

    fn of_trait(&self, found: &Trait) -> String {
        let methods = |body: &str| -> String {
            let method =
                |(name, ty): &(String, Ty)| format!("    fn {name}(&mut self, with: {}){body}\n", self.text(ty));
            found.methods.iter().map(method).collect()
        };
        let name = &found.name;
        format!(
            "pub trait {name} {{\n{}}}\npub struct {name}er(u8);\nimpl {name} for {name}er {{\n{}}}\n\
             pub fn make_{}() -> Box<dyn {name}> {{ Box::new({name}er(0)) }}\n",
            methods(";"),
            methods(" { std::hint::black_box(&with); }"),
            name.to_lowercase()
        )
    }

    fn function(&self, function: &Function) -> String {
        let mut parameters = Vec::new();
        for (index, (name, ty)) in function.parameters.iter().enumerate() {
            let mut text = self.text(ty);
            if let (0, Some(lifetime), Head::Pointer(prefix)) = (index, function.lifetime, &ty.head) {
                text = text.replacen(prefix, &prefix.replace('&', &format!("&{lifetime} ")), 1);
            }
            parameters.push(format!("{name}: {text}"));
        }
        let result = function.result.as_ref().map(|ty| format!(" -> {}", self.text(ty))).unwrap_or_default();
        format!(
            "#[reloadable]\n{}{}fn {}{}({}){result} {{\n{}}}\n",
            if function.public { "pub " } else { "" },
            if function.is_async { "async " } else { "" },
            function.name,
            function.lifetime.map(|lifetime| format!("<{lifetime}>")).unwrap_or_default(),
            parameters.join(", "),
            function.body
        )
    }
}
