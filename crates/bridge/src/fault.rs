//! What went wrong with a call, and what is known about its effect.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

pub use protocol::Outcome;

use crate::problem::{Problem, Problems};

/// What kind of failure it is, whatever the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong as it stands.
    InvalidArgument,
    /// The thing named does not exist.
    NotFound,
    /// The thing to be made exists already.
    AlreadyExists,
    /// The state of things does not allow it.
    FailedPrecondition,
    /// A quota or a rate limit.
    ResourceExhausted,
    /// The upstream does not have this operation.
    Unimplemented,
    /// Our own credentials at the upstream are refused.
    UpstreamAuth,
    /// The upstream cannot be reached or is not able to answer now.
    Unavailable,
    /// The deadline passed.
    DeadlineExceeded,
    /// The reply cannot be read; a repeat cannot help.
    Unreadable,
    /// The reply is larger than allowed.
    TooLarge,
    /// The upstream session is over; handled by the engine, never seen by callers unless it repeats.
    SessionDead,
}

/// What stands for a secret that an upstream has quoted.
const REDACTED: &str = "[redacted]";

/// A failed call.
#[derive(Clone, Debug)]
pub struct Fault(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    outcome: Outcome,
    reason: &'static str,
    message: Cow<'static, str>,
    upstream_code: Option<String>,
    upstream_message: Option<String>,
    http_status: Option<u16>,
    is_of_function: bool,
    violations: Problems,
    retry_after: Option<Duration>,
    limit: Option<&'static str>,
    operation: Operation,
}

/// Which call failed; stamped by the engine.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// The provider's domain of errors, `<provider>.ispbridge`.
    pub domain: Cow<'static, str>,
    /// Whether the call can change something upstream.
    pub write: bool,
    /// The RPC whose answer tells whether a write of unknown outcome happened, where there is one.
    pub probe: Option<Arc<str>>,
}

impl Fault {
    /// A failure of a kind and outcome; `reason` is UPPER_SNAKE and stable, `message` is for people.
    pub fn new(kind: Kind, outcome: Outcome, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Fault(Box::new(Inner {
            kind,
            outcome,
            reason,
            message: message.into(),
            upstream_code: None,
            upstream_message: None,
            http_status: None,
            is_of_function: false,
            violations: Problems::default(),
            retry_after: None,
            limit: None,
            operation: Operation::default(),
        }))
    }

    /// The request cannot be sent as it is.
    #[must_use]
    pub fn invalid(violations: Problems) -> Self {
        let mut fault = Fault::new(Kind::InvalidArgument, Outcome::NotSent, "INVALID_REQUEST", violations.to_string());
        fault.0.violations = violations;
        fault
    }

    /// The deadline came before there was anything to send the request over.
    pub(crate) fn not_in_time() -> Self {
        let message = "the deadline passed before anything was sent";
        Fault::new(Kind::DeadlineExceeded, Outcome::NotSent, "DEADLINE_TOO_SHORT", message)
    }

    /// The upstream said no with a text of its own.
    pub fn rejected(kind: Kind, reason: &'static str, text: &str) -> Self {
        Fault::new(kind, Outcome::Rejected, reason, format!("the upstream refused the call: {text}"))
            .with_upstream_message(text)
    }

    /// The upstream refused our credentials.
    #[must_use]
    pub fn upstream_auth(text: &str) -> Self {
        let message = "the upstream refuses this account's credentials; an operator has to mend the account";
        Fault::new(Kind::UpstreamAuth, Outcome::Rejected, "UPSTREAM_AUTH", message).with_upstream_message(text)
    }

    /// The upstream's session is over, said before any work was done.
    #[must_use]
    pub fn session_dead(text: &str) -> Self {
        Fault::new(Kind::SessionDead, Outcome::NotSent, "UPSTREAM_SESSION", "the upstream ended its session")
            .with_upstream_message(text)
    }

    /// The server failed in the middle: whether the call took effect is not known.
    #[must_use]
    pub fn server(text: &str) -> Self {
        Fault::new(
            Kind::Unavailable,
            Outcome::Unknown,
            "UPSTREAM_FAULT",
            "the upstream failed while it worked on the call",
        )
        .with_upstream_message(text)
    }

    /// The reply's envelope, verdict or returned id cannot be read.
    pub fn unreadable(why: impl fmt::Display) -> Self {
        Fault::new(
            Kind::Unreadable,
            Outcome::Unknown,
            "UPSTREAM_REPLY_UNREADABLE",
            format!("the upstream's reply cannot be read: {why}"),
        )
    }

