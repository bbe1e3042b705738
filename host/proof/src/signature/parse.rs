//! Takes the names of Rust types apart, and writes them.

use super::DEPTH;
use std::fmt;

/// A Rust type, taken apart. Paths are cut to their last segment, and lifetimes left out.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Never,
    /// Something that has no name to compare, such as a closure.
    Undecided,
    Named {
        name: String,
        /// Whether its path begins in the standard library.
        standard: bool,
        arguments: Vec<Tree>,
    },
    /// `Item = u8`.
    Binding(String, Box<Tree>),
    /// With what is before the target: `&`, `&mut `, `*const ` or `*mut `.
    Pointer(&'static str, Box<Tree>),
    Slice(Box<Tree>),
    /// With the length as it is written.
    Array(Box<Tree>, String),
    Tuple(Vec<Tree>),
    Function(Box<Signature>),
    /// With its bounds.
    Dyn(Vec<Tree>),
}

/// A function pointer type, taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Signature {
    pub(super) is_unsafe: bool,
    /// `None` for Rust's own.
    pub(super) abi: Option<String>,
    pub(super) parameters: Vec<Tree>,
    pub(super) variadic: bool,
    /// `None` for `()`.
    pub(super) result: Option<Tree>,
}

impl Tree {
    /// Reads a type's name as `type_name` prints it, or as rustc writes it into debug info.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parser = Parser { rest: name, depth: DEPTH };
        let tree = parser.ty()?;
        parser.rest.trim().is_empty().then_some(tree)
    }
}

