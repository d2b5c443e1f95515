//! Requests that are malformed, at a service asked directly: whose fault it is, and that nobody has worked on them.

use std::time::Duration;

use h2::RecvStream;
use http::{HeaderMap, Response};
use ispbridge_kit::{
    http1::get,
    http2::{call_with, deaf_call, framed, message, peer},
    reply,
};
use tokio::time::timeout;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::{
    apart::Apart,
    probe::{READ, WRITE, ask, connected, send, started, until_metric},
};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";
const LIMIT: usize = 1 << 20;

/// Reads a reply to its end: what it says, and how it ended.
pub(crate) async fn read(response: Response<RecvStream>) -> (Vec<u8>, HeaderMap, Status) {
    let (head, mut body) = response.into_parts();
    let mut data = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        data.extend_from_slice(&part);
    }
    let status = match Status::from_header_map(&head.headers) {
        Some(status) => status,
        None => Status::from_header_map(&body.trailers().await.unwrap().unwrap()).unwrap(),
    };
    (data, head.headers, status)
}

/// How a reply ended.
pub(crate) async fn ended(response: Response<RecvStream>) -> Status {
    read(response).await.2
}

/// A message with this flag.
fn flagged(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], &framed(message)[1..]].concat()
}

/// Headers, body, and the answer that they get.
type Case = (&'static str, &'static [(&'static str, &'static str)], Vec<u8>, Code, &'static str);

const GZIP: &[(&str, &str)] = &[("grpc-encoding", "gzip")];

fn cases() -> Vec<Case> {
    let one = message("calls");
    let packed = flagged(1, &reply::gzip(&one[5..]));
    let spoilt = flagged(1, &reply::gzip_with_wrong_sum(&one[5..]));
    vec![
        ("nothing", &[], vec![], Code::Unimplemented, "MESSAGE_COUNT"),
        ("two messages", &[], one.repeat(2), Code::Unimplemented, "MESSAGE_COUNT"),
        (
            "two of which the first is empty",
            &[],
            [vec![0; 5], one.clone()].concat(),
            Code::Unimplemented,
            "MESSAGE_COUNT",
        ),
        ("bytes behind the message", &[], [&one[..], &[0]].concat(), Code::Unimplemented, "MESSAGE_COUNT"),
        ("two packed messages", GZIP, packed.repeat(2), Code::Unimplemented, "MESSAGE_COUNT"),
        ("half a head", &[], one[..3].to_vec(), Code::InvalidArgument, "REQUEST_BROKEN"),
        ("half a message", &[], one[..7].to_vec(), Code::InvalidArgument, "REQUEST_BROKEN"),
        ("4 GiB", &[], vec![0, 0xff, 0xff, 0xff, 0xff, 1], Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("too large", &[], framed(&vec![7; LIMIT + 1]), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("much too large", &[], framed(&vec![7; 4 * LIMIT]), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("a bomb", GZIP, flagged(1, &reply::bomb(100)), Code::ResourceExhausted, "REQUEST_TOO_LARGE"),
        ("no such flag", &[], flagged(2, &one[5..]), Code::Internal, "REQUEST_FRAMING"),
        ("the flag of trailers", GZIP, flagged(0x80, &one[5..]), Code::Internal, "REQUEST_FRAMING"),
        ("packed by nobody knows what", &[], packed.clone(), Code::Internal, "REQUEST_FRAMING"),
        ("no gzip", GZIP, flagged(1, b"text"), Code::Internal, "REQUEST_COMPRESSION"),
        ("no gzip at all", GZIP, flagged(1, b""), Code::Internal, "REQUEST_COMPRESSION"),
        ("gzip with a wrong sum", GZIP, spoilt, Code::Internal, "REQUEST_COMPRESSION"),
        ("half of gzip", GZIP, flagged(1, &reply::gzip(&one[5..])[..12]), Code::Internal, "REQUEST_COMPRESSION"),
        ("unknown encoding", &[("grpc-encoding", "br")], packed, Code::Unimplemented, "COMPRESSION_UNKNOWN"),
        (
            "unknown encoding of nothing",
            &[("grpc-encoding", "br")],
            one.clone(),
            Code::Unimplemented,
            "COMPRESSION_UNKNOWN",
        ),
        ("no protobuf", &[], framed(&[0xff, 0xff]), Code::InvalidArgument, "REQUEST_UNREADABLE"),
        // Unknown groups within groups: deeper than prost's limit of 100.
        ("101 levels", &[], framed(&[[0x7b; 101], [0x7c; 101]].concat()), Code::InvalidArgument, "REQUEST_UNREADABLE"),
        ("JSON", &[("content-type", "application/grpc+json")], framed(b"{}"), Code::Unimplemented, "CODEC_UNKNOWN"),
        ("JSON, loud", &[("content-type", "Application/gRPC+JSON; a=b")], one, Code::Unimplemented, "CODEC_UNKNOWN"),
    ]
}

/// Reason, outcome and domain of the one `ErrorInfo`.
fn info(status: &Status) -> (String, String, String) {
    let mut info = status.get_details_error_info().unwrap();
    (info.reason, info.metadata.remove("outcome").unwrap(), info.domain)
}

fn callers(reason: &str) -> (String, String, String) {
    (reason.to_owned(), "NOT_SENT".to_owned(), "caller.ispbridge".to_owned())
}

#[tokio::test]
async fn a_malformed_request_is_its_callers_and_nobody_works_on_it() {
    let running = started(ADMIN).await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    for path in [READ, WRITE] {
        for (name, headers, body, code, reason) in cases() {
            let response = call_with(&mut sender, path, headers, body).await.await.unwrap();
            let (_, headers, status) = read(response).await;
            assert_eq!((status.code(), info(&status)), (code, callers(reason)), "{name}");
            let listed = headers.get("grpc-accept-encoding").map(|value| value.to_str().unwrap());
            assert_eq!(listed, (reason == "COMPRESSION_UNKNOWN").then_some("identity,gzip"), "{name}");
        }
    }
    assert_eq!(ask(running.grpc_addr(), READ, "calls").await.unwrap().into_inner(), "1");
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused_and_named() {
    let running = started(ADMIN).await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    let bad: [&[(&str, &str)]; 12] = [
        &[("grpc-timeout", "")],
        &[("grpc-timeout", "5")],
        &[("grpc-timeout", "S")],
        &[("grpc-timeout", "5x")],
        &[("grpc-timeout", "5s")],
        &[("grpc-timeout", "-5S")],
        &[("grpc-timeout", "+5S")],
        &[("grpc-timeout", "1.5S")],
        &[("grpc-timeout", "5 S")],
        &[("grpc-timeout", "999999999S")],
        &[("grpc-timeout", "infinity")],
        &[("grpc-timeout", "5S"), ("grpc-timeout", "5S")],
    ];
    for headers in bad {
        for path in [READ, WRITE] {
            let response = call_with(&mut sender, path, headers, message("calls")).await.await.unwrap();
            let status = ended(response).await;
            assert_eq!(
                (status.code(), info(&status)),
                (Code::InvalidArgument, callers("HEADER_INVALID")),
                "{headers:?}"
            );
            assert_eq!(status.get_details_error_info().unwrap().metadata["header"], "grpc-timeout");
            assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "grpc-timeout");
        }
    }
    for good in ["99999999H", "00000005S", "5M", "5000m", "5000000u", "99999999n"] {
        let response = call_with(&mut sender, READ, &[("grpc-timeout", good)], message("calls")).await.await.unwrap();
        assert_eq!(read(response).await.2.code(), Code::Ok, "{good}");
    }
    assert_eq!(ask(running.grpc_addr(), READ, "calls").await.unwrap().into_inner(), "7");
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused_in_words_and_much_larger_ones_by_http() {
    let running = started("[server]\nmax_header_bytes = 4096").await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    let long = |length: usize| "x".repeat(length);
    let response = call_with(&mut sender, READ, &[("x-more", &long(3000))], message("calls")).await.await.unwrap();
    assert_eq!(read(response).await.2.code(), Code::Ok);
    for more in [vec![long(4200)], vec![long(1400); 3]] {
        let headers: Vec<_> = more.iter().map(|value| ("x-more", value.as_str())).collect();
        let response = call_with(&mut sender, READ, &headers, message("calls")).await.await.unwrap();
        let status = ended(response).await;
        assert_eq!((status.code(), info(&status)), (Code::ResourceExhausted, callers("HEADERS_TOO_LARGE")));
    }
    let response = call_with(&mut sender, READ, &[("x-more", &long(9000))], message("calls")).await.await.unwrap();
    assert_eq!(response.status(), 431);
    assert_eq!(ask(running.grpc_addr(), READ, "calls").await.unwrap().into_inner(), "2");
}

#[tokio::test]
async fn a_request_that_never_ends_is_told_that_nothing_happened() {
    let running = started("").await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    for (path, sent) in [(READ, 0), (WRITE, 3), (WRITE, 9), (WRITE, 12)] {
        let request = http::Request::post(format!("http://probe{path}"));
        let request =
            request.header("content-type", "application/grpc").header("grpc-timeout", "100m").body(()).unwrap();
        sender = sender.ready().await.unwrap();
        let (response, mut stream) = sender.send_request(request, false).unwrap();
        stream.send_data(message("calls")[..sent].to_vec().into(), false).unwrap();
        let status = ended(response.await.unwrap()).await;
        let told = (status.code(), info(&status));
        assert_eq!(told, (Code::DeadlineExceeded, callers("REQUEST_INCOMPLETE")), "{path} {sent}");
    }
    assert_eq!(ask(running.grpc_addr(), READ, "calls").await.unwrap().into_inner(), "1");
}

#[tokio::test]
async fn the_end_of_the_process_before_a_request_is_whole_leaves_nothing_open() {
    let running = started("[server]\nannounce_seconds = 0\ndrain_seconds = 0.2").await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    let request = http::Request::post(format!("http://probe{WRITE}")).header("content-type", "application/grpc");
    let (response, mut stream) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    stream.send_data(message("calls")[..7].to_vec().into(), false).unwrap();
    deaf_call(&mut sender, READ, "hello").await.await.unwrap();
    let drained = tokio::spawn(running.drain());
    let status = ended(timeout(Duration::from_secs(5), response).await.unwrap().unwrap()).await;
    let told = ("SHUTTING_DOWN".to_owned(), "NOT_SENT".to_owned(), "service.ispbridge".to_owned());
    assert_eq!((status.code(), info(&status)), (Code::Unavailable, told));
    drained.await.unwrap();
}

#[tokio::test]
async fn packed_requests_are_taken_and_replies_packed_for_who_asks() {
    let running = started("").await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 20).await;
    let long = "text ".repeat(30_000);
    let long_packed = flagged(1, &reply::gzip(&message(&long)[5..]));
    let asks = [("grpc-encoding", "GZIP"), ("grpc-accept-encoding", "identity, deflate, gzip")];
    for (path, headers, body, packs) in [
        (READ, &asks[..1], long_packed.clone(), false),
        (WRITE, &asks[..], long_packed, true),
        (READ, &asks[..], message(&long), true),
        (READ, &asks[..], message("short"), false),
    ] {
        let plain = if body.len() < 100 { message("short") } else { message(&long) };
        let (data, headers, status) = read(call_with(&mut sender, path, headers, body).await.await.unwrap()).await;
        assert_eq!((status.code(), data[0]), (Code::Ok, u8::from(packs)), "{status:?}");
        let told = if packs { reply::gunzip(&data[5..]) } else { data[5..].to_vec() };
        assert_eq!(told, plain[5..]);
        let encoding = headers.get("grpc-encoding").map(|value| value.to_str().unwrap());
        assert!(encoding == Some("gzip") || !packs);
    }
}

#[tokio::test]
async fn media_types_have_no_case() {
    let running = started("").await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    for kind in ["Application/gRPC", "APPLICATION/GRPC+PROTO", "application/grpc; charset=utf-8"] {
        let response = call_with(&mut sender, READ, &[("content-type", kind)], message("hello")).await.await.unwrap();
        assert_eq!(ended(response).await.code(), Code::Ok, "{kind}");
    }
}

#[tokio::test]
async fn a_packed_reply_is_bounded_by_what_it_is_unpacked() {
    let running = started("[server]\nmax_reply_bytes = 100000").await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 20).await;
    let asks = [("grpc-accept-encoding", "gzip")];
    for (text, code) in [("large 99000", Code::Ok), ("large 110000", Code::ResourceExhausted)] {
        let response = call_with(&mut sender, READ, &asks, message(text)).await.await.unwrap();
        assert_eq!(ended(response).await.code(), code, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_take_no_memory() {
    let server = Apart::start("server = { max_request_bytes = 1048576 }", 1024);
    let bomb = flagged(1, &reply::bomb(500));
    let mut peers = Vec::new();
    for _ in 0..4 {
        let (mut sender, connection) = peer(server.grpc, 1 << 16).await;
        let mut open = Vec::new();
        for _ in 0..25 {
            open.push(call_with(&mut sender, READ, GZIP, bomb.clone()).await);
        }
        peers.push((open, sender, connection));
    }
    for (open, ..) in peers {
        for response in open {
            assert_eq!(ended(response.await.unwrap()).await.code(), Code::ResourceExhausted);
        }
    }
    let peak = server.peak();
    assert!(peak < 150, "{peak} MiB");
}

#[tokio::test]
async fn the_callers_mistakes_are_no_errors_of_the_process() {
    let running = started(ADMIN).await;
    let (mut sender, _connection) = peer(running.grpc_addr(), 1 << 16).await;
    let response = call_with(&mut sender, READ, &[("content-type", "text/plain")], message("hello")).await;
    let response = response.await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (415.try_into().unwrap(), &"application/json".parse().unwrap())
    );
    let (body, _, status) = read(response).await;
    assert!(String::from_utf8(body).unwrap().contains("application/grpc"));
    assert_eq!(info(&status), callers("CONTENT_TYPE"));
    let request = http::Request::get(format!("http://probe{READ}")).header("content-type", "application/grpc");
    sender = sender.ready().await.unwrap();
    let (response, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!((response.status(), &response.headers()["allow"]), (405.try_into().unwrap(), &"POST".parse().unwrap()));
    let unknown = call_with(&mut sender, "/chassis.test.v1.OtherService/None", &[], message("")).await.await.unwrap();
    let status = ended(unknown).await;
    assert_eq!((status.code(), info(&status).1.as_str()), (Code::Unimplemented, "NOT_SENT"));
    until_metric(running.admin_addr().unwrap(), "ispbridge_calls_in_flight{", " 0").await;
    assert!(!get(running.admin_addr().unwrap(), "/metrics").await.contains("status_code=\"INTERNAL\""));
    let channel = connected(running.grpc_addr()).await;
    assert!(send(channel, READ, Request::new("hello".to_owned())).await.is_ok());
}
