//! Sets of keys as issuers really have them: names that come twice or not at all, keys that nobody can use, and an issuer that is
//! away.

use std::{fs, path::Path, time::Duration};

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    apart::Apart,
    backend::{Backend, GET},
    caller::{Answer, Suite, config_with},
    info,
    issuer::{AUDIENCE, ISSUER, Keys, Shop, claims},
    payload,
    transcode::send,
};

fn issuer(jwks: &str) -> String {
    format!("issuers = [{{ name = \"corp\", issuer = \"{ISSUER}\", audiences = [\"{AUDIENCE}\"], jwks = {jwks} }}]\n")
}

fn policy(jwks: &str, per_minute: u32) -> String {
    format!(
        r#"
        guesses = {{ per_minute = {per_minute} }}
        {}
        principals = [{{ name = "alice", tokens = ["corp:alice"] }}]
        grants = [{{ principals = ["alice"], methods = ["*"], accounts = ["fake-isp/main"] }}]
        "#,
        issuer(jwks)
    )
}

fn file(folder: &Path, keys: &[Value]) -> String {
    let file = folder.join("jwks.json");
    fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
    format!("{{ file = {file:?} }}")
}

/// A key under another name, or under none.
fn named(mut jwk: Value, id: Option<&str>) -> Value {
    match id {
        Some(id) => jwk["kid"] = id.into(),
        None => drop(jwk.as_object_mut().unwrap().remove("kid")),
    }
    jwk
}

/// A right token that names this key, or none.
fn token(keys: &Keys, key: &str, id: Option<&str>) -> String {
    let head = named(crate::issuer::head(key), id);
    keys.sign(key, &head.to_string(), &claims(&json!({})).to_string())
}

async fn call(suite: &Suite, token: &str) -> Answer {
    suite.call(GET, &[("authorization", &format!("Bearer {token}"))], payload()).await
}

struct Site {
    _backend: Backend,
    suite: Suite,
    _files: TempDir,
}

impl Site {
    async fn of(keys: &[Value]) -> Self {
        let (backend, files) = (Backend::start().await, tempfile::tempdir().unwrap());
        let suite = Suite::serving(config_with(backend.address, &policy(&file(files.path(), keys), 0))).await;
        suite.until_learnt().await;
        Self { _backend: backend, suite, _files: files }
    }

    async fn code(&self, token: &str) -> Code {
        call(&self.suite, token).await.code()
    }
}

#[tokio::test]
async fn of_keys_with_one_name_those_of_the_algorithm_are_tried() {
    let (one, two, other) = (Keys::new(), Keys::new(), Keys::new());
    let keys = [one.jwk("rsa"), one.jwk("ec"), one.jwk("ed"), two.jwk("ec")].map(|key| named(key, Some("k")));
    let site = Site::of(&keys).await;
    for (keys, key) in [(&one, "rsa"), (&one, "ec"), (&one, "ed"), (&two, "ec")] {
        assert_eq!(site.code(&token(keys, key, Some("k"))).await, Code::Ok, "{key}");
        assert_eq!(site.code(&token(keys, key, None)).await, Code::Ok, "{key} without a name");
        assert_eq!(site.code(&token(keys, key, Some("l"))).await, Code::Unauthenticated, "{key} with another name");
    }
    for key in ["ec", "ed"] {
        assert_eq!(site.code(&token(&other, key, Some("k"))).await, Code::Unauthenticated, "{key}");
    }
    // What the head says is not what the key is for.
    let lie = json!({ "alg": "ES256", "kid": "k" }).to_string();
    assert_eq!(site.code(&one.sign("ed", &lie, &claims(&json!({})).to_string())).await, Code::Unauthenticated);
}