/// Reads a type's name from its start. Every part that is read is cut off.
struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a word, if it is not merely the beginning of another.
    fn take_word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(word);
        let Some(rest) = rest.filter(|rest| !rest.starts_with(is_in_word)) else { return false };
        self.rest = rest;
        true
    }

    fn begins_with(&self, token: &str) -> bool {
        self.rest.trim_start().starts_with(token)
    }

    fn word(&mut self) -> Option<&'t str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|letter| !is_in_word(letter)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn ty(&mut self) -> Option<Tree> {
        self.depth = self.depth.checked_sub(1)?;
        let tree = self.ty_at_depth();
        self.depth = self.depth.saturating_add(1);
        tree
    }

    fn ty_at_depth(&mut self) -> Option<Tree> {
        if self.take("&") {
            self.take_lifetime();
            let kind = if self.take_word("mut") { "&mut " } else { "&" };
            return Some(Tree::Pointer(kind, Box::new(self.ty()?)));
        }
        if self.take("*") {
            let kind = match (self.take_word("mut"), self.take_word("const")) {
                (true, _) => "*mut ",
                (false, true) => "*const ",
                (false, false) => return None,
            };
            return Some(Tree::Pointer(kind, Box::new(self.ty()?)));
        }
        if self.take("!") {
            return Some(Tree::Never);
        }
        if self.take("(") {
            return self.tuple();
        }
        if self.take("[") {
            return self.slice();
        }
        self.binder();
        if self.take_word("dyn") {
            return self.bounds();
        }
        if ["fn(", "unsafe ", "extern "].iter().any(|start| self.begins_with(start)) {
            return self.function();
        }
        self.path()
    }

    /// `'a`, but no `'a'`, which is a constant.
    fn take_lifetime(&mut self) -> bool {
        let before = self.rest;
        if self.take("'") && self.word().is_some() && !self.rest.starts_with('\'') {
            return true;
        }
        self.rest = before;
        false
    }

    /// `for<'a>`.
    fn binder(&mut self) {
        if self.take("for<") {
            self.rest = self.rest.split_once('>').map_or("", |(_, rest)| rest);
        }
    }

    fn tuple(&mut self) -> Option<Tree> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.take(")") {
            items.push(self.ty()?);
            comma = self.take(",");
            if !comma && !self.begins_with(")") {
                return None;
            }
        }
        // Parentheses are put around bounds; around any other type they make a tuple, in debug info without the comma.
        match items.pop() {
            Some(only @ Tree::Dyn(_)) if items.is_empty() && !comma => return Some(only),
            last => items.extend(last),
        }
        Some(Tree::Tuple(items))
    }

    fn slice(&mut self) -> Option<Tree> {
        let item = Box::new(self.ty()?);
        if self.take("]") {
            return Some(Tree::Slice(item));
        }
        if !self.take(";") {
            return None;
        }
        let (length, rest) = self.rest.split_once(']')?;
        self.rest = rest;
        Some(Tree::Array(item, length.trim().to_owned()))
    }

    fn bounds(&mut self) -> Option<Tree> {
        let mut bounds = Vec::new();
        loop {
            if !self.take_lifetime() {
                self.binder();
                bounds.push(self.path()?);
            }
            if !self.take("+") {
                return Some(Tree::Dyn(bounds));
            }
        }
    }

    fn function(&mut self) -> Option<Tree> {
        let is_unsafe = self.take_word("unsafe");
        let mut abi = None;
        if self.take_word("extern") {
            let (name, rest) = self.rest.trim_start().strip_prefix('"')?.split_once('"')?;
            self.rest = rest;
            abi = Some(name.to_owned()).filter(|name| name != "Rust");
        }
        if !self.take("fn(") {
            return None;
        }
        let (parameters, variadic) = self.parameters()?;
        let result = if self.take("->") { Some(self.ty()?) } else { None };
        let result = result.filter(|result| !matches!(result, Tree::Tuple(items) if items.is_empty()));
        Some(Tree::Function(Box::new(Signature { is_unsafe, abi, parameters, variadic, result })))
    }

    fn parameters(&mut self) -> Option<(Vec<Tree>, bool)> {
        let (mut parameters, mut variadic) = (Vec::new(), false);
        while !self.take(")") {
            if self.take("...") {
                variadic = true;
            } else {
                parameters.push(self.ty()?);
            }
            if !self.take(",") && !self.begins_with(")") {
                return None;
            }
        }
        Some((parameters, variadic))
    }

    fn path(&mut self) -> Option<Tree> {
        let mut standard = None;
        loop {
            let name = self.segment()?;
            let arguments = self.arguments()?;
            let root = matches!(name, Some("core" | "alloc" | "std"));
            if self.take("::") {
                standard = standard.or(Some(root));
                continue;
            }
            let standard = standard.unwrap_or(false);
            return Some(match name {
                Some(name) => Tree::Named { name: name.to_owned(), standard, arguments },
                None => Tree::Undecided,
            });
        }
    }

    /// One name of a path; the inner `None` for what has none, such as `{closure#0}`, `{{closure}}`, `<Foo as Bar>`.
    fn segment(&mut self) -> Option<Option<&'t str>> {
        if self.begins_with("{") {
            return self.skip_between('{', '}').map(|()| None);
        }
        if self.begins_with("<") {
            return self.skip_between('<', '>').map(|()| None);
        }
        if self.begins_with("'") {
            // The constant of type `char` among the arguments.
            let (_, rest) = self.rest.trim_start().strip_prefix('\'')?.split_once('\'')?;
            self.rest = rest;
            return Some(None);
        }
        let rest = self.rest.trim_start();
        // The sign of a constant belongs to it.
        let sign = usize::from(self.take("-"));
        let length = self.word()?.len().checked_add(sign)?;
        rest.get(..length).map(Some)
    }

    /// Skips what is in brackets, with all brackets of that kind within.
    fn skip_between(&mut self, open: char, close: char) -> Option<()> {
        let (mut level, mut before) = (0_usize, ' ');
        for (at, letter) in self.rest.char_indices() {
            if letter == open {
                level = level.checked_add(1)?;
            } else if letter == close && before != '-' {
                level = level.checked_sub(1)?;
                if level == 0 {
                    self.rest = self.rest.get(at..)?.strip_prefix(close)?;
                    return Some(());
                }
            }
            before = letter;
        }
        None
    }

    /// What a name is given in `<…>`, or as `Fn` is given it: `(u8) -> u8`, which is `<(u8,), Output = u8>`.
    fn arguments(&mut self) -> Option<Vec<Tree>> {
        if self.rest.starts_with('(') {
            let (parameters, _) = self.take("(").then(|| self.parameters())??;
            let result = if self.take("->") { self.ty()? } else { Tree::Tuple(Vec::new()) };
            return Some(vec![Tree::Tuple(parameters), Tree::Binding("Output".to_owned(), Box::new(result))]);
        }
        let mut arguments = Vec::new();
        if !self.take("<") {
            return Some(arguments);
        }
        while !self.take(">") {
            if !self.take_lifetime() {
                arguments.push(self.argument()?);
            }
            if !self.take(",") && !self.begins_with(">") {
                return None;
            }
        }
        arguments.pop_if(|last| is_default(last));
        Some(arguments)
    }

    fn argument(&mut self) -> Option<Tree> {
        let before = self.rest;
        if let Some(name) = self.word()
            && self.take("=")
        {
            return Some(Tree::Binding(name.to_owned(), Box::new(self.ty()?)));
        }
        self.rest = before;
        self.ty()
    }
}

