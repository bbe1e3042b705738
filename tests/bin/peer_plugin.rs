//! The plugin of the tests in Rust: what `tests/fixtures/go-plugin/plugin` is in Go.

fn main() {}
