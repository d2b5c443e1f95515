//! The command line that all programs of the suite share.

use std::{
    ffi::OsString,
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use clap::{ArgMatches, Args, FromArgMatches, Subcommand, error::ErrorKind};
use clap_complete::Shell;
use config::{ConfigSource, Error};
use serving::Workers;
use telemetry::Telemetry;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};
use toml::Table;

use crate::{
    config_status::ConfigStatus,
    globals, output,
    prepare::Prepared,
    process::Process,
    program::Program,
    restarts::Restarts,
    running::{self, StartOptions},
    settings_reference,
};

#[derive(Debug, Args)]
struct Options {
    /// The configuration file; NAME.toml of the program in the working directory if it is there.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Reads the configuration, says whether it is right, and ends.
    #[arg(long)]
    check_config: bool,
    /// Prints every key of the configuration as Markdown: type, default, meaning, and whether a change needs a restart.
    #[arg(long, conflicts_with = "check_config")]
    print_config_reference: bool,
}

/// The commands of every program; those of its own come from [`Program::commands`].
#[derive(Debug, Subcommand)]
enum Command {
    /// Works with the upstream accounts of the configuration.
    #[command(subcommand)]
    Accounts(Accounts),
    /// Prints a script that completes command lines, for a shell to read.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Accounts {
    /// Makes one harmless read with an account; ends with 1 if it fails.
    Check {
        /// Alias of the account in the configuration.
        alias: String,
    },
}

/// What a command line asks for.
#[derive(Debug)]
enum Task {
    Serve,
    CheckConfig,
    PrintReference,
    CheckAccount(String),
    Complete(Shell),
    Own(ArgMatches),
}

/// Runs a program: reads command line and configuration, serves until SIGTERM or SIGINT, drains.
#[must_use]
pub fn main<P: Program>() -> ExitCode {
    let (task, config) = match parse::<P>(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(error) => return output::refuse(&error),
    };
    match task {
        Task::Own(matches) => P::command(&matches, config.as_deref()),
        Task::PrintReference => output::answer(&settings_reference::of_program::<P>(), 0),
        Task::Complete(shell) => output::answer(&completions(&mut command::<P>(), shell), 0),
        task => run::<P>(task, config.as_deref()).unwrap_or_else(|error| fail::<P>(&error)),
    }
}

