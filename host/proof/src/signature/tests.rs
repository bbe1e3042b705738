//! Real libraries of C and Rust, built and read.

use super::compare::same;
use super::parse::Tree;
use super::*;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const C: &str = r#"
    #include <stddef.h>
    #include <stdint.h>
    struct Foo { int a; double b; };
    typedef struct { float x, y; } vec2_t;
    typedef struct Foo Bar;
    enum Mode { A, B };
    enum Negative { N = -1 };
    typedef enum Mode Choice;
    typedef int (*callback)(void *, int);
    typedef unsigned long counter;
    typedef counter counter_of_counters;
    struct World;
    unsigned long grow(unsigned long a) { return a + 1; }
    int sum(const int *values, size_t count) { return values ? (int)count : 0; }
    _Bool is_even(int a) { return a % 2 == 0; }
    double half(double a) { return a / 2; }
    float halff(float a) { return a / 2; }
    void nothing(void) {}
    void unprototyped() {}
    enum Mode mode(enum Negative n) { return n < 0 ? A : B; }
    Choice choice(Choice c) { return c; }
    counter_of_counters count(const volatile counter_of_counters c) { return c; }
    char letter(char c) { return c; }
    signed char signed_letter(signed char c) { return c; }
    uint8_t byte(uint8_t b) { return b; }
    struct Foo foo(struct Foo f) { return f; }
    Bar bar(Bar b) { return b; }
    vec2_t vec(vec2_t v) { return v; }
    int call(callback c, void (*other)(int), void *data) { other(1); return c(data, 1); }
    struct World *step(struct World *w, const struct World *restrict const before) { return before ? w : 0; }
    long double precise(long double a) { return a; }
    int print(const char *format, ...) { return format != 0; }
    short narrow(short a, unsigned short b) { return a + b; }
    long long wide(long long a, __int128 b) { return a + b; }
    __attribute__((noreturn)) void stop(int code) { for (;;) { code++; } }
    static int hidden(int a) { return a; }
    int caller(int a) { return hidden(a); }
    int datum = 1;
"#;

const RUST: &str = r#"
    use std::collections::HashMap;
    pub mod logic {
        pub struct World { pub tick: u64 }
        #[derive(Clone, Copy)] #[repr(C)] pub struct Point { pub x: f32, pub y: f32 }
        pub struct Grid<T, const N: usize>(pub [T; N]);
        pub enum Choice { A(u32), B(String) }
        pub trait Tr { fn a(&self); }
        #[unsafe(no_mangle)] pub fn deep(world: &mut World, by: u64) { world.tick += by; }
    }
    use logic::*;
    impl World { #[unsafe(no_mangle)] pub fn method(&mut self, _: u32) -> u64 { self.tick } }
    #[unsafe(no_mangle)] pub fn tick(a: u64) -> u64 { a + 1 }
    #[unsafe(no_mangle)] pub extern "C" fn raw(a: *const u8, b: usize) -> i32 { a as usize as i32 + b as i32 }
    #[unsafe(no_mangle)] pub fn nothing() {}
    #[unsafe(no_mangle)] pub fn unit(_: (), a: u8) -> () { std::hint::black_box(a); }
    #[unsafe(no_mangle)] pub fn shared(a: &World) -> &u64 { &a.tick }
    #[unsafe(no_mangle)] pub fn exclusive(a: &mut World, b: f32) { a.tick += b as u64; }
    #[unsafe(no_mangle)] pub fn text(a: &str, b: &[u8], c: &mut [World]) -> usize { a.len() + b.len() + c.len() }
    #[unsafe(no_mangle)] pub fn point(a: Point) -> Point { a }
    #[unsafe(no_mangle)] pub fn owned(a: Vec<u8>, b: String, c: HashMap<String, u32>, d: Box<World>) -> Option<u32> {
        (a.len() + b.len() + c.len() + d.tick as usize).try_into().ok()
    }
    #[unsafe(no_mangle)] pub fn objects(a: &dyn Tr, b: Box<dyn Fn(u32) -> u64 + Send>, c: &mut dyn Iterator<Item = u8>) {
        a.a(); b(1); c.next();
    }
    #[unsafe(no_mangle)] pub fn pointers(
        a: fn(u32) -> u64, b: Option<unsafe extern "C" fn(*const u8)>, c: Option<&World>, d: std::ptr::NonNull<World>,
        e: for<'a> fn(&'a u8) -> &'a u8,
    ) {
        a(1); std::hint::black_box((b, c.is_some(), d, e));
    }
    #[unsafe(no_mangle)] pub fn compound(
        a: (u8, u16), b: [u8; 4], c: Grid<u8, 7>, d: Choice, e: (u64,), f: char, g: bool, h: i128, i: &[u8; 4],
    ) {
        std::hint::black_box((a, b, c.0, e, f, g, h, i));
        if let Choice::A(d) = d { std::hint::black_box(d); }
    }
    #[unsafe(no_mangle)] pub fn never(a: u64) -> ! { std::process::exit(a as i32) }
    #[unsafe(no_mangle)] pub fn patterns(_: u64, (a, b): (u8, u16), &c: &u32) -> u64 { a as u64 + b as u64 + c as u64 }
    #[unsafe(export_name = "renamed")] pub fn original(a: u16) -> u16 { a }
    #[unsafe(no_mangle)] pub fn words(a: usize, b: isize) -> isize { a as isize + b }
    #[unsafe(no_mangle)] pub static STATIC: u64 = 1;
