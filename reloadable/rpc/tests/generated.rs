//! The generated code in `src/generated` is what `proto/` makes. `UPDATE_GENERATED=1` writes it.

use std::error::Error;
use std::path::Path;

#[test]
fn the_generated_code_is_that_of_the_protocol_files() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir()?;
    let files = protox::compile(["plugin.proto", "pitstop.proto"], [here.join("proto")])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".pitstop.v1")
        .bytes(".plugin.StdioData")
        .out_dir(made.path())
        .compile_fds(files)?;
    for (name, proto) in [("plugin.rs", "plugin"), ("pitstop.v1.rs", "pitstop")] {
        let kept = here.join("src/generated").join(name);
        let new = std::fs::read_to_string(made.path().join(name))?;
        let new = format!("//! Made from `proto/{proto}.proto` by `tests/generated.rs`.\n\n{new}");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(&kept, &new)?;
        }
        let old = std::fs::read_to_string(&kept)?;
        assert!(
            old == new,
            "{} is out of date; UPDATE_GENERATED=1 cargo test -p pitstop-rpc --test generated",
            kept.display()
        );
    }
    Ok(())
}
