//! The engine: takes a provider's request the whole way to its upstream and back.

use std::{borrow::Cow, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::HeaderValue;
use prost::{Message, Name};
use prost_reflect::MethodDescriptor;
use protocol::{CallContext, deadline, headers::ACCOUNT, method::Idempotency};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

use crate::{
    account::{AccountSetup, SetupError, Shared, ready},
    account_health::AccountStatus,
    call::{Call, Whole},
    download::Download,
    fault::Fault,
    node::Node,
    problem::Problems,
    telemetry::Telemetry,
};

/// What a handler answers.
pub type Reply<R> = Result<Response<R>, Status>;

/// How long the end of all sessions may take.
const CLOSING: Duration = Duration::from_secs(5);

/// The upstream of one provider with all its accounts.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

impl Upstream {
    /// Sets up all accounts; `domain` is the provider's domain of errors, `<provider>.ispbridge`.
    ///
    /// # Errors
    /// [`SetupError`] naming the account.
    pub fn new(
        domain: impl Into<Cow<'static, str>>,
        accounts: impl IntoIterator<Item = (String, AccountSetup)>,
        telemetry: Telemetry,
    ) -> Result<Self, SetupError> {
        let farewells = TaskTracker::new();
        let accounts = ArcSwap::from_pointee(ready(accounts, &telemetry, &farewells)?);
        Ok(Upstream(Arc::new(Shared { domain: domain.into(), accounts, telemetry, farewells })))
    }

    /// Puts other accounts in the place of the present ones; calls under way end with the old ones, whose sessions are ended
    /// after the last of them.
    ///
    /// # Errors
    /// [`SetupError`] naming the account; then nothing has changed.
    pub fn replace(&self, accounts: impl IntoIterator<Item = (String, AccountSetup)>) -> Result<(), SetupError> {
        self.0.accounts.store(Arc::new(ready(accounts, &self.0.telemetry, &self.0.farewells)?));
        Ok(())
    }

    /// Ends the sessions of all accounts, within a few seconds, and makes none any more: when no call is under way, before the
    /// process ends.
    pub async fn close(self) {
        for account in self.0.accounts.load().values() {
            let account = account.clone();
            self.0.farewells.spawn(async move { account.close(CLOSING / 2).await });
        }
        self.0.farewells.close();
        let _ = timeout(CLOSING, self.0.farewells.wait()).await;
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

    /// Makes a call whose answer is a file, which goes to the caller in pieces while it comes; it changes nothing, and may be
    /// repeated until the file begins.
    ///
    /// # Errors
    /// A [`Status`] with an `ErrorInfo` if no file comes. One that breaks off ends with a status that says how much came.
    pub async fn download<Q, R>(&self, operation: &'static str, request: Request<Q>) -> Reply<Download<R>>
    where
        Q: Message + Name,
        R: Message + Default + 'static,
    {
        Ok(self.call(&request)?.download(operation, request.get_ref()).await?)
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

    /// Makes a call of `method`, as [`Upstream::read`] does if its contract says that it has no side effects, else as
    /// [`Upstream::write`].
    ///
    /// # Errors
    /// A [`Status`] with an `ErrorInfo`, see [`crate::fault`].
    pub async fn call_bytes(
        &self,
        operation: impl Into<Cow<'static, str>>,
        method: &MethodDescriptor,
        request: Request<Bytes>,
    ) -> Reply<Bytes> {
        let call = self.call(&request)?;
        let request = request.into_inner();
        Ok(if Idempotency::of(method.method_descriptor_proto()) == Idempotency::Read {
            call.read_bytes(&operation.into(), method, &request).await?
        } else {
            call.write_bytes(operation, method, request).await?
        })
    }

    /// Opens a call for a method that needs more than one exchange.
    ///
    /// # Errors
    /// A NOT_SENT [`Fault`] when the account is not one of ours.
    pub fn call<Q>(&self, request: &Request<Q>) -> Result<Call, Fault> {
        let named = request.metadata().as_ref().get(ACCOUNT).and_then(|value| value.to_str().ok());
        let account = self.0.account(named).map_err(|fault| fault.with_operation(self.0.operation(false, None)))?;
        let mut context = CallContext::of(request.extensions()).into_owned();
        context.deadline = deadline::of_upstream(context.deadline);
        Ok(Call { shared: self.0.clone(), account, context })
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
        let value = HeaderValue::try_from(alias).map_err(|_| format!("{alias:?} is not an alias"))?;
        request.metadata_mut().as_mut().insert(ACCOUNT, value);
        let call = self.call(&request).map_err(|fault| fault.message().to_owned())?;
        let (operation, arguments) = call.account.provider.check();
        let result = call.exchange(operation, false, Node::Map(arguments), &Whole(&|_| Ok(())), &|| false).await;
        match result {
            Ok(_) => Ok(format!("the upstream answered {operation} and accepts the credentials")),
            Err(fault) => Err(format!("{fault}{}", advice(&fault))),
        }
    }
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
