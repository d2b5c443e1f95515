//! One message each way.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use serde_json::json;

use super::{post, send, unpacked};
use crate::{
    backend::{ADD, Behaviour, GET},
    caller::{ALL, NOBODY, READER, Suite, frame},
    suite,
};

const JSON: &str = "application/json";

#[tokio::test]
async fn json_goes_in_and_json_comes_out() {
    let (backend, suite) = suite().await;
    let thing = json!({"name": "Ó Briain", "balanceCents": "9007199254740993", "kind": "KIND_FIRM",
                       "birthday": {"year": 2026, "month": 2, "day": 28}});
    for path in [GET, ADD] {
        let answer = post(&suite, path, JSON, thing.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (200, JSON));
        assert_eq!(answer.json(), thing);
        assert_eq!(answer.headers["trailer-x-ispbridge-note"], "kept");
        assert_eq!(answer.headers["x-request-id"].len(), 36);
        assert!(!answer.headers.contains_key("grpc-status") && !answer.headers.contains_key("set-cookie"));
    }
    let arrivals = backend.arrivals();
    assert_eq!(arrivals.len(), 2);
    assert_eq!(arrivals[0].headers["content-type"], "application/grpc");
    assert_eq!(arrivals[0].body, arrivals[1].body);
}

#[tokio::test]
async fn protobuf_passes_as_it_is() {
    let (backend, suite) = suite().await;
    let answer = post(&suite, GET, "application/proto", &b"\x0a\x03abc\xff"[..]).await;
    assert_eq!((answer.status.as_u16(), answer.kind()), (200, "application/proto"));
    assert_eq!(answer.body, &b"\x0a\x03abc\xff"[..]);
    assert_eq!(backend.arrivals()[0].body, frame(b"\x0a\x03abc\xff"));
}

#[tokio::test]
async fn nobody_learns_anything_without_a_right_key() {
    let (backend, suite) = suite().await;
    let wrong = r#"{"nome":"x"}"#;
    let unknown = "/ispbridge.fake_isp.v1.CustomerService/Strange";
    for (path, body) in [(GET, wrong), (GET, "{}"), (unknown, "{}"), (GET, "no json")] {
        let headers = [("content-type", JSON)];
        let answer = send(&suite, Method::POST, path, &headers, body).await;
        assert_eq!((answer.status.as_u16(), answer.error().0.as_str()), (401, "unauthenticated"), "{path} {body}");
        let headers = [("content-type", JSON), ("x-api-key", NOBODY)];
        let answer = send(&suite, Method::POST, path, &headers, body).await;
        assert_eq!((answer.status.as_u16(), answer.error().0.as_str()), (403, "permission_denied"), "{path} {body}");
    }
    assert!(backend.arrivals().is_empty());
}

#[tokio::test]
async fn what_is_wrong_reaches_no_service_and_is_named() {
    let (backend, suite) = suite().await;
    let answer = post(&suite, ADD, JSON, r#"{"parts":[{"nome":"hunter2"}]}"#).await;
    assert_eq!(answer.status, 400);
    let error = answer.json();
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("invalid_argument"), &json!("field parts[0].nome does not exist"))
    );
    let details: Vec<_> = error["details"].as_array().unwrap().iter().map(|one| &one["debug"]).collect();
    assert!(details.iter().any(|one| one["metadata"]["outcome"] == "NOT_SENT"), "{error}");
    assert!(details.iter().any(|one| one["fieldViolations"][0]["field"] == "parts[0].nome"), "{error}");
    let cases = [
        ("/ispbridge.fake_isp.v1.CustomerService/Strange", "{}", 501, "unimplemented"),
        ("/ispbridge.other.v1.CustomerService/Get", "{}", 501, "unimplemented"),
        ("/ispbridge.fake_isp.v1.CustomerService/WatchCustomer", "{}", 501, "unimplemented"),
        ("/ispbridge", "{}", 404, "unimplemented"),
        (GET, "", 400, "invalid_argument"),
    ];
    for (path, body, status, code) in cases {
        let answer = post(&suite, path, JSON, body).await;
        assert_eq!((answer.status.as_u16(), answer.error().0.as_str()), (status, code), "{path}");
    }
    assert!(backend.arrivals().is_empty());
}

#[tokio::test]
async fn form_data_and_other_methods_are_told_what_is_taken() {
    let (_backend, suite) = suite().await;
    let answer = post(&suite, GET, "application/x-www-form-urlencoded", "{}").await;
    assert_eq!(answer.status, 415);
    assert!(answer.headers["accept-post"].to_str().unwrap().contains(JSON));
    let answer = post(&suite, GET, "application/grpc", frame(b"")).await;
    assert_eq!(answer.status, 415, "gRPC needs HTTP/2");
    for method in [Method::PUT, Method::GET, Method::OPTIONS] {
        let answer = send(&suite, method, GET, &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.headers["allow"].as_bytes()), (405, &b"POST"[..]));
    }
}

#[tokio::test]
async fn headers_of_the_protocol_are_obeyed() {
    let (backend, suite) = suite().await;
    let with = async |name, value| {
        let headers = [("content-type", JSON), ("x-api-key", ALL), (name, value)];
        send(&suite, Method::POST, GET, &headers, "{}").await
    };
    assert_eq!(with("connect-protocol-version", "1").await.status, 200);
    assert_eq!(with("connect-protocol-version", "2").await.status, 400);
    assert_eq!(with("connect-timeout-ms", "1e3").await.status, 400);
    assert_eq!(with("content-encoding", "br").await.error().0, "unimplemented");
    assert_eq!(with("connect-timeout-ms", "10000").await.status, 200);
    let arrivals = backend.arrivals();
    assert_eq!(arrivals.len(), 2);
    let left = arrivals[1].headers["grpc-timeout"].to_str().unwrap().trim_end_matches('m').parse::<u32>();
    assert!((8000..=9450).contains(&left.unwrap()));
    backend.behave(&[Behaviour::Hang]);
    let late = with("connect-timeout-ms", "200").await;
    assert_eq!((late.status.as_u16(), late.error().0.as_str()), (504, "deadline_exceeded"));
}

