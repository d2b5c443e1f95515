//! A provider that was away when the gateway started, or is up and has not described itself: every door says the same.

use std::{net::SocketAddr, time::Duration};

use http::{Method, StatusCode};
use ispbridge_kit::http1::get as get_admin;
use serde_json::Value;
use tokio::{net::TcpListener, time::sleep};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{Answer, post, send, stream, web};
use crate::{
    KEY,
    backend::{ADD, Backend, GET, SERVICE},
    caller::{ALL, NOBODY, READER, Suite},
    payload,
};

const NOT_SERVING: i32 = 2;

/// An address that nobody listens at, and that can be taken later.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Code, reason and the hint when to come again, by every door that needs to know messages.
async fn through_json(suite: &Suite, method: &str) -> Vec<(String, String, bool)> {
    let unary = post(suite, method, "application/json", "{}").await;
    assert_eq!(unary.status, StatusCode::SERVICE_UNAVAILABLE, "{unary:?}");
    let streamed = post(suite, method, "application/connect+json", stream::envelope(0, "{}")).await;
    let ended = stream::split(&streamed).1["error"].clone();
    vec![told(&unary.json()), told(&ended)]
}

fn told(error: &Value) -> (String, String, bool) {
    let details = error["details"].as_array().unwrap();
    let is_retry = |detail: &Value| detail["type"] == "google.rpc.RetryInfo";
    let reason = details.iter().find_map(|detail| detail["debug"]["reason"].as_str()).unwrap();
    (error["code"].as_str().unwrap().to_owned(), reason.to_owned(), details.iter().any(is_retry))
}

fn not_ready() -> (String, String, bool) {
    ("unavailable".to_owned(), "CATALOG_NOT_READY".to_owned(), true)
}

/// Asks as caches like it.
async fn get(suite: &Suite, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(suite, Method::GET, &format!("{path}?connect=v1&encoding=json&message=%7B%7D"), headers, "").await
}

fn assert_unavailable(status: &Status, reason: &str) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.get_details_retry_info().is_some(), "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!((&*info.reason, &*info.metadata["outcome"]), (reason, "NOT_SENT"));
}

async fn works(suite: &Suite, path: &str) -> Answer {
    loop {
        let answer = post(suite, path, "application/json", "{\"name\":\"abc\"}").await;
        if answer.status == StatusCode::OK {
            return answer;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn one_that_was_away_at_the_start_is_unavailable_through_every_door_until_it_comes() {
    let address = nobody().await;
    let suite = Suite::over(address).await;
    for path in [GET, ADD] {
        assert_unavailable(&suite.call(path, &[KEY], payload()).await.status(), "SERVICE_UNREACHABLE");
        for told in through_json(&suite, path).await {
            assert_eq!(told, not_ready(), "{path}");
        }
        assert_eq!(told(&get(&suite, path, &[KEY]).await.json()), not_ready(), "{path}");
        let web = post(&suite, path, "application/grpc-web+proto", payload()).await;
        let trailers = web::split(&web.body).1.join("\n") + &format!("{:?}", web.headers);
        assert!(trailers.contains("grpc-status: 14") || trailers.contains("\"grpc-status\": \"14\""), "{web:?}");
    }
    // Who may not call learns nothing of it.
    let refused = send(&suite, Method::POST, GET, &[("content-type", "application/json"), ("x-api-key", NOBODY)], "{}");
    assert_eq!(refused.await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&suite, GET, &[]).await.status, StatusCode::UNAUTHORIZED);
    for (key, expected) in [(ALL, Ok(NOT_SERVING)), (READER, Ok(NOT_SERVING)), (NOBODY, Err(Code::NotFound))] {
        assert_eq!(suite.health(SERVICE, &[("x-api-key", key)]).await, expected);
    }
    let verbose = async || get_admin(suite.running.admin_addr().unwrap(), "/readyz?verbose").await;
    let told = "[-]fake-isp down: 0 of 1 instances up, not described yet";
    let text = verbose().await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains(told), "{text}");
    let _backend = Backend::start_at(address).await;
    works(&suite, GET).await;
    assert_eq!(suite.health(SERVICE, &[KEY]).await, Ok(1));
    assert!(verbose().await.contains(": 1 of 1 instances up, 5 methods"), "{}", verbose().await);
    let wrong = post(&suite, &format!("/{SERVICE}/Nothing"), "application/json", "{}").await;
    assert_eq!(wrong.error().1, "METHOD_UNKNOWN");
}

#[tokio::test]
async fn one_that_has_not_described_itself_is_unavailable_where_messages_must_be_known() {
    let (backend, other) = (Backend::start().await, Backend::start().await);
    backend.hide(true);
    // Another provider that is known makes no difference.
    let suite = Suite::before_two_unlearnt(&backend, &other).await;
    for path in [GET, ADD] {
        for told in through_json(&suite, path).await {
            assert_eq!(told, not_ready(), "{path}");
        }
        let reader = suite.call(path, &[("x-api-key", READER), ("x-ispbridge-account", "main")], payload()).await;
        assert_unavailable(&reader.status(), "CATALOG_NOT_READY");
    }
    assert_eq!(told(&get(&suite, GET, &[KEY]).await.json()), not_ready());
    assert!(backend.arrivals().is_empty());
    // Whoever brings protobuf and a grant that names the method needs nothing of it.
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
    backend.hide(false);
    works(&suite, GET).await;
}
