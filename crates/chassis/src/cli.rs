//! The command line that all programs of the suite share.

use std::{
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};
use toml::Table;

use crate::{
    ConfigSource, Error, Process, Program, Settings, StartOptions, Workers, config, globals, running,
    telemetry::Telemetry, tls,
};

#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file; NAME.toml of the program in the working directory if it is there.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Reads the configuration, says whether it is right, and ends.
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Works with the upstream accounts of the configuration.
    #[command(subcommand)]
    Accounts(Accounts),
    #[command(external_subcommand)]
    Own(Vec<String>),
}

#[derive(Debug, Subcommand)]
enum Accounts {
    /// Makes one harmless read with an account.
    Check {
        /// Alias of the account in the configuration.
        alias: String,
    },
}

/// Runs a program: reads command line and configuration, serves until SIGTERM or SIGINT, drains.
#[must_use]
pub fn main<P: Program>() -> ExitCode {
    let arguments = match parse::<P>() {
        Ok(arguments) => arguments,
        Err(error) => {
            // There is nobody left to tell if the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    if let Some(Command::Own(words)) = &arguments.command {
        return P::command(&own_words(words, arguments.config.as_deref()))
            .unwrap_or_else(|| fail::<P>(&Error::config(words.join(" "), "is no command")));
    }
    match run::<P>(&arguments) {
        Ok(code) => code,
        Err(error) => fail::<P>(&error),
    }
}

fn parse<P: Program>() -> Result<Arguments, clap::Error> {
    let matches = Arguments::command().name(P::NAME).bin_name(P::NAME).try_get_matches()?;
    Arguments::from_arg_matches(&matches)
}

fn fail<P: Program>(error: &Error) -> ExitCode {
    eprintln!("{}: {error}", P::NAME);
    ExitCode::from(error.exit_code())
}

fn run<P: Program>(arguments: &Arguments) -> Result<ExitCode, Error> {
    globals::install_tls();
    let source = config_source::<P>(arguments.config.as_deref());
    let table = source.read()?;
    let settings = config::take_settings::<P>(&mut table.clone())?;
    let runtime = runtime::<P>(threads(&settings)).map_err(Error::program)?;
    let result = runtime.block_on(async {
        match &arguments.command {
            _ if arguments.check_config => check_config::<P>(table),
            Some(Command::Accounts(Accounts::Check { alias })) => check_account::<P>(table, alias).await,
            _ => serve::<P>(table, source, &settings).await,
        }
    });
    // What is still running now, a slow DNS query for one, was given its time by the drain.
    runtime.shutdown_background();
    result
}

/// As many as the configuration says, else one for each core that the process may use.
fn threads(settings: &Settings) -> usize {
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    settings.server.threads.map_or_else(cores, NonZeroUsize::get)
}

fn runtime<P: Program>(threads: usize) -> io::Result<Runtime> {
    let mut builder = match P::THREAD_PER_CORE {
        // Connections are the workers'; all the rest together is little.
        true => Builder::new_current_thread(),
        false => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build()
}

/// The words of a subcommand of the program's own; a `--config` that stood before them stands behind them.
fn own_words(words: &[String], config: Option<&Path>) -> Vec<String> {
    let config = config.map(|file| format!("--config={}", file.display()));
    words.iter().cloned().chain(config).collect()
}

/// Where the configuration of a program comes from: the file that is given, else `NAME.toml` of the program in the working
/// directory, and the environment.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn config_source<P: Program>(given: Option<&Path>) -> ConfigSource {
    let default = PathBuf::from(format!("{}.toml", P::NAME));
    let file = given.map(Path::to_owned).or_else(|| default.is_file().then_some(default));
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    ConfigSource::new(file, variables)
}

fn check_config<P: Program>(mut table: Table) -> Result<ExitCode, Error> {
    let settings = config::take_settings::<P>(&mut table)?;
    running::verifier::<P>(&settings)?;
    tls::server(&settings)?;
    P::check(&config::program::<P::Config>(table)?)?;
    println!("{}: the configuration is right", P::NAME);
    Ok(ExitCode::SUCCESS)
}

async fn check_account<P: Program>(mut table: Table, alias: &str) -> Result<ExitCode, Error> {
    let whole = table.clone();
    let settings = config::take_settings::<P>(&mut table)?;
    let own = config::program(table)?;
    P::check(&own)?;
    let telemetry = Telemetry::new(P::NAME, &settings.telemetry, None)?;
    let process = Process::new(P::NAME, settings, telemetry, &whole, Workers::default());
    match P::check_account(own, &process, alias).await {
        Ok(text) => {
            println!("{}: account {alias}: {text}", P::NAME);
            Ok(ExitCode::SUCCESS)
        }
        Err(text) => {
            eprintln!("{}: account {alias}: {text}", P::NAME);
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn serve<P: Program>(table: Table, source: ConfigSource, settings: &Settings) -> Result<ExitCode, Error> {
    let _log = globals::install_kept(&settings.log)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::program)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::program)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::program)?;
    let workers = match P::THREAD_PER_CORE {
        true => Workers::start(threads(settings)).map_err(Error::program)?,
        false => Workers::default(),
    };
    let options = StartOptions { source: Some(source), workers, ..StartOptions::default() };
    let mut running = running::start_with::<P>(table, options).await?;
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                running.stops_for("SIGTERM");
                break running.announce().await;
            }
            // Who presses a key waits for the end; there is no balancer to tell.
            _ = interrupt.recv() => break running.stops_for("SIGINT"),
            // Whether it was taken is in the log and on the admin port.
            _ = hangup.recv() => drop(running.reread()),
        }
    }
    tokio::select! {
        () = running.drain() => Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::FAILURE),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde::Deserialize;

    use super::*;
    use crate::Surface;

    #[derive(Debug)]
    struct Shop;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        #[serde(default)]
        alias: String,
    }

    impl Program for Shop {
        const NAME: &'static str = "shop";
        type Config = Own;

        fn check(config: &Own) -> Result<(), Error> {
            match config.alias.as_str() {
                "bad" => Err(Error::config("alias", "is bad")),
                _ => Ok(()),
            }
        }

        async fn build(_: Own, _: &Process) -> Result<Surface, Error> {
            Ok(Surface::new())
        }

        async fn check_account(config: Own, process: &Process, alias: &str) -> Result<String, String> {
            match config.alias == alias {
                true => Ok(format!("{} knows it", process.name())),
                false => Err("there is no such account".to_owned()),
            }
        }
    }

    fn ran(config: &str, words: &[&str]) -> Result<ExitCode, Error> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{config}").unwrap();
        let path = file.path().to_str().unwrap();
        let words = [&["shop", "--config", path], words].concat();
        run::<Shop>(&Arguments::try_parse_from(words).unwrap())
    }

    const GOOD: &str = "alias = \"main\"\n[callers]\nmode = \"open\"\n";

    #[test]
    fn a_right_configuration_is_called_right_and_a_wrong_one_named() {
        assert_eq!(ran(GOOD, &["--check-config"]).unwrap(), ExitCode::SUCCESS);
        for (config, key) in [
            (GOOD.replace("main", "bad"), "alias"),
            (GOOD.replace("alias", "alia"), "alia"),
            (GOOD.replace("mode", "mood"), "callers.mood"),
            (String::new(), "callers.keys"),
        ] {
            let error = ran(&config, &["--check-config"]).unwrap_err();
            assert_eq!(error.exit_code(), 64);
            assert!(error.to_string().starts_with(&format!("configuration: {key}: ")), "{error}");
        }
    }

    #[test]
    fn an_account_is_checked_by_the_program() {
        assert_eq!(ran(GOOD, &["accounts", "check", "main"]).unwrap(), ExitCode::SUCCESS);
        assert_eq!(ran(GOOD, &["accounts", "check", "other"]).unwrap(), ExitCode::FAILURE);
    }

    #[test]
    fn words_of_the_program_are_passed_on_whole() {
        let arguments = Arguments::try_parse_from(["shop", "keys", "new", "--long"]).unwrap();
        let Some(Command::Own(words)) = arguments.command else { panic!("not passed on") };
        assert_eq!(words, ["keys", "new", "--long"]);
        let file = Some(Path::new("shop.toml"));
        assert_eq!(own_words(&words, file), ["keys", "new", "--long", "--config=shop.toml"]);
    }
}
