//! Connect with envelopes.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{Answer, post, send, unpacked};
use crate::{
    backend::{Behaviour, SERVICE},
    caller::{ALL, frame},
    suite,
};

const JSON: &str = "application/connect+json";

pub(super) fn envelope(flags: u8, message: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flags], &length[..], message.as_bytes()].concat()
}

/// The messages of an answer, and its end.
pub(super) fn split(answer: &Answer) -> (Vec<Bytes>, Value) {
    assert_eq!(answer.status, 200);
    messages(&answer.body)
}

/// The end of a reply.
pub(super) fn end(body: &[u8]) -> Value {
    messages(body).1
}

fn messages(mut body: &[u8]) -> (Vec<Bytes>, Value) {
    let mut messages = Vec::new();
    loop {
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        let (one, rest) = body[5..].split_at(length);
        if body[0] == 2 {
            assert!(rest.is_empty());
            return (messages, serde_json::from_slice(one).unwrap());
        }
        messages.push(Bytes::copy_from_slice(one));
        body = rest;
    }
}

fn path(method: &str) -> String {
    format!("/{SERVICE}/{method}")
}

#[tokio::test]
async fn messages_and_the_end_come_in_envelopes() {
    let (_backend, suite) = suite().await;
    let answer = post(&suite, &path("WatchCustomer"), JSON, envelope(0, r#"{"name":"a"}"#)).await;
    assert_eq!(answer.kind(), JSON);
    let (messages, end) = split(&answer);
    assert_eq!(messages, [r#"{"name":"a"}"#]);
    assert_eq!(end["metadata"]["x-ispbridge-note"], json!(["kept"]));
    let two = [envelope(0, r#"{"name":"a"}"#), envelope(0, r#"{"numbers":[1]}"#)].concat();
    let (messages, _) = split(&post(&suite, &path("ImportCustomers"), JSON, two).await);
    assert_eq!(messages, [r#"{"name":"a"}"#, r#"{"numbers":[1]}"#]);
    let proto = post(&suite, &path("ImportCustomers"), "application/connect+proto", envelope(0, "\n\u{1}a")).await;
    assert_eq!(split(&proto).0, ["\n\u{1}a"]);
}

#[tokio::test]
async fn large_messages_are_packed_for_who_takes_it() {
    let (_backend, suite) = suite().await;
    let large = json!({ "name": "x".repeat(5000) }).to_string();
    let proto = [&[0x0a, 0x88, 0x27][..], &[b'x'; 5000]].concat();
    for (kind, message, small) in
        [(JSON, large.into_bytes(), r#"{"name":"a"}"#.as_bytes()), ("application/connect+proto", proto, b"\x0a\x01a")]
    {
        let headers = [("content-type", kind), ("x-api-key", ALL), ("connect-accept-encoding", "gzip,br")];
        let sent = [frame(&message), frame(small)].concat();
        let answer = send(&suite, Method::POST, &path("ImportCustomers"), &headers, sent).await;
        assert_eq!((answer.header("connect-content-encoding"), answer.body[0]), ("gzip", 1));
        let (messages, end) = split(&answer);
        assert_eq!((unpacked(&messages[0]), &*messages[1]), (message, small));
        assert_eq!(end["metadata"]["x-ispbridge-note"], json!(["kept"]));
    }
}

#[tokio::test]
async fn errors_come_in_the_last_envelope() {
    let (backend, suite) = suite().await;
    let answer = send(&suite, Method::POST, &path("WatchCustomer"), &[("content-type", JSON)], envelope(0, "{}")).await;
    assert_eq!(split(&answer).1["error"]["code"], "unauthenticated");
    let wrong = post(&suite, &path("WatchCustomer"), JSON, envelope(0, r#"{"nome":1}"#)).await;
    assert_eq!(split(&wrong).1["error"]["message"], "field nome does not exist");
    assert!(backend.arrivals().is_empty());
    backend.behave(&[Behaviour::DieInReply]);
    let broken = post(&suite, &path("WatchCustomer"), JSON, envelope(0, "{}")).await;
    assert_eq!(split(&broken).1["error"]["code"], "unavailable");
}
