//! The first line of a script, as the system reads it: `#!`, an interpreter, and maybe one argument.

use super::text::quoted;
use std::path::PathBuf;

/// As much of a file as Linux looks at.
const LOOKED_AT: usize = 256;

/// What runs a script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    pub(crate) file: PathBuf,
    pub(crate) argument: Option<String>,
}

/// Why a first line names no interpreter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) found: String,
    pub(crate) advice: &'static str,
}

/// Reads the interpreter from the first line, which begins with `#!`.
pub(crate) fn interpreter(script: &[u8]) -> Result<Interpreter, Bad> {
    let bad = |found: String, advice| Bad { found, advice };
    let start = &script[..script.len().min(LOOKED_AT)];
    let end = start.iter().position(|&byte| byte == b'\n');
    let line = start[..end.unwrap_or(start.len())].strip_prefix(b"#!").unwrap_or_default();
    if line.ends_with(b"\r") {
        let advice = "save it with LF at the end of its lines: the CR is taken for a part of the interpreter's name";
        return Err(bad(format!("a first line that ends in CR LF: `{}`", quoted(line)), advice));
    }
    let line = line.trim_ascii();
    if end.is_none() && script.len() > LOOKED_AT {
        let found = format!("a first line of more than {LOOKED_AT} bytes: `#!{}`", quoted(line));
        return Err(bad(found, "shorten the first line: the system reads no more of it"));
    }
    let split = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (file, argument) = (&line[..split], line[split..].trim_ascii());
    if file.is_empty() {
        return Err(bad("`#!` without an interpreter".to_owned(), "name what runs it, as in `#!/bin/sh`"));
    }
    let (file, argument) = (String::from_utf8_lossy(file), String::from_utf8_lossy(argument));
    if !file.starts_with('/') {
        let found = format!("`#!{}`, whose interpreter is no absolute path", quoted(line));
        return Err(bad(found, "name the whole path, as in `#!/bin/sh`, or let `#!/usr/bin/env NAME` look for it"));
    }
    let argument = (!argument.is_empty()).then(|| argument.into_owned());
    Ok(Interpreter { file: PathBuf::from(file.into_owned()), argument })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(script: &str) -> (String, Option<String>) {
        let found = interpreter(script.as_bytes()).expect("an interpreter");
        (found.file.display().to_string(), found.argument)
    }

    #[test]
    fn the_interpreter_is_read_as_the_system_reads_it() {
        assert_eq!(good("#!/bin/sh\necho"), ("/bin/sh".to_owned(), None));
        assert_eq!(
            good("#! \t/usr/bin/env  python3 -u \n"),
            ("/usr/bin/env".to_owned(), Some("python3 -u".to_owned()))
        );
        assert_eq!(good("#!/bin/sh"), ("/bin/sh".to_owned(), None));
    }

    #[test]
    fn a_first_line_that_names_none_is_told_apart() {
        let found = |script: &[u8]| interpreter(script).expect_err("none").found;
        assert!(found(b"#!\n").contains("without an interpreter"));
        assert!(found(b"#!").contains("without an interpreter"));
        assert!(found(b"#!/bin/sh\r\necho\r\n").contains("CR LF"));
        assert!(found(b"#!python3\n").contains("no absolute path"));
        assert!(found(format!("#!/{}\n", "x".repeat(300)).as_bytes()).contains("more than 256 bytes"));
    }
}
