//! Tokens: the right ones of every kind, everything that was ever tried with wrong ones, and keys that change.

use std::{fs, sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Code;

use crate::{
    backend::{ADD, Backend, GET},
    caller::{ALL, Answer, Suite, config_with},
    issuer::{AUDIENCE, ISSUER, Keys, Shop, claims, encode, head, hs256, now},
    payload,
};

/// Alice may all as herself, staff may read; `carol` has a name of her own here.
fn policy(jwks: &str) -> String {
    format!(
        r#"
        guesses = {{ per_minute = 0 }}
        issuers = [{{ name = "corp", issuer = "{ISSUER}", audiences = ["{AUDIENCE}", "other"], jwks = {jwks},
            groups_claims = ["groups", "realm.roles"] }}]
        principals = [{{ name = "carol", tokens = ["corp:carol"] }}, {{ name = "alice", tokens = ["corp:alice"] }}]
        groups = [{{ name = "staff", claims = ["corp:people"] }}]
        grants = [
            {{ principals = ["alice"], methods = ["*"], accounts = ["fake-isp/main"] }},
            {{ groups = ["staff"], methods = ["reads"], accounts = ["fake-isp/main"] }},
        ]
        "#
    )
}

pub(crate) struct Site {
    backend: Backend,
    pub(crate) suite: Suite,
    pub(crate) keys: Keys,
    files: TempDir,
}

impl Site {
    /// A gateway that has the keys of the issuer from a file.
    async fn open() -> Self {
        Self::open_with("guesses = { per_minute = 0 }").await
    }

    /// The same with another word on wrong tokens.
    pub(crate) async fn open_with(guesses: &str) -> Self {
        let (backend, keys, files) = (Backend::start().await, Keys::new(), tempfile::tempdir().unwrap());
        fs::write(files.path().join("jwks.json"), keys.set()).unwrap();
        let policy = file_policy(&files).replace("guesses = { per_minute = 0 }", guesses);
        let suite = Suite::serving(config_with(backend.address, &policy)).await;
        suite.until_learnt().await;
        Self { backend, suite, keys, files }
    }

    pub(crate) async fn call(&self, path: &str, token: &str) -> Answer {
        call(&self.suite, path, token).await
    }
}

fn file_policy(files: &TempDir) -> String {
    policy(&format!("{{ file = {:?} }}", files.path().join("jwks.json")))
}

async fn call(suite: &Suite, path: &str, token: &str) -> Answer {
    suite.call(path, &[("authorization", &format!("Bearer {token}"))], payload()).await
}

#[tokio::test]
async fn a_right_token_is_taken_whatever_its_key() {
    let site = Site::open().await;
    let right = [
        ("rsa", json!({})),
        ("ec", json!({ "aud": ["nobody", "other"] })),
        ("ed", json!({ "exp": now() as f64 + 60.5, "nbf": now(), "iat": now() })),
        ("ed", json!({ "exp": now() - 30 })),
    ];
    for (key, own) in right {
        let token = site.keys.token(key, &own);
        for _ in 0..2 {
            assert_eq!(site.call(ADD, &token).await.code(), Code::Ok, "{key} {own}");
        }
    }
    let arrivals = site.backend.arrivals();
    assert!(arrivals.len() == 8 && arrivals.iter().all(|arrival| !arrival.headers.contains_key("authorization")));
}

#[tokio::test]
async fn claims_give_groups_and_a_stranger_has_nothing() {
    let site = Site::open().await;
    let cases = [
        (json!({ "sub": "bob", "groups": ["people"] }), GET, Code::Ok),
        (json!({ "sub": "bob", "groups": "other people" }), GET, Code::Ok),
        (json!({ "sub": "bob", "realm": { "roles": ["people"] } }), GET, Code::Ok),
        (json!({ "sub": "bob", "groups": ["people"] }), ADD, Code::PermissionDenied),
        (json!({ "sub": "bob", "groups": ["staff", "corp:people"] }), GET, Code::PermissionDenied),
        (json!({ "sub": "all" }), GET, Code::PermissionDenied),
        (json!({ "sub": "carol" }), GET, Code::PermissionDenied),
        (json!({ "sub": "carol", "groups": ["people"] }), GET, Code::Ok),
    ];
    for (own, path, code) in cases {
        assert_eq!(site.call(path, &site.keys.token("ed", &own)).await.code(), code, "{own}");
    }
}

/// Every wrong token, with its name.
fn wrong(keys: &Keys) -> Vec<(String, String)> {
    let right = claims(&json!({})).to_string();
    let headed = |name: &str, own: Value| {
        let mut head = head(name);
        own.as_object().unwrap().iter().for_each(|(key, value)| head[key] = value.clone());
        head.to_string()
    };
    let mut tokens: Vec<(String, String)> = Vec::new();
    for name in ["none", "None", "nOnE"] {
        let text = format!("{}.{}", encode(headed("rsa", json!({ "alg": name }))), encode(&right));
        tokens.push((format!("alg {name}, unsigned"), format!("{text}.")));
        tokens.push((format!("alg {name}, signed"), keys.sign("rsa", &headed("rsa", json!({ "alg": name })), &right)));
    }
    let (modulus, _) = Keys::rsa_public();
    let hs = headed("rsa", json!({ "alg": "HS256" }));
    tokens.push(("HS256 with the modulus".into(), hs256(&modulus, &hs, &right)));
    tokens.push(("HS256 with the JWK".into(), hs256(keys.jwk("rsa").to_string().as_bytes(), &hs, &right)));
    let heads = [
        ("rsa", json!({ "kid": "../../dev/null" })),
        ("rsa", json!({ "kid": "' OR 1=1 --" })),
        ("rsa", json!({ "kid": "k".repeat(6000) })),
        ("rsa", json!({ "kid": 7 })),
        ("rsa", json!({ "kid": "" })),
        ("rsa", json!({ "kid": "ec" })),
        ("ed", json!({ "kid": "rsa" })),
        ("ed", json!({ "kid": "rsa", "alg": "RS256" })),
        ("rsa", json!({ "alg": "PS256" })),
        ("rsa", json!({ "jku": "https://evil.example.com/jwks.json" })),
        ("rsa", json!({ "x5u": "https://evil.example.com/x5u" })),
        ("rsa", json!({ "jwk": keys.jwk("ed") })),
        ("rsa", json!({ "crit": ["exp"] })),
        ("rsa", json!({ "crit": [], "b64": false })),
    ];
    for (name, own) in heads {
        let shown = format!("head {name} {own}");
        tokens.push((shown[..shown.len().min(60)].to_owned(), keys.sign(name, &headed(name, own), &right)));
    }
    let no_kid = json!({ "alg": "EdDSA" }).to_string();
    tokens.push(("no kid, no such key".into(), Keys::new().sign("ed", &no_kid, &right)));
    tokens.push(("no kid, no alg".into(), keys.sign("ed", "{}", &right)));
    tokens.extend(wrong_claims().iter().map(|own| (format!("claims {own}"), keys.token("ed", own))));
    let twice = right.replacen('{', "{\"sub\":\"root\",", 1);
    tokens.push(("a claim twice".into(), keys.sign("ed", &head("ed").to_string(), &twice)));
    tokens.push(("no claims".into(), keys.sign("ed", &head("ed").to_string(), "[]")));
    tokens.extend(bent(keys));
    tokens
}

/// What a token must not claim.
fn wrong_claims() -> Vec<Value> {
    vec![
        json!({ "exp": now() - 61 }),
        json!({ "nbf": now() + 120 }),
        json!({ "exp": (now() + 300).to_string() }),
        json!({ "nbf": now().to_string() }),
        json!({ "exp": null }),
        json!({ "exp": -1 }),
        json!({ "exp": [] }),
        json!({ "aud": null }),
        json!({ "aud": "somebody" }),
        json!({ "aud": ["somebody", "else"] }),
        json!({ "aud": [] }),
        json!({ "aud": 7 }),
        json!({ "iss": "https://login.example.com" }),
        json!({ "iss": null }),
        json!({ "iss": [ISSUER] }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "sub": "a b" }),
        json!({ "sub": "a\nb" }),
        json!({ "sub": "a".repeat(129) }),
    ]
}

