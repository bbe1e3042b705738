//! The facts about an image that decide whether it may be loaded, readable without running its code.
//!
//! They lie in a section of their own ([`SECTION_ELF`] and its siblings) as a run of records. All numbers are
//! little-endian and nothing is aligned:
//!
//! ```text
//! record  = "PIT\x1f"  format:u16  kind:u16  length:u32  field*     (length counts the bytes after it)
//! field   = tag:u16  length:u32  bytes
//! kind 1, facts of the crate:   tag 1 name   tag 2 `key=value`, repeated
//! kind 2, a reloadable function: tag 1 name   tag 3 signature   tag 4 a type: size:u64 align:u64 name, repeated
//!                               tag 5 the module that the name is in   tag 6 present when other crates may call it
//!                               tag 7 a parameter's name, repeated
//! kind 3, a type of carried values: tag 1 name   tag 4 the type   tag 5 the module that the name is in
//! ```
//!
//! The record is written by the `#[reloadable]` attribute while rustc expands it, so that it cannot describe anything
//! but the code beside it. Sizes and alignments are put in by rustc itself, in a constant.

use std::collections::BTreeMap;

/// The section's name in an ELF file.
pub const SECTION_ELF: &str = ".pitstop";
/// The section's segment and name in a Mach-O file.
pub const SECTION_MACHO: &str = "__DATA,__pitstop";
/// The section's name in a COFF file.
pub const SECTION_COFF: &str = ".pitstop";
/// The one symbol that an image exports: hands it the host's services, and returns its table of functions.
pub const ENTRY_SYMBOL: &str = "__pitstop_entry";
/// The version of the record format. A reader refuses any other.
pub const FORMAT: u16 = 1;

const MAGIC: [u8; 4] = *b"PIT\x1f";
const HEADER: usize = 12;
const KIND_FACTS: u16 = 1;
const KIND_SLOT: u16 = 2;
const KIND_CARRIED: u16 = 3;
const TAG_NAME: u16 = 1;
const TAG_FACT: u16 = 2;
const TAG_SIGNATURE: u16 = 3;
const TAG_TYPE: u16 = 4;
const TAG_MODULE: u16 = 5;
const TAG_PUBLIC: u16 = 6;
const TAG_PARAMETER: u16 = 7;

/// Settings of the build that must be the same on both sides, by name.
pub mod fact {
    /// `rustc --version`, with commit and date.
    pub const RUSTC: &str = "rustc";
    /// The compiler's full commit hash.
    pub const RUSTC_COMMIT: &str = "rustc-commit";
    /// The target triple.
    pub const TARGET: &str = "target";
    /// `unwind` or `abort`.
    pub const PANIC: &str = "panic";
    /// The `-C opt-level`.
    pub const OPT_LEVEL: &str = "opt-level";
    /// Whether debug assertions are on.
    pub const DEBUG_ASSERTIONS: &str = "debug-assertions";
    /// Whether overflow checks are on.
    pub const OVERFLOW_CHECKS: &str = "overflow-checks";
    /// The `-C target-cpu`.
    pub const TARGET_CPU: &str = "target-cpu";
    /// The `-C target-feature`s.
    pub const TARGET_FEATURE: &str = "target-feature";
    /// The crate's enabled features.
    pub const FEATURES: &str = "features";
    /// The crate's version.
    pub const VERSION: &str = "version";
    /// The `-C metadata` that distinguishes this crate from others of its name.
    pub const METADATA: &str = "metadata";
    /// `shared` or `self-contained`, see [`super::linkage`].
    pub const LINKAGE: &str = "linkage";
    /// How `std` is linked, `shared` or `static`, see [`super::std_linkage`].
    pub const STD: &str = "std";
    /// Where memory comes from, see [`super::allocator`]. In a program with images that carry their own `std`, the
    /// program's allocator as its source names it.
    pub const ALLOCATOR: &str = "allocator";
    /// How the name of a dependency's fact begins, see [`crate::dependency`].
    pub const DEPENDENCY: &str = "dependency.";
    /// Identifies the shared library of dependencies, where there is one.
    pub const DEPENDENCIES: &str = "dependencies";
    /// The file that rustc was given for the crate, as it was given.
    pub const SOURCE: &str = "source";
    /// The folder of all sessions of the build, so that a host started by hand finds a watcher.
    pub const SESSIONS: &str = "sessions";
}

