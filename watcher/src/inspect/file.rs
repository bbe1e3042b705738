//! What one file says of itself.

use crate::exit_code::Fatal;
use object::elf::{DF_1_PIE, DT_FLAGS_1, PT_INTERP};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{Architecture, BinaryFormat, Endianness, Object, ObjectKind};
use pitstop_contract::descriptor::{Descriptor, ENTRY_SYMBOL, SECTION_ELF};
use pitstop_proof::Companion;
use pitstop_proof::layout::{self, Layouts};
use pitstop_proof::{compilers, described, exports, signature, whole};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How large a file may be, in bytes: it is read as a whole.
const LARGEST: u64 = 4 << 30;

/// All that is known of a file; with `--json` one object.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Inspected {
    /// Its path as it was given.
    pub(super) image: String,
    pub(super) kind: Kind,
    pub(super) format: String,
    pub(super) architecture: String,
    pub(super) bits: u8,
    /// The file's size.
    pub(super) bytes: u64,
    /// What shows that something was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) incomplete: Option<String>,
    /// The versions of rustc that signed it.
    pub(super) compilers: BTreeSet<String>,
    /// `None` in a file that Pitstop did not build.
    pub(super) descriptor: Option<Descriptor>,
    /// Why a descriptor that is there cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) malformed: Option<String>,
    /// Exported functions, by symbol, with their signatures as far as debug info tells them; not mangled ones.
    pub(super) functions: BTreeMap<String, Option<String>>,
    /// The types that cross; without a descriptor those of [`Inspected::functions`], or all that its crates define.
    pub(super) layouts: Layouts,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// A library with Pitstop's descriptor and entry.
    Image,
    /// An executable with Pitstop's descriptor.
    Host,
    SharedLibrary,
    Executable,
    ObjectFile,
    Other,
}

/// Reads a plain file. Nothing else is opened: a FIFO would block.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Fatal> {
    let unreadable = |error: std::io::Error| Fatal::file(path, &format!("not readable: {error}"));
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Fatal::file(path, "a folder"));
    }
    if !metadata.is_file() {
        return Err(Fatal::file(path, "no plain file"));
    }
    if metadata.len() > LARGEST {
        return Err(Fatal::file(path, &format!("too large to read: {} bytes", metadata.len())));
    }
    std::fs::read(path).map_err(unreadable)
}

impl Inspected {
    /// What the bytes of a file say. Any bytes whatsoever may be given.
    ///
    /// # Errors
    /// What the file is, if it is neither library nor executable.
    pub(super) fn of(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        let whole = whole(path, bytes);
        let file = object::File::parse(bytes).map_err(|error| match &whole {
            Err(reason) => reason.found.clone(),
            Ok(()) => error.to_string(),
        })?;
        let (descriptor, malformed) = match described(path, bytes) {
            Ok(descriptor) => (Some(descriptor), None),
            Err(reason) => {
                let is_there = file.section_by_name(SECTION_ELF).or(file.section_by_name("__pitstop")).is_some();
                (None, is_there.then_some(reason.found))
            }
        };
        let layouts = match &descriptor {
            Some(descriptor) => {
                layout::read_with(bytes, &descriptor.crate_names(), &|companion| beside(path, companion))
            }
            None => layout::own(bytes),
        };
        let functions = if descriptor.is_some() { BTreeMap::new() } else { functions(bytes) };
        let has_entry = || exports(path, bytes).is_ok_and(|names| names.iter().any(|name| name == ENTRY_SYMBOL));
        let kind = match plain_kind(&file) {
            Kind::SharedLibrary if descriptor.is_some() && has_entry() => Kind::Image,
            Kind::Executable if descriptor.is_some() => Kind::Host,
            kind => kind,
        };
        Ok(Self {
            image: path.display().to_string(),
            kind,
            format: format(file.format()),
            architecture: architecture(file.architecture()),
            bits: if file.is_64() { 64 } else { 32 },
            bytes: bytes.len() as u64,
            incomplete: whole.err().map(|reason| reason.found),
            compilers: compilers(bytes),
            descriptor,
            malformed,
            functions,
            layouts,
        })
    }
}

fn functions(bytes: &[u8]) -> BTreeMap<String, Option<String>> {
    let all = signature::all(bytes).unwrap_or_default();
    all.into_iter().map(|(symbol, found)| (symbol, found.map(|found| found.to_string()))).collect()
}

fn plain_kind(file: &object::File<'_>) -> Kind {
    let is_program = match file {
        object::File::Elf32(file) => is_program(file),
        object::File::Elf64(file) => is_program(file),
        _ => false,
    };
    match file.kind() {
        ObjectKind::Dynamic if !is_program => Kind::SharedLibrary,
        ObjectKind::Dynamic | ObjectKind::Executable => Kind::Executable,
        ObjectKind::Relocatable => Kind::ObjectFile,
        _ => Kind::Other,
    }
}

/// A program that can be mapped anywhere is a dynamic library but for this.
fn is_program<Elf: FileHeader<Endian = Endianness>>(file: &ElfFile<'_, Elf>) -> bool {
    let asks_for_loader = file.elf_program_headers().iter().any(|header| header.p_type(file.endian()) == PT_INTERP);
    let has_flag = || {
        let table = file.elf_dynamic_table().ok()?;
        let flags = table.iter().find(|entry| entry.tag == DT_FLAGS_1)?;
        Some(flags.val & DF_1_PIE.0 != 0)
    };
    asks_for_loader || has_flag().unwrap_or(false)
}

fn format(format: BinaryFormat) -> String {
    match format {
        BinaryFormat::Elf => "ELF".to_owned(),
        BinaryFormat::MachO => "Mach-O".to_owned(),
        BinaryFormat::Pe => "PE".to_owned(),
        other => format!("{other:?}"),
    }
}

fn architecture(architecture: Architecture) -> String {
    match architecture {
        Architecture::X86_64 => "x86-64".to_owned(),
        Architecture::I386 => "x86".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Debug info that lies beside a file: in one package, or in an object for each unit.
fn beside(path: &Path, companion: &Companion) -> Option<Vec<u8>> {
    let companion = match companion {
        Companion::Package => {
            let mut name = path.as_os_str().to_owned();
            name.push(".dwp");
            PathBuf::from(name)
        }
        Companion::Object { directory, name } => Path::new(directory).join(name),
    };
    read(&companion).ok()
}