fn command<P: Program>() -> clap::Command {
    let command = clap::Command::new(P::NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Serves until SIGTERM or SIGINT, or runs one command.")
        .after_help("Exit codes: 0 done, 1 failed, 64 wrong command line or configuration.");
    let command = Command::augment_subcommands(Options::augment_args(command));
    P::commands(command.mut_subcommand("accounts", |accounts| accounts.hide(!P::HAS_ACCOUNTS)))
}

fn parse<P: Program>(words: impl IntoIterator<Item = OsString>) -> Result<(Task, Option<PathBuf>), clap::Error> {
    let mut command = command::<P>();
    let matches = command.try_get_matches_from_mut(words)?;
    let Options { config, check_config, print_config_reference } = Options::from_arg_matches(&matches)?;
    let task = match matches.subcommand() {
        None if check_config => Task::CheckConfig,
        None if print_config_reference => Task::PrintReference,
        None => Task::Serve,
        Some((name, _)) if check_config || print_config_reference => {
            let option = if check_config { "--check-config" } else { "--print-config-reference" };
            return Err(command.error(ErrorKind::ArgumentConflict, format!("{option} goes without {name}")));
        }
        Some((name, _)) if !Command::has_subcommand(name) => Task::Own(matches),
        Some(_) => match Command::from_arg_matches(&matches)? {
            Command::Accounts(Accounts::Check { alias }) => Task::CheckAccount(alias),
            Command::Completions { shell } => Task::Complete(shell),
        },
    };
    Ok((task, config))
}

/// The script that completes a program's command lines in a shell.
#[must_use]
pub fn completions(command: &mut clap::Command, shell: Shell) -> String {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn fail<P: Program>(error: &Error) -> ExitCode {
    let lines = error.lines().iter().map(|line| format!("{}: {line}\n", P::NAME)).collect::<String>();
    output::complain(&lines, error.exit_code())
}

fn run<P: Program>(task: Task, config: Option<&Path>) -> Result<ExitCode, Error> {
    globals::install_tls();
    let source = config_source(P::NAME, config);
    let document = source.read()?;
    let threads = threads(&document);
    let runtime = runtime::<P>(threads).map_err(Error::program)?;
    let result = runtime.block_on(async {
        let prepared = Prepared::<P>::for_start(document)?;
        match task {
            Task::CheckConfig => Ok(say_right::<P>(&prepared)),
            Task::CheckAccount(alias) => check_account::<P>(prepared, &alias).await,
            _ => serve::<P>(prepared, source, threads).await,
        }
    });
    // What is still running now, a slow DNS query for one, was given its time by the drain.
    runtime.shutdown_background();
    result
}

/// As many as the configuration says, else one for each core that the process may use. What is wrong with the key is said when
/// the rest of the configuration is read too.
fn threads(config: &Table) -> usize {
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let given = config.get("server").and_then(|server| server.get("threads")?.as_integer());
    given.and_then(|threads| usize::try_from(threads).ok()).filter(|threads| *threads > 0).unwrap_or_else(cores)
}

fn runtime<P: Program>(threads: usize) -> io::Result<Runtime> {
    let mut builder = match P::THREAD_PER_CORE {
        // Connections are the workers'; all the rest together is little.
        true => Builder::new_current_thread(),
        false => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build()
}

/// Where the configuration of a program comes from: the file that is given, else `NAME.toml` of the program in the working
/// directory, and the environment.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn config_source(name: &str, given: Option<&Path>) -> ConfigSource {
    let default = PathBuf::from(format!("{name}.toml"));
    let file = given.map(Path::to_owned).or_else(|| default.is_file().then_some(default.clone()));
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let source = ConfigSource::new(file, variables);
    let folder =
        std::env::current_dir().map_or_else(|_| "the working directory".to_owned(), |it| it.display().to_string());
    source.absent(format!("no configuration file: {} is not in {folder}, and --config names none", default.display()))
}

fn say_right<P: Program>(prepared: &Prepared<P>) -> ExitCode {
    let warnings = prepared.warnings.iter().map(|warning| format!("{}: warning: {warning}\n", P::NAME));
    output::complain(&warnings.collect::<String>(), 0);
    output::answer(&format!("{}: the configuration is right", P::NAME), 0)
}

async fn check_account<P: Program>(prepared: Prepared<P>, alias: &str) -> Result<ExitCode, Error> {
    let Prepared { document, settings, own, .. } = prepared;
    let telemetry = Telemetry::new(P::NAME, &settings.telemetry, None)?;
    let config_status = ConfigStatus::new(&document, Restarts::of::<P::Config>());
    let process = Process::new(P::NAME, settings, telemetry, config_status, Workers::default());
    let said = |text| format!("{}: account {alias}: {text}", P::NAME);
    Ok(match P::check_account(own, &process, alias).await {
        Ok(text) => output::answer(&said(text), 0),
        Err(text) => output::complain(&said(text), 1),
    })
}

async fn serve<P: Program>(prepared: Prepared<P>, source: ConfigSource, threads: usize) -> Result<ExitCode, Error> {
    let _log = globals::install_kept(&prepared.settings.log)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::program)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::program)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::program)?;
    let workers = match P::THREAD_PER_CORE {
        true => Workers::start(threads).map_err(Error::program)?,
        false => Workers::default(),
    };
    let options = StartOptions { source: Some(source), workers, ..StartOptions::default() };
    let mut running = running::start_prepared(prepared, options).await?;
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                running.stops_for("SIGTERM");
                break running.announce().await;
            }
            // Who presses a key waits for the end; there is no balancer to tell.
            _ = interrupt.recv() => break running.stops_for("SIGINT"),
            _ = hangup.recv() => running.reread_aside(),
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
    use crate::settings::Settings;
    use config::Findings;
    use serving::ServiceSet;

    #[derive(Debug)]
    struct Shop;

    #[derive(Debug, Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Own {
        #[serde(default)]
        alias: String,
    }

    impl Program for Shop {
        const NAME: &'static str = "shop";
        type Config = Own;

        fn check(config: &Own, _: &Settings, findings: &mut Findings) {
            if config.alias == "bad" {
                findings.mistake("alias", "must not be bad");
            }
        }

        async fn build(_: Own, _: &Process) -> Result<ServiceSet, Error> {
            Ok(ServiceSet::new())
        }

        fn commands(cli: clap::Command) -> clap::Command {
            let low = clap::Arg::new("low").long("low").action(clap::ArgAction::SetTrue);
            cli.subcommand(clap::Command::new("stock").arg(low))
        }

        fn command(matches: &ArgMatches, _: Option<&Path>) -> ExitCode {
            let low = matches.subcommand_matches("stock").is_some_and(|stock| stock.get_flag("low"));
            ExitCode::from(if low { 7 } else { 0 })
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
        let (task, config) = parsed(&words).unwrap();
        run::<Shop>(task, config.as_deref())
    }

    fn parsed(words: &[&str]) -> Result<(Task, Option<PathBuf>), clap::Error> {
        parse::<Shop>(words.iter().map(OsString::from))
    }

    const GOOD: &str = "alias = \"main\"\n[callers]\nmode = \"open\"\n";

    #[test]
    fn a_right_configuration_is_called_right_and_a_wrong_one_named() {
        assert_eq!(ran(GOOD, &["--check-config"]).unwrap(), ExitCode::SUCCESS);
        for (config, key) in [
            (GOOD.replace("main", "bad"), ":1: alias: "),
            (GOOD.replace("alias", "alia"), ":1: alia: "),
            (GOOD.replace("mode", "mood"), ":3: callers.mood: "),
            (String::new(), ": callers.keys: "),
        ] {
            let error = ran(&config, &["--check-config"]).unwrap_err();
            assert_eq!(error.exit_code(), 64);
            assert!(error.to_string().starts_with("configuration: /") && error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn an_account_is_checked_by_the_program() {
        assert_eq!(ran(GOOD, &["accounts", "check", "main"]).unwrap(), ExitCode::SUCCESS);
        assert_eq!(ran(GOOD, &["accounts", "check", "other"]).unwrap(), ExitCode::FAILURE);
    }

    #[test]
    fn commands_of_the_program_stand_beside_those_of_every_program() {
        let help = command::<Shop>().render_help().to_string();
        for name in ["accounts", "completions", "stock"] {
            assert!(help.contains(&format!("\n  {name}")), "{help}");
        }
        for words in [["shop", "--config=a.toml", "stock", "--low"], ["shop", "stock", "--low", "--config=a.toml"]] {
            let (task, config) = parsed(&words).unwrap();
            let Task::Own(matches) = task else { panic!("{task:?} is another's") };
            assert_eq!(config.as_deref(), Some(Path::new("a.toml")));
            assert_eq!(Shop::command(&matches, None), ExitCode::from(7));
        }
        assert_eq!(parsed(&["shop", "lost"]).unwrap_err().kind(), ErrorKind::InvalidSubcommand);
        assert_eq!(parsed(&["shop", "--check-config", "stock"]).unwrap_err().kind(), ErrorKind::ArgumentConflict);
    }
}
