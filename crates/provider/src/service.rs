//! The program of a provider.

use std::{marker::PhantomData, process::ExitCode, sync::Arc};

use bridge::AccountStatus;
use chassis::{Process, Program, Settings};
use config::{Error, Findings};
use protocol::dependency::{Dependency, DependencyState};
use serving::ServiceSet;

use crate::{
    Config, Definition,
    accounts::{connect, replace},
};

/// The service `ispbridge-<provider>`.
#[derive(Clone, Copy, Debug)]
pub struct Service<D>(PhantomData<D>);

/// Runs the service of a provider as a process.
#[must_use]
pub fn main<D: Definition>() -> ExitCode {
    chassis::main::<Service<D>>()
}

impl<D: Definition> Program for Service<D> {
    const NAME: &'static str = D::CONTRACT.program;
    type Config = Config<D::Account>;

    fn check(config: &Self::Config, _: &Settings, findings: &mut Findings) {
        for problem in config.problems().0 {
            findings.mistake(problem.field, problem.text);
        }
    }

    async fn build(config: Self::Config, process: &Process) -> Result<ServiceSet, Error> {
        let upstream = connect::<D>(config, process)?;
        process.keep(Arc::new(upstream.clone()));
        let (watched, closed) = (upstream.clone(), upstream.clone());
        let surface = ServiceSet::new()
            .descriptors(D::CONTRACT.descriptors)
            .closing(move || closed.clone().close())
            .dependencies(move || watched.accounts().iter().map(dependency::<D>).collect());
        Ok(D::services(upstream, surface))
    }

    fn reload(config: Self::Config, process: &Process) -> Result<(), Error> {
        replace::<D>(config, process)
    }

    async fn check_account(config: Self::Config, process: &Process, alias: &str) -> Result<String, String> {
        let upstream = connect::<D>(config, process).map_err(|error| error.to_string())?;
        let checked = upstream.check(alias).await;
        upstream.close().await;
        checked
    }
}

/// An account as health and `/readyz?verbose` tell of it.
fn dependency<D: Definition>(account: &AccountStatus) -> Dependency {
    let state = DependencyState::of(account.is_down(), account.is_degraded());
    Dependency::new(format!("{}/{}", D::CONTRACT.provider, account.alias), state, account)
}
