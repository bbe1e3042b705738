//! The plugin as a program that speaks go-plugin's protocol: mechanism `rpc`.

#[path = "../answer.rs"]
mod answer;
#[path = "../kernel.rs"]
mod kernel;

use pitstop_reloadable::{Plugin, PluginError, rpc};
use std::process::ExitCode;

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

fn main() -> ExitCode {
    // A plugin for another program: of what it speaks there is only the version.
    if std::env::var_os("COMPARE_OTHER").is_some() {
        println!("1|7|unix|/tmp/nowhere|grpc|");
        let _ = std::io::stdin().lines().last();
        return ExitCode::SUCCESS;
    }
    rpc::serve(Subject)
}
