//! The plugin as a program that speaks go-plugin's protocol: mechanism `rpc`.

#[path = "../answer.rs"]
mod answer;
#[path = "../kernel.rs"]
mod kernel;

use pitstop_reloadable::{Plugin, PluginError, rpc};

#[derive(Default)]
struct Subject;

impl Plugin for Subject {
    fn name(&self) -> &str {
        "subject"
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        answer::answer(input).map_err(PluginError::failed)
    }
}

fn main() {
    rpc::serve(Subject)
}
