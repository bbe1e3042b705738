//! Files that are no longer what the compiler wrote.

use super::cases::Damage;
use crate::unit::Compiler;
use object::elf;
use object::{Object, ObjectSection, ObjectSymbol};
use pitstop_contract::descriptor::fact;
use std::io::{Error, Result};
use std::path::Path;
use std::process::Command;

/// Where an ELF header says for how many bits it is.
const CLASS: usize = 4;
/// Where an ELF header names the processor.
const MACHINE: usize = 18;

/// Puts something in the place of a plugin's file, if anything. Returns the bytes that are published as that file's.
pub(super) fn damage(kind: Option<Damage>, path: &Path, compiler: &Compiler) -> Result<Vec<u8>> {
    let good = std::fs::read(path)?;
    let Some(kind) = kind else { return Ok(good) };
    let mut bytes = good.clone();
    match kind {
        Damage::Cut => bytes.truncate(code_of_tick(&good)?),
        Damage::Empty => bytes.clear(),
        Damage::Script => bytes = b"#!/bin/sh\necho this is no library\n".to_vec(),
        Damage::OtherCompiler => rename_compiler(&mut bytes, compiler),
        Damage::Narrow => put(&mut bytes, CLASS, &[elf::ELFCLASS32.0]),
        Damage::OtherMachine => {
            let other = if cfg!(target_arch = "aarch64") { elf::EM_X86_64 } else { elf::EM_AARCH64 };
            put(&mut bytes, MACHINE, &other.0.to_le_bytes());
        }
        Damage::Flipped => {
            bytes[code_of_tick(&good)?] ^= 0x40;
            replace(path, &bytes)?;
            return Ok(good);
        }
        Damage::Stranger => bytes = std::fs::read(standard_library(compiler)?)?,
        Damage::LinkLoop => return special(path, link_to_itself),
        Damage::Fifo => return special(path, fifo),
    }
    replace(path, &bytes)?;
    Ok(bytes)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes.iter_mut().skip(at).zip(value).for_each(|(byte, value)| *byte = *value);
}

/// Makes the descriptor name a compiler with another first digit.
fn rename_compiler(bytes: &mut [u8], compiler: &Compiler) {
    let name = format!("{}={}", fact::RUSTC, compiler.version);
    let digit = fact::RUSTC.len() + 1;
    let places: Vec<usize> =
        bytes.windows(name.len()).enumerate().filter(|(_, text)| *text == name.as_bytes()).map(|(at, _)| at).collect();
    places.into_iter().for_each(|at| put(bytes, at + digit, b"0"));
}

/// Where the machine code of `tick` begins in the file.
fn code_of_tick(bytes: &[u8]) -> Result<usize> {
    let file = object::File::parse(bytes).map_err(Error::other)?;
    let symbol = file.dynamic_symbols().find(|symbol| symbol.name() == Ok("tick"));
    let address = symbol.ok_or_else(|| Error::other("it exports no `tick`"))?.address();
    let inside = |section: &object::Section<'_, '_>| {
        address.checked_sub(section.address()).filter(|&from_start| from_start < section.size())
    };
    let found = file.sections().find_map(|section| Some(section.file_range()?.0 + inside(&section)?));
    let at = found.and_then(|at| usize::try_from(at).ok());
    at.filter(|&at| at < bytes.len()).ok_or_else(|| Error::other("`tick` is in none of its sections"))
}

fn standard_library(compiler: &Compiler) -> Result<std::path::PathBuf> {
    let mut files = std::fs::read_dir(&compiler.libraries)?.flatten().map(|entry| entry.path());
    let is_std = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains("std-") && name.ends_with(std::env::consts::DLL_SUFFIX)
    };
    files.find(is_std).ok_or_else(|| Error::other("the compiler has no dynamic std"))
}

/// A new file: the old one's pages may be mapped.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::remove_file(path)?;
    std::fs::write(path, bytes)
}

/// Puts what is no file in the place of a file.
fn special(path: &Path, make: fn(&Path) -> Result<()>) -> Result<Vec<u8>> {
    std::fs::remove_file(path)?;
    make(path).map(|()| Vec::new())
}

#[cfg(unix)]
fn link_to_itself(path: &Path) -> Result<()> {
    std::os::unix::fs::symlink(path, path)
}

#[cfg(not(unix))]
fn link_to_itself(_: &Path) -> Result<()> {
    Err(Error::other("symbolic links are for Unix"))
}

fn fifo(path: &Path) -> Result<()> {
    let made = Command::new("mkfifo").arg(path).status()?;
    if made.success() { Ok(()) } else { Err(Error::other("mkfifo failed")) }
}
