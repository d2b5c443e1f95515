//! What is known of a call when it has ended, for those who keep more of it than a line.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use opentelemetry::trace::TraceId;
use protocol::{Outcome, Reason, names, provider};
use serde::Serialize;
use tonic::Code;

use crate::{message::Captured, notes::RecordPlace};

/// A deadline that ends a call sooner is the caller's choice, and no sign of anything.
const MUTE: Duration = Duration::from_secs(1);

/// Hears of every call that has ended. It runs where calls run: it must neither wait nor take long.
pub trait CallObserver: fmt::Debug + Send + Sync {
    /// Takes note of a call.
    fn ended(&self, call: &CompletedCall<'_>);

    /// Whether it listens now; nothing is prepared for those who do not.
    fn is_listening(&self) -> bool {
        true
    }

    /// Whether it wants to see the messages of a call that begins now, and that may change something or not.
    fn wants_messages(&self, writes: bool) -> bool {
        let _ = writes;
        false
    }
}

/// A call that has ended.
#[derive(Debug)]
pub struct CompletedCall<'a> {
    /// Name of the process.
    pub process: &'static str,
    /// `package.Service/Method`; a method that nobody knows as far as it is worth showing.
    pub method: &'a str,
    /// Whether the method exists; only then may it be the label of a metric.
    pub is_known: bool,
    /// Whether it may have changed something.
    pub writes: bool,
    /// The gRPC code.
    pub code: Code,
    /// What the `ErrorInfo` of an error says.
    pub reason: Option<Reason>,
    /// How long it took here.
    pub took: Duration,
    /// How long it took at the service behind this proxy, as the service says.
    pub service_took: Option<Duration>,
    /// How much of that was spent waiting for the upstream.
    pub upstream_took: Option<Duration>,
    /// Who called.
    pub principal: Option<&'a str>,
    /// How the caller was known, e.g. `api_key`.
    pub authentication: Option<&'static str>,
    /// Where the caller is, as far as proxies that are believed say it.
    pub client_address: Option<IpAddr>,
    /// Alias of the upstream account.
    pub account: Option<&'a str>,
    /// Where a proxy sent the call.
    pub instance: Option<Arc<str>>,
    /// The request id.
    pub request_id: &'a str,
    /// The trace that the call is part of.
    pub trace_id: TraceId,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the reply's body.
    pub reply_bytes: u64,
    /// What it carried, if somebody wanted to see that.
    pub captured: Option<&'a Captured>,
    /// The place in the audit log of a call that was announced there.
    pub announced: Option<&'a RecordPlace>,
}

/// The same in a form that can be kept and written, with the names that audit log and `/tap` have.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// When it ended, RFC 3339 in UTC.
    time: String,
    process: &'static str,
    /// The provider of the method.
    pub provider: Option<String>,
    /// `package.Service/Method`.
    pub method: String,
    writes: bool,
    /// Who called.
    pub principal: Option<String>,
    authentication: Option<&'static str>,
    client_address: Option<IpAddr>,
    account: Option<String>,
    request_id: String,
    trace_id: Option<String>,
    instance: Option<String>,
    /// The name of the gRPC code.
    pub code: &'static str,
    reason: Option<String>,
    outcome: Option<&'static str>,
    duration_ms: f64,
    service_ms: Option<f64>,
    upstream_ms: Option<f64>,
    request_bytes: u64,
    reply_bytes: u64,
}

impl CompletedCall<'_> {
    /// The provider of the method, e.g. `aex`.
    #[must_use]
    pub fn provider(&self) -> Option<String> {
        provider::of_name(self.method.rsplit_once('/').map_or(self.method, |(service, _)| service))
    }

    /// Whether somebody here, and not the caller, has to look at it: the service or its upstream failed, the upstream refuses
    /// our own credentials, or nobody knows what became of the call.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        let is_in_a_hurry = self.code == Code::DeadlineExceeded && self.took < MUTE;
        if is_in_a_hurry || self.reason.as_ref().is_some_and(|reason| reason.is_callers) {
            return false;
        }
        let unknown = self.reason.as_ref().is_some_and(|reason| reason.outcome == Some(Outcome::Unknown));
        let failed = matches!(
            self.code,
            Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::Unavailable | Code::DataLoss
        );
        let refused = self.reason.as_ref().is_some_and(|reason| reason.reason == "UPSTREAM_AUTH");
        unknown || failed || refused
    }

    /// Whether the upstream has answered, if only to say no.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.code == Code::Ok || self.reason.as_ref().is_some_and(|reason| reason.outcome == Some(Outcome::Rejected))
    }

    /// What audit log and `/tap` say of it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let own = |text: &str| text.to_owned();
        Facts {
            time: now(),
            process: self.process,
            provider: self.provider(),
            method: own(self.method),
            writes: self.writes,
            principal: self.principal.map(own),
            authentication: self.authentication,
            client_address: self.client_address,
            account: self.account.map(own),
            request_id: own(self.request_id),
            trace_id: (self.trace_id != TraceId::INVALID).then(|| self.trace_id.to_string()),
            instance: self.instance.as_deref().map(own),
            code: names::code_name(self.code),
            reason: self.reason.as_ref().map(|reason| reason.reason.clone()),
            outcome: self.reason.as_ref().and_then(|reason| reason.outcome).map(Outcome::as_str),
            duration_ms: millis(self.took),
            service_ms: self.service_took.map(millis),
            upstream_ms: self.upstream_took.map(millis),
            request_bytes: self.request_bytes,
            reply_bytes: self.reply_bytes,
        }
    }

    /// The first message of the request, if it was kept whole.
    pub fn request(&self) -> Option<Bytes> {
        self.captured?.request.message()
    }

    /// The first message of the reply, if it was kept whole.
    pub fn reply(&self) -> Option<Bytes> {
        self.captured?.reply.message()
    }
}

/// The present in RFC 3339, UTC.
pub fn now() -> String {
    prost_types::Timestamp::from(SystemTime::now()).to_string()
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
