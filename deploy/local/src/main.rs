//! The local suite and its client.

use std::process::ExitCode;

fn main() -> ExitCode {
    ispbridge::programs::by_name().unwrap_or_else(ispbridge::commands::run)
}