/// A right token that was bent out of shape.
fn bent(keys: &Keys) -> Vec<(String, String)> {
    let token = keys.token("ed", &json!({}));
    let parts: Vec<&str> = token.split('.').collect();
    let other = encode(claims(&json!({ "sub": "root" })).to_string());
    let tokens = [
        ("empty signature", format!("{}.{}.", parts[0], parts[1])),
        ("no signature", format!("{}.{}", parts[0], parts[1])),
        ("three dots", format!("{token}.{}", parts[2])),
        ("padding", format!("{}.{}=.{}", parts[0], parts[1], parts[2])),
        ("padded signature", format!("{token}==")),
        ("cut signature", token[..token.len() - 4].to_owned()),
        ("other claims", format!("{}.{other}.{}", parts[0], parts[2])),
        ("large", keys.token("ed", &json!({ "more": "x".repeat(10_000) }))),
        ("another's key", Keys::new().token("ed", &json!({}))),
        ("empty", String::new()),
        ("dots", "..".to_owned()),
    ];
    tokens.map(|(name, token)| (name.to_owned(), token)).into()
}

#[tokio::test]
async fn every_wrong_token_is_refused_alike_and_nothing_is_sent() {
    let site = Site::open().await;
    let missing = site.suite.call(GET, &[], payload()).await.status();
    let tokens = wrong(&site.keys);
    assert!(tokens.len() >= 50, "{}", tokens.len());
    for (name, token) in tokens {
        let status = site.call(GET, &token).await.status();
        assert_eq!(status.code(), Code::Unauthenticated, "{name}");
        assert_eq!((status.message(), status.details()), (missing.message(), missing.details()), "{name}");
    }
    let right = site.keys.token("ed", &json!({}));
    let (bearer, basic) = (format!("Bearer {right}"), format!("Basic {right}"));
    let pairs = [
        vec![("authorization", bearer.as_str()), ("x-api-key", ALL)],
        vec![("authorization", bearer.as_str()), ("authorization", bearer.as_str())],
        vec![("authorization", basic.as_str())],
        vec![("authorization", right.as_str())],
    ];
    for headers in pairs {
        assert_eq!(site.suite.call(GET, &headers, payload()).await.code(), Code::Unauthenticated);
    }
    assert!(site.backend.arrivals().is_empty());
    assert_eq!(site.call(GET, &right).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_remembered_token_is_over_with_its_time_and_with_its_key() {
    let site = Site::open().await;
    let brief = site.keys.token("ed", &json!({ "exp": now() - 58 }));
    let long = site.keys.token("ec", &json!({}));
    assert_eq!(site.call(GET, &brief).await.code(), Code::Ok);
    assert_eq!(site.call(GET, &long).await.code(), Code::Ok);
    let over = async {
        while site.call(GET, &brief).await.code() == Code::Ok {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over).await.expect("it is over");
    let config = config_with(site.backend.address, &file_policy(&site.files));
    let set = json!({ "keys": [site.keys.jwk("rsa")] }).to_string();
    fs::write(site.files.path().join("jwks.json"), set).unwrap();
    site.suite.running.reload(config.clone()).unwrap();
    assert_eq!(site.call(GET, &long).await.code(), Code::Unauthenticated);
    assert_eq!(site.call(GET, &site.keys.token("rsa", &json!({}))).await.code(), Code::Ok);
    fs::write(site.files.path().join("jwks.json"), "{}").unwrap();
    let error = site.suite.running.reload(config).unwrap_err().to_string();
    assert!(error.contains("issuers[0].jwks.file"), "{error}");
    assert_eq!(site.call(GET, &site.keys.token("rsa", &json!({}))).await.code(), Code::Ok);
}

#[tokio::test]
async fn keys_are_fetched_changed_and_kept_while_the_issuer_is_away() {
    let (backend, old, new) = (Backend::start().await, Keys::new(), Keys::new());
    let shop = Shop::open(Some(json!({ "keys": [old.jwk("ec")] }).to_string())).await;
    let jwks = format!("{{ url = \"http://{}/jwks\", pause_seconds = 0.05 }}", shop.address);
    let suite = Suite::serving(config_with(backend.address, &policy(&jwks))).await;
    suite.until_learnt().await;
    let (first, second) = (old.token("ec", &json!({})), new.token("ed", &json!({})));
    let until = async |token: &str, code: Code| {
        let seen = async {
            while call(&suite, GET, token).await.code() != code {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("it comes to that");
    };
    until(&first, Code::Ok).await;
    for bad in [Some("x".repeat(10 << 20)), Some("<html>".to_owned()), None] {
        shop.say(bad);
        let asked = shop.asked.load(Ordering::SeqCst);
        // For a moment after the last answer nobody asks again.
        while shop.asked.load(Ordering::SeqCst) == asked {
            call(&suite, GET, &second).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Its key may be one that the issuer has and cannot show; the first key stays.
        until(&second, Code::Unavailable).await;
        assert_eq!(call(&suite, GET, &first).await.code(), Code::Ok);
    }
    shop.say(Some(json!({ "keys": [new.jwk("ed")] }).to_string()));
    until(&second, Code::Ok).await;
    assert_eq!(call(&suite, GET, &first).await.code(), Code::Unauthenticated, "its key is gone");
}
