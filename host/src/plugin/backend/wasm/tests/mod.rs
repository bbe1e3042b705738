//! Guests, most of them bad: what is refused, what is ended, and that all others go on.

mod abuse;
mod answers;
// Elsewhere nothing is kept.
#[cfg(unix)]
mod cached;
mod grants;
mod mutants;
mod network;
mod refusals;
mod waits;

use super::pool;
use crate::plugin::backend::{Candidate, Instance, Proven, prove};
use crate::plugin::spec::{Access, Folder, Limits, Mechanism, Mode, Origin, Source, Spec, Wasm};
use pitstop_contract::Reason;
use pitstop_reloadable::PluginError;
use std::sync::Arc;
use tempfile::TempDir;

/// A guest in a folder of its own.
struct Plugin {
    folder: TempDir,
    spec: Spec,
    bytes: Vec<u8>,
}

impl Plugin {
    /// Of text, or of bytes as they are.
    fn new(content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let bytes = wat::parse_bytes(content).expect("a module").into_owned();
        Self::of_bytes(bytes)
    }

    fn of_bytes(bytes: Vec<u8>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let origin = Origin { file: folder.path().join("plugin.toml"), line: 1, drop_in: false };
        let spec = Spec {
            name: "tried".to_owned(),
            mechanism: Mechanism::Wasm,
            source: Source::File(folder.path().join("tried.wasm")),
            mode: Mode::Once,
            arguments: Vec::new(),
            rpc: crate::plugin::spec::Rpc::default(),
            wasm: Wasm::default(),
            build: None,
            limits: Limits::default(),
            environment: Vec::new(),
            set: [].into(),
            directory: folder.path().to_owned(),
            sha256: None,
            enabled: true,
            origin,
        };
        Self { folder, spec, bytes }
    }

    fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }

    fn proven(&self) -> Result<Proven, Vec<Reason>> {
        let file = self.folder.path().join("tried-1.wasm");
        let spec = Arc::new(self.spec.clone());
        prove(Candidate { spec, file, bytes: self.bytes.clone().into(), layouts: None })
    }

    /// The only reason against it, as one text.
    fn refused(&self) -> String {
        let reasons = self.proven().expect_err("no guest");
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        let folder = self.folder.path().display().to_string();
        format!("{}: found {}; {}", reasons[0].expected, reasons[0].found, reasons[0].advice).replace(&folder, "DIR")
    }

    fn try_open(&self) -> Result<Box<dyn Instance>, PluginError> {
        pool::open(self.proven().expect("a guest").candidate(), None)
    }

    fn open(&self) -> Box<dyn Instance> {
        self.try_open().expect("it opens")
    }
}

/// A core module, whose input is at 1024: more of it, and the body of its `process`, with `$at` and `$length`.
fn module(more: &str, body: &str) -> String {
    format!(
        "(module {more}
           (memory (export \"memory\") 1)
           (func (export \"pitstop_alloc\") (param i32) (result i32) (i32.const 1024))
           (func $process (export \"pitstop_process\") (param $at i32) (param $length i32) (result i64) {body}))"
    )
}

/// The body that answers with the input.
const ECHO: &str = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
                            (i64.extend_i32_u (local.get $length)))";

/// The body that answers with the input as an error.
const ECHO_ERROR: &str = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
                                  (i64.or (i64.extend_i32_u (local.get $length)) (i64.const 0x80000000)))";

/// A component, whose input is at 1024: its imports, what it hands to its module, more of the module, and the body of
/// `process`, which answers with a pointer to kind, address and length; those at 16 are for `$at` and `$length`.
fn component(imports: &str, with: &str, more: &str, body: &str) -> String {
    let record = "(record (field \"name\" string) (field \"version\" string) (field \"capabilities\" (list string)))";
    let process = "(param \"input\" (list u8)) (result (result (list u8) (error string)))";
    format!(
        "(component
           {imports}
           (core module $module {more}
             (memory (export \"memory\") 1)
             (data (i32.const 64) \"\\60\\00\\00\\00\\05\\00\\00\\00\\65\\00\\00\\00\\05\\00\\00\\00\\70\\00\\00\\00\\01\\00\\00\\00\")
             (data (i32.const 96) \"tried0.1.2\")
             (data (i32.const 112) \"\\78\\00\\00\\00\\04\\00\\00\\00echo\")
             (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
             (func (export \"describe\") (result i32) (i32.const 64))
             (func $process (export \"process\") (param $at i32) (param $length i32) (result i32)
               (i32.store (i32.const 20) (local.get $at))
               (i32.store (i32.const 24) (local.get $length))
               {body}))
           (core instance $instance (instantiate $module {with}))
           (alias core export $instance \"memory\" (core memory $memory))
           (alias core export $instance \"realloc\" (core func $realloc))
           (type $record {record})
           (func $describe (result $record) (canon lift (core func $instance \"describe\") (memory $memory)))
           (func $process {process}
             (canon lift (core func $instance \"process\") (memory $memory) (realloc $realloc)))
           (component $shim
             (type $record {record})
             (import \"record\" (type $imported (eq $record)))
             (import \"describe\" (func $describe (result $imported)))
             (import \"process\" (func $process {process}))
             (type $own {record})
             (export $description \"description\" (type $own))
             (export \"describe\" (func $describe) (func (result $description)))
             (export \"process\" (func $process) (func {process})))
           (instance $guest (instantiate $shim (with \"record\" (type $record))
             (with \"describe\" (func $describe)) (with \"process\" (func $process))))
           (export \"pitstop:plugin/guest@0.1.0\" (instance $guest)))"
    )
}