/// Values of [`fact::LINKAGE`].
pub mod linkage {
    /// Host and images link one dynamic library of all dependencies, and a dynamic `std`.
    pub const SHARED: &str = "shared";
    /// Every image carries its own copy of everything.
    pub const SELF_CONTAINED: &str = "self-contained";
}

/// Values of [`fact::STD`].
pub mod std_linkage {
    /// One dynamic `std` for all.
    pub const SHARED: &str = "shared";
    /// Part of each file.
    pub const STATIC: &str = "static";
}

/// Values of [`fact::ALLOCATOR`].
pub mod allocator {
    /// That of the `std` which the program and all images share.
    pub const SHARED: &str = "shared";
    /// In an image: whatever the program that loads it uses.
    pub const HOST: &str = "host";
    /// In a program without a `#[global_allocator]`.
    pub const SYSTEM: &str = "system";
}

/// The facts of one crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Facts {
    /// The crate's name, as rustc knows it.
    #[cfg_attr(feature = "serde", serde(rename = "crate"))]
    pub crate_name: String,
    /// Values by name, see [`fact`].
    pub values: BTreeMap<String, String>,
}

impl Facts {
    /// The value of a fact, empty when there is none.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }

    /// The form in which facts travel through the environment: `key=value` lines.
    #[must_use]
    pub fn to_lines(&self) -> String {
        self.values.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    /// Reads what [`Facts::to_lines`] wrote. Lines without `=` are passed over.
    #[must_use]
    pub fn from_lines(crate_name: &str, lines: &str) -> Self {
        let mut facts = Self { crate_name: crate_name.to_owned(), values: BTreeMap::new() };
        for (key, value) in lines.lines().filter_map(|line| line.split_once('=')) {
            facts.values.insert(key.to_owned(), value.to_owned());
        }
        facts
    }

    /// The record of these facts.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut record = Record::new(KIND_FACTS);
        record.field(TAG_NAME, self.crate_name.as_bytes());
        for (key, value) in &self.values {
            record.field(TAG_FACT, format!("{key}={value}").as_bytes());
        }
        record.finish()
    }
}

/// A type that occurs in a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TypeFact {
    /// The type as the source writes it.
    pub name: String,
    /// Bytes; 0 for an unsized type.
    pub size: u64,
    /// Bytes; 0 for an unsized type.
    pub align: u64,
}

/// What is known of one reloadable function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SlotFact {
    /// Crate, modules and function: `logic::rules::update`, `logic::<Tool as App>::update`.
    pub name: String,
    /// The function pointer type: `fn(&mut World, f32) -> bool`.
    pub signature: String,
    /// Whether code outside of the crate may call it: it is `pub`, or a trait's method.
    pub public: bool,
    /// The parameters' names, in order; for reports, since callers do not depend on them.
    pub parameters: Vec<String>,
    /// The types in the signature.
    pub types: Vec<TypeFact>,
}

/// A type of carried values that a reloadable function names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CarriedFact {
    /// Module and type as the source writes it: `logic::rules::State<World>`.
    pub name: String,
    /// The type.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub ty: TypeFact,
}

/// One part of a record that is put together in a constant of the user's crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The length of the record's body, as a `u32`: this many bytes and the length of the module's path.
    BodyLength(usize),
    /// Size and alignment of the type with this index, as two `u64`.
    Layout(usize),
    /// The length of the module's path, as a `u32`.
    ModuleLength,
    /// The module's path.
    Module,
}

