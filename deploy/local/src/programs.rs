//! The programs of the suite under their own names: this binary, started as `ispbridge-gateway`, is the gateway.

use std::{
    env,
    future::Future,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    pin::Pin,
    process::{Command, ExitCode},
};

use chassis::{Program, Running, StartOptions};
use config::Error;
use ispbridge_gateway::Gateway;
use provider::{Contract, Definition, Service};
use toml::Table;

/// The services of all providers, one a line, in the order of their names; whatever goes over providers iterates this table.
#[rustfmt::skip]
pub const PROVIDERS: &[Listed] = &[
    listed::<ispbridge_aex::Aex>(),
    listed::<ispbridge_azotel::Azotel>(),
    listed::<ispbridge_freeside::Freeside>(),
];

/// The service of one provider.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// Its contract, with all names of the provider.
    pub contract: Contract,
    /// Runs it as a process.
    pub main: fn() -> ExitCode,
    start: fn(Table, StartOptions) -> Start,
}

/// A service that is starting.
type Start = Pin<Box<dyn Future<Output = Result<Running, Error>> + Send>>;

const fn listed<D: Definition>() -> Listed {
    Listed {
        contract: D::CONTRACT,
        main: provider::main::<D>,
        start: |table, options| Box::pin(chassis::start_with::<Service<D>>(table, options)),
    }
}

impl Listed {
    /// The row of a provider, for example `aex`.
    #[must_use]
    pub fn of(provider: &str) -> Option<Self> {
        PROVIDERS.iter().find(|row| row.contract.provider == provider).copied()
    }

    /// Starts the service in this process.
    ///
    /// # Errors
    /// A configuration that is wrong, or an address that is taken.
    pub async fn start(self, config: Table, options: StartOptions) -> Result<Running, Error> {
        (self.start)(config, options).await
    }
}

/// The names of all providers.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|row| row.contract.provider)
}

/// Runs the program whose name this process was started under; `None` if it was started under its own.
#[must_use]
pub fn by_name() -> Option<ExitCode> {
    let first = PathBuf::from(env::args_os().next()?);
    let name = first.file_name()?.to_str()?;
    if name == Gateway::NAME {
        return Some(chassis::main::<Gateway>());
    }
    let row = PROVIDERS.iter().find(|row| row.contract.program == name)?;
    Some((row.main)())
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
