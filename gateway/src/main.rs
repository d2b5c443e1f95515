//! The gateway's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<ispbridge_gateway::Gateway>()
}
