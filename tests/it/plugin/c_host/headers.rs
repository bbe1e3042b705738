//! The headers: made of the source, equal on both sides, and clean for compilers of C and C++.

use super::compile::{compiler, ends_well};
use pitstop_reloadable::__private::{Buffer, PluginHost, PluginTable};
use pitstop_tests::{Project, repository};
use std::mem::offset_of;
use std::path::Path;

/// What `pitstop.h` is made of, in its order.
const SOURCES: [&str; 9] = ["abi", "error", "config", "host", "unit", "library", "events", "log_to", "plugins"];

fn generate(config: cbindgen::Config, sources: &[&Path]) -> String {
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = sources.iter().fold(builder, |builder, source| builder.with_src(source));
    let mut header = Vec::new();
    builder.generate().expect("a header").write(&mut header);
    String::from_utf8(header).expect("UTF-8")
}

#[test]
fn the_header_is_what_cbindgen_makes_of_the_source() {
    let folder = repository().join("host/c");
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("a configuration");
    let sources = SOURCES.map(|name| folder.join("src").join(format!("{name}.rs")));
    let made = generate(config, &sources.each_ref().map(|source| source.as_path()));
    let path = folder.join("include/pitstop.h");
    if std::env::var_os("PITSTOP_WRITE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("a written header");
    }
    let kept = std::fs::read_to_string(&path).expect("the header");
    let first = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    let advice = "run this test with PITSTOP_WRITE_HEADER=1 to write the header anew";
    assert!(kept == made, "pitstop.h is not what the source says, first at {first:?}; {advice}");
}

#[test]
fn every_function_of_the_library_is_in_the_header() {
    let header = std::fs::read_to_string(repository().join("host/c/include/pitstop.h")).expect("the header");
    let folder = repository().join("host/c/src");
    for file in std::fs::read_dir(folder).expect("the source").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("a source file");
        for name in text.split("extern \"C\" fn ").skip(1).filter_map(|rest| rest.split('(').next()) {
            assert!(name.is_empty() || header.contains(&format!("{name}(")), "pitstop.h has no `{name}`");
        }
    }
}

#[test]
fn the_plugin_header_has_the_types_and_constants_of_the_table_in_rust() {
    let mut config = cbindgen::Config { language: cbindgen::Language::C, ..cbindgen::Config::default() };
    config.usize_is_size_t = true;
    let names = [
        ("ABI", "PITSTOP_PLUGIN_ABI"),
        ("OK", "PITSTOP_OK"),
        ("FAILED", "PITSTOP_FAILED"),
        ("PANICKED", "PITSTOP_PANICKED"),
        ("UNSUPPORTED", "PITSTOP_UNSUPPORTED"),
        ("Status", "pitstop_status"),
        ("Buffer", "pitstop_buffer"),
        ("PluginHost", "pitstop_plugin_host"),
        ("PluginTable", "pitstop_plugin_table"),
    ];
    config.export.rename = names.iter().map(|&(rust, c)| (rust.to_owned(), c.to_owned())).collect();
    config.export.include = names.iter().map(|&(rust, _)| rust.to_owned()).collect();
    config.export.exclude = ["ABI_SYMBOL", "TABLE_SYMBOL", "ENTER_SYMBOL"].map(str::to_owned).to_vec();
    config.documentation = false;
    let made = generate(config, &[&repository().join("reloadable/src/plugin/table.rs")]);
    let kept = std::fs::read_to_string(repository().join("host/c/include/pitstop_plugin.h")).expect("the header");
    let (made, kept) = (items(&made), items(&kept));
    for (_, name) in names {
        assert!(made.iter().any(|item| item.contains(name)), "cbindgen makes nothing of {name}: {made:?}");
    }
    for item in made {
        assert!(kept.contains(&item), "pitstop_plugin.h has not: {item}\nbut:\n{}", kept.join("\n"));
    }
}

/// What a header declares, without comments and white space.
fn items(header: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    for line in header.lines().map(|line| line.split("//").next().unwrap_or_default().trim()) {
        if line.starts_with('#') {
            if line.starts_with("#define PITSTOP_") && line.split(' ').count() == 3 {
                items.push(line.to_owned());
            }
            continue;
        }
        if item.is_empty() && (line == "extern \"C\" {" || line == "}") {
            continue;
        }
        item.extend(line.split_whitespace());
        if line.ends_with(';') && item.matches('{').count() == item.matches('}').count() {
            items.push(std::mem::take(&mut item).replace("struct", ""));
        }
    }
    items
}

#[test]
fn the_table_has_one_layout_on_both_sides() {
    let project = Project::new("c-host");
    let mut facts = Vec::new();
    macro_rules! facts {
        ($($rust:ident $c:literal: $($field:ident)*;)*) => {$(
            facts.push((format!("sizeof({})", $c), size_of::<$rust>()));
            $(facts.push((format!("offsetof({}, {})", $c, stringify!($field)), offset_of!($rust, $field)));)*
        )*};
    }
    facts! {
        Buffer "pitstop_buffer": data length capacity;
        PluginHost "pitstop_plugin_host": size context log;
        PluginTable "pitstop_plugin_table":
            abi size name version capabilities create process release destroy health;
    }
    let asserts: String =
        facts.iter().map(|(what, value)| format!("_Static_assert({what} == {value}, \"{what}\");\n")).collect();
    project.write("layout.c", &format!("#include \"pitstop_plugin.h\"\n{asserts}"));
    ends_well(compiler(&project, "layout.c").args(["-c", "-o", "layout.o"]));
}

#[test]
fn every_header_can_come_first_alone_and_twice() {
    let project = Project::new("c-host");
    for header in ["pitstop.h", "pitstop_plugin.h", "pitstop.hpp", "pitstop_plugin.hpp"] {
        for end in ["c", "cpp"] {
            if header.ends_with(".hpp") && end == "c" {
                continue;
            }
            let name = format!("first-{}.{end}", header.replace('.', "-"));
            project.write(
                &name,
                &format!("#include \"{header}\"\n#include \"{header}\"\nint main(void) {{ return 0; }}\n"),
            );
            // Without optimisation too, where nothing is left out that a plugin does not link.
            ends_well(compiler(&project, &name).args(["-O0", "-o", "first"]));
        }
    }
}