    /// The reply passes a limit, which is named.
    pub(crate) fn too_large(limit: &'static str, what: impl fmt::Display) -> Self {
        let message = format!("the upstream's reply {what}; the limit is {limit}");
        let mut fault = Fault::new(Kind::TooLarge, Outcome::Unknown, "UPSTREAM_BODY_TOO_LARGE", message);
        fault.0.limit = Some(limit);
        fault
    }

    /// A reply that lacks what the contract demands.
    #[must_use]
    pub fn missing(fields: &[Problem]) -> Self {
        Fault::unreadable(Problems(fields.to_vec()))
    }

    /// Adds the code that the upstream gave.
    #[must_use]
    pub fn with_upstream_code(mut self, code: &str) -> Self {
        self.0.upstream_code = Some(code.to_owned()).filter(|code| !code.is_empty());
        self
    }

    /// Adds the text that the upstream gave.
    #[must_use]
    pub fn with_upstream_message(mut self, text: &str) -> Self {
        self.0.upstream_message = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        self
    }

    /// Adds the status of the HTTP reply.
    #[must_use]
    pub fn with_http_status(mut self, status: u16) -> Self {
        self.0.http_status = Some(status);
        self
    }

    /// Says that the upstream framed the failure in its own protocol, as a SOAP or XML-RPC fault: it is well, and one
    /// function failed, which the input of one caller can cause.
    #[must_use]
    pub fn of_function(mut self) -> Self {
        self.0.is_of_function = true;
        self
    }

    /// Adds fields that the upstream named.
    #[must_use]
    pub fn with_violations(mut self, violations: Vec<Problem>) -> Self {
        self.0.violations = Problems(violations);
        self
    }

    /// Adds how long the upstream, or our own pacing, wants to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Option<Duration>) -> Self {
        self.0.retry_after = delay;
        self
    }

    /// The same failure seen in another light, for methods that know more than the reply says.
    #[must_use]
    pub fn reclassified(mut self, kind: Kind, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.kind = kind;
        self.0.reason = reason;
        self.0.message = message.into();
        self
    }

    /// The same failure without texts that must not be told, wherever the upstream quotes them.
    pub(crate) fn without<'s>(mut self, secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let inner = &mut *self.0;
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            let quoted = |text: &str| text.contains(secret).then(|| text.replace(secret, REDACTED));
            if let Some(text) = quoted(&inner.message) {
                inner.message = text.into();
            }
            let violations = inner.violations.0.iter_mut().map(|violation| &mut violation.text);
            for text in inner.upstream_code.iter_mut().chain(&mut inner.upstream_message).chain(violations) {
                quoted(text).into_iter().for_each(|clear| *text = clear);
            }
        }
        self
    }

    pub(crate) fn with_operation(mut self, operation: Operation) -> Self {
        self.0.operation = operation;
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether the call can have had an effect.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The stable reason in UPPER_SNAKE.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }

    /// The sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The upstream's own code.
    #[must_use]
    pub fn upstream_code(&self) -> Option<&str> {
        self.0.upstream_code.as_deref()
    }

    /// The upstream's own text.
    #[must_use]
    pub fn upstream_message(&self) -> Option<&str> {
        self.0.upstream_message.as_deref()
    }

    /// The status of the HTTP reply, if one came.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// Whether one function failed, and not the upstream ([`Self::of_function`]).
    pub(crate) fn is_of_function(&self) -> bool {
        self.0.is_of_function
    }

    /// How long to wait before a repeat.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The name of the limit that the reply passes.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        self.0.limit
    }

    pub(crate) fn violations(&self) -> &[Problem] {
        &self.0.violations.0
    }

    pub(crate) fn operation(&self) -> &Operation {
        &self.0.operation
    }

    /// Whether the same call may be sent once more: always when nothing was sent for a passing reason,
    /// and for reads also when it is unknown what became of it or when the upstream asked for patience.
    pub(crate) fn is_repeatable(&self, write: bool) -> bool {
        match (self.0.kind, self.0.outcome) {
            (Kind::Unavailable, Outcome::NotSent) => true,
            (Kind::Unavailable, _) => !write,
            (Kind::ResourceExhausted, Outcome::Rejected) => !write && self.0.retry_after.is_some(),
            _ => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason, self.0.message)
    }
}

impl std::error::Error for Fault {}
