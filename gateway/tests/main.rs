//! The gateway over real sockets, in front of a service that does what the test tells it.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "main/addresses.rs"]
mod addresses;
#[path = "main/apart.rs"]
mod apart;
#[path = "main/audit.rs"]
mod audit;
#[path = "main/backend.rs"]
mod backend;
#[path = "main/balance.rs"]
mod balance;
#[path = "main/caller.rs"]
mod caller;
#[path = "main/certificates.rs"]
mod certificates;
#[path = "main/crash.rs"]
mod crash;
#[path = "main/discovery.rs"]
mod discovery;
#[path = "main/explain.rs"]
mod explain;
#[path = "main/failure.rs"]
mod failure;
#[path = "main/fake_consul.rs"]
mod fake_consul;
#[path = "main/guesses.rs"]
mod guesses;
#[path = "main/issuer.rs"]
mod issuer;
#[path = "main/key_file.rs"]
mod key_file;
#[path = "main/key_sets.rs"]
mod key_sets;
#[path = "main/keys.rs"]
mod keys;
#[path = "main/leaving.rs"]
mod leaving;
#[path = "main/load.rs"]
mod load;
#[path = "main/log.rs"]
mod log;
#[path = "main/matrix.rs"]
mod matrix;
#[path = "main/otlp.rs"]
mod otlp;
#[path = "main/overload.rs"]
mod overload;
#[path = "../../crates/chassis/tests/main/pki.rs"]
mod pki;
#[path = "main/readme.rs"]
mod readme;
#[path = "main/real_consul.rs"]
mod real_consul;
#[path = "main/reload.rs"]
mod reload;
#[path = "main/services_tls.rs"]
mod services_tls;
#[path = "main/shop.rs"]
mod shop;
#[path = "main/status.rs"]
mod status;
#[path = "main/streaming.rs"]
mod streaming;
#[path = "main/tokens.rs"]
mod tokens;
#[path = "main/transcode.rs"]
mod transcode;

use std::{process::Command, time::Duration};

use bytes::Bytes;
use ispbridge_kit::clock::goes_on;
use protocol::caller::{Root, Verifier};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    backend::{ADD, Backend, Behaviour, GET, SERVICE},
    caller::{ALL, NOBODY, READER, ROOT, SINGLE, Suite, frame},
};

const KEY: (&str, &str) = ("x-api-key", ALL);

fn payload() -> Bytes {
    frame(b"\x0a\x03abc")
}

async fn suite() -> (Backend, Suite) {
    let backend = Backend::start().await;
    let suite = Suite::start(&backend).await;
    (backend, suite)
}

fn info(reason: &str, outcome: &str) -> (String, Option<String>) {
    (reason.to_owned(), Some(outcome.to_owned()))
}

#[tokio::test]
async fn a_call_without_a_right_key_reaches_nobody() {
    let (backend, suite) = suite().await;
    let missing = suite.call(GET, &[], payload()).await.status();
    let wrong = suite.call(GET, &[("x-api-key", "ispb_wrong")], payload()).await.status();
    assert_eq!(missing.code(), Code::Unauthenticated);
    assert_eq!((missing.message(), missing.details()), (wrong.message(), wrong.details()));
    assert!(backend.arrivals().is_empty());
}

#[tokio::test]
async fn what_is_not_granted_is_refused() {
    let (backend, suite) = suite().await;
    let reader = ("x-api-key", READER);
    let cases = [
        (GET, vec![("x-api-key", NOBODY)], Code::PermissionDenied),
        (ADD, vec![reader, ("x-ispbridge-account", "main")], Code::PermissionDenied),
        (GET, vec![reader, ("x-ispbridge-account", "third")], Code::PermissionDenied),
        (GET, vec![reader], Code::InvalidArgument),
        (GET, vec![reader, ("x-ispbridge-account", "../x")], Code::InvalidArgument),
        (GET, vec![KEY, ("x-ispbridge-account", "other")], Code::PermissionDenied),
    ];
    for (path, headers, code) in cases {
        let answer = suite.call(path, &headers, payload()).await;
        assert_eq!(answer.code(), code, "{path} {headers:?}");
        assert_eq!(answer.info().1.as_deref(), Some("NOT_SENT"));
    }
    assert!(backend.arrivals().is_empty());
    let headers = [reader, ("x-ispbridge-account", "other")];
    assert_eq!(suite.call(GET, &headers, payload()).await.code(), Code::Ok);
    assert_eq!(backend.arrivals()[0].headers["x-ispbridge-account"], "other");
}

