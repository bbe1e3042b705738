//! What a file must be to be executed: a whole program for this machine, or a script with an interpreter that is there.

use super::super::Candidate;
use super::{platform, shebang, text};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectKind};
use pitstop_contract::{Reason, Rule};
use pitstop_proof::{Proof, machine_here};
use std::path::Path;

const REBUILD: &str = "build it again";

pub(crate) fn prove(candidate: &Candidate) -> Result<Proof, Reason> {
    let check = Check { file: &candidate.file, subject: candidate.file.display().to_string() };
    check.plain()?;
    let bytes = &candidate.bytes[..];
    if bytes.is_empty() {
        return Err(check.incomplete("an empty file", REBUILD));
    }
    let mut proof = Proof::default();
    if bytes.starts_with(b"#!") {
        proof.notes.extend(check.script(candidate)?);
    } else {
        check.program(bytes)?;
    }
    platform::executable(check.file).map_err(|found| check.file(found, "make it executable: `chmod +x`"))?;
    Ok(proof)
}

struct Check<'a> {
    file: &'a Path,
    subject: String,
}

impl Check<'_> {
    fn incomplete(&self, found: impl Into<String>, advice: &str) -> Reason {
        Reason::new(
            Rule::Complete,
            &self.subject,
            "a complete program, or a script that begins with `#!`",
            found,
            advice,
        )
    }

    fn foreign(&self, found: impl Into<String>) -> Reason {
        let expected = format!("a program for {}", std::env::consts::ARCH);
        Reason::new(Rule::Target, &self.subject, expected, found, "build it for the machine that the host runs on")
    }

    fn file(&self, found: impl Into<String>, advice: &str) -> Reason {
        Reason::new(Rule::File, &self.subject, "an executable file", found, advice)
    }

    fn plain(&self) -> Result<(), Reason> {
        let file = self.file;
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(()),
            Ok(metadata) if metadata.is_dir() => Err(self.file("a directory", "name the file in it")),
            Ok(_) => Err(self.file("something that is not a plain file", "name a file")),
            Err(_) if file.is_symlink() => {
                let target = file.read_link().map(|target| target.display().to_string()).unwrap_or_default();
                Err(self.file(format!("a dangling link to `{target}`"), "point it to a file that is there"))
            }
            Err(error) => Err(self.file(error.to_string(), "name a file that is there")),
        }
    }

    /// Shows that the interpreter can be executed. Returns what a person should know.
    fn script(&self, candidate: &Candidate) -> Result<Option<String>, Reason> {
        let found = shebang::interpreter(&candidate.bytes).map_err(|bad| self.incomplete(bad.found, bad.advice))?;
        let (interpreter, environment) = (&found.file, &candidate.spec.environment);
        if let Err(why) = platform::executable(interpreter) {
            let said = text::quoted(interpreter.as_os_str().as_encoded_bytes());
            let found = format!("a script for `{said}`, which is {why}");
            return Err(self.file(found, "install the interpreter, or name another in the first line"));
        }
        let sought = found.argument.filter(|_| interpreter.file_name().is_some_and(|name| name == "env"));
        let has_path = environment.iter().any(|name| name == "PATH") || candidate.spec.set.contains_key("PATH");
        Ok(sought.filter(|_| !has_path).map(|sought| {
            format!(
                "`env` looks for `{sought}` in the system's standard folders only: `environment` does not have `PATH`"
            )
        }))
    }

    fn program(&self, bytes: &[u8]) -> Result<(), Reason> {
        if !pitstop_proof::is_native_code(bytes) {
            return Err(self.no_program(bytes));
        }
        if cfg!(all(unix, not(target_os = "macos"))) && !bytes.starts_with(&elf::ELFMAG) {
            return Err(self.foreign("a program for another system"));
        }
        pitstop_proof::whole(self.file, bytes).map_err(|reason| self.incomplete(reason.found, REBUILD))?;
        if cfg!(any(target_os = "macos", windows)) {
            let malformed = |error: object::Error| self.incomplete(error.to_string(), REBUILD);
            return match object::File::parse(bytes).map_err(malformed)?.kind() {
                ObjectKind::Executable => Ok(()),
                other => Err(self.incomplete(format!("{other:?}"), "name the program that the linker writes")),
            };
        }
        self.elf(bytes)
    }

    fn no_program(&self, bytes: &[u8]) -> Reason {
        let start = &bytes[..bytes.len().min(512)];
        if start.iter().all(|&byte| byte >= b' ' || byte.is_ascii_whitespace() || byte == 0x1b) {
            let first = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let advice =
                "begin it with `#!` and what runs it, as in `#!/bin/sh`: no shell stands in between to guess it";
            return self.incomplete(format!("text without `#!`: `{}`", text::quoted(first)), advice);
        }
        let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        self.incomplete(format!("a file that begins with {}", start.join(" ")), REBUILD)
    }

    fn elf(&self, bytes: &[u8]) -> Result<(), Reason> {
        if bytes.get(4).copied().map(elf::FileClass) != Some(elf::ELFCLASS64) {
            return Err(self.foreign("a 32-bit program"));
        }
        let malformed = |error: object::Error| self.incomplete(error.to_string(), REBUILD);
        let file = ElfFile64::<Endianness>::parse(bytes).map_err(malformed)?;
        let (header, endian) = (file.elf_header(), file.endian());
        let machine = header.e_machine(endian);
        let byte_order = if cfg!(target_endian = "big") { Endianness::Big } else { Endianness::Little };
        if machine != machine_here() || endian != byte_order {
            return Err(self.foreign(format!("one for ELF machine {}", machine.0)));
        }
        let mut loader = None;
        for segment in header.program_headers(endian, bytes).map_err(malformed)? {
            loader = loader.or(segment.interpreter(endian, bytes).map_err(malformed)?);
        }
        match header.e_type(endian) {
            elf::ET_EXEC => {}
            elf::ET_DYN if loader.is_some() || header.e_entry(endian) != 0 => {}
            elf::ET_DYN => return Err(self.incomplete("a library, which has no entry", "name a program")),
            elf::ET_REL => return Err(self.incomplete("an object file that was not linked", "link it")),
            elf::ET_CORE => return Err(self.incomplete("a core dump", "name a program")),
            _ => return Err(self.incomplete("an ELF file of another kind", "name a program")),
        }
        let Some(loader) = loader else { return Ok(()) };
        let loader = text::quoted(loader);
        platform::executable(Path::new(&loader)).map_err(|why| {
            let found = format!("a program for the loader `{loader}`, which is {why}");
            self.file(found, "build it against this system's C library, or link it statically")
        })
    }
}
