//! The plugin as a program: mechanism `exec`, executed once for each call, or kept running and asked by lines.

#[path = "../answer.rs"]
mod answer;
#[path = "../kernel.rs"]
mod kernel;

use serde_json::{Value, json};
use std::io::{BufRead, Read, Write};
use std::process::ExitCode;

/// The exit code of who does not know a verb.
const UNKNOWN: u8 = 64;

fn main() -> ExitCode {
    // A program for another interface, whose verbs are others.
    if std::env::var_os("COMPARE_OTHER").is_some() {
        return ExitCode::from(UNKNOWN);
    }
    let verb = std::env::args().nth(1).unwrap_or_default();
    let done = match verb.as_str() {
        "describe" => writeln!(std::io::stdout(), "{}", description()).map_err(|error| error.to_string()),
        "process" => process(),
        "serve" => serve().map_err(|error| error.to_string()),
        _ => return ExitCode::from(UNKNOWN),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn description() -> Value {
    json!({ "name": "subject", "version": env!("CARGO_PKG_VERSION") })
}

fn process() -> Result<(), String> {
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input).map_err(|error| error.to_string())?;
    let output = answer::answer(&input)?;
    std::io::stdout().lock().write_all(&output).map_err(|error| error.to_string())
}

/// JSON-RPC 2.0, a line a message.
fn serve() -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let mut line = serde_json::to_vec(&respond(&request))?;
        line.push(b'\n');
        stdout.write_all(&line)?;
        stdout.flush()?;
    }
    Ok(())
}

fn respond(request: &Value) -> Value {
    let id = &request["id"];
    let failed = |code: i64, message: String| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    match request["method"].as_str() {
        Some("describe") => json!({ "jsonrpc": "2.0", "id": id, "result": description() }),
        Some("process") => {
            let Some(input) = request["params"]["input"].as_str() else {
                return failed(-32602, "the input is no text".to_owned());
            };
            match answer::answer(input.as_bytes()).map(String::from_utf8) {
                Ok(Ok(output)) => json!({ "jsonrpc": "2.0", "id": id, "result": output }),
                Ok(Err(error)) => failed(-32000, error.to_string()),
                Err(why) => failed(-32000, why),
            }
        }
        _ => failed(-32601, "no such method".to_owned()),
    }
}
