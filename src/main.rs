//! The program `agi-bridge`; what it does stands in [`agi_bridge::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    agi_bridge::cli::run()
}
