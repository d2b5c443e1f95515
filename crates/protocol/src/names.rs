//! Every name that telemetry of ours uses, in one place because the conventions still move
//! (OpenTelemetry semantic conventions 1.44; `rpc.response.status_code` becomes `rpc.status_code` after it).

/// The scope of tracers and meters.
pub const SCOPE: &str = "ispbridge";

/// Attribute: which RPC system, always `grpc`.
pub const RPC_SYSTEM: &str = "rpc.system.name";
/// Attribute: `package.Service/Method`, or [`OTHER`].
pub const RPC_METHOD: &str = "rpc.method";
/// Attribute: the method as it came, if it is not one of ours.
pub const RPC_METHOD_ORIGINAL: &str = "rpc.method_original";
/// Attribute: the gRPC code as text, e.g. `DEADLINE_EXCEEDED`.
pub const RPC_STATUS: &str = "rpc.response.status_code";
/// Value of [`RPC_METHOD`] for a method that nobody knows, so that strangers cannot grow the metrics.
pub const OTHER: &str = "_OTHER";
/// Attribute: the kind of an error.
pub const ERROR_TYPE: &str = "error.type";
/// Attribute of ours: the provider a method belongs to, e.g. `aex`.
pub const PROVIDER: &str = "ispbridge.provider";
/// Attribute of ours: the service a method belongs to, e.g. `ispbridge.aex.v1.CustomerService`.
pub const RPC_SERVICE: &str = "rpc.service";
/// Attribute of ours: the request id.
pub const REQUEST_ID: &str = "ispbridge.request_id";
/// Attribute: the address of the caller.
pub const CLIENT_ADDRESS: &str = "client.address";
/// Attribute of ours: who called.
pub const PRINCIPAL: &str = "ispbridge.principal";
/// Attribute of ours: milliseconds a call took at the service behind a proxy.
pub const SERVICE_MS: &str = "ispbridge.service_ms";
/// Attribute of ours: milliseconds of it that were spent waiting for the upstream.
pub const UPSTREAM_MS: &str = "ispbridge.upstream_ms";
/// Attribute of ours: the alias of the upstream account.
pub const ACCOUNT: &str = "ispbridge.account";

/// Histogram: seconds a call took here.
pub const SERVER_DURATION: &str = "rpc.server.call.duration";
/// Up-down counter: calls being worked on.
pub const IN_FLIGHT: &str = "ispbridge.calls.in_flight";
/// Counter: calls whose handler panicked.
pub const PANICS: &str = "ispbridge.panics";
/// Gauge: bytes of replies that are made and not sent yet.
pub const REPLY_MEMORY: &str = "ispbridge.reply_memory";
/// Counter: connections and replies that were given up, by [`REASON`].
pub const GIVEN_UP: &str = "ispbridge.peers.given_up";
/// Counter: connections that were not served, by [`REASON`].
pub const CONNECTIONS_REFUSED: &str = "ispbridge.connections.refused";
/// Counter: spans that no collector got, by [`REASON`].
pub const SPANS_LOST: &str = "ispbridge.spans.lost";
/// Counter: attempts to take a configuration, or another file, that was read again, by [`SOURCE`] and [`RESULT`].
pub const RELOADS: &str = "ispbridge.config.reloads";
/// Histogram: seconds from a change of a file to its taking, by [`SOURCE`].
pub const RELOAD_DELAY: &str = "ispbridge.config.delay";
/// Attribute of ours: what was read again, `configuration` or the name of a file that is read by itself (`keys`).
pub const SOURCE: &str = "ispbridge.source";
/// Attribute of ours: `ok` or `failed`.
pub const RESULT: &str = "ispbridge.result";
/// Attribute of ours: why something was given up or lost.
pub const REASON: &str = "ispbridge.reason";
/// Counter: records that are in no audit log.
pub const AUDIT_LOST: &str = "ispbridge.audit.lost";
/// Gauge: whether the audit log could be written when it was last tried, 1 or 0.
pub const AUDIT_WRITTEN: &str = "ispbridge.audit.written";
/// Counter: seconds that calls spent, by [`PART`]: each second is in one part of one process only.
pub const TIME: &str = "ispbridge.time";
/// Attribute of ours: `gateway`, `service` or `upstream`.
pub const PART: &str = "ispbridge.part";
/// Boundaries of duration histograms in seconds, from the semantic conventions.
pub const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Boundaries of [`RELOAD_DELAY`] in seconds.
pub const DELAY_BUCKETS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0];

/// The gRPC code as the conventions spell it, e.g. `DEADLINE_EXCEEDED`.
#[must_use]
pub fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
