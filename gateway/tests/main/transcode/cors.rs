//! Web pages of other origins.

use std::collections::BTreeSet;

use http::Method;

use super::{Answer, packed, post, send, stream, web};
use crate::{
    backend::{ADD, Behaviour, GET},
    caller::{ALL, Suite, frame},
    payload, suite,
};

/// What HTTP adds to an answer.
const OF_HTTP: [&str; 3] = ["content-length", "date", "transfer-encoding"];
const PAGE: &str = "https://app.example.com";

#[tokio::test]
async fn a_listed_page_may_call_and_read_the_answer() {
    let backend = crate::Backend::start().await;
    let suite = Suite::start_with(&backend, &format!("doors.cors.origins = [\"{PAGE}\"]")).await;
    let asks = [("origin", PAGE), ("access-control-request-method", "POST")];
    let answer = send(&suite, Method::OPTIONS, GET, &asks, "").await;
    assert_eq!(answer.status, 204);
    let allowed = names(&answer, "access-control-allow-headers");
    for name in ["x-api-key", "x-ispbridge-account", "traceparent", "tracestate", "baggage", "b3", "x-b3-traceid"] {
        assert!(allowed.contains(name), "{name}");
    }
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, POST");
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

/// The names in a header that lists some.
fn names(answer: &Answer, header: &str) -> BTreeSet<String> {
    answer.header(header).split(", ").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_page_may_read_every_header_of_every_answer() {
    let backend = crate::Backend::start().await;
    let suite = Suite::start_with(&backend, &format!("doors.cors.origins = [\"{PAGE}\"]")).await;
    let page = [("origin", PAGE), ("x-api-key", ALL), ("accept-encoding", "gzip"), ("connect-accept-encoding", "gzip")];
    let ask = async |method: Method, path: &str, kind, body: Vec<u8>| {
        send(&suite, method, path, &[&page[..], &[("content-type", kind)]].concat(), body).await
    };
    let json = |length: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(length)).into_bytes();
    let connect = "application/connect+json";
    let web = "application/grpc-web";
    let mut answers = vec![
        ask(Method::POST, GET, "application/json", json(5000)).await,
        ask(Method::POST, GET, "application/json", b"no json".to_vec()).await,
        ask(Method::POST, GET, "application/none", Vec::new()).await,
        ask(Method::POST, GET, connect, stream::envelope(0, "{}")).await,
        ask(Method::POST, GET, web, payload().to_vec()).await,
        ask(Method::POST, GET, web, frame(&packed(b"no"))[..3].to_vec()).await,
        ask(Method::GET, "/openapi.json", "", Vec::new()).await,
        ask(Method::HEAD, "/openapi.json", "", Vec::new()).await,
        ask(Method::GET, &format!("{GET}?encoding=json&message=%7B%7D"), "", Vec::new()).await,
        ask(Method::PUT, GET, "application/json", Vec::new()).await,
        ask(Method::GET, "/none", "", Vec::new()).await,
    ];
    backend.behave(&[Behaviour::DieInReply]);
    answers.push(ask(Method::POST, ADD, "application/json", json(1)).await);
    let mut seen = BTreeSet::new();
    for answer in &answers {
        let exposed = names(answer, "access-control-expose-headers");
        for name in
            ["x-request-id", "x-ispbridge-timing", "trailer-x-ispbridge-timing", "x-ispbridge-unreadable-fields"]
        {
            assert!(exposed.contains(name), "{name}: {answer:?}");
        }
        // What HTTP itself adds is no answer's own, and of it a page may read the length in any case.
        let headers = answer.headers.keys().map(http::HeaderName::as_str);
        let headers: Vec<_> =
            headers.filter(|name| !name.starts_with("access-control-") && !OF_HTTP.contains(name)).collect();
        assert!(headers.iter().all(|name| exposed.contains(*name)), "{answer:?}");
        seen.extend(headers.into_iter().map(str::to_owned));
    }
    // Metadata of a service that nobody listed, and all that the gateway adds.
    for name in ["trailer-x-ispbridge-note", "trailer-x-ispbridge-timing", "allow", "accept-post", "content-encoding"] {
        assert!(seen.contains(name), "{seen:?}");
    }
    let trailers = web::split(&answers[4].body).1;
    assert!(trailers.iter().any(|line| line.starts_with("x-ispbridge-timing: ")), "{trailers:?}");
}

#[tokio::test]
async fn without_a_list_no_page_is_answered() {
    let (_backend, suite) = suite().await;
    let asks = [("origin", PAGE), ("access-control-request-method", "POST")];
    assert_eq!(send(&suite, Method::OPTIONS, GET, &asks, "").await.status, 405);
    assert!(!post(&suite, GET, "application/json", "{}").await.headers.contains_key("vary"));
}