impl SlotFact {
    /// The record of this function.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_as(KIND_SLOT)
    }

    fn encode_as(&self, kind: u16) -> Vec<u8> {
        let mut record = Record::new(kind);
        record.field(TAG_NAME, self.name.as_bytes());
        record.field(TAG_SIGNATURE, self.signature.as_bytes());
        if self.public {
            record.field(TAG_PUBLIC, &[]);
        }
        for parameter in &self.parameters {
            record.field(TAG_PARAMETER, parameter.as_bytes());
        }
        for fact in &self.types {
            let mut value = fact.size.to_le_bytes().to_vec();
            value.extend(fact.align.to_le_bytes());
            value.extend(fact.name.as_bytes());
            record.field(TAG_TYPE, &value);
        }
        record.finish()
    }

    /// The parts of the record for a function whose module and layouts only rustc knows: the name is the function's
    /// own, sizes and alignments are passed over.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        self.parts_as(KIND_SLOT)
    }

    fn parts_as(&self, kind: u16) -> Vec<Part> {
        let bytes = self.encode_as(kind);
        let body = bytes.len() - HEADER + 6;
        let mut parts = vec![Part::Bytes(bytes[..HEADER - 4].to_vec()), Part::BodyLength(body)];
        let mut from = HEADER;
        // The types are the last fields; each begins with six bytes of tag and length, then its numbers.
        let types: usize = self.types.iter().map(|fact| 6 + 16 + fact.name.len()).sum();
        let mut at = bytes.len() - types;
        for (index, fact) in self.types.iter().enumerate() {
            parts.push(Part::Bytes(bytes[from..at + 6].to_vec()));
            parts.push(Part::Layout(index));
            from = at + 6 + 16;
            at = from + fact.name.len();
        }
        let mut last = bytes[from..].to_vec();
        last.extend(TAG_MODULE.to_le_bytes());
        parts.extend([Part::Bytes(last), Part::ModuleLength, Part::Module]);
        parts
    }
}

impl CarriedFact {
    /// The parts of the record, as those of a function, see [`SlotFact::parts`].
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        self.as_slot().parts_as(KIND_CARRIED)
    }

    /// The record of this type.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.as_slot().encode_as(KIND_CARRIED)
    }

    fn as_slot(&self) -> SlotFact {
        SlotFact { name: self.name.clone(), types: vec![self.ty.clone()], ..SlotFact::default() }
    }
}

/// All records of one section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Descriptor {
    /// One per crate that is linked in.
    pub crates: Vec<Facts>,
    /// One per reloadable function of all of these.
    pub slots: Vec<SlotFact>,
    /// The types of carried values that these name. One may be there more than once.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub carried: Vec<CarriedFact>,
}

impl Descriptor {
    /// Reads a section.
    ///
    /// # Errors
    /// Says what is wrong with the bytes and where. Any bytes whatsoever may be given.
    pub fn parse(section: &[u8]) -> Result<Self, Malformed> {
        let mut descriptor = Self::default();
        for (_, record) in Self::placed(section)? {
            descriptor.crates.extend(record.crates);
            descriptor.slots.extend(record.slots);
            descriptor.carried.extend(record.carried);
        }
        Ok(descriptor)
    }

    /// Reads a section record by record, each with its offset in bytes.
    ///
    /// # Errors
    /// As for [`Descriptor::parse`].
    pub fn placed(mut section: &[u8]) -> Result<Vec<(usize, Self)>, Malformed> {
        let whole = section.len();
        let mut placed = Vec::new();
        loop {
            // Linkers may pad between the sections of object files.
            while let [0, rest @ ..] = section {
                section = rest;
            }
            if section.is_empty() {
                return Ok(placed);
            }
            let at = whole - section.len();
            let (kind, body, rest) = split_record(section, at)?;
            let mut descriptor = Self::default();
            match kind {
                KIND_FACTS => descriptor.crates.push(parse_facts(body, at)?),
                KIND_SLOT => descriptor.slots.push(parse_slot(body, at)?),
                KIND_CARRIED => descriptor.carried.push(parse_carried(body, at)?),
                other => {
                    return Err(Malformed::new(at, format!("a record of unknown kind {other}")));
                }
            }
            placed.push((at, descriptor));
            section = rest;
        }
    }

