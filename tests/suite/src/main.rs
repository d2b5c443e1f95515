//! Every program of the suite in one binary, chosen by the name it is started under.

use std::{env, path::Path, process::ExitCode};

use chassis::Program;
use ispbridge_aex::Aex;
use ispbridge_azotel::Azotel;
use ispbridge_freeside::Freeside;
use ispbridge_gateway::Gateway;

fn main() -> ExitCode {
    let own = env::args_os().next().unwrap_or_default();
    match Path::new(&own).file_name().and_then(|name| name.to_str()) {
        Some(Aex::NAME) => chassis::main::<Aex>(),
        Some(Azotel::NAME) => chassis::main::<Azotel>(),
        Some(Freeside::NAME) => chassis::main::<Freeside>(),
        Some(Gateway::NAME) => chassis::main::<Gateway>(),
        _ => ExitCode::from(64),
    }
}