#[tokio::test]
async fn a_packed_request_is_unpacked_up_to_the_limit() {
    let backend = crate::Backend::start().await;
    let suite = Suite::start_with(&backend, "server.max_request_bytes = 2000").await;
    let packed = |length: usize| super::packed(json!({ "name": "x".repeat(length) }).to_string().as_bytes());
    let headers = [("content-type", JSON), ("x-api-key", ALL), ("content-encoding", "gzip")];
    let answer = send(&suite, Method::POST, ADD, &headers, packed(1900)).await;
    assert_eq!(answer.json()["name"].as_str().unwrap().len(), 1900);
    let answer = send(&suite, Method::POST, ADD, &headers, packed(100_000)).await;
    assert_eq!((answer.status.as_u16(), answer.error().1.as_str()), (429, "REQUEST_TOO_LARGE"));
    let answer = post(&suite, ADD, JSON, vec![b' '; 3000]).await;
    assert_eq!((answer.status.as_u16(), answer.error().1.as_str()), (429, "REQUEST_TOO_LARGE"));
    assert_eq!(backend.arrivals().len(), 1);
}

#[tokio::test]
async fn a_large_reply_is_packed_for_who_takes_it() {
    let (backend, suite) = suite().await;
    let ask = async |encoding: &str, length: usize| {
        let headers = [("content-type", JSON), ("x-api-key", ALL), ("accept-encoding", encoding)];
        send(&suite, Method::POST, GET, &headers, json!({ "name": "x".repeat(length) }).to_string()).await
    };
    let packed = ask("br, gzip", 5000).await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    assert!(packed.body.len() < 500 && packed.headers["trailer-x-ispbridge-note"] == "kept");
    assert_eq!(unpacked(&packed.body), json!({ "name": "x".repeat(5000) }).to_string().as_bytes());
    for (encoding, length) in [("gzip", 1000), ("br", 5000), ("gzip;q=0", 5000)] {
        let plain = ask(encoding, length).await;
        assert!(!plain.headers.contains_key("content-encoding"), "{encoding}");
        assert_eq!(plain.json()["name"].as_str().unwrap().len(), length);
    }
    assert!(backend.arrivals().iter().all(|arrival| !arrival.headers.contains_key("accept-encoding")));
}

#[tokio::test]
async fn a_get_reads_and_does_not_write() {
    let (backend, suite) = suite().await;
    let key = [("x-api-key", ALL)];
    let query = "?connect=v1&encoding=json&message=%7B%22name%22%3A%22a%20b%22%7D";
    let answer = send(&suite, Method::GET, &format!("{GET}{query}"), &key, "").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"name": "a b"})));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let query = "?encoding=proto&base64=1&message=CgNhYmM";
    let answer = send(&suite, Method::GET, &format!("{GET}{query}"), &key, "").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"\x0a\x03abc"[..]));
    let head = send(&suite, Method::HEAD, &format!("{GET}{query}"), &key, "").await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "5", 0));
    let packed = "?connect=v1&encoding=json&base64=1&compression=gzip&message=";
    let message = URL_SAFE_NO_PAD.encode(super::packed(br#"{"name":"a"}"#));
    let answer = send(&suite, Method::GET, &format!("{GET}{packed}{message}"), &key, "").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"name": "a"})));
    backend.arrivals();
    for method in [Method::GET, Method::HEAD] {
        let answer = send(&suite, method.clone(), &format!("{ADD}{query}"), &key, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"), "{method}");
        // What may not be kept by anybody, also where nothing else says so.
        assert_eq!(answer.header("cache-control"), "no-store");
        let answer = send(&suite, method.clone(), &format!("{GET}{query}"), &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (401, "no-store"), "{method}");
        let answer = send(&suite, method.clone(), &format!("{GET}?encoding=proto"), &key, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (400, "no-store"), "{method}");
    }
    assert!(backend.arrivals().is_empty());
}

#[tokio::test]
async fn the_outcome_of_a_lost_write_is_told() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::DieInReply]);
    let answer = post(&suite, ADD, JSON, r#"{"name":"x"}"#).await;
    assert_eq!(answer.status, 409);
    assert_eq!(answer.error(), ("aborted".to_owned(), "OUTCOME_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn health_answers_in_json_without_a_key() {
    let (_backend, suite) = suite().await;
    let headers = [("content-type", JSON)];
    let answer = send(&suite, Method::POST, "/grpc.health.v1.Health/Check", &headers, "{}").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "SERVING"})));
    let wrong = send(&suite, Method::POST, "/grpc.health.v1.Health/Check", &headers, r#"{"a":1}"#).await;
    assert_eq!((wrong.status.as_u16(), wrong.error().1.as_str()), (400, "REQUEST_JSON"));
}

#[tokio::test]
async fn a_closed_door_takes_nothing() {
    let backend = crate::Backend::start().await;
    let suite = Suite::start_with(&backend, "doors = { connect = false, grpc_web = true, openapi = false }").await;
    assert_eq!(post(&suite, GET, JSON, "{}").await.status, 415);
    assert_eq!(post(&suite, GET, "application/grpc-web", frame(b"")).await.status, 200);
    let answer = suite.call(GET, &[("x-api-key", READER), ("x-ispbridge-account", "main")], frame(b"")).await;
    assert_eq!(answer.code(), tonic::Code::Ok);
}
