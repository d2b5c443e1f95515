//! gRPC-Web.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;

use super::{post, send, unpacked};
use crate::{
    backend::{ADD, Behaviour, GET, IMPORT},
    caller::{ALL, frame},
    payload, suite,
};

/// The messages of a body and the lines of its trailers.
pub(super) fn split(mut body: &[u8]) -> (Vec<Bytes>, Vec<String>) {
    let mut messages = Vec::new();
    loop {
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        let (one, rest) = body[5..].split_at(length);
        if body[0] == 0x80 {
            assert!(rest.is_empty());
            return (messages, String::from_utf8_lossy(one).lines().map(str::to_owned).collect());
        }
        messages.push(Bytes::copy_from_slice(one));
        body = rest;
    }
}

#[tokio::test]
async fn trailers_come_in_the_body() {
    let (backend, suite) = suite().await;
    for kind in ["application/grpc-web", "application/grpc-web+proto"] {
        let answer = post(&suite, GET, kind, payload()).await;
        assert_eq!((answer.status.as_u16(), answer.kind()), (200, "application/grpc-web+proto"));
        let (messages, trailers) = split(&answer.body);
        assert_eq!(messages, [&b"\x0a\x03abc"[..]]);
        assert!(trailers.contains(&"grpc-status: 0".to_owned()), "{trailers:?}");
        assert!(trailers.contains(&"x-ispbridge-note: kept".to_owned()), "{trailers:?}");
    }
    assert_eq!(backend.arrivals()[1].body, payload());
}

#[tokio::test]
async fn base64_is_for_browsers_that_need_it() {
    let (backend, suite) = suite().await;
    let body = STANDARD.encode(payload());
    let answer = post(&suite, GET, "application/grpc-web-text", body).await;
    assert_eq!(answer.kind(), "application/grpc-web-text+proto");
    // Each part is padded by itself.
    let decoded: Vec<u8> = answer.body.chunks(4).flat_map(|quad| STANDARD.decode(quad).unwrap()).collect();
    let (messages, trailers) = split(&decoded);
    assert_eq!(messages, [&b"\x0a\x03abc"[..]]);
    assert!(trailers.contains(&"grpc-status: 0".to_owned()));
    assert_eq!(backend.arrivals()[0].body, payload());
}

#[tokio::test]
async fn the_form_of_a_reply_is_the_one_that_is_accepted() {
    let (backend, suite) = suite().await;
    let (bytes, text) = ("application/grpc-web+proto", "application/grpc-web-text+proto");
    let cases = [
        (bytes, text, text),
        (text, bytes, bytes),
        (text, "application/grpc-web", bytes),
        (bytes, "application/grpc-web-text;q=0.9, application/grpc-web;q=0.1", text),
        (text, "*/*", text),
        (bytes, "*/*", bytes),
        (text, "text/html", text),
    ];
    for (sent, accepted, expected) in cases {
        let body = if sent == text { STANDARD.encode(payload()).into_bytes() } else { payload().to_vec() };
        let headers = [("content-type", sent), ("accept", accepted), ("x-api-key", ALL)];
        let answer = send(&suite, Method::POST, GET, &headers, body).await;
        assert_eq!(answer.kind(), expected, "{sent} {accepted}");
        let decoded: Vec<u8> = match expected == text {
            true => answer.body.chunks(4).flat_map(|quad| STANDARD.decode(quad).unwrap()).collect(),
            false => answer.body.to_vec(),
        };
        assert_eq!(split(&decoded).0, [&b"\x0a\x03abc"[..]], "{sent} {accepted}");
    }
    assert!(backend.arrivals().iter().all(|arrival| arrival.body == payload()));
}

#[tokio::test]
async fn large_messages_are_packed_for_who_takes_it() {
    let (_backend, suite) = suite().await;
    let messages = [frame(&[b'x'; 5000]), frame(b"small")].concat();
    for (accepted, is_packed) in [("identity,gzip", true), ("identity", false)] {
        let headers =
            [("content-type", "application/grpc-web"), ("x-api-key", ALL), ("grpc-accept-encoding", accepted)];
        let answer = send(&suite, Method::POST, IMPORT, &headers, messages.clone()).await;
        assert_eq!(answer.headers["grpc-encoding"], if is_packed { "gzip" } else { "identity" });
        let (found, trailers) = split(&answer.body);
        let first = if is_packed { unpacked(&found[0]) } else { found[0].to_vec() };
        assert_eq!((answer.body[0], first, &*found[1]), (u8::from(is_packed), vec![b'x'; 5000], &b"small"[..]));
        assert!(trailers.contains(&"grpc-status: 0".to_owned()));
    }
}

#[tokio::test]
async fn a_refusal_is_a_status_in_the_body() {
    let (_backend, suite) = suite().await;
    let headers = [("content-type", "application/grpc-web")];
    let answer = send(&suite, Method::POST, GET, &headers, payload()).await;
    let (messages, trailers) = split(&answer.body);
    assert_eq!((answer.status.as_u16(), messages.len()), (200, 0));
    assert!(trailers.contains(&"grpc-status: 16".to_owned()), "{trailers:?}");
    assert!(trailers.iter().any(|line| line.starts_with("grpc-status-details-bin: ")), "{trailers:?}");
    assert!(!answer.headers.contains_key("grpc-status"));
}

#[tokio::test]
async fn a_reply_that_breaks_off_ends_with_a_status() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::DieInReply]);
    let answer = post(&suite, ADD, "application/grpc-web", frame(b"")).await;
    let (messages, trailers) = split(&answer.body);
    assert_eq!(messages.len(), 1);
    assert!(trailers.contains(&"grpc-status: 10".to_owned()), "{trailers:?}");
}
