//! The types of a carried value as a model, and the source that they stand for.

use std::fmt::Write as _;

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// Each over those before it; the last is the carried one.
    pub(crate) defs: Vec<Def>,
    /// Its version, for one with `Migrate`.
    pub(crate) version: Option<u32>,
    /// The version that its `migrate` knows, by the conversion of the last definition.
    pub(crate) knows: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Def {
    pub(crate) name: String,
    pub(crate) body: Body,
    /// Attributes of serde's: `default`, `tag = "kind"`.
    pub(crate) attributes: Vec<String>,
    /// What it was, and how it is made of that.
    pub(crate) conversion: Option<Box<Conversion>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Struct(Vec<Field>),
    /// A struct around one value.
    New(Ty),
    Enum(Vec<Variant>),
}

#[derive(Clone, Debug)]
pub(crate) struct Conversion {
    pub(crate) former: Def,
    /// Fields of the new type, each with an expression over `old`.
    pub(crate) fields: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) ty: Ty,
    pub(crate) rename: Option<String>,
    pub(crate) alias: Vec<String>,
    /// `default`, or with a function.
    pub(crate) default: Option<&'static str>,
    /// A function that reads it.
    pub(crate) with: Option<&'static str>,
    /// `flatten`, `skip`, `skip_serializing_if = "Option::is_none"`.
    pub(crate) flag: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) rename: Option<String>,
    pub(crate) alias: Vec<String>,
    pub(crate) holds: Holds,
}

