//! A complete dynamic library for this machine: everything that the loader would map lies inside the file.
//!
//! A truncated library maps without complaint and raises SIGBUS at the first touch of a page beyond its end, so the
//! segments are checked before the loader sees the file.

use object::elf;
use object::read::elf::{ElfFile, ElfFile64, FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, Object};
use pitstop_contract::{Reason, Rule};
use std::path::Path;

/// Shows that `bytes` are a complete dynamic library that this process could load.
pub fn complete(path: &Path, bytes: &[u8]) -> Result<(), Reason> {
    let check = Check { subject: path.display().to_string() };
    if bytes.is_empty() {
        return Err(check.incomplete("an empty file"));
    }
    if cfg!(target_os = "linux") || bytes.starts_with(&elf::ELFMAG) {
        return check.elf(bytes);
    }
    // Mach-O and COFF: what `object` verifies while parsing.
    let file = object::File::parse(bytes).map_err(|error| check.incomplete(&error.to_string()))?;
    if file.kind() != object::ObjectKind::Dynamic {
        return Err(check.incomplete(&format!("{:?}", file.kind())));
    }
    Ok(())
}

/// Shows that nothing was cut off `bytes`, a library or a program for any machine.
pub fn whole(path: &Path, bytes: &[u8]) -> Result<(), Reason> {
    let check = Check { subject: path.display().to_string() };
    if bytes.is_empty() {
        return Err(check.incomplete("an empty file"));
    }
    let malformed = |error: object::Error| {
        let is_known = object::FileKind::parse(bytes).is_ok() && !bytes.starts_with(b"!<arch>");
        if is_known || bytes.starts_with(&elf::ELFMAG) {
            check.incomplete(&format!("cut short or damaged ({error})"))
        } else {
            check.incomplete(&describe_start(bytes))
        }
    };
    match object::File::parse(bytes).map_err(malformed)? {
        object::File::Elf32(file) => check.inside(&file, bytes),
        object::File::Elf64(file) => check.inside(&file, bytes),
        _ => Ok(()),
    }
}

/// Whether the first bytes are those of a library or program, for this system or another one.
#[must_use]
pub fn is_native_code(bytes: &[u8]) -> bool {
    // In reading order: ELF, Windows, Mach-O of 32 and 64 bits in either order of bytes, several Mach-O in one file.
    const BEGINNINGS: [&[u8]; 7] = [
        &elf::ELFMAG,
        b"MZ",
        &[0xfe, 0xed, 0xfa, 0xce],
        &[0xfe, 0xed, 0xfa, 0xcf],
        &[0xce, 0xfa, 0xed, 0xfe],
        &[0xcf, 0xfa, 0xed, 0xfe],
        &[0xca, 0xfe, 0xba, 0xbe],
    ];
    BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
}

struct Check {
    subject: String,
}

impl Check {
    fn incomplete(&self, found: &str) -> Reason {
        let advice = "the file is not what the linker writes; save the source again";
        Reason::new(Rule::Complete, &self.subject, "a complete dynamic library", found, advice)
    }

    fn foreign(&self, expected: String, found: String) -> Reason {
        let advice = "build for the machine that the host runs on (`--target`)";
        Reason::new(Rule::Target, &self.subject, expected, found, advice)
    }

    fn elf(&self, bytes: &[u8]) -> Result<(), Reason> {
        if !bytes.starts_with(&elf::ELFMAG) {
            return Err(self.incomplete(&describe_start(bytes)));
        }
        match bytes.get(4).copied().map(elf::FileClass) {
            Some(elf::ELFCLASS64) => {}
            Some(elf::ELFCLASS32) => return Err(self.foreign("a 64-bit library".into(), "a 32-bit one".into())),
            _ => return Err(self.incomplete("an ELF header cut short")),
        }
        let malformed = |error: object::Error| self.incomplete(&error.to_string());
        let file = ElfFile64::<Endianness>::parse(bytes).map_err(malformed)?;
        let header = file.elf_header();
        let endian = file.endian();
        let machine = header.e_machine(endian);
        let expected = machine_here();
        if machine != expected {
            return Err(self.foreign(machine_name(expected), machine_name(machine)));
        }
        if header.e_type(endian) != elf::ET_DYN {
            return Err(self.incomplete(match header.e_type(endian) {
                elf::ET_EXEC => "an executable",
                elf::ET_REL => "an object file that was not linked",
                elf::ET_CORE => "a core dump",
                _ => "an ELF file of another kind",
            }));
        }
        self.inside(&file, bytes)
    }

