//! The accounts of a service, from its configuration to what the bridge calls.

use std::collections::BTreeMap;

use bridge::{AccountSetup, Telemetry, Upstream, problem::Problems};
use chassis::Process;
use config::Error;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{AccountSettings, Definition, Dialects};

/// The service's own part of its configuration file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config<A> {
    /// The upstream accounts by alias; callers choose one by `x-ispbridge-account`.
    pub accounts: BTreeMap<String, A>,
}

impl<A: AccountSettings> Config<A> {
    /// All that is wrong with the accounts, by the keys of the configuration.
    pub(crate) fn problems(&self) -> Problems {
        bridge::account_problems(self.accounts.iter().map(|(alias, account)| (alias, problems(account))))
    }

    fn setups<D: Definition<Account = A>>(self) -> Result<Vec<(String, AccountSetup)>, Error> {
        let dialects = Dialects::of::<D>()?;
        let setups = self.accounts.into_iter().map(|(alias, account)| {
            let setup = setup(&alias, &account, &dialects)?;
            Ok((alias, setup))
        });
        setups.collect()
    }
}

fn problems(account: &impl AccountSettings) -> Problems {
    let mut problems = account.transport().check(account.base_url());
    problems.0.extend(account.provider().err().into_iter().flat_map(|own| own.0));
    problems
}

fn setup(alias: &str, account: &impl AccountSettings, dialects: &Dialects) -> Result<AccountSetup, Error> {
    let provider = account.provider().map_err(|problems| {
        let first = problems.0.into_iter().next();
        let (field, text) = first.map_or_else(Default::default, |problem| (problem.field, problem.text));
        Error::config(format!("accounts.{alias}.{field}"), text)
    })?;
    let tables = account.dialects().iter().map(|dialect| dialects.tables(*dialect));
    let tables = bridge::Dialects::new(tables.collect::<Result<Vec<_>, _>>()?);
    Ok(AccountSetup { base_url: account.base_url().clone(), transport: account.transport().clone(), tables, provider })
}

/// Sets up every account of a configuration.
pub(crate) fn connect<D: Definition>(config: Config<D::Account>, process: &Process) -> Result<Upstream, Error> {
    let telemetry = Telemetry::new(D::CONTRACT.provider, process.tracer(), process.meter());
    let upstream = Upstream::new(D::CONTRACT.domain, config.setups::<D>()?, telemetry);
    upstream.map_err(|error| Error::config("accounts", error))
}

/// Puts the accounts of a configuration that was read again in the place of the present ones.
pub(crate) fn replace<D: Definition>(config: Config<D::Account>, process: &Process) -> Result<(), Error> {
    let upstream = process.kept::<Upstream>().ok_or_else(|| Error::program("nothing is served yet"))?;
    upstream.replace(config.setups::<D>()?).map_err(|error| Error::config("accounts", error))
}