#[tokio::test]
async fn of_keys_without_a_name_eight_are_tried() {
    let many: Vec<_> = (0..10).map(|_| Keys::new()).collect();
    let mut keys: Vec<_> = many.iter().map(|keys| named(keys.jwk("ec"), None)).collect();
    // Those of another algorithm do not count.
    keys.insert(0, named(many[0].jwk("rsa"), None));
    keys.insert(0, named(many[0].jwk("ed"), None));
    let site = Site::of(&keys).await;
    for (number, keys) in many.iter().enumerate() {
        let expected = if number < 8 { Code::Ok } else { Code::Unauthenticated };
        assert_eq!(site.code(&token(keys, "ec", None)).await, expected, "{number}");
        assert_eq!(site.code(&token(keys, "ec", Some("x"))).await, Code::Unauthenticated, "a name that no key has");
    }
    assert_eq!(site.code(&token(&many[0], "rsa", None)).await, Code::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_used_is_named_once_and_stops_nothing() {
    let (keys, folder) = (Keys::new(), tempfile::tempdir().unwrap());
    let mut bad = [
        json!({ "kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "EC", "crv": "P-521", "kid": "large", "x": "AQAB", "y": "AQAB" }),
        json!({ "kty": "ML", "kid": "new" }),
        keys.jwk("ec"),
        json!("no key"),
    ];
    bad[3]["use"] = "enc".into();
    let all = [&bad[..], &[keys.jwk("ed")]].concat();
    let gateway = Apart::start(folder.path(), &issuer(&file(folder.path(), &all)));
    for (number, name) in
        ["(\\\"short\\\")", "(\\\"large\\\")", "(\\\"new\\\")", "(\\\"ec\\\")", "key 5"].iter().enumerate()
    {
        let text = gateway.log();
        let line = text.lines().find(|line| line.contains(name) && line.contains("issuers[0].jwks.file"));
        assert!(
            line.is_some_and(|line| line.contains(&format!("key {}", number + 1)) && line.contains("WARN")),
            "{text}"
        );
    }

    let shop = Shop::open(Some(json!({ "keys": all }).to_string())).await;
    let jwks = format!("{{ url = \"http://{}/jwks\", refresh_seconds = 0.05, pause_seconds = 0.05 }}", shop.address);
    let folder = tempfile::tempdir().unwrap();
    let gateway = Apart::start(folder.path(), &issuer(&jwks));
    let said = "a key of an issuer cannot be used";
    let line = gateway.says(said, 4).await;
    assert!(line["issuer"] == "corp" && line["key"].as_str().unwrap().starts_with("key 5 is of a kind"), "{line}");
    let asked = shop.asked.load(std::sync::atomic::Ordering::SeqCst);
    while shop.asked.load(std::sync::atomic::Ordering::SeqCst) < asked + 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(gateway.said(said).len(), 5, "not with every refresh");
}

#[tokio::test]
async fn a_token_whose_issuer_is_away_is_no_guess() {
    let (backend, keys) = (Backend::start().await, Keys::new());
    let shop = Shop::open(None).await;
    let jwks = format!("{{ url = \"http://{}/jwks\", pause_seconds = 0.05, refresh_seconds = 0.1 }}", shop.address);
    let suite = Suite::serving(config_with(backend.address, &policy(&jwks, 1))).await;
    suite.until_learnt().await;
    let right = token(&keys, "ec", Some("ec"));
    for _ in 0..5 {
        let refused = call(&suite, &right).await;
        assert_eq!((refused.code(), refused.info()), (Code::Unavailable, info("ISSUER_UNAVAILABLE", "NOT_SENT")));
        assert!(refused.status().get_details_retry_info().is_some());
    }
    let headers = [("content-type", "application/json"), ("authorization", &*format!("Bearer {right}"))];
    let json = send(&suite, Method::POST, GET, &headers, "{}").await;
    assert_eq!(json.status.as_u16(), 503);
    // No such algorithm is ever taken, and no other issuer is known: that can be told.
    let lie = json!({ "alg": "HS256", "kid": "ec" }).to_string();
    let text = claims(&json!({})).to_string();
    assert_eq!(call(&suite, &keys.sign("ec", &lie, &text)).await.code(), Code::Unauthenticated, "the first guess");
    assert_eq!(call(&suite, &keys.sign("ec", &lie, &text)).await.code(), Code::ResourceExhausted, "the second");
    assert_eq!(call(&suite, &right).await.code(), Code::Unavailable);
    shop.say(Some(json!({ "keys": [keys.jwk("ec")] }).to_string()));
    let served = async {
        while call(&suite, &right).await.code() != Code::Ok {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), served).await.expect("the issuer is back");
    let unknown = token(&Keys::new(), "ec", Some("unknown"));
    assert_eq!(call(&suite, &unknown).await.code(), Code::ResourceExhausted, "the issuer says that it has no such key");
}

#[tokio::test]
async fn a_new_key_without_a_name_is_found_by_the_token_that_needs_it() {
    let (backend, old, new) = (Backend::start().await, Keys::new(), Keys::new());
    let shop = Shop::open(Some(json!({ "keys": [named(old.jwk("ec"), None)] }).to_string())).await;
    let jwks = format!("{{ url = \"http://{}/jwks\", pause_seconds = 0.05 }}", shop.address);
    let suite = Suite::serving(config_with(backend.address, &policy(&jwks, 0))).await;
    suite.until_learnt().await;
    let (first, second) = (token(&old, "ec", None), token(&new, "ec", None));
    assert_eq!(call(&suite, &first).await.code(), Code::Ok);
    assert_eq!(call(&suite, &second).await.code(), Code::Unauthenticated);
    let both = [&old, &new].map(|keys| named(keys.jwk("ec"), None));
    shop.say(Some(json!({ "keys": both }).to_string()));
    let served = async {
        while call(&suite, &second).await.code() != Code::Ok {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), served).await.expect("its key is found");
    assert_eq!(call(&suite, &first).await.code(), Code::Ok);
}
