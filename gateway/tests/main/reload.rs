//! A policy that changes under calls.

use std::time::Duration;

use tonic::Code;

use crate::{
    KEY,
    backend::{ADD, Backend, Behaviour, GET, SERVICE},
    caller::{NOBODY, SINGLE, Suite, config_with},
    info, payload,
    status::admin,
    suite,
};

const MORE: &str = "grants = [{ principals = [\"nobody\"], methods = [\"*\"], accounts = [\"fake-isp/main\"] }]";

#[tokio::test]
async fn a_new_policy_counts_at_once_and_a_bad_one_changes_nothing() {
    let (backend, suite) = suite().await;
    let ask = async || suite.call(ADD, &[("x-api-key", NOBODY)], payload()).await.code();
    assert_eq!(ask().await, Code::PermissionDenied);
    suite.running.reload(config_with(backend.address, MORE)).unwrap();
    assert_eq!(ask().await, Code::Ok);
    let bad = [
        (MORE.replace("nobody", "nobdy"), "grants[2].principals"),
        ("groups = [{ name = \"a\", claims = [\"corp:a\"] }]".to_owned(), "groups[0].claims"),
        ("keys = { file = \"/nowhere\" }".to_owned(), "keys.file"),
        ("principals = [{ name = \"x\", certificates = [\"cn:x\"] }]".to_owned(), "certificates"),
        ("issuers = [{ name = \"c\", issuer = \"i\", audiences = [\"a\"], algorithms = [\"HS256\"], \
          jwks = { file = \"x\" } }]".to_owned(), "issuers[0].algorithms"),
        ("issuers = [{ name = \"c\", issuer = \"i\", audiences = [\"a\"], jwks = { url = \"http://example.com/\" } }]"
            .to_owned(), "issuers[0].jwks.url"),
    ];
    for (more, key) in bad {
        let error = suite.running.reload(config_with(backend.address, &more)).unwrap_err().to_string();
        assert!(error.contains(key), "{key}: {error}");
        assert_eq!(ask().await, Code::Ok, "{key}");
    }
    suite.running.reload(config_with(backend.address, "")).unwrap();
    assert_eq!(ask().await, Code::PermissionDenied);
}

#[tokio::test]
async fn calls_in_flight_are_still_counted_after_a_reload() {
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Hang]);
    let single = [("x-api-key", SINGLE)];
    let others = async {
        while backend.arrivals().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        suite.running.reload(config_with(backend.address, MORE)).unwrap();
        let refused = suite.call(GET, &single, payload()).await;
        backend.release.notify_one();
        refused
    };
    let (first, refused) = tokio::join!(suite.call(GET, &single, payload()), others);
    assert_eq!((first.code(), refused.code()), (Code::Ok, Code::ResourceExhausted));
    assert_eq!(refused.info(), info("TOO_MANY_CALLS", "NOT_SENT"));
}

#[tokio::test]
async fn what_is_public_needs_no_credential() {
    let backend = Backend::start().await;
    let suite = Suite::serving(config_with(backend.address, "public_reflection = true")).await;
    suite.until_learnt().await;
    assert_eq!(suite.health(SERVICE, &[]).await, Ok(1));
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let answer = suite.call(path, &[], crate::caller::frame(&[0x3a, 0x00])).await;
    assert!(answer.body.windows(SERVICE.len()).any(|part| part == SERVICE.as_bytes()));
    suite.running.reload(config_with(backend.address, "")).unwrap();
    assert_eq!(suite.health(SERVICE, &[]).await, Err(Code::Unauthenticated));
    assert_eq!(suite.health(SERVICE, &[KEY]).await, Ok(1));
}

#[tokio::test]
async fn what_counts_at_the_start_only_is_told_until_it_is_as_it_was() {
    let (backend, suite) = suite().await;
    let told = async || {
        let (_, body) = admin(suite.running.admin_addr().unwrap(), "GET /config").await;
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["needs_restart"].clone()
    };
    for (more, sections) in [
        ("doors.cors.origins = [\"https://example.org\"]", vec!["doors"]),
        ("log.level = \"debug\"\ndoors.connect = false", vec!["doors", "log"]),
        ("limits.in_flight_per_principal = 7", vec![]),
        ("", vec![]),
    ] {
        suite.running.reload(config_with(backend.address, more)).unwrap();
        assert_eq!(told().await, serde_json::json!(sections), "{more}");
    }
}
