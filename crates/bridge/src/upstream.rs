//! The engine: takes a provider's request the whole way to its upstream and back.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use arc_swap::ArcSwap;
use bumpalo::Bump;
use opentelemetry::Context;
use prost::{Message, Name};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::Instant,
};
use tonic::{Request, Response, Status, metadata::MetadataValue};

use crate::{
    account_health::{AccountHealth, AccountStatus},
    breaker::Breaker,
    call::Call,
    fault::{Fault, Kind, Operation, Outcome},
    http::{BaseUrl, Client, ClientError, HttpReply, HttpRequest, Transport},
    node::Node,
    problem::{Problem, Problems},
    retry::RetryBudget,
    session::{CredentialGuard, Login, SessionSlot},
    table::Tables,
    telemetry::{Telemetry, upstream_deadline},
};

/// What a handler answers.
pub type Reply<R> = Result<Response<R>, Status>;

/// The metadata key by which a call names its upstream account.
const ACCOUNT: &str = "x-ispbridge-account";
/// The metadata key under which a reply names the fields that could not be read.
pub const UNREADABLE_FIELDS: &str = "x-ispbridge-unreadable-fields";
/// Deadline of calls that came without one.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

/// What a provider adds to the engine; one value per account, which holds that account's settings.
pub trait Provider: Send + Sync + 'static {
    /// Writes a call as an HTTP request: envelope, address and credentials.
    ///
    /// # Errors
    /// A NOT_SENT [`Fault`] when the arguments cannot be written.
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault>;

    /// Reads a reply's envelope and verdict, and returns what the mapping table reads.
    ///
    /// # Errors
    /// The provider's fault table, or [`Fault::unreadable`].
    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault>;

    /// Whether this account may make a call at all; asked before anything else is done for it.
    ///
    /// # Errors
    /// A NOT_SENT [`Fault`] when the operator has not opened the operation.
    fn admit(&self, _operation: &str) -> Result<(), Fault> {
        Ok(())
    }

    /// How sessions are made, for upstreams that have them.
    fn login(&self) -> Option<&dyn Login> {
        None
    }

    /// One harmless read that shows whether the account works: an operation and its arguments.
    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]);
}

/// One call on its way to the wire.
#[derive(Debug)]
pub struct Outgoing<'t> {
    /// The upstream call, as the method names it.
    pub operation: &'t str,
    /// Its arguments in the upstream's words.
    pub arguments: Node<'t>,
    /// The key of the session, if the provider has sessions.
    pub session: Option<&'t str>,
    /// Where a provider may keep what it adds to the arguments.
    pub arena: &'t Bump,
}

/// An account as its service configures it.
pub struct AccountSetup {
    /// Where its upstream is.
    pub base_url: BaseUrl,
    /// How that is reached.
    pub transport: Transport,
    /// The mapping tables of the dialect that it speaks.
    pub tables: Arc<Tables>,
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

/// The upstream of one provider with all its accounts.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

pub(crate) struct Shared {
    domain: &'static str,
    accounts: ArcSwap<Accounts>,
    pub(crate) telemetry: Telemetry,
}

type Accounts = HashMap<String, Arc<Account>>;

pub(crate) struct Account {
    pub(crate) provider: Box<dyn Provider>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) client: Client,
    in_flight: Semaphore,
    pub(crate) budget: RetryBudget,
    pub(crate) breaker: Breaker,
    pub(crate) session: SessionSlot,
    pub(crate) guard: CredentialGuard,
    pub(crate) health: AccountHealth,
}

impl Upstream {
    /// Sets up all accounts; `domain` is the provider's domain of errors, `<provider>.ispbridge`.
    ///
    /// # Errors
    /// [`SetupError`] naming the account.
    pub fn new(
        domain: &'static str,
        accounts: impl IntoIterator<Item = (String, AccountSetup)>,
        telemetry: Telemetry,
    ) -> Result<Self, SetupError> {
        let accounts = ArcSwap::from_pointee(ready(accounts)?);
        Ok(Upstream(Arc::new(Shared { domain, accounts, telemetry })))
    }

    /// Puts other accounts in the place of the present ones; calls under way end with the old ones.
    ///
    /// # Errors
    /// [`SetupError`] naming the account; then nothing has changed.
    pub fn replace(&self, accounts: impl IntoIterator<Item = (String, AccountSetup)>) -> Result<(), SetupError> {
        self.0.accounts.store(Arc::new(ready(accounts)?));
        Ok(())
    }