    /// The crates that are linked in.
    #[must_use]
    pub fn crate_names(&self) -> Vec<&str> {
        self.crates.iter().map(|facts| facts.crate_name.as_str()).collect()
    }

    /// The facts of a crate.
    #[must_use]
    pub fn facts_of(&self, crate_name: &str) -> Option<&Facts> {
        self.crates.iter().find(|facts| facts.crate_name == crate_name)
    }
}

/// Bytes that are no descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Offset into the section, in bytes.
    pub at: usize,
    /// What was found there.
    pub what: String,
}

impl Malformed {
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}

/// The crate that a slot's name begins with.
#[must_use]
pub fn crate_of(slot: &str) -> &str {
    slot.split("::").next().unwrap_or(slot)
}

struct Record(Vec<u8>);

impl Record {
    fn new(kind: u16) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        Self(bytes)
    }

    fn field(&mut self, tag: u16, value: &[u8]) {
        self.0.extend(tag.to_le_bytes());
        self.0.extend(length_of(value).to_le_bytes());
        self.0.extend(value);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = length_of(&self.0[HEADER..]);
        self.0[HEADER - 4..HEADER].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn split_record(bytes: &[u8], at: usize) -> Result<(u16, &[u8], &[u8]), Malformed> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else {
        return Err(Malformed::new(at, "a record cut short"));
    };
    if header[..4] != MAGIC {
        return Err(Malformed::new(at, "no record of Pitstop's"));
    }
    let format = u16::from_le_bytes([header[4], header[5]]);
    if format != FORMAT {
        let what = format!("format {format} where this version reads {FORMAT}");
        return Err(Malformed::new(at, what));
    }
    let kind = u16::from_le_bytes([header[6], header[7]]);
    let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    match rest.split_at_checked(length) {
        Some((body, rest)) => Ok((kind, body, rest)),
        None => Err(Malformed::new(at, "a record longer than its section")),
    }
}

fn fields(mut body: &[u8], at: usize) -> Result<Vec<(u16, &[u8])>, Malformed> {
    let mut fields = Vec::new();
    while !body.is_empty() {
        let Some((head, rest)) = body.split_at_checked(6) else {
            return Err(Malformed::new(at, "a field cut short"));
        };
        let tag = u16::from_le_bytes([head[0], head[1]]);
        let length = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
        let Some((value, rest)) = rest.split_at_checked(length) else {
            return Err(Malformed::new(at, "a field longer than its record"));
        };
        fields.push((tag, value));
        body = rest;
    }
    Ok(fields)
}

fn text(bytes: &[u8], at: usize) -> Result<String, Malformed> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Malformed::new(at, "text that is not UTF-8")),
    }
}

fn parse_facts(body: &[u8], at: usize) -> Result<Facts, Malformed> {
    let mut facts = Facts::default();
    for (tag, value) in fields(body, at)? {
        match tag {
            TAG_NAME => facts.crate_name = text(value, at)?,
            TAG_FACT => {
                let line = text(value, at)?;
                let Some((key, value)) = line.split_once('=') else {
                    return Err(Malformed::new(at, "a fact without a value"));
                };
                facts.values.insert(key.to_owned(), value.to_owned());
            }
            other => return Err(Malformed::new(at, format!("an unknown field {other}"))),
        }
    }
    Ok(facts)
}

fn parse_slot(body: &[u8], at: usize) -> Result<SlotFact, Malformed> {
    let mut slot = SlotFact::default();
    let mut module = String::new();
    for (tag, value) in fields(body, at)? {
        match tag {
            TAG_NAME => slot.name = text(value, at)?,
            TAG_SIGNATURE => slot.signature = text(value, at)?,
            TAG_TYPE => slot.types.push(parse_type(value, at)?),
            TAG_PUBLIC => slot.public = true,
            TAG_PARAMETER => slot.parameters.push(text(value, at)?),
            TAG_MODULE => module = text(value, at)?,
            other => return Err(Malformed::new(at, format!("an unknown field {other}"))),
        }
    }
    if !module.is_empty() {
        slot.name = format!("{module}::{}", slot.name);
    }
    Ok(slot)
}