"#;

/// Small, so that damage hits what is read.
const SMALL_RUST: &str = r#"
    #![no_std]
    #[panic_handler] fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
    pub mod logic { pub struct World { pub tick: u64, pub names: [Option<&'static str>; 3] } }
    #[unsafe(no_mangle)] pub fn tick(a: &mut logic::World, b: &[u8], c: fn(u8) -> (u8, u16), d: [u32; 2]) -> u64 {
        a.tick = a.tick.wrapping_add(b.len() as u64 + c(1).0 as u64 + d[0] as u64);
        a.tick
    }
"#;

/// Builds a library and gives its bytes.
fn built(extension: &str, source: &str, compiler: &str, arguments: &[&str]) -> Vec<u8> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("pitstop-signature-{}-{count}", std::process::id());
    let folder: PathBuf = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("sample.{extension}")), source).unwrap();
    let mut command = Command::new(compiler);
    command.current_dir(&folder).args(arguments).arg(format!("sample.{extension}")).args(["-o", "sample.so"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(folder.join("sample.so")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    bytes
}

fn c_with(arguments: &[&str]) -> Vec<u8> {
    built("c", C, "cc", &[&["-shared", "-fPIC", "-std=gnu11"], arguments].concat())
}

fn rust_with(arguments: &[&str]) -> Vec<u8> {
    built("rs", RUST, "rustc", &[&["--edition=2024", "--crate-type=cdylib", "-Awarnings"], arguments].concat())
}

fn c() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| c_with(&["-g"]))
}

fn rust() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| rust_with(&["-g"]))
}

#[track_caller]
fn accepts(library: &[u8], symbol: &str, wanted: &str) {
    let found = find(library, symbol).unwrap().expect("no debug info");
    assert_eq!(compare(wanted, &found), Ok(()), "{symbol}: {found:?}");
}

/// Gives what is found instead.
#[track_caller]
fn refuses(library: &[u8], symbol: &str, wanted: &str) -> String {
    let found = find(library, symbol).unwrap().expect("no debug info");
    let (expected, shown) = compare(wanted, &found).expect_err("accepted");
    assert_ne!(expected, shown, "the message tells no difference");
    shown
}

fn world() -> &'static str {
    "fn(&mut logic::World, f32)"
}

#[test]
fn the_very_signature_is_accepted() {
    accepts(rust(), "tick", "fn(u64) -> u64");
    accepts(rust(), "raw", "unsafe extern \"C\" fn(*const u8, usize) -> i32");
    accepts(rust(), "exclusive", world());
    accepts(rust(), "deep", "fn(&'_ mut game::logic::World, u64)");
}