    /// All accounts as operators see them, in the order of their aliases.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountStatus> {
        let accounts = self.0.accounts.load();
        let mut all: Vec<_> = accounts.iter().map(|(alias, account)| account.status(alias)).collect();
        all.sort_unstable_by(|one, other| one.alias.cmp(&other.alias));
        all
    }

    /// Makes a call that changes nothing; it may be repeated.
    ///
    /// # Errors
    /// A [`Status`] with an `ErrorInfo`, see [`crate::fault`].
    pub async fn read<Q, R>(&self, operation: &'static str, request: Request<Q>) -> Reply<R>
    where
        Q: Message + Name,
        R: Message + Name + Default,
    {
        Ok(self.call(&request)?.read(operation, request.get_ref()).await?)
    }

    /// Makes a call that may change something: at most one attempt can take effect. Where nobody knows whether one did, the
    /// status names the RPC that tells (`probe` in the contract).
    ///
    /// # Errors
    /// A [`Status`]; ABORTED with reason OUTCOME_UNKNOWN when the call may have happened.
    pub fn write<Q, R>(
        &self,
        operation: &'static str,
        request: Request<Q>,
    ) -> impl Future<Output = Reply<R>> + Send + use<Q, R>
    where
        Q: Message + Name + 'static,
        R: Message + Name + Default + 'static,
    {
        let write = self.call(&request).map(|call| call.write(operation, request.into_inner()));
        async move { Ok(write?.await?) }
    }

    /// Opens a call for a method that needs more than one exchange.
    ///
    /// # Errors
    /// A NOT_SENT [`Fault`] when the account is not one of ours.
    pub fn call<Q>(&self, request: &Request<Q>) -> Result<Call, Fault> {
        let named = request.metadata().get(ACCOUNT).and_then(|value| value.to_str().ok());
        let account = self.0.account(named).map_err(|fault| fault.with_operation(self.0.operation(false, None)))?;
        let extensions = request.extensions();
        let deadline = extensions.get::<Instant>().copied().unwrap_or_else(|| Instant::now() + DEFAULT_DEADLINE);
        let context = extensions.get::<Context>().cloned().unwrap_or_default();
        let place = extensions.get::<Arc<OwnedSemaphorePermit>>().cloned();
        let waited = extensions.get::<Arc<AtomicU64>>().cloned();
        let deadline = upstream_deadline(deadline);
        Ok(Call { shared: self.0.clone(), account, deadline, context, waited, _place: place })
    }

    /// The status of a request that a method refuses before anything is sent, naming every field.
    #[must_use]
    pub fn invalid(&self, violations: Problems) -> Status {
        Fault::invalid(violations).with_operation(self.0.operation(false, None)).into()
    }

    /// Makes the account's harmless read.
    ///
    /// # Errors
    /// A text for people that says what is wrong and what to look at.
    pub async fn check(&self, alias: &str) -> Result<String, String> {
        let mut request = Request::new(());
        let value = MetadataValue::try_from(alias).map_err(|_| format!("{alias:?} is not an alias"))?;
        request.metadata_mut().insert(ACCOUNT, value);
        let call = self.call(&request).map_err(|fault| fault.message().to_owned())?;
        let (operation, arguments) = call.account.provider.check();
        let result = call.exchange(operation, false, Node::Map(arguments), &|_| Ok(()), &|| false).await;
        match result {
            Ok(()) => Ok(format!("the upstream answered {operation} and accepts the credentials")),
            Err(fault) => Err(format!("{fault}{}", advice(&fault))),
        }
    }
}

fn ready(accounts: impl IntoIterator<Item = (String, AccountSetup)>) -> Result<Accounts, SetupError> {
    let mut ready = HashMap::new();
    for (alias, setup) in accounts {
        let client = Client::new(&setup.base_url, &setup.transport)
            .map_err(|error| SetupError::Account(alias.clone(), error))?;
        ready.insert(alias, Arc::new(Account::new(setup, client)));
    }
    if ready.is_empty() { Err(SetupError::NoAccounts) } else { Ok(ready) }
}

/// What an operator looks at first.
fn advice(fault: &Fault) -> String {
    let said = fault.upstream_message().map_or_else(String::new, |text| format!("\n  the upstream said: {text}"));
    let look = match fault.reason() {
        "UPSTREAM_AUTH" => "\n  look at: the credentials, and whether the supplier lists this machine's address",
        "UPSTREAM_UNREACHABLE" => "\n  look at: base_url, DNS, firewalls, a proxy that has to be configured",
        "UPSTREAM_TLS" => "\n  look at: the certificate of the upstream and the clock of this machine",
        "UPSTREAM_REPLY_UNREADABLE" => {
            "\n  look at: base_url; something else than the supplier's API seems to answer there"
        }
        _ => "",
    };
    said + look
}

impl Shared {
    fn account(&self, alias: Option<&str>) -> Result<Arc<Account>, Fault> {
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
            Fault::invalid(Problems(vec![Problem::new(ACCOUNT, what)]))
        })
    }

    /// A call that can change something, with its probe, or one that cannot.
    pub(crate) fn operation(&self, write: bool, probe: Option<Arc<str>>) -> Operation {
        Operation { domain: self.domain, write, probe }
    }
}

impl Account {
    fn new(setup: AccountSetup, client: Client) -> Self {
        Account {
            provider: setup.provider,
            tables: setup.tables,
            client,
            in_flight: Semaphore::new(setup.transport.in_flight),
            budget: RetryBudget::default(),
            breaker: Breaker::default(),
            session: SessionSlot::default(),
            guard: CredentialGuard::default(),
            health: AccountHealth::default(),
        }
    }

    fn status(&self, alias: &str) -> AccountStatus {
        self.health.status(alias, self.breaker.is_open(), self.guard.is_resting())
    }

    /// A place among the account's calls; none is refused at once, because a queue only hides the load.
    pub(crate) fn enter(&self) -> Result<SemaphorePermit<'_>, Fault> {
        self.in_flight.try_acquire().map_err(|_| {
            let message = "the account has as many calls in flight as it may";
            Fault::new(Kind::ResourceExhausted, Outcome::NotSent, "ACCOUNT_BUSY", message)
                .with_retry_after(Some(Duration::from_millis(500)))
        })
    }
}
