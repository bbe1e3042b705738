//! A program with a plugin, for a test to kill: it says the plugin's process, and waits.

use pitstop_host::{Plugin, Plugins};

fn main() {
    let file = std::env::args().nth(1).expect("a pitstop.toml");
    let plugins = Plugins::open(file).unwrap_or_else(|error| panic!("{error}"));
    let pid = plugins.get("echo").expect("a plugin").process_text("pid");
    println!("{}", pid.unwrap_or_else(|error| panic!("{error}")));
    // Until whoever has started it is gone.
    let _ = std::io::stdin().read_line(&mut String::new());
}
