//! Wrong keys and tokens, one after the other, and what they do to nobody else.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    KEY,
    backend::{ADD, Backend, GET},
    caller::{Answer, READER, Suite, config_with},
    info, payload,
    status::{admin, status},
    tokens::Site,
    transcode::send,
};

const WRONG: (&str, &str) = ("x-api-key", "ispb_guess");

async fn site(more: &str) -> (Backend, Suite) {
    let backend = Backend::start().await;
    let suite = Suite::serving(config_with(backend.address, more)).await;
    suite.until_learnt().await;
    (backend, suite)
}

/// Checks that an answer is that to one guess too many; when to come again.
fn too_many(answer: &Answer) -> Duration {
    assert_eq!(answer.code(), Code::ResourceExhausted);
    assert_eq!(answer.info(), info("TOO_MANY_GUESSES", "NOT_SENT"));
    answer.status().get_details_retry_info().unwrap().retry_delay.unwrap()
}

#[tokio::test]
async fn a_right_key_is_served_however_many_wrong_ones_come_from_its_address() {
    let (backend, suite) = site("guesses = { per_minute = 3 }").await;
    for number in 0..3 {
        assert_eq!(suite.call(ADD, &[], payload()).await.code(), Code::Unauthenticated, "nothing is no guess");
        assert_eq!(suite.call(ADD, &[WRONG], payload()).await.code(), Code::Unauthenticated, "{number}");
    }
    let json = [("content-type", "application/json"), WRONG];
    for number in 0..20 {
        let delay = too_many(&suite.call(ADD, &[WRONG], payload()).await);
        assert!(delay > Duration::ZERO && delay <= Duration::from_secs(60), "{delay:?}");
        assert_eq!(suite.call(ADD, &[KEY], payload()).await.code(), Code::Ok, "{number}");
        let reader = [("x-api-key", READER), ("x-ispbridge-account", "main")];
        assert_eq!(suite.call(GET, &reader, payload()).await.code(), Code::Ok, "{number}");
        assert_eq!(suite.call(ADD, &[], payload()).await.code(), Code::Unauthenticated);
        let refused = send(&suite, Method::POST, ADD, &json, "{}").await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{refused:?}");
        assert_eq!(suite.health(crate::backend::SERVICE, &[WRONG]).await, Err(Code::ResourceExhausted));
        assert_eq!(suite.health(crate::backend::SERVICE, &[KEY]).await, Ok(1));
    }
    assert_eq!(backend.arrivals().len(), 40);
    let refused = status(&suite).await["refused"].clone();
    let [one] = refused["addresses"].as_array().unwrap().as_slice() else { panic!("{refused}") };
    assert_eq!((&one["address"], &one["count"]), (&json!("127.0.0.1"), &json!(63)));
    assert_eq!(one["reason"], "too_many_guesses");
    let (_, metrics) = admin(suite.running.admin_addr().unwrap(), "GET /metrics").await;
    let lines: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("ispbridge_gateway_credentials_refused_total{")).collect();
    for (reason, count) in [("wrong_key", "3"), ("too_many_guesses", "60")] {
        let is_so = |line: &&str| line.contains(&format!("\"{reason}\"")) && line.ends_with(&format!(" {count}"));
        assert_eq!(lines.iter().copied().filter(is_so).count(), 1, "{lines:?}");
    }
    assert!(!metrics.contains("127.0.0.1"), "an address is no label");
}

#[tokio::test]
async fn networks_that_are_exempt_and_a_limit_of_none_count_nothing() {
    for more in ["guesses = { per_minute = 1, exempt = [\"127.0.0.0/8\"] }", "guesses = { per_minute = 0 }"] {
        let (_backend, suite) = site(more).await;
        for _ in 0..5 {
            assert_eq!(suite.call(ADD, &[WRONG], payload()).await.code(), Code::Unauthenticated, "{more}");
        }
    }
}

#[tokio::test]
async fn behind_a_proxy_callers_are_told_apart() {
    let (_backend, suite) = site(
        "guesses = { per_minute = 2 }\nserver = { listen = \"127.0.0.1:0\", forwarded = { from = [\"127.0.0.1\"] } }",
    )
    .await;
    let from = async |address: &str| suite.call(ADD, &[WRONG, ("x-forwarded-for", address)], payload()).await;
    for _ in 0..2 {
        assert_eq!(from("203.0.113.1").await.code(), Code::Unauthenticated);
    }
    // What the caller itself wrote stands further left.
    too_many(&from("198.51.100.1, 203.0.113.1").await);
    for other in ["203.0.113.2", "2001:db8::1", "unknown"] {
        assert_eq!(from(other).await.code(), Code::Unauthenticated, "{other}");
    }
    let refused = status(&suite).await["refused"]["addresses"].clone();
    let first = &refused[0];
    assert_eq!((&first["address"], &first["count"]), (&json!("203.0.113.1"), &json!(3)), "{refused}");
    assert!(refused.as_array().unwrap().iter().any(|one| one["address"] == "2001:db8::/64"), "{refused}");
}

#[tokio::test]
async fn a_right_token_gets_in_however_many_wrong_ones_come_from_its_address() {
    let site = Site::open_with("guesses = { per_minute = 3 }").await;
    let known = site.keys.token("ed", &json!({}));
    assert_eq!(site.call(GET, &known).await.code(), Code::Ok);
    let wrong = [site.keys.token("ed", &json!({ "aud": "nobody" })), "a.b.c".to_owned(), String::new()];
    for token in &wrong {
        assert_eq!(site.call(GET, token).await.code(), Code::Unauthenticated, "{token}");
    }
    for number in 0..40 {
        for token in &wrong {
            too_many(&site.call(GET, token).await);
        }
        assert_eq!(site.call(GET, &known).await.code(), Code::Ok, "a token that is known costs nothing");
        assert_eq!(site.suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
        // One that was never seen has to wait for a second at most.
        let fresh = site.keys.token("ed", &json!({ "jti": number }));
        let taken = async {
            loop {
                let answer = site.call(GET, &fresh).await;
                if answer.code() == Code::Ok {
                    break;
                }
                let delay = too_many(&answer);
                assert!(delay <= Duration::from_secs(1), "{delay:?}");
                tokio::time::sleep(delay).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), taken).await.expect("it is taken");
    }
}
