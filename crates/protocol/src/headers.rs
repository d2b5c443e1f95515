//! Every name of metadata that this suite reads or writes, once. `docs/how-a-request-flows.md` says of each who sets it and who
//! reads it; a test compares the two.
//!
//! Names of plain HTTP (`content-type`, `authorization` ...) are those of [`http::header`].

use http::HeaderName;

macro_rules! headers {
    ($(#[doc = $doc:literal] $name:ident = $text:literal;)+) => {
        $(#[doc = $doc] pub const $name: HeaderName = HeaderName::from_static($text);)+

        /// All of them, each with its meaning.
        pub const ALL: &[(&str, &str)] = &[$(($text, $doc)),+];
    };
}

headers! {
    #[doc = "The caller's key."]
    API_KEY = "x-api-key";
    #[doc = "The alias of the upstream account."]
    ACCOUNT = "x-ispbridge-account";
    #[doc = "Who calls, signed by the gateway for one service and 30 seconds."]
    CONTEXT = "x-ispbridge-context";
    #[doc = "Names a call in logs, spans and the audit log; made if the caller sends none that is decent."]
    REQUEST_ID = "x-request-id";
    #[doc = "Where the time of a call went, in the form of Server-Timing."]
    TIMING = "x-ispbridge-timing";
    #[doc = "Of a reply: its messages are pieces of a file, so that another limit holds."]
    DOWNLOAD = "x-ispbridge-download";
    #[doc = "Fields of the supplier's reply that could not be read, separated by commas."]
    UNREADABLE_FIELDS = "x-ispbridge-unreadable-fields";
    #[doc = "The trace that a call belongs to (W3C Trace Context)."]
    TRACEPARENT = "traceparent";
    #[doc = "What tracers add to it."]
    TRACESTATE = "tracestate";
    #[doc = "How long a call may take: one to eight digits and a unit."]
    GRPC_TIMEOUT = "grpc-timeout";
    #[doc = "How the messages of a request or a reply are compressed."]
    GRPC_ENCODING = "grpc-encoding";
    #[doc = "Which compressions the sender takes."]
    GRPC_ACCEPT_ENCODING = "grpc-accept-encoding";
    #[doc = "The code of a status, 0 for success."]
    GRPC_STATUS = "grpc-status";
    #[doc = "The text of a status, percent-encoded."]
    GRPC_MESSAGE = "grpc-message";
    #[doc = "A `google.rpc.Status` with an `ErrorInfo`, in base64."]
    GRPC_STATUS_DETAILS = "grpc-status-details-bin";
    #[doc = "When a call may be sent again: milliseconds, or a negative number for never."]
    GRPC_RETRY_PUSHBACK = "grpc-retry-pushback-ms";
    #[doc = "Marks a call of gRPC-Web."]
    GRPC_WEB = "x-grpc-web";
    #[doc = "The client library of a call of gRPC-Web; a page may send it and nobody reads it."]
    USER_AGENT_WEB = "x-user-agent";
    #[doc = "The version of Connect, 1."]
    CONNECT_PROTOCOL_VERSION = "connect-protocol-version";
    #[doc = "How long a call of Connect may take, in milliseconds."]
    CONNECT_TIMEOUT = "connect-timeout-ms";
    #[doc = "How the messages of a stream of Connect are compressed."]
    CONNECT_CONTENT_ENCODING = "connect-content-encoding";
    #[doc = "Which compressions the sender of a stream of Connect takes."]
    CONNECT_ACCEPT_ENCODING = "connect-accept-encoding";
    #[doc = "The addresses that a request came from, as proxies write them."]
    X_FORWARDED_FOR = "x-forwarded-for";
}

/// Whether a name belongs to gRPC's own framing.
#[must_use]
pub fn is_of_grpc(name: &HeaderName) -> bool {
    name.as_str().starts_with("grpc-")
}

/// Whether a name is the suite's own.
#[must_use]
pub fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-ispbridge-")
}