/// The argument that only debug info writes out: the allocator, or the hasher.
fn is_default(argument: &Tree) -> bool {
    matches!(argument, Tree::Named { name, arguments, .. }
        if arguments.is_empty() && matches!(name.as_str(), "Global" | "RandomState"))
}

fn is_in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '#'
}

pub(super) fn shown_signature(
    is_unsafe: bool,
    abi: Option<&str>,
    mut parameters: Vec<String>,
    variadic: bool,
    result: Option<String>,
) -> String {
    let is_unsafe = if is_unsafe { "unsafe " } else { "" };
    let abi = abi.map(|abi| format!("extern \"{abi}\" ")).unwrap_or_default();
    if variadic {
        parameters.push("...".to_owned());
    }
    let result = result.map(|result| format!(" -> {result}")).unwrap_or_default();
    format!("{is_unsafe}{abi}fn({}){result}", parameters.join(", "))
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters.iter().map(ToString::to_string).collect();
        let result = self.result.as_ref().map(ToString::to_string);
        f.write_str(&shown_signature(self.is_unsafe, self.abi.as_deref(), parameters, self.variadic, result))
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |items: &[Self], by: &str| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(by);
        match self {
            Self::Never => f.write_str("!"),
            Self::Undecided => f.write_str("_"),
            Self::Named { name, arguments, .. } if arguments.is_empty() => f.write_str(name),
            Self::Named { name, arguments, .. } => match arguments.as_slice() {
                [Self::Tuple(given), Self::Binding(_, output)] => match &**output {
                    Self::Tuple(items) if items.is_empty() => write!(f, "{name}({})", joined(given, ", ")),
                    output => write!(f, "{name}({}) -> {output}", joined(given, ", ")),
                },
                arguments => write!(f, "{name}<{}>", joined(arguments, ", ")),
            },
            Self::Binding(name, ty) => write!(f, "{name} = {ty}"),
            Self::Pointer(kind, to) if matches!(&**to, Self::Dyn(bounds) if bounds.len() > 1) => {
                write!(f, "{kind}({to})")
            }
            Self::Pointer(kind, to) => write!(f, "{kind}{to}"),
            Self::Slice(item) => write!(f, "[{item}]"),
            Self::Array(item, length) => write!(f, "[{item}; {length}]"),
            Self::Tuple(items) if items.len() == 1 => write!(f, "({},)", joined(items, "")),
            Self::Tuple(items) => write!(f, "({})", joined(items, ", ")),
            Self::Function(signature) => write!(f, "{signature}"),
            Self::Dyn(bounds) => write!(f, "dyn {}", joined(bounds, " + ")),
        }
    }
}