fn parse_carried(body: &[u8], at: usize) -> Result<CarriedFact, Malformed> {
    let mut slot = parse_slot(body, at)?;
    match slot.types.pop() {
        Some(ty) => Ok(CarriedFact { name: slot.name, ty }),
        None => Err(Malformed::new(at, "a carried type without a type")),
    }
}

fn parse_type(value: &[u8], at: usize) -> Result<TypeFact, Malformed> {
    let numbers = value.split_at_checked(16);
    let Some((numbers, name)) = numbers else {
        return Err(Malformed::new(at, "a type cut short"));
    };
    let mut size = [0; 8];
    let mut align = [0; 8];
    size.copy_from_slice(&numbers[..8]);
    align.copy_from_slice(&numbers[8..]);
    Ok(TypeFact { name: text(name, at)?, size: u64::from_le_bytes(size), align: u64::from_le_bytes(align) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Facts, SlotFact) {
        let facts = Facts::from_lines("logic", "rustc=1.95.0\ntarget=x86_64\n");
        let slot = SlotFact {
            name: "logic::update".into(),
            signature: "fn(&mut World, f32)".into(),
            public: true,
            parameters: vec!["world".into(), "dt".into()],
            types: vec![
                TypeFact { name: "World".into(), size: 24, align: 8 },
                TypeFact { name: "f32".into(), size: 4, align: 4 },
            ],
        };
        (facts, slot)
    }

    #[test]
    fn what_is_encoded_is_read_back_padding_included() {
        let (facts, slot) = sample();
        let mut section = vec![0; 3];
        section.extend(facts.encode());
        section.extend([0; 5]);
        section.extend(slot.encode());
        let read = Descriptor::parse(&section).expect("a good section");
        assert_eq!(read.crates, [facts]);
        assert_eq!(read.slots, [slot]);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_read_without_a_panic() {
        let (facts, slot) = sample();
        let mut section = facts.encode();
        section.extend(slot.encode());
        for cut in 1..section.len() {
            // A cut between the two records leaves a good first one; nothing else may pass.
            let whole = cut == facts.encode().len();
            assert_eq!(Descriptor::parse(&section[..cut]).is_ok(), whole, "cut at {cut}");
        }
        for bit in 0..section.len() * 8 {
            let mut flipped = section.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = Descriptor::parse(&flipped);
        }
    }

    #[test]
    fn a_record_put_together_from_parts_is_the_same_record() {
        let slot = SlotFact { name: "update".into(), ..sample().1 };
        let module = b"logic::rules";
        let mut bytes = Vec::new();
        for part in slot.parts() {
            match part {
                Part::Bytes(run) => bytes.extend(run),
                Part::BodyLength(length) => {
                    bytes.extend(length_of(&vec![0; length + module.len()]).to_le_bytes());
                }
                Part::Layout(index) => {
                    bytes.extend(slot.types[index].size.to_le_bytes());
                    bytes.extend(slot.types[index].align.to_le_bytes());
                }
                Part::ModuleLength => bytes.extend(length_of(module).to_le_bytes()),
                Part::Module => bytes.extend(module),
            }
        }
        let read = Descriptor::parse(&bytes).expect("a good record");
        let expected = SlotFact { name: "logic::rules::update".into(), ..slot };
        assert_eq!(read.slots, [expected]);
    }

    #[test]
    fn another_format_is_refused_by_number() {
        let mut bytes = sample().1.encode();
        bytes[4] = 9;
        let error = Descriptor::parse(&bytes).expect_err("format 9");
        assert_eq!(error.to_string(), "format 9 where this version reads 1 at byte 0");
    }
}
