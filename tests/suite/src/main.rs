//! Every program of the suite in one binary, chosen by the name it is started under.

use std::process::ExitCode;

fn main() -> ExitCode {
    ispbridge::programs::by_name().unwrap_or(ExitCode::from(64))
}