#[test]
fn what_the_compiler_prints_of_a_type_is_understood() {
    mod logic {
        pub(super) struct World;
        pub(super) struct Point;
    }
    use std::any::type_name;
    accepts(rust(), "exclusive", type_name::<fn(&mut logic::World, f32)>());
    accepts(rust(), "text", type_name::<fn(&'static str, &[u8], &mut [logic::World]) -> usize>());
    accepts(rust(), "point", type_name::<unsafe fn(logic::Point) -> logic::Point>());
    accepts(rust(), "raw", type_name::<unsafe extern "C" fn(*const u8, usize) -> i32>());
    accepts(rust(), "unit", type_name::<fn((), u8)>());
    type Map = std::collections::HashMap<String, u32>;
    accepts(rust(), "owned", type_name::<fn(Vec<u8>, String, Map, Box<logic::World>) -> Option<u32>>());
    type Callback = unsafe extern "C" fn(*mut std::ffi::c_void, i32) -> i32;
    accepts(c(), "call", type_name::<extern "C" fn(Option<Callback>, extern "C" fn(i32), &mut u8) -> i32>());
}

#[test]
fn another_width_is_refused_with_both_signatures() {
    let found = find(rust(), "tick").unwrap().unwrap();
    let signatures = ("fn(u32) -> u64".to_owned(), "fn(u64) -> u64".to_owned());
    assert_eq!(compare("fn(u32) -> u64", &found), Err(signatures));
}

#[test]
fn another_arity_is_refused() {
    assert_eq!(refuses(rust(), "tick", "fn() -> u64"), "fn(u64) -> u64");
    assert_eq!(refuses(rust(), "tick", "fn(u64, u64) -> u64"), "fn(u64) -> u64");
    assert_eq!(refuses(c(), "nothing", "extern \"C\" fn(u32)"), "extern \"C\" fn()");
}

#[test]
fn another_result_is_refused() {
    assert_eq!(refuses(rust(), "tick", "fn(u64)"), "fn(u64) -> u64");
    assert_eq!(refuses(rust(), "tick", "fn(u64) -> i64"), "fn(u64) -> u64");
    assert_eq!(refuses(rust(), "exclusive", "fn(&mut logic::World, f32) -> bool"), "fn(&mut World, f32)");
}

#[test]
fn another_signedness_or_kind_is_refused() {
    refuses(rust(), "tick", "fn(f64) -> u64");
    refuses(rust(), "tick", "fn(*const u8) -> u64");
    refuses(rust(), "words", "fn(isize, isize) -> isize");
    refuses(c(), "narrow", "extern \"C\" fn(u16, u16) -> i16");
    refuses(c(), "half", "extern \"C\" fn(u64) -> f64");
}

#[test]
fn word_sized_integers_are_the_integers_of_their_width() {
    accepts(rust(), "words", "fn(usize, isize) -> isize");
    #[cfg(target_pointer_width = "64")]
    accepts(rust(), "words", "fn(u64, i64) -> i64");
}

#[test]
fn a_shared_reference_is_no_exclusive_one() {
    accepts(rust(), "shared", "fn(&logic::World) -> &u64");
    assert_eq!(refuses(rust(), "exclusive", "fn(&logic::World, f32)"), "fn(&mut World, f32)");
    refuses(rust(), "shared", "fn(&mut logic::World) -> &u64");
    refuses(rust(), "raw", "extern \"C\" fn(*mut u8, usize) -> i32");
}

#[test]
fn a_reference_to_another_type_is_refused() {
    assert_eq!(refuses(rust(), "shared", "fn(&logic::Planet) -> &u64"), "fn(&World) -> &u64");
}

#[test]
fn fat_pointers_are_compared_by_name() {
    accepts(rust(), "text", "fn(&'_ str, &'_ [u8], &'_ mut [game::logic::World]) -> usize");
    refuses(rust(), "text", "fn(&str, &[u16], &mut [logic::World]) -> usize");
    refuses(rust(), "text", "fn(&u8, &[u8], &mut [logic::World]) -> usize");
    refuses(rust(), "text", "fn(&alloc::string::String, &[u8], &mut [logic::World]) -> usize");
}

#[test]
fn a_struct_by_value_of_another_name_is_refused() {
    accepts(rust(), "point", "fn(host::Point) -> host::Point");
    assert_eq!(refuses(rust(), "point", "fn(host::Position) -> host::Point"), "fn(Point) -> Point");
}

#[test]
fn default_type_arguments_make_no_difference() {
    accepts(
        rust(),
        "owned",
        "fn(alloc::vec::Vec<u8>, alloc::string::String, std::collections::hash::map::HashMap<alloc::string::String, \
         u32>, alloc::boxed::Box<game::logic::World>) -> core::option::Option<u32>",
    );
    refuses(
        rust(),
        "owned",
        "fn(alloc::vec::Vec<u16>, alloc::string::String, std::collections::hash::map::HashMap<alloc::string::String, \
         u32>, alloc::boxed::Box<game::logic::World>) -> core::option::Option<u32>",
    );
}

#[test]
fn trait_objects_are_compared_by_their_bounds() {
    let wanted = |send: &str, item: &str| {
        format!(
            "fn(&'_ (dyn game::logic::Tr + '_), alloc::boxed::Box<dyn core::ops::function::Fn(u32) -> u64{send}>, \
             &'_ mut (dyn core::iter::traits::iterator::Iterator<Item = {item}> + '_))"
        )
    };
    accepts(rust(), "objects", &wanted(" + core::marker::Send", "u8"));
    refuses(rust(), "objects", &wanted(" + core::marker::Send", "u16"));
    assert_eq!(
        refuses(rust(), "objects", &wanted("", "u8")),
        "fn(&dyn Tr, Box<dyn Fn(u32) -> u64 + Send>, &mut dyn Iterator<Item = u8>)"
    );
}

#[test]
fn function_pointers_and_optional_pointers_are_compared() {
    let wanted = |first: &str, third: &str| {
        format!(
            "fn({first}, core::option::Option<unsafe extern \"C\" fn(*const u8)>, {third}, \
             core::ptr::non_null::NonNull<game::logic::World>, fn(&'_ u8) -> &'_ u8)"
        )
    };
    let option = "core::option::Option<&'_ game::logic::World>";
    accepts(rust(), "pointers", &wanted("fn(u32) -> u64", option));
    refuses(rust(), "pointers", &wanted("fn(u64) -> u64", option));
    refuses(rust(), "pointers", &wanted("extern \"C\" fn(u32) -> u64", option));
    refuses(rust(), "pointers", &wanted("fn(u32) -> u64", "&'_ game::logic::World"));
}

#[test]
fn compound_types_are_compared() {
    let wanted = |array: &str, grid: &str, one: &str| {
        format!("fn((u8, u16), {array}, logic::Grid<{grid}>, logic::Choice, {one}, char, bool, i128, &[u8; 4])")
    };
    accepts(rust(), "compound", &wanted("[u8; 4]", "u8, 7", "(u64,)"));
    refuses(rust(), "compound", &wanted("[u8; 5]", "u8, 7", "(u64,)"));
    refuses(rust(), "compound", &wanted("[u8; 4]", "u8, 8", "(u64,)"));
    refuses(rust(), "compound", &wanted("[u8; 4]", "u8, 7", "u64"));
}

#[test]
fn unit_and_never_are_told_apart() {
    accepts(rust(), "nothing", "fn()");
    accepts(rust(), "unit", "fn((), u8)");
    refuses(rust(), "unit", "fn(u8)");
    accepts(rust(), "never", "fn(u64) -> !");
    assert_eq!(refuses(rust(), "never", "fn(u64)"), "fn(u64) -> !");
    refuses(rust(), "tick", "fn(u64) -> !");
    accepts(c(), "stop", "extern \"C\" fn(i32) -> !");
    accepts(c(), "stop", "extern \"C\" fn(i32)");
}

#[test]
fn patterns_methods_and_renamed_functions_are_found() {
    accepts(rust(), "patterns", "fn(u64, (u8, u16), &u32) -> u64");
    accepts(rust(), "method", "fn(&mut logic::World, u32) -> u64");
    accepts(rust(), "renamed", "fn(u16) -> u16");
    assert_eq!(find(rust(), "original"), Ok(None));
}

#[test]
fn scalars_of_c_are_those_of_rust() {
    accepts(c(), "grow", "extern \"C\" fn(usize) -> usize");
    accepts(c(), "sum", "unsafe extern \"C\" fn(*const i32, usize) -> i32");
    accepts(c(), "is_even", "extern \"C\" fn(i32) -> bool");
    refuses(c(), "is_even", "extern \"C\" fn(i32) -> u8");
    accepts(c(), "half", "extern \"C\" fn(f64) -> f64");
    accepts(c(), "halff", "extern \"C\" fn(f32) -> f32");
    refuses(c(), "half", "extern \"C\" fn(f32) -> f64");
    accepts(c(), "narrow", "extern \"C\" fn(i16, u16) -> i16");
    accepts(c(), "wide", "extern \"C\" fn(i64, i128) -> i64");
    refuses(c(), "precise", "extern \"C\" fn(f128) -> f128");
    assert_eq!(refuses(c(), "grow", "extern \"C\" fn(u32) -> u64"), "extern \"C\" fn(u64) -> u64");
}

#[test]
#[cfg(target_pointer_width = "64")]
fn an_unsigned_long_of_c_has_64_bits() {
    accepts(c(), "grow", "extern \"C\" fn(u64) -> u64");
}

#[test]
fn a_char_of_c_has_either_sign_but_its_named_kinds_have_theirs() {
    accepts(c(), "letter", "extern \"C\" fn(i8) -> u8");
    refuses(c(), "letter", "extern \"C\" fn(char) -> u8");
    accepts(c(), "signed_letter", "extern \"C\" fn(i8) -> i8");
    refuses(c(), "signed_letter", "extern \"C\" fn(u8) -> i8");
    accepts(c(), "byte", "extern \"C\" fn(u8) -> u8");
    refuses(c(), "byte", "extern \"C\" fn(i8) -> u8");
}

#[test]
fn typedefs_and_qualifiers_of_c_are_looked_through() {
    accepts(c(), "count", "extern \"C\" fn(usize) -> usize");
    accepts(c(), "step", "extern \"C\" fn(*mut game::World, &game::World) -> *mut game::World");
    let found = find(c(), "step").unwrap().unwrap();
    let names: Vec<_> = found.parameters.iter().map(|ty| ty.name.as_str()).collect();
    assert_eq!(names, ["struct World *", "const struct World *const restrict"]);
}

#[test]
fn an_enum_of_c_is_an_integer_or_an_enum_of_its_name() {
    accepts(c(), "mode", "extern \"C\" fn(i32) -> u32");
    accepts(c(), "mode", "extern \"C\" fn(game::Negative) -> game::Mode");
    accepts(c(), "choice", "extern \"C\" fn(game::Choice) -> game::Mode");
    refuses(c(), "mode", "extern \"C\" fn(i32) -> u8");
    refuses(c(), "mode", "extern \"C\" fn(i32) -> game::Other");
}

#[test]
fn a_struct_of_c_is_one_of_its_name() {
    accepts(c(), "foo", "extern \"C\" fn(game::Foo) -> game::Foo");
    accepts(c(), "bar", "extern \"C\" fn(game::Foo) -> game::Bar");
    accepts(c(), "vec", "extern \"C\" fn(game::Vec2) -> game::Vec2");
    assert_eq!(
        refuses(c(), "foo", "extern \"C\" fn(game::Baz) -> game::Foo"),
        "extern \"C\" fn(struct Foo) -> struct Foo"
    );
    refuses(c(), "foo", "extern \"C\" fn(u64) -> game::Foo");
    refuses(c(), "foo", "extern \"C\" fn(&game::Foo) -> game::Foo");
}

#[test]
fn a_pointer_of_c_is_any_thin_pointer() {
    let call = |first: &str, third: &str| format!("extern \"C\" fn({first}, extern \"C\" fn(i32), {third}) -> i32");
    let callback = "extern \"C\" fn(*mut core::ffi::c_void, i32) -> i32";
    let optional = format!("core::option::Option<{callback}>");
    accepts(c(), "call", &call(callback, "*mut core::ffi::c_void"));
    accepts(c(), "call", &call(&optional, "core::option::Option<alloc::boxed::Box<game::World>>"));
    accepts(c(), "call", &call(&optional, "core::option::Option<core::ptr::non_null::NonNull<u8>>"));
    accepts(c(), "call", &call(&optional, "core::pin::Pin<&'_ mut u8>"));
    refuses(c(), "call", &call(callback, "&str"));
    refuses(c(), "call", &call(callback, "&dyn game::Tr"));
    refuses(c(), "call", &call(callback, "core::option::Option<*const u8>"));
    assert_eq!(
        refuses(c(), "call", &call(callback, "usize")),
        "extern \"C\" fn(callback, void (*)(...), void *) -> i32"
    );
}

#[test]
fn a_function_of_c_must_be_asked_for_as_such() {
    assert_eq!(refuses(c(), "grow", "fn(usize) -> usize"), "extern \"C\" fn(u64) -> u64");
    accepts(c(), "grow", "unsafe extern \"C-unwind\" fn(usize) -> usize");
}

#[test]
fn a_function_of_c_without_parameters_or_result_is_found() {
    accepts(c(), "nothing", "extern \"C\" fn()");
    accepts(c(), "unprototyped", "extern \"C\" fn()");
    refuses(c(), "nothing", "extern \"C\" fn() -> i32");
}

#[test]
fn a_variadic_function_must_be_asked_for_as_such() {
    accepts(c(), "print", "unsafe extern \"C\" fn(*const i8, ...) -> i32");
    refuses(c(), "print", "unsafe extern \"C\" fn(*const i8) -> i32");
}

#[test]
fn what_is_no_exported_function_is_not_found() {
    for symbol in ["absent", "", "hidden", "datum", "printf"] {
        assert_eq!(find(c(), symbol), Ok(None), "{symbol}");
    }
    assert_eq!(find(rust(), "STATIC"), Ok(None));
    assert_eq!(find(rust(), "malloc"), Ok(None));
}

#[test]
fn a_library_without_debug_info_tells_nothing() {
    assert_eq!(find(&c_with(&[]), "grow"), Ok(None));
    // The standard library's own debug info is still in this one.
    assert_eq!(find(&rust_with(&["-Cdebuginfo=0"]), "tick"), Ok(None));
}

#[test]
fn compressed_debug_info_is_read_where_that_is_built_in() {
    let library = c_with(&["-g", "-gz=zlib"]);
    if cfg!(feature = "compression") {
        accepts(&library, "sum", "extern \"C\" fn(*const i32, usize) -> i32");
    } else {
        let error = find(&library, "grow").expect_err("compressed");
        assert!(error.contains(".debug_info is compressed"), "{error}");
    }
}

#[test]
fn debug_info_without_types_tells_nothing() {
    assert_eq!(find(&c_with(&["-g", "-g1"]), "grow"), Ok(None));
    assert_eq!(find(&c_with(&["-g", "-g1"]), "nothing"), Ok(None));
    for arguments in ["-Cdebuginfo=1", "-Cdebuginfo=line-tables-only"] {
        let library = rust_with(&[arguments]);
        for symbol in ["tick", "nothing", "never"] {
            assert_eq!(find(&library, symbol), Ok(None), "{arguments} {symbol}");
        }
    }
}

#[test]
fn a_function_alone_in_its_unit_is_known_by_its_crate() {
    let source = r#"
        mod one { #[unsafe(no_mangle)] pub fn alone() {} }
        mod two { #[unsafe(no_mangle)] pub fn other(a: u64) -> u64 { a } }
    "#;
    let split = ["--edition=2024", "--crate-type=cdylib", "-g", "-Ccodegen-units=16", "-Cincremental=incremental"];
    let library = built("rs", source, "rustc", &split);
    accepts(&library, "alone", "fn()");
    refuses(&library, "alone", "fn(u64)");
}

#[test]
fn every_way_to_write_debug_info_is_read() {
    for arguments in [&["-gdwarf-4"][..], &["-gdwarf-5"], &["-gdwarf-5", "-O2"], &["-gdwarf-4", "-O2", "-flto"]] {
        let library = c_with(arguments);
        accepts(&library, "sum", "extern \"C\" fn(*const i32, usize) -> i32");
        accepts(&library, "call", "extern \"C\" fn(fn(), fn(), *mut u8) -> i32");
        refuses(&library, "sum", "extern \"C\" fn(*const i32, u32) -> i32");
    }
    let optimised = ["-g", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1"];
    for arguments in [&["-g", "-Cdwarf-version=4"][..], &["-g", "-Cdwarf-version=5"], &optimised] {
        let library = rust_with(arguments);
        accepts(&library, "exclusive", world());
        accepts(&library, "patterns", "fn(u64, (u8, u16), &u32) -> u64");
        accepts(&library, "method", "fn(&mut logic::World, u32) -> u64");
        refuses(&library, "tick", "fn(u64, u64) -> u64");
    }
}

#[test]
fn what_is_no_function_pointer_type_is_refused() {
    for wanted in ["u64", "", "fn(u64", "fn(u64) -> u64 and more", "for<", "extern \"C", "fn(", "[u8;", "&&&&"] {
        refuses(rust(), "tick", wanted);
    }
}

#[test]
fn deep_and_odd_names_are_read_without_harm() {
    let nested = format!("fn({}u8{})", "&".repeat(10_000), ">".repeat(10_000));
    refuses(rust(), "tick", &nested);
    for name in ["a::{{closure}}", "<a::B<u8> as c::D>::E", "a<'_, 'b', -3>::c::<impl d for e>::F<true>", "dyn A + '_"]
    {
        assert!(Tree::parse(name).is_some(), "{name}");
    }
    let same_names = |one: &str, other: &str| same(&Tree::parse(one).unwrap(), &Tree::parse(other).unwrap());
    assert!(same_names("a::Foo<-3>", "Foo<-3>"));
    assert!(!same_names("a::Foo<-3>", "Foo<3>"));
    assert!(same_names("a::Foo<a::f::{{closure}}>", "Foo<a::f::{closure_env#0}>"));
    assert!(!same_names("a::Foo<a::f::{{closure}}>", "Foo<u8>"));
}

#[test]
fn no_file_is_no_library() {
    assert!(find(b"", "tick").is_err());
    assert!(find(b"no library at all", "tick").is_err());
}

/// Reads everything that there is to read, whatever it gives.
fn read(library: &[u8]) {
    for symbol in ["tick", "call", "foo", "nothing"] {
        if let Ok(Some(found)) = find(library, symbol) {
            let _ = compare("extern \"C\" fn(u8, &[u8]) -> u64", &found);
        }
    }
}

fn small() -> [Vec<u8>; 3] {
    let rust = ["--edition=2024", "--crate-type=cdylib", "-g", "-Cpanic=abort", "-Copt-level=1", "-Cdwarf-version=5"];
    [c_with(&["-g"]), c_with(&["-gdwarf-4", "-O2"]), built("rs", SMALL_RUST, "rustc", &rust)]
}

#[test]
fn all_functions_are_listed_with_their_signatures() {
    let functions = all(rust()).unwrap();
    let shown = |symbol: &str| functions[symbol].as_ref().map(ToString::to_string);
    assert_eq!(shown("tick").as_deref(), Some("fn(u64) -> u64"));
    assert_eq!(shown("deep").as_deref(), Some("fn(&mut World, u64)"));
    assert_eq!(shown("renamed").as_deref(), Some("fn(u16) -> u16"));
    assert!(!functions.contains_key("STATIC") && !functions.contains_key("original"));
    let functions = all(c()).unwrap();
    assert_eq!(
        functions["sum"].as_ref().map(ToString::to_string).as_deref(),
        Some("extern \"C\" fn(const int *, u64) -> i32")
    );
    assert!(!functions.contains_key("hidden"));
    assert!(all(&c_with(&["-g0"])).unwrap().values().all(Option::is_none));
}

#[test]
fn the_types_of_exported_functions_are_a_graph() {
    let layouts = crate::layout::own(rust());
    assert_eq!(layouts.gaps, [""; 0]);
    let deep = layouts.roots.iter().find(|root| root.name == "deep").unwrap();
    assert_eq!(deep.kind, crate::layout::RootKind::Export);
    let world = layouts.types.iter().find(|ty| ty.name == "sample::logic::World").unwrap();
    assert_eq!(world.size, Some(8));
    assert_eq!(crate::compilers(rust()).len(), 1);
}

#[test]
fn a_truncated_library_does_no_harm() {
    for library in small() {
        for point in 0..200 {
            read(library.get(..library.len() * point / 200).unwrap());
        }
    }
}

#[test]
fn a_damaged_library_does_no_harm() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for library in small() {
        for _ in 0..2000 {
            let mut damaged = library.clone();
            for _ in 0..=random(16) {
                let at = random(damaged.len());
                damaged[at] = random(256) as u8;
            }
            read(&damaged);
        }
    }
}