#[tokio::test]
async fn bytes_and_trailers_come_through_as_they_are() {
    let (backend, suite) = suite().await;
    // Neither protobuf nor really gzip: that is the service's affair.
    let odd = Bytes::from_static(b"\x01\x00\x00\x00\x03\xff\xff\xff");
    let large = frame(&vec![7; 600_000]);
    for body in [odd, large] {
        let answer = suite.call(ADD, &[KEY, ("grpc-encoding", "gzip")], body.clone()).await;
        assert_eq!(answer.code(), Code::Ok);
        assert_eq!(answer.body, body);
        assert_eq!(answer.trailers["x-ispbridge-note"], "kept");
        assert_eq!(answer.headers["grpc-encoding"], "identity");
        assert!(!answer.trailers.contains_key("set-cookie") && !answer.headers.contains_key("server"));
        assert_eq!(backend.arrivals()[0].body, body);
    }
}

#[tokio::test]
async fn the_service_gets_a_signed_context_and_no_credentials() {
    let (backend, suite) = suite().await;
    let sent = [
        KEY,
        ("authorization", "Bearer secret"),
        ("cookie", "a=b"),
        ("baggage", "a=b"),
        ("x-ispbridge-context", "v1.k1.forged.forged"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-request-id", "order-7"),
        ("user-agent", "billing/1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("grpc-timeout", "10S"),
    ];
    let answer = suite.call(GET, &sent, payload()).await;
    assert_eq!(answer.headers["x-request-id"], "order-7");
    let arrival = backend.arrivals().remove(0);
    assert_eq!(arrival.path, GET);
    let mut names: Vec<_> = arrival.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "content-type",
        "grpc-timeout",
        "te",
        "traceparent",
        "user-agent",
        "x-ispbridge-account",
        "x-ispbridge-context",
        "x-request-id",
    ];
    let traced: Vec<_> = names.iter().filter(|name| **name != "tracestate").copied().collect();
    assert_eq!(traced, expected);
    let key = Root::new("k1", ROOT).unwrap().derive("ispbridge-fake-isp").to_text();
    let verifier = Verifier::new([("k1", key.as_str())]).unwrap();
    let context = arrival.headers.get("x-ispbridge-context");
    let caller = verifier.verify(context, GET.trim_start_matches('/'), "order-7").unwrap();
    assert_eq!((&*caller.principal, &*caller.account), ("all", "main"));
    let trace = arrival.headers["traceparent"].to_str().unwrap();
    assert!(trace.contains("0af7651916cd43dd8448eb211c80319c") && !trace.contains("b7ad6b7169203331"));
    let left = arrival.headers["grpc-timeout"].to_str().unwrap().trim_end_matches('m');
    assert!((9000..=9450).contains(&left.parse::<u32>().unwrap()), "{left}");
}

#[tokio::test]
async fn baggage_stops_and_too_much_of_it_harms_nobody() {
    let (backend, suite) = suite().await;
    let baggage = |bytes: usize| format!("k={}", "v".repeat(bytes));
    let allowed = baggage(8 << 10);
    assert_eq!(suite.call(GET, &[KEY, ("baggage", &allowed)], payload()).await.code(), Code::Ok);
    assert!(!backend.arrivals()[0].headers.contains_key("baggage"));
    let answer = suite.call(GET, &[KEY, ("baggage", &baggage(20 << 10))], payload()).await;
    let told = answer.status().get_details_error_info().unwrap();
    assert_eq!((answer.code(), told.reason.as_str()), (Code::ResourceExhausted, "HEADERS_TOO_LARGE"));
    assert_eq!((told.metadata["outcome"].as_str(), told.domain.as_str()), ("NOT_SENT", "caller.ispbridge"));
    let request = http::Request::post(format!("http://{}{GET}", suite.running.grpc_addr()))
        .header("content-type", "application/grpc")
        .header("x-api-key", ALL)
        .header("baggage", baggage(200 << 10));
    let body = http_body_util::Full::new(payload());
    // It costs its sender the connection.
    let refused = caller::connect(suite.running.grpc_addr()).await.send_request(request.body(body).unwrap()).await;
    assert!(refused.is_err() && backend.arrivals().is_empty());
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
}

#[tokio::test]
async fn an_unknown_provider_or_path_is_unimplemented_with_a_text() {
    let (_backend, suite) = suite().await;
    for path in ["/ispbridge.other.v1.CustomerService/Get", "/ispbridge.fake_isp.v2.S/Get", "/a", "/grpc.x.S/M"] {
        let answer = suite.call(path, &[KEY], payload()).await;
        assert_eq!(answer.code(), Code::Unimplemented, "{path}");
        assert!(!answer.status().message().is_empty());
        assert_eq!(answer.info().1.as_deref(), Some("NOT_SENT"));
    }
}

#[tokio::test]
async fn a_principal_has_no_more_calls_in_flight_than_it_may() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Hang, Behaviour::Echo]);
    let single = [("x-api-key", SINGLE)];
    let first = suite.call(GET, &single, payload());
    let others = async {
        while backend.arrivals().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let refused = suite.call(GET, &single, payload()).await;
        let other = suite.call(GET, &[KEY], payload()).await;
        backend.release.notify_one();
        (refused, other)
    };
    let (first, (refused, other)) = tokio::join!(first, others);
    assert_eq!((first.code(), other.code()), (Code::Ok, Code::Ok));
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.info(), info("TOO_MANY_CALLS", "NOT_SENT"));
    assert!(refused.status().get_details_retry_info().is_some());
    assert!(refused.status().get_details_quota_failure().is_some());
    assert_eq!(suite.call(GET, &single, payload()).await.code(), Code::Ok);
}

