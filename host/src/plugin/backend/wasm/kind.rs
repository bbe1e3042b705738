//! What a file is, by how it begins.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Component,
    Module,
    Other(Other),
}

/// What a file is that is no WebAssembly which can be run: in words, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) found: &'static str,
    pub(super) advice: &'static str,
}

const BUILD: &str = "build it for WebAssembly, e.g. with `--target wasm32-wasip2`, and name that file as `artifact`";

const MAGIC: &[u8; 4] = b"\0asm";

/// Beginnings of other files.
const OTHERS: &[(&[u8], &str, &str)] = &[
    (b"\x7fELF", "a program or library for Linux (ELF)", BUILD),
    (b"MZ", "a program or library for Windows (PE)", BUILD),
    (b"\xcf\xfa\xed\xfe", "a program or library for macOS (Mach-O)", BUILD),
    (b"\xca\xfe\xba\xbe", "a program or library for macOS (Mach-O), or a class of Java's", BUILD),
    (b"BC\xc0\xde", "LLVM bitcode", "link it, e.g. with `wasm-ld`, and name what comes out as `artifact`"),
    (b"!<arch>\n", "an archive of object files", "link it, e.g. with `wasm-ld`, and name what comes out as `artifact`"),
    (b"\x1f\x8b", "compressed by gzip", "unpack it with `gunzip`"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it with `unzstd`"),
    (b"PK\x03\x04", "a zip archive", "unpack it, and name the .wasm file in it as `artifact`"),
    (b"#!", "a script", "for a program that is executed, write `mechanism = \"exec\"`"),
];

const TEXT: Other = Other {
    found: "WebAssembly as text (.wat)",
    advice: "compile it first, with `wat2wasm` or `wasm-tools parse`, and name what comes out as `artifact`",
};

/// What a file is.
pub(super) fn kind(bytes: &[u8]) -> Kind {
    let other = |found, advice| Kind::Other(Other { found, advice });
    if bytes.is_empty() {
        return other("empty", "build it once more; the build may have been interrupted");
    }
    if let Some(rest) = bytes.strip_prefix(MAGIC) {
        return match rest.get(..4) {
            Some([1, 0, 0, 0]) => Kind::Module,
            // The second half tells a component of any version from a module.
            Some([13, 0, 1, 0]) => Kind::Component,
            Some([_, _, 1, 0]) => other(
                "a component of another version of the format than 13",
                "build it with current tools, e.g. `wasm-tools` or `cargo build --target wasm32-wasip2`",
            ),
            Some(_) => {
                other("WebAssembly of another version of the format than 1", "build it with tools of the final format")
            }
            None => other("cut short", "build it once more; the build may have been interrupted"),
        };
    }
    if let Some((_, found, advice)) = OTHERS.iter().find(|(start, ..)| bytes.starts_with(start)) {
        return other(found, advice);
    }
    if is_text(bytes) {
        return Kind::Other(TEXT);
    }
    other("no WebAssembly: it does not begin with `\\0asm`", BUILD)
}

/// Whether it begins as the text format does, after space and comments.
fn is_text(bytes: &[u8]) -> bool {
    let mut rest = bytes.trim_ascii_start();
    while rest.starts_with(b";;") {
        rest = rest.iter().position(|&byte| byte == b'\n').map_or(&[], |end| rest[end..].trim_ascii_start());
    }
    let Some(inner) = rest.strip_prefix(b"(").map(<[u8]>::trim_ascii_start) else { return false };
    inner.starts_with(b";") || inner.starts_with(b"module") || inner.starts_with(b"component")
}
