//! What a binary adds to the chassis.

use std::{future::Future, path::Path, process::ExitCode};

use config::{Error, Findings};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serving::ServiceSet;

use crate::{process::Process, settings::Settings};

/// One program of the suite: what a binary adds to the chassis.
pub trait Program: Send + Sync + 'static {
    /// Name of the process and of the service in telemetry, e.g. `ispbridge-aex`.
    const NAME: &'static str;

    /// Whether the program authenticates its callers itself (the gateway does); then there is no `[callers]` section
    /// and no caller context is asked for.
    const AUTHENTICATES_CALLERS: bool = false;

    /// Whether each connection stays with one thread, and there is one for each core: right for a program that only passes calls
    /// on. One whose calls can keep a processor busy for long shares them between its threads.
    const THREAD_PER_CORE: bool = false;

    /// Whether the program has upstream accounts, with which the command `accounts` works; the gateway has none.
    const HAS_ACCOUNTS: bool = true;

    /// The program's own part of the configuration file (accounts, policy ...), with `deny_unknown_fields`; its doc comments are
    /// the reference of its keys.
    type Config: DeserializeOwned + JsonSchema + Send;

    /// Says all that is wrong with a configuration that could be read, and what of it has no effect, without touching the
    /// network. A start, a reload and `--check-config` call it: what [`Self::build`] and [`Self::reload`] would refuse is
    /// refused here.
    fn check(config: &Self::Config, settings: &Settings, findings: &mut Findings) {
        let _ = (config, settings, findings);
    }

    /// Says what keeps a process from starting though its configuration is right: files that the program reads by itself
    /// ([`Process::follow`]). A start and `--check-config` call it.
    fn check_files(config: &Self::Config, findings: &mut Findings) {
        let _ = (config, findings);
    }

    /// Builds what the process serves.
    fn build(config: Self::Config, process: &Process) -> impl Future<Output = Result<ServiceSet, Error>> + Send;

    /// Takes a configuration that was read again and has passed [`Self::check`]; [`Process::kept`] has what [`Self::build`]
    /// put there with [`Process::keep`]. It must take all of it or nothing; the default takes nothing.
    ///
    /// # Errors
    /// Why the process goes on with the old one.
    fn reload(config: Self::Config, process: &Process) -> Result<(), Error> {
        let _ = config;
        Err(Error::program(format!("{} takes a new configuration of its own only with a restart", process.name())))
    }

    /// Makes one harmless read with an account: a text for people, or a text that says what is wrong.
    fn check_account(
        config: Self::Config,
        process: &Process,
        alias: &str,
    ) -> impl Future<Output = Result<String, String>> + Send {
        let _ = (config, process, alias);
        async { Err(format!("{} has no accounts", Self::NAME)) }
    }

    /// Adds the program's own commands (`ispbridge-gateway keys`) to those that every program has.
    #[must_use]
    fn commands(cli: clap::Command) -> clap::Command {
        cli
    }

    /// Runs one of the program's own commands, which stands in `matches` as its subcommand; `config` is the configuration file
    /// that the command line names.
    #[must_use]
    fn command(matches: &clap::ArgMatches, config: Option<&Path>) -> ExitCode {
        let _ = (matches, config);
        ExitCode::FAILURE
    }
}
