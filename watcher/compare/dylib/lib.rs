//! The plugin as a library in Rust: mechanism `dylib`.

#[path = "../answer.rs"]
mod answer;
#[path = "../kernel.rs"]
mod kernel;

use pitstop_reloadable::{Plugin, PluginError, plugin};

#[derive(Default)]
struct Subject;

#[plugin]
impl Plugin for Subject {
    fn name(&self) -> &str {
        "subject"
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        answer::answer(input).map_err(PluginError::failed)
    }
}