#[tokio::test]
async fn reflection_needs_a_key_and_shows_the_union() {
    let (_backend, suite) = suite().await;
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        // file_containing_symbol
        let question = frame(&[&[0x22, u8::try_from(SERVICE.len()).unwrap()], SERVICE.as_bytes()].concat());
        assert_eq!(suite.call(&path, &[], question.clone()).await.code(), Code::Unauthenticated);
        let answer = suite.call(&path, &[KEY], question).await;
        assert_eq!(answer.code(), Code::Ok);
        let method = b"AddCustomer";
        assert!(answer.body.windows(method.len()).any(|part| part == method));
        // list_services: a caller without a grant sees reflection itself, health, and no service.
        let list = frame(&[0x3a, 0x00]);
        let sees = |answer: &caller::Answer| answer.body.windows(SERVICE.len()).any(|part| part == SERVICE.as_bytes());
        assert!(sees(&suite.call(&path, &[KEY], list.clone()).await));
        let nobody = suite.call(&path, &[("x-api-key", NOBODY)], list).await;
        assert!(nobody.code() == Code::Ok && !sees(&nobody));
    }
}

#[tokio::test]
async fn health_of_the_gateway_needs_no_key_and_that_of_a_service_a_grant() {
    let (_backend, suite) = suite().await;
    assert_eq!(suite.health("", &[]).await, Ok(1));
    assert_eq!(suite.health(SERVICE, &[]).await, Err(Code::Unauthenticated));
    assert_eq!(suite.health(SERVICE, &[("x-api-key", NOBODY)]).await, Err(Code::NotFound));
    for key in [ALL, READER] {
        assert_eq!(suite.health(SERVICE, &[("x-api-key", key)]).await, Ok(1));
    }
    assert_eq!(suite.health("ispbridge.fake_isp.v1.Nothing", &[KEY]).await, Err(Code::NotFound));
    assert_eq!(suite.health("ispbridge.other.v1.S", &[KEY]).await, Err(Code::NotFound));
}

#[tokio::test]
async fn a_gateway_with_calls_in_flight_drains() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Hang]);
    let Suite { running, sender } = suite;
    let address = running.grpc_addr();
    let call = async move { caller::call_on(sender, address, ADD, &[KEY], payload()).await };
    let call = tokio::spawn(call);
    while backend.arrivals().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut drained = tokio::spawn(running.drain());
    goes_on(&mut drained, Duration::from_millis(50)).await;
    backend.release.notify_one();
    assert_eq!(call.await.unwrap().code(), Code::Ok);
    tokio::time::timeout(Duration::from_secs(5), drained).await.expect("it ends").unwrap();
}

#[test]
fn the_sample_configuration_is_right_and_a_wrong_one_is_named() {
    let check = |file: &str, root: &str| {
        Command::new(env!("CARGO_BIN_EXE_ispbridge-gateway"))
            .args(["--config", file, "--check-config"])
            .env("ISPBRIDGE_GATEWAY_ROOT", root)
            .output()
            .unwrap()
    };
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/gateway.sample.toml");
    let right = check(sample, ROOT);
    assert!(right.status.success(), "{right:?}");
    let wrong = check(sample, "short");
    assert_eq!(wrong.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("signing"), "{wrong:?}");
}
