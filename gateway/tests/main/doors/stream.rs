//! Connect with envelopes.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{Answer, post, send};
use crate::{
    backend::{Behaviour, SERVICE},
    suite,
};

const JSON: &str = "application/connect+json";

fn envelope(flags: u8, message: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flags], &length[..], message.as_bytes()].concat()
}

/// The messages of an answer, and its end.
fn split(answer: &Answer) -> (Vec<Bytes>, Value) {
    assert_eq!(answer.status, 200);
    let (mut body, mut messages) = (&*answer.body, Vec::new());
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
    assert_eq!(end, json!({"metadata": {"x-ispbridge-note": ["kept"]}}));
    let two = [envelope(0, r#"{"name":"a"}"#), envelope(0, r#"{"numbers":[1]}"#)].concat();
    let (messages, _) = split(&post(&suite, &path("ImportCustomers"), JSON, two).await);
    assert_eq!(messages, [r#"{"name":"a"}"#, r#"{"numbers":[1]}"#]);
    let proto = post(&suite, &path("ImportCustomers"), "application/connect+proto", envelope(0, "\n\u{1}a")).await;
    assert_eq!(split(&proto).0, ["\n\u{1}a"]);
}

#[tokio::test]
async fn errors_come_in_the_last_envelope() {
    let (backend, suite) = suite().await;
    let answer = send(&suite, Method::POST, &path("WatchCustomer"), &[("content-type", JSON)], envelope(0, "{}")).await;
    assert_eq!(split(&answer).1["error"]["code"], "unauthenticated");
    let wrong = post(&suite, &path("WatchCustomer"), JSON, envelope(0, r#"{"nome":1}"#)).await;
    assert_eq!(split(&wrong).1["error"]["message"], "field nome does not exist");
    for body in [vec![], vec![0, 0, 0, 0, 9], envelope(1, "{}"), [envelope(0, "{}"), envelope(0, "{}")].concat()] {
        let wrong = post(&suite, &path("WatchCustomer"), JSON, body).await;
        assert_eq!(split(&wrong).1["error"]["code"], "invalid_argument");
    }
    assert!(backend.arrivals().is_empty());
    backend.behave(&[Behaviour::DieInReply]);
    let broken = post(&suite, &path("WatchCustomer"), JSON, envelope(0, "{}")).await;
    assert_eq!(split(&broken).1["error"]["code"], "unavailable");
}
