//! Shows by a file alone that it is a guest: whole and valid, with what is called, and with nothing that is not lent to it.

mod exports;
mod imports;

use super::kind::{Kind, kind};
use crate::plugin::backend::Candidate;
use crate::plugin::spec::Wasm;
use pitstop_contract::{Reason, Rule};
use pitstop_proof::Proof;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// What a file's outermost module or component imports and exports.
#[derive(Debug, Default)]
struct Border {
    /// From where, and what; of a component only what.
    imports: Vec<(String, String)>,
    exports: Vec<Export>,
}

#[derive(Debug)]
struct Export {
    name: String,
    /// Of a function of a core module: its type, such as `(i32, i32) -> i64`. Otherwise what it is.
    what: String,
}

pub(super) fn prove(candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
    let file = candidate.file.display().to_string();
    let kind = kind(&candidate.bytes);
    if let Kind::Other(other) = kind {
        let expected = "a component or a core module of WebAssembly";
        return Err(vec![Reason::new(Rule::Complete, file, expected, other.found, other.advice)]);
    }
    let border = border(&candidate.bytes).map_err(|why| {
        let advice = "build it once more; if it is as the compiler wrote it, wasmtime 48 cannot run what it uses";
        vec![Reason::new(Rule::Complete, &file, "valid WebAssembly", why, advice)]
    })?;
    let mut reasons = exports::missing(&file, kind, &border);
    reasons.extend(imports::not_lent(&file, kind, &border, &candidate.spec.wasm));
    if reasons.is_empty() { Ok(proof(kind, &border, &candidate.spec.wasm)) } else { Err(reasons) }
}

fn proof(kind: Kind, border: &Border, granted: &Wasm) -> Proof {
    let mut proof = Proof::default();
    let asks_for_wasi = border.imports.iter().any(|(from, name)| from.starts_with("wasi") || name.starts_with("wasi:"));
    if kind == Kind::Module && !granted.network.is_empty() {
        proof.notes.push("`network` is of no use to a core module: WASI preview 1 cannot connect".to_owned());
    }
    let is_granted_some = !granted.files.is_empty() || !granted.network.is_empty();
    if is_granted_some && !asks_for_wasi {
        proof.notes.push("it does not ask for WASI, so that `files` and `network` are of no use to it".to_owned());
    }
    proof
}

/// What is at the border, if all within it is valid too.
fn border(bytes: &[u8]) -> Result<Border, String> {
    let told = |error: wasmparser::BinaryReaderError| format!("{} (at byte {})", error.message(), error.offset());
    let mut validator = Validator::new_with_features(features());
    let types = validator.validate_all(bytes).map_err(told)?;
    let mut border = Border::default();
    // How many modules and components what is read is within.
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(told)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ImportSection(section) if depth == 0 => {
                for import in section.into_imports() {
                    let import = import.map_err(told)?;
                    border.imports.push((import.module.to_owned(), import.name.to_owned()));
                }
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    border.imports.push((String::new(), import.map_err(told)?.name.name.to_owned()));
                }
            }
            Payload::ExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(told)?;
                    border.exports.push(exports::core(&types, &export));
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let name = export.map_err(told)?.name.name.to_owned();
                    border.exports.push(Export { name, what: String::new() });
                }
            }
            _ => {}
        }
    }
    Ok(border)
}

/// About what wasmtime compiles; where that is less, it says so later.
fn features() -> WasmFeatures {
    WasmFeatures::default()
}
