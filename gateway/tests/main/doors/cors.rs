//! Web pages of other origins.

use http::Method;

use super::{post, send};
use crate::{backend::GET, caller::Suite, suite};

const PAGE: &str = "https://app.example.com";

#[tokio::test]
async fn a_listed_page_may_call_and_read_the_answer() {
    let backend = crate::Backend::start().await;
    let suite = Suite::start_with(&backend, &format!("doors.cors.origins = [\"{PAGE}\"]")).await;
    let asks = [("origin", PAGE), ("access-control-request-method", "POST")];
    let answer = send(&suite, Method::OPTIONS, GET, &asks, "").await;
    assert_eq!(answer.status, 204);
    assert!(answer.headers["access-control-allow-headers"].to_str().unwrap().contains("x-api-key"));
    let headers = [("origin", PAGE), ("content-type", "application/json")];
    let refused = send(&suite, Method::POST, GET, &headers, "{}").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.headers["access-control-allow-origin"]),
        (401, &PAGE.parse().unwrap())
    );
    assert!(refused.headers["access-control-expose-headers"].to_str().unwrap().contains("x-request-id"));
    let other = [("origin", "https://b.example.com"), ("access-control-request-method", "POST")];
    let answer = send(&suite, Method::OPTIONS, GET, &other, "").await;
    assert_eq!((answer.status.as_u16(), answer.headers.contains_key("access-control-allow-origin")), (403, false));
}

#[tokio::test]
async fn without_a_list_no_page_is_answered() {
    let (_backend, suite) = suite().await;
    let asks = [("origin", PAGE), ("access-control-request-method", "POST")];
    assert_eq!(send(&suite, Method::OPTIONS, GET, &asks, "").await.status, 405);
    assert!(!post(&suite, GET, "application/json", "{}").await.headers.contains_key("vary"));
}
