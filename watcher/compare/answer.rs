//! What the plugins in Rust answer, the same in `dylib`, `rpc` and `exec`.

use crate::kernel::kernel;

/// By which two versions are told apart. Of one length: a file of either is as long.
const GREETING: &str = if cfg!(feature = "second") { "Howdy" } else { "Hello" };

/// The answer to `echo:BYTES`, `greet:NAME`, `kernel:SIZE`, `read:FILE`; and to what no plugin should do: `crash`, `loop`.
pub fn answer(input: &[u8]) -> Result<Vec<u8>, String> {
    if input.starts_with(b"echo:") {
        return Ok(input.to_vec());
    }
    let text = std::str::from_utf8(input).map_err(|error| error.to_string())?;
    let (verb, rest) = text.split_once(':').unwrap_or((text, ""));
    match verb {
        "greet" => Ok(format!("{GREETING}, {rest}!").into_bytes()),
        "kernel" => {
            let size = rest.parse().map_err(|error| format!("{rest}: {error}"))?;
            Ok(kernel(size).to_string().into_bytes())
        }
        "read" => std::fs::read(rest).map_err(|error| format!("{rest}: {error}")),
        "crash" => crash(),
        "loop" => endless(),
        other => Err(format!("no verb `{other}`")),
    }
}

/// Writes to memory that is nobody's.
fn crash() -> ! {
    let nowhere = std::ptr::without_provenance_mut::<u8>(16);
    // SAFETY: none; this is what is tried.
    unsafe { nowhere.write_volatile(1) };
    std::process::abort()
}

fn endless() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
