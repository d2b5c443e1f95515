//! The accounts of one provider: as they are configured, and as they stand ready for calls.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use protocol::headers::ACCOUNT;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;

use crate::{
    account_health::{AccountHealth, AccountStatus},
    breaker::Breaker,
    credential_guard::CredentialGuard,
    dialects::Dialects,
    farewell::Farewell,
    fault::{Fault, Kind, Operation, Outcome},
    http::{BaseUrl, Client, ClientError, Transport},
    problem::{Problem, Problems},
    provider::Provider,
    retry::RetryBudget,
    session::SessionSlot,
    table::Tables,
    telemetry::Telemetry,
};

/// An account as its service configures it.
pub struct AccountSetup {
    /// Where its upstream is.
    pub base_url: BaseUrl,
    /// How that is reached.
    pub transport: Transport,
    /// The mapping tables of the dialects that it speaks.
    pub tables: Dialects,
    /// The provider's own part.
    pub provider: Box<dyn Provider>,
}

/// Why an upstream cannot be set up; names the account and the key.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A service without accounts can do nothing.
    #[error("must have at least one account: [accounts.ALIAS]")]
    NoAccounts,
    /// An account's address or transport does not work.
    #[error("{0}: {1}")]
    Account(String, ClientError),
}

/// All that is wrong with the accounts of a configuration, given what is wrong with each, by the keys of the configuration.
pub fn account_problems<'a>(accounts: impl IntoIterator<Item = (&'a String, Problems)>) -> Problems {
    let (mut all, mut any) = (Vec::new(), false);
    for (alias, problems) in accounts {
        any = true;
        let key = format!("accounts.{alias}");
        if !is_alias(alias) {
            all.push(Problem::new(
                &key,
                "must have a name of 1 to 63 letters, digits, -, _ or ., a letter or digit first",
            ));
        }
        all.extend(
            problems.0.into_iter().map(|problem| Problem::new(format!("{key}.{}", problem.field), problem.text)),
        );
    }
    if !any {
        all.push(Problem::new("accounts", SetupError::NoAccounts.to_string()));
    }
    Problems(all)
}

/// What the gateway's grants can name, and a header can carry.
fn is_alias(text: &str) -> bool {
    let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= 63 && text.bytes().all(rest) && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

pub(crate) struct Shared {
    pub(crate) domain: Cow<'static, str>,
    pub(crate) accounts: ArcSwap<Accounts>,
    pub(crate) telemetry: Telemetry,
    /// The sessions that are being ended.
    pub(crate) farewells: TaskTracker,
}

pub(crate) type Accounts = HashMap<String, Arc<Account>>;

pub(crate) struct Account {
    pub(crate) provider: Arc<dyn Provider>,
    tables: Dialects,
    pub(crate) client: Client,
    telemetry: Telemetry,
    farewells: TaskTracker,
    in_flight: Arc<Semaphore>,
    pub(crate) budget: RetryBudget,
    pub(crate) breaker: Breaker,
    pub(crate) session: SessionSlot,
    pub(crate) guard: CredentialGuard,
    pub(crate) health: AccountHealth,
}

pub(crate) fn ready(
    accounts: impl IntoIterator<Item = (String, AccountSetup)>,
    telemetry: &Telemetry,
    farewells: &TaskTracker,
) -> Result<Accounts, SetupError> {
    let mut ready = HashMap::new();
    for (alias, setup) in accounts {
        let client = Client::new(&setup.base_url, &setup.transport)
            .map_err(|error| SetupError::Account(alias.clone(), error))?;
        ready.insert(alias, Arc::new(Account::new(setup, client, telemetry.clone(), farewells.clone())));
    }
    if ready.is_empty() { Err(SetupError::NoAccounts) } else { Ok(ready) }
}

impl Shared {
    pub(crate) fn account(&self, alias: Option<&str>) -> Result<Arc<Account>, Fault> {
        let accounts = self.accounts.load();
        let known = match alias {
            Some(alias) => accounts.get(alias),
            None => accounts.values().next().filter(|_| accounts.len() == 1),
        };
        known.cloned().ok_or_else(|| {
            let what = if alias.is_some() {
                "names no account of this service"
            } else {
                "is required, this service has several accounts"
            };
            Fault::invalid(Problems(vec![Problem::new(ACCOUNT.as_str(), what)]))
        })
    }

    /// A call that can change something, with its probe, or one that cannot.
    pub(crate) fn operation(&self, write: bool, probe: Option<Arc<str>>) -> Operation {
        Operation { domain: self.domain.clone(), write, probe }
    }
}

impl Account {
    fn new(setup: AccountSetup, client: Client, telemetry: Telemetry, farewells: TaskTracker) -> Self {
        Account {
            provider: setup.provider.into(),
            telemetry,
            farewells,
            tables: setup.tables,
            client,
            in_flight: Arc::new(Semaphore::new(setup.transport.in_flight)),
            budget: RetryBudget::default(),
            breaker: Breaker::default(),
            session: SessionSlot::default(),
            guard: CredentialGuard::default(),
            health: AccountHealth::default(),
        }
    }

    /// The mapping tables of an operation.
    pub(crate) fn tables(&self, operation: &str) -> Result<&Tables, Fault> {
        self.tables.get(self.provider.dialect(operation))
    }

    /// Ends the session, after a login or a renewal that is under way, if that does not take longer than `patience`.
    pub(crate) async fn close(&self, patience: Duration) {
        if let Some(session) = self.session.close(patience).await {
            self.farewell().say(session).await;
        }
    }

    fn farewell(&self) -> Farewell {
        let (provider, client) = (self.provider.clone(), self.client.clone());
        Farewell { provider, client, telemetry: self.telemetry.clone() }
    }

    pub(crate) fn status(&self, alias: &str) -> AccountStatus {
        self.health.status(alias, self.breaker.is_open(), self.guard.is_resting())
    }

    /// A place among the account's calls; none is refused at once, because a queue only hides the load.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.in_flight.clone().try_acquire_owned().map_err(|_| {
            let message = "the account has as many calls in flight as it may";
            Fault::new(Kind::ResourceExhausted, Outcome::NotSent, "ACCOUNT_BUSY", message)
                .with_retry_after(Some(Duration::from_millis(500)))
        })
    }
}

/// An account that was replaced lives as long as its last call; then its session ends.
impl Drop for Account {
    fn drop(&mut self) {
        let Some(session) = self.session.end() else { return };
        // Without a runtime the process has ended.
        if let Ok(runtime) = Handle::try_current() {
            self.farewells.spawn_on(self.farewell().say(session), &runtime);
        }
    }
}
