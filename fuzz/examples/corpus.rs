//! Writes the recorded inputs of a target into a folder, a file each, for libFuzzer to start from.
//!
//! ```text
//! cargo run -p lightlike-fuzz --example corpus -- server_v3 fuzz/libfuzzer/corpus/server_v3
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "recordings that cannot be read are a mistake of the project's"
)]

#[path = "../../core/tests/support/hex.rs"]
mod hex;
#[path = "../tests/support/seeds.rs"]
mod seeds;
#[path = "../../core/tests/support/session_files.rs"]
#[expect(dead_code, reason = "tests of sessions need the rest")]
mod session_files;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use lightlike_fuzz::Target;

#[expect(clippy::print_stderr, reason = "how a program says that it was called wrongly")]
fn main() -> ExitCode {
    let [name, folder] = &*env::args().skip(1).collect::<Vec<_>>() else {
        eprintln!("usage: corpus TARGET FOLDER");
        return ExitCode::FAILURE;
    };
    let Some(target) = lightlike_fuzz::target(name) else {
        eprintln!("no target is called {name:?}");
        return ExitCode::FAILURE;
    };
    match write(target, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write to {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (position, seed) in seeds::seeds(target.input).iter().enumerate() {
        fs::write(folder.join(format!("recorded-{position:04}")), seed)?;
    }
    Ok(())
}
