//! The file of keys: commands that write it, and a gateway that reads it again.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use tonic::Code;

use crate::{
    backend::{ADD, Backend, GET},
    caller::{Suite, config_with},
    payload,
};

pub(crate) fn gateway(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ispbridge-gateway")).args(words).output().unwrap()
}

pub(crate) fn printed(words: &[&str]) -> String {
    let output = gateway(words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn policy(files: &TempDir) -> (String, String) {
    let path = files.path().join("keys.toml");
    let more = format!(
        "keys = {{ file = {path:?} }}\ngroups = [{{ name = \"staff\" }}]\n\
         grants = [{{ groups = [\"staff\"], methods = [\"reads\"], accounts = [\"fake-isp/other\"] }}]"
    );
    (path.display().to_string(), more)
}

#[tokio::test]
async fn a_key_is_added_used_listed_and_revoked() {
    let (backend, files) = (Backend::start().await, tempfile::tempdir().unwrap());
    let (path, more) = policy(&files);
    let add = ["keys", "add", "crm", "--grant", "reads@fake-isp/main", "--group=staff", "--file", &path];
    let text = printed(&add);
    let lines: Vec<&str> = text.lines().collect();
    let (key, id) = (lines[0].strip_prefix("key: ").unwrap(), lines[1].strip_prefix("id:  ").unwrap());
    assert!(key.starts_with("ispb_") && !fs::read_to_string(&path).unwrap().contains(key));
    let suite = Suite::serving(config_with(backend.address, &more)).await;
    suite.until_learnt().await;
    let other = printed(&["keys", "add", "shop", "--grant=*@fake-isp/main", "--file", &path]);
    let other = other.lines().next().unwrap().strip_prefix("key: ").unwrap();
    let ask = async |path: &str, key: &str, account: &str| {
        suite.call(path, &[("x-api-key", key), ("x-ispbridge-account", account)], payload()).await.code()
    };
    assert_eq!(ask(ADD, other, "main").await, Code::Unauthenticated);
    suite.running.reload(config_with(backend.address, &more)).unwrap();
    assert_eq!(ask(ADD, other, "main").await, Code::Ok);
    assert_eq!(ask(GET, key, "main").await, Code::Ok);
    assert_eq!(ask(GET, key, "other").await, Code::Ok);
    assert_eq!(ask(ADD, key, "main").await, Code::PermissionDenied);
    let list = printed(&["keys", "list", "--file", &path]);
    assert!(list.contains(id) && list.contains("reads@fake-isp/main staff") && list.contains("never"), "{list}");
    assert!(!list.contains(key));
    assert_eq!(printed(&["keys", "revoke", id, "--file", &path]), "1 revoked\n");
    suite.running.reload(config_with(backend.address, &more)).unwrap();
    assert_eq!(ask(GET, key, "main").await, Code::Unauthenticated);
    assert_eq!(ask(ADD, other, "main").await, Code::Ok);
    fs::write(&path, "[[keys]]\nname = 7").unwrap();
    suite.running.reload(config_with(backend.address, &more)).unwrap();
    assert_eq!(ask(ADD, other, "main").await, Code::Unauthenticated, "it is gone from the file");
}

#[test]
fn wrong_words_are_refused() {
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("keys.toml").display().to_string();
    let cases = [
        vec!["keys", "add"],
        vec!["keys", "add", "Crm", "--file", &path],
        vec!["keys", "add", "crm", "--grant", "reads", "--file", &path],
        vec!["keys", "add", "crm", "--grants", "reads@*", "--file", &path],
        vec!["keys", "add", "crm", "--grant"],
        vec!["keys", "revoke", "crm", "--file", &path],
        vec!["keys", "list", "--file", &path],
        vec!["keys", "lost"],
    ];
    for words in cases {
        let output = gateway(&words);
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{words:?}");
    }
    assert!(!Path::new(&path).exists());
}
