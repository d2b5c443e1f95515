//! The programs of the suite under their own names: this binary, started as `ispbridge-gateway`, is the gateway.

use std::{
    env,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use chassis::Program;
use ispbridge_aex::Aex;
use ispbridge_azotel::Azotel;
use ispbridge_freeside::Freeside;
use ispbridge_gateway::Gateway;

/// Runs the program whose name this process was started under; `None` if it was started under its own.
#[must_use]
pub fn by_name() -> Option<ExitCode> {
    let first = PathBuf::from(env::args_os().next()?);
    let run = match first.file_name()?.to_str()? {
        Aex::NAME => chassis::main::<Aex>,
        Azotel::NAME => chassis::main::<Azotel>,
        Freeside::NAME => chassis::main::<Freeside>,
        Gateway::NAME => chassis::main::<Gateway>,
        _ => return None,
    };
    Some(run())
}

/// Becomes the service of a provider that makes one harmless read with an account; returns only if that fails.
pub(crate) fn check_account(provider: &str, alias: &str, config: &Path) -> String {
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => return format!("cannot find this program: {error}"),
    };
    let error = Command::new(program)
        .arg0(format!("ispbridge-{provider}"))
        .args(["accounts", "check", alias, "--config"])
        .arg(config)
        .exec();
    format!("cannot start ispbridge-{provider}: {error}")
}
