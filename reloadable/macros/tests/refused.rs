//! `#[reloadable]`: what it refuses. Here, where little has to be compiled for it.

#[test]
fn what_cannot_be_reloaded_is_a_compile_error_with_a_hint() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