#[derive(Clone, Debug)]
pub(crate) enum Holds {
    Nothing,
    Values(Vec<Ty>),
    Fields(Vec<Field>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ty {
    Leaf(&'static str),
    Def(usize),
    /// `Option`, `Vec`, `VecDeque` or `Box` of something.
    Of(&'static str, Box<Ty>),
    /// The kind of map, and of its keys.
    Map(&'static str, &'static str, Box<Ty>),
    Pair(Box<Ty>, Box<Ty>),
    Three(Box<Ty>),
}

impl Field {
    pub(crate) fn new(name: &str, ty: Ty) -> Self {
        Self { name: name.to_owned(), ty, rename: None, alias: Vec::new(), default: None, with: None, flag: None }
    }

    fn source(&self, model: &Model, public: &str) -> String {
        let mut attributes: Vec<String> = self.alias.iter().map(|alias| format!("alias = {alias:?}")).collect();
        attributes.extend(self.rename.iter().map(|rename| format!("rename = {rename:?}")));
        attributes.extend(self.default.map(str::to_owned));
        attributes.extend(self.with.map(|with| format!("deserialize_with = \"crate::retyped::{with}\"")));
        attributes.extend(self.flag.map(str::to_owned));
        format!("{}{public}{}: {},\n", serde(&attributes), self.name, model.text(&self.ty))
    }
}

impl Def {
    pub(crate) fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|known| known.starts_with(attribute))
    }

    /// The fields, of a struct with names.
    pub(crate) fn fields(&mut self) -> Option<&mut Vec<Field>> {
        match &mut self.body {
            Body::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    pub(crate) fn variants(&mut self) -> Option<&mut Vec<Variant>> {
        match &mut self.body {
            Body::Enum(variants) => Some(variants),
            _ => None,
        }
    }

    /// How a field is called in the saved form.
    pub(crate) fn saved_name(&self, field: &Field) -> String {
        field
            .rename
            .clone()
            .unwrap_or_else(|| if self.has("rename_all") { camel_case(&field.name) } else { field.name.clone() })
    }

    fn source(&self, model: &Model) -> String {
        let mut text = String::new();
        let name = &self.name;
        let mut attributes = self.attributes.clone();
        if let Some(conversion) = &self.conversion {
            let former = &conversion.former;
            let fields: Vec<String> = conversion.fields.iter().map(|(name, made)| format!("{name}: {made}")).collect();
            let _ = writeln!(
                text,
                "{}impl From<{}> for {name} {{ fn from(old: {}) -> Self {{ let _ = &old; Self {{ {} }} }} }}",
                former.source(model),
                former.name,
                former.name,
                fields.join(", ")
            );
            if model.knows.is_none() {
                attributes.push(format!("from = {:?}", former.name));
            }
        }
        let _ = write!(
            text,
            "#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]\n{}pub {} {name}",
            serde(&attributes),
            if matches!(self.body, Body::Enum(_)) { "enum" } else { "struct" },
        );
        let random =
            |fields: &[Field]| fields.iter().map(|field| format!("{}: v.any(), ", field.name)).collect::<String>();
        let random = match &self.body {
            Body::New(ty) => {
                let _ = writeln!(text, "(pub {});", model.text(ty));
                "Self(v.any())".to_owned()
            }
            Body::Struct(fields) => {
                let each: String = fields.iter().map(|field| field.source(model, "pub ")).collect();
                let _ = writeln!(text, " {{\n{each}}}");
                format!("Self {{ {} }}", random(fields))
            }
            Body::Enum(variants) => {
                let default = variants.iter().position(|variant| matches!(variant.holds, Holds::Nothing));
                let mut arms = String::new();
                text.push_str(" {\n");
                for (at, variant) in variants.iter().enumerate() {
                    let mut attributes: Vec<String> =
                        variant.alias.iter().map(|alias| format!("alias = {alias:?}")).collect();
                    attributes.extend(variant.rename.iter().map(|rename| format!("rename = {rename:?}")));
                    let mark = if default == Some(at) { "#[default]\n" } else { "" };
                    let _ = write!(text, "{mark}{}{}", serde(&attributes), variant.name);
                    let random = match &variant.holds {
                        Holds::Nothing => String::new(),
                        Holds::Values(types) => {
                            let each: Vec<String> = types.iter().map(|ty| model.text(ty)).collect();
                            let _ = write!(text, "({})", each.join(", "));
                            format!("({})", vec!["v.any()"; types.len()].join(", "))
                        }
                        Holds::Fields(fields) => {
                            let each: String = fields.iter().map(|field| field.source(model, "")).collect();
                            let _ = write!(text, " {{\n{each}}}");
                            format!(" {{ {} }}", random(fields))
                        }
                    };
                    text.push_str(",\n");
                    let _ = write!(arms, "{at} => Self::{}{random}, ", variant.name);
                }
                text.push_str("}\n");
                format!("match v.below({}) {{ {arms} _ => Self::default() }}", variants.len())
            }
        };
        let _ =
            writeln!(text, "impl Random for {name} {{ fn random(v: &mut Values) -> Self {{ let _ = &v; {random} }} }}");
        text
    }
}

impl Model {
    pub(crate) fn text(&self, ty: &Ty) -> String {
        match ty {
            Ty::Leaf(name) => (*name).to_owned(),
            Ty::Def(id) => self.defs[*id].name.clone(),
            Ty::Of(name, of) => format!("{name}<{}>", self.text(of)),
            Ty::Map(name, key, of) => format!("{name}<{key}, {}>", self.text(of)),
            Ty::Pair(one, other) => format!("({}, {})", self.text(one), self.text(other)),
            Ty::Three(of) => format!("[{}; 3]", self.text(of)),
        }
    }

    /// Whether serde reads a part of it by way of its own buffer, which knows no more than the format does.
    fn buffers(&self) -> bool {
        let flattens = |field: &Field| field.flag == Some("flatten");
        self.defs.iter().any(|def| {
            def.has("tag")
                || def.has("untagged")
                || matches!(&def.body, Body::Struct(fields) if fields.iter().any(flattens))
        })
    }

    /// The source of a module.
    pub(crate) fn source(&self) -> String {
        let mut text = String::from("use crate::prelude::*;\n");
        self.defs.iter().for_each(|def| text.push_str(&def.source(self)));
        text.push_str("#[reloadable]\npub fn take(_: &mut State<World>) {}\n");
        let (mut known, mut alone) = (String::new(), String::new());
        if let (Some(knows), Some(world)) = (self.knows, self.defs.last()) {
            let former = world.conversion.as_ref().map_or("World", |conversion| conversion.former.name.as_str());
            let _ = write!(known, "{knows} => value.read().map(|old: {former}| old.into()), ");
            let _ = write!(alone, "{knows} => saved.read().map(|old: {former}| old.into()), ");
        }
        if let Some(version) = self.version {
            let _ = writeln!(
                text,
                "impl Migrate for World {{\nconst VERSION: u32 = {version};\n\
                 fn migrate(from: u32, value: Saved<'_>) -> Result<Self, RestoreError> {{\n\
                 match from {{ {version} => Err(RestoreError::new(\"of this very version\")), {known}_ => value.read() }}\n}}\n}}"
            );
        }
        let _ = writeln!(
            text,
            "impl Alone for World {{\nconst VERSION: u32 = {};\nconst BUFFERS: bool = {};\n\
             fn alone(saved: &Form<'_>, from: u32) -> Option<Self> {{ match from {{ {alone}_ => saved.read() }} }}\n}}",
            self.version.unwrap_or(0),
            self.buffers()
        );
        text
    }
}

fn serde(attributes: &[String]) -> String {
    if attributes.is_empty() { String::new() } else { format!("#[serde({})]\n", attributes.join(", ")) }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}