    /// Everything that the headers tell of lies inside the file.
    fn inside<Elf: FileHeader<Endian = Endianness>>(
        &self,
        file: &ElfFile<'_, Elf>,
        bytes: &[u8],
    ) -> Result<(), Reason> {
        let malformed = |error: object::Error| self.incomplete(&error.to_string());
        let (header, endian) = (file.elf_header(), file.endian());
        let length = bytes.len() as u64;
        let mut loaded = false;
        for segment in header.program_headers(endian, bytes).map_err(malformed)? {
            let offset: u64 = segment.p_offset(endian).into();
            let size: u64 = segment.p_filesz(endian).into();
            if offset.checked_add(size).is_none_or(|end| end > length) {
                let found = format!("a segment of {size} bytes at {offset} in a file of {length}: it was cut short");
                return Err(self.incomplete(&found));
            }
            loaded |= segment.p_type(endian) == elf::PT_LOAD;
        }
        if !loaded {
            return Err(self.incomplete("an ELF file without anything to load"));
        }
        for section in header.section_headers(endian, bytes).map_err(malformed)? {
            section.data(endian, bytes).map_err(malformed)?;
        }
        Ok(())
    }
}

fn describe_start(bytes: &[u8]) -> String {
    if bytes.starts_with(b"#!") {
        return "a script".to_owned();
    }
    if bytes.starts_with(b"!<arch>") {
        return "a static library".to_owned();
    }
    if bytes.starts_with(b"/* GNU ld script") {
        return "a linker script; name the library that it points to".to_owned();
    }
    if is_native_code(bytes) {
        return "code for another system".to_owned();
    }
    let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("a file that begins with {}", start.join(" "))
}

/// The processor that this program runs on, as ELF files name it.
#[must_use]
pub fn machine_here() -> elf::Machine {
    if cfg!(target_arch = "aarch64") {
        elf::EM_AARCH64
    } else if cfg!(target_arch = "riscv64") {
        elf::EM_RISCV
    } else {
        elf::EM_X86_64
    }
}

fn machine_name(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => "x86-64".to_owned(),
        elf::EM_AARCH64 => "aarch64".to_owned(),
        elf::EM_RISCV => "RISC-V".to_owned(),
        elf::EM_386 => "x86".to_owned(),
        elf::EM_ARM => "arm".to_owned(),
        other => format!("ELF machine {}", other.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{descriptor, exports};

    /// This test's own executable: a large, real ELF file of this machine.
    fn executable() -> Vec<u8> {
        let path = std::env::current_exe().expect("a path");
        std::fs::read(path).expect("the executable")
    }

    #[test]
    fn every_cut_of_a_real_file_is_incomplete() {
        let bytes = executable();
        let step = bytes.len() / 301;
        for cut in (0..bytes.len()).step_by(step.max(1)).chain(bytes.len() - 64..bytes.len()) {
            let verdict = complete(Path::new("cut"), &bytes[..cut]);
            assert!(verdict.is_err(), "{cut} of {} bytes passed for the whole", bytes.len());
        }
        assert_eq!(complete(Path::new("whole"), &bytes), Ok(()), "a position-independent executable is a library too");
    }

    #[test]
    fn damaged_headers_and_tables_never_panic() {
        let mut bytes = executable();
        let length = bytes.len();
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below as u64).unwrap_or(0)
        };
        let path = Path::new("damaged");
        for round in 0..2000 {
            // Where the headers are, at the start and, for sections, at the end.
            let at = if round % 2 == 0 { next(1024) } else { length - 1 - next(4096) };
            let before = bytes[at];
            bytes[at] = u8::try_from(next(256)).unwrap_or(0);
            let _ = complete(path, &bytes);
            if round % 20 == 0 {
                let _ = descriptor(path, &bytes);
                let _ = exports(path, &bytes);
            }
            bytes[at] = before;
        }
    }
}
