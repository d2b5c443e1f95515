//! Keys, and what is a credential at all; tokens and certificates are tested over sockets.

use jiff::Timestamp;

use super::*;
use crate::status::key_list::KeyList;

fn identity(body: &str) -> Identity {
    let root = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&root, "0123456789abcdef0123456789abcdef").unwrap();
    let text = format!("{body}\n[signing]\nid = \"k1\"\nsecret = {{ file = {:?} }}", root.path());
    let config: Config = toml::from_str(&text).unwrap();
    let mut findings = config::Findings::default();
    config.check(&chassis::Settings::default(), &mut findings);
    findings.into_result().unwrap();
    Identity::new(&config, &Arc::default(), None).unwrap()
}

fn with(headers: &[(HeaderName, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value.parse().unwrap());
    }
    map
}

#[tokio::test]
async fn the_right_key_and_only_it_gets_in() {
    let key = KeyHash::of("ispb_right");
    let identity = identity(&format!("[[principals]]\nname = \"billing\"\napi_keys = [\"{key}\"]"));
    let right = with(&[(API_KEY, "ispb_right")]);
    let found = identity.authenticate(&right, None, &CallNotes::default()).await.unwrap();
    assert_eq!((&*found.name, found.quota.usage().limit), ("billing", Some(64)));
    let again = identity.authenticate(&right, None, &CallNotes::default()).await.unwrap();
    assert!(Arc::ptr_eq(&found.quota, &again.quota));
    let long = "x".repeat(300);
    for wrong in [&["ispb_righ"][..], &["ispb_right1"], &["ISPB_RIGHT"], &[""], &[], &[&long], &["ispb_right"; 2]] {
        let headers: Vec<_> = wrong.iter().map(|key| (API_KEY, *key)).collect();
        let refused = identity.authenticate(&with(&headers), None, &CallNotes::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{wrong:?}");
    }
}

#[test]
fn exactly_one_credential_is_one() {
    let presented =
        |headers: &[(HeaderName, &str)], tokens| format!("{:?}", super::presented(&with(headers), None, tokens));
    let (key, token) = ((API_KEY, "k"), (header::AUTHORIZATION, "Bearer t"));
    assert_eq!(presented(std::slice::from_ref(&key), true), "Key(\"k\")");
    assert_eq!(presented(std::slice::from_ref(&token), true), "Token(\"t\")");
    assert_eq!(presented(&[(header::AUTHORIZATION, "bEaReR  t")], true), "Token(\"t\")");
    assert_eq!(presented(&[key.clone(), token.clone()], true), "Nothing");
    assert_eq!(presented(&[key.clone(), token.clone()], false), "Key(\"k\")", "nobody issues tokens");
    for wrong in ["Basic t", "Bearer", "t"] {
        assert_eq!(presented(&[(header::AUTHORIZATION, wrong)], true), "Nothing", "{wrong}");
    }
    assert_eq!(presented(&[token.clone(), token], true), "Nothing");
}

#[test]
fn calls_in_flight_are_counted_on_after_a_reload() {
    let shared = ReloadState::default();
    let key = KeyHash::of("one");
    let compile = |more: &str| {
        let text = format!(
            "signing = {{ id = \"k1\", secret = {{ env = \"PATH\" }} }}\n\
             [[principals]]\nname = \"billing\"\napi_keys = [\"{key}\"]\n{more}"
        );
        let access = Access::compile(&toml::from_str(&text).unwrap(), &shared).unwrap();
        access.by_key[&key].opened_by(&key).unwrap()
    };
    let before = compile("");
    let after = compile("in_flight = 7");
    assert!(Arc::ptr_eq(&before.quota, &after.quota) && after.quota.usage().limit == Some(7));
}

#[tokio::test]
async fn only_so_many_keys_are_shown_and_what_was_used_stands_first() {
    let hashes: Vec<_> = (0..250).map(|number| format!("\"{}\"", KeyHash::of(&number.to_string()))).collect();
    let identity = identity(&format!("[[principals]]\nname = \"billing\"\napi_keys = [{}]", hashes.join(", ")));
    identity.authenticate(&with(&[(API_KEY, "249")]), None, &CallNotes::default()).await.unwrap();
    let keys = serde_json::to_value(KeyList::of(&identity)).unwrap();
    assert_eq!((&keys["count"], keys["shown"].as_array().unwrap().len()), (&serde_json::json!(250), 200));
    let first = &keys["shown"][0];
    assert_eq!((first["id"].as_str(), first["principal"].as_str()), (Some(&*KeyHash::of("249").id()), Some("billing")));
    assert!(first["last_used"].is_string() && keys["shown"][1]["last_used"].is_null());
}

#[tokio::test]
async fn a_key_of_the_file_ends_when_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let of = |key: &str, expires: Timestamp| {
        let hash = KeyHash::of(key);
        format!("[[keys]]\nname = \"crm\"\nhash = \"{hash}\"\ncreated = \"\"\nexpires = \"{expires}\"\n")
    };
    let now = Timestamp::now();
    let hour = jiff::SignedDuration::from_hours(1);
    std::fs::write(&file, of("over", now - hour) + &of("good", now + hour)).unwrap();
    let identity = identity(&format!("keys = {{ file = {file:?} }}"));
    identity.take_key_file().unwrap();
    let code = async |key: &str| {
        let found = identity.authenticate(&with(&[(API_KEY, key)]), None, &CallNotes::default()).await;
        found.map_or_else(|answer| answer.code(), |_| Code::Ok)
    };
    assert_eq!((code("good").await, code("over").await), (Code::Ok, Code::Unauthenticated));
    let presented = serde_json::to_value(KeyList::of(&identity)).unwrap();
    let over = presented["shown"].as_array().unwrap().iter().find(|key| key["is_expired"] == true).unwrap();
    assert_eq!(over["id"], KeyHash::of("over").id());
    let problem = identity.key_problems()[0].to_string();
    assert!(problem.starts_with("keys[0] (line 1, id ") && problem.contains("expired at 20"), "{problem}");
}
