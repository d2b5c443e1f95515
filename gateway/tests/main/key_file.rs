//! The file of keys under a gateway that runs: what is right in it counts soon, whatever else is wrong.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use ispbridge_gateway::KeyHash;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::{
    apart::Apart,
    backend::{ADD, Backend, GET},
    caller::{ALL, call_on, connect, route},
    keys::{gateway, printed},
    payload,
    status::admin,
};

/// How often the gateway looks at its files.
const RELOAD: Duration = Duration::from_millis(500);

/// A gateway with a file of keys, an audit log and a backend.
struct Site {
    gateway: Apart,
    _backend: Backend,
    folder: TempDir,
}

/// One entry of the file.
fn entry(key: &str, more: &str) -> String {
    let hash = KeyHash::of(key);
    format!("[[keys]]\nname = \"{key}\"\nhash = \"{hash}\"\ncreated = \"\"\ngrants = [\"*@fake-isp/main\"]\n{more}\n")
}

fn id(key: &str) -> String {
    KeyHash::of(key).to_string()["sha256:".len()..][..8].to_owned()
}

impl Site {
    /// Starts it with these entries, or without the file.
    async fn start(entries: Option<&str>) -> Self {
        let (backend, folder) = (Backend::start().await, tempfile::tempdir().unwrap());
        entries.into_iter().for_each(|text| fs::write(folder.path().join("keys.toml"), text).unwrap());
        let [keys, audit] = ["keys.toml", "audit.log"].map(|name| folder.path().join(name));
        let more = format!(
            "server.reload_seconds = {}\nguesses = {{ per_minute = 0 }}\nkeys = {{ file = {keys:?} }}\naudit = {{ file = {audit:?} }}\n\
             groups = [{{ name = \"staff\" }}]\nroutes = {}\n\
             principals = [{{ name = \"all\", api_keys = [\"{}\"] }}]\n\
             grants = [{{ principals = [\"all\"], methods = [\"*\"], accounts = [\"fake-isp/main\"] }}]",
            RELOAD.as_secs_f64(),
            route(backend.address),
            KeyHash::of(ALL)
        );
        let site = Self { gateway: Apart::start(folder.path(), &more), _backend: backend, folder };
        site.until(ALL, Code::Ok).await;
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, entries: &str) {
        // As `keys` does it, and as an editor does it in place.
        let fresh = self.path("fresh");
        fs::write(&fresh, entries).unwrap();
        fs::rename(&fresh, self.path("keys.toml")).unwrap();
    }

    async fn call(&self, path: &str, key: &str) -> Code {
        let sender = connect(self.gateway.grpc).await;
        call_on(sender, self.gateway.grpc, path, &[("x-api-key", key)], payload()).await.code()
    }

    async fn until(&self, key: &str, code: Code) {
        let seen = async {
            while self.call(GET, key).await != code {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("{key} is not {code:?}"));
    }

    /// What `/config` says of the file.
    async fn shown(&self) -> Value {
        let (_, body) = admin(self.gateway.admin, "GET /config").await;
        serde_json::from_str::<Value>(&body).unwrap()["sources"][0].clone()
    }

    /// Waits until `/config` says something of the file.
    async fn until_shown(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let seen = async {
            loop {
                let shown = self.shown().await;
                if is_so(&shown) {
                    return shown;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), seen).await.expect("/config says so")
    }

    async fn metric(&self, start: &str) -> Option<String> {
        let (_, metrics) = admin(self.gateway.admin, "GET /metrics").await;
        metrics.lines().find(|line| line.starts_with(start)).map(str::to_owned)
    }

    /// Changes of keys in the audit log.
    fn changes(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("audit.log")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == "keys").collect()
    }
}

/// Makes ten writes a second and more until it is dropped.
struct Load(tokio::task::JoinHandle<()>);

impl Load {
    async fn on(site: &Site) -> Self {
        let (address, sender) = (site.gateway.grpc, connect(site.gateway.grpc).await);
        Self(tokio::spawn(async move {
            loop {
                let write = call_on(sender.clone(), address, ADD, &[("x-api-key", ALL)], payload()).await;
                assert_eq!(write.code(), Code::Ok);
                sleep(Duration::from_millis(50)).await;
            }
        }))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_in_time_under_writes_and_beside_a_bad_entry() {
    let bad = entry("bad", "groups = [\"nobody\"]");
    let site = Site::start(Some(&(entry("gone", "") + &bad + &entry("stays", "")))).await;
    site.until("gone", Code::Ok).await;
    let _load = Load::on(&site).await;
    sleep(RELOAD * 2).await;
    assert!(fs::read_to_string(site.path("audit.log")).unwrap().lines().count() > 3, "there are writes");
    site.write(&(bad + &entry("stays", "")));
    site.until("gone", Code::Unauthenticated).await;
    // What is promised is reload_seconds + 1 s, and this metric tells it.
    let delay = site.metric("ispbridge_config_delay_seconds_bucket{ispbridge_source=\"keys\"").await;
    assert!(delay.is_some());
    assert_eq!((site.call(GET, "stays").await, site.call(GET, "bad").await), (Code::Ok, Code::Unauthenticated));
    let change = site.changes().pop().unwrap();
    assert_eq!((&change["after"], &change["before"][id("gone")]["principal"]), (&json!({}), &json!("gone")));
    assert!(change["actor"].as_str().unwrap().contains("keys.toml") && !change.to_string().contains("sha256"));
}

#[tokio::test]
async fn only_bad_entries_are_refused_and_each_is_named() {
    let site = Site::start(Some("")).await;
    let bad = [
        ("group", "groups = [\"staf\"]", "which has no \"staf\""),
        ("provider", "[[keys]]\nname = \"x\"\ngrants = [\"*@other/main\"]", "hash: must be given"),
        ("grant", "expires = \"soon\"", "must be a time"),
        ("over", "expires = 2020-01-01", "expired at 2020-01-01T00:00:00Z"),
        ("Label", "", "name: must be 1 to 63"),
        ("field", "key = \"hunter2\"", "key: unknown key"),
        ("twice", &entry("twice", ""), "must be that of one key only"),
        (ALL, "", "must not be that of a key of [[principals]]"),
    ];
    let mut text = entry("first", "groups = [\"staff\"]");
    bad.iter().for_each(|(key, more, _)| text += &entry(key, more));
    let _ = write!(text, "{}", entry("last", "expires = \"2999-01-01\""));
    site.write(&text);
    site.until("first", Code::Ok).await;
    site.until("last", Code::Ok).await;
    let shown = site.shown().await;
    let problems: Vec<_> = shown["problems"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect();
    assert_eq!(problems.len(), bad.len(), "{problems:?}");
    for (said, (key, _, part)) in problems.iter().zip(bad) {
        assert!(said.contains(part) && said.contains("(line ") && !said.contains("hunter2"), "{key}: {said}");
    }
    assert!(problems[0].contains(&format!("id {}", id("group"))), "{problems:?}");
    for key in ["group", "grant", "over", "Label", "field"] {
        assert_eq!(site.call(GET, key).await, Code::Unauthenticated, "{key}");
    }
    for key in ["provider", "twice", ALL] {
        assert_eq!(site.call(GET, key).await, Code::Ok, "{key}: it stands right elsewhere");
    }
    for (state, count) in [("bad", 7), ("expired", 1), ("good", 5)] {
        let line = site.metric(&format!("ispbridge_gateway_keys{{ispbridge_state=\"{state}\"")).await.unwrap();
        assert!(line.ends_with(&format!(" {count}")), "{line}");
    }
    let logged = site.gateway.said("an entry is not taken");
    assert!(logged.iter().any(|line| line["problem"] == problems[0] && line["source"] == "keys"), "{logged:?}");
    let (_, status) = admin(site.gateway.admin, "GET /status.json").await;
    assert_eq!(serde_json::from_str::<Value>(&status).unwrap()["config"]["sources"][0], shown);
}

#[tokio::test]
async fn a_file_that_is_missing_or_broken_changes_nothing_and_is_reported() {
    let site = Site::start(None).await;
    assert_eq!(site.call(GET, "one").await, Code::Unauthenticated);
    assert!(!site.gateway.said("there is no file of keys yet; it is taken when it is there").is_empty());
    site.write(&entry("one", ""));
    site.until("one", Code::Ok).await;
    fs::remove_file(site.path("keys.toml")).unwrap();
    site.until_shown(|shown| {
        shown["last_error"]["error"].as_str().is_some_and(|error| error.contains("there is no such file"))
    })
    .await;
    site.write("[[keys]\nname = ");
    let shown = site.until_shown(|shown| shown["last_error"].to_string().contains("keys.toml:1")).await;
    assert_eq!(site.call(GET, "one").await, Code::Ok, "{shown}");
    let failed = "ispbridge_config_reloads_total{ispbridge_result=\"failed\",ispbridge_source=\"keys\"";
    assert!(site.metric(failed).await.unwrap().ends_with(" 2"));
    site.write(&entry("two", ""));
    site.until("two", Code::Ok).await;
    assert_eq!(site.call(GET, "one").await, Code::Unauthenticated);
    assert!(site.shown().await["last_error"].is_null());
}

#[tokio::test]
async fn a_key_goes_although_the_configuration_is_broken() {
    let site = Site::start(Some(&(entry("one", "") + &entry("two", "")))).await;
    site.until("one", Code::Ok).await;
    let config = site.path("gateway.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\nnonsense = 1")).unwrap();
    site.write(&entry("two", ""));
    site.until("one", Code::Unauthenticated).await;
    assert_eq!(site.call(GET, "two").await, Code::Ok);
    // The other way round: a broken file of keys does not hold up the configuration.
    fs::write(site.path("keys.toml"), "[[keys]\n").unwrap();
    fs::write(&config, text.replace("groups = [{ name = \"staff\" }]", "public_reflection = true")).unwrap();
    site.gateway.says("a new configuration was taken", 0).await;
    assert_eq!(site.call(GET, "two").await, Code::Ok);
    // A hangup reads both.
    site.write(&entry("three", ""));
    site.gateway.signal("HUP");
    site.until("three", Code::Ok).await;
}

fn words<'a>(config: &'a Path, words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--config", config.to_str().unwrap()]].concat()
}

#[tokio::test]
async fn who_adds_or_revokes_a_key_hears_what_the_gateway_made_of_it() {
    let site = Site::start(None).await;
    let config = site.path("gateway.toml");
    let run = async |more: &[&str]| {
        let words: Vec<String> = words(&config, more).into_iter().map(str::to_owned).collect();
        let ran = tokio::task::spawn_blocking(move || gateway(&words.iter().map(String::as_str).collect::<Vec<_>>()));
        let output = ran.await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for (wrong, part) in [
        (["--group", "staf"], "\"staf\""),
        (["--grant", "*@other/main"], "\"other\""),
        (["--grant", "ispbridge.other.v1.*@fake-isp/main"], "\"other\""),
        (["--expires", "2020-01-01"], "in the future"),
        (["--expires", "soon"], "2027-01-01"),
    ] {
        let (code, out, error) = run(&["keys", "add", "crm", wrong[0], wrong[1]]).await;
        assert!(code == Some(64) && out.is_empty() && error.contains(part), "{wrong:?}: {error}");
    }
    assert!(!site.path("keys.toml").exists());
    let (code, out, said) = run(&["keys", "add", "crm", "--grant", "*@fake-isp/main", "--expires", "90d"]).await;
    assert!(code == Some(0) && said.starts_with("taken by the gateway at "), "{said}");
    let key = out.lines().next().unwrap().strip_prefix("key: ").unwrap().to_owned();
    assert_eq!(site.call(GET, &key).await, Code::Ok, "it counts when the command ends");
    let list = printed(&words(&config, &["keys", "list"]));
    assert!(list.contains("EXPIRES") && list.contains("20") && !list.contains("refused"), "{list}");
    let (code, out, said) = run(&["keys", "revoke", "crm"]).await;
    assert!((code, out.as_str()) == (Some(0), "1 revoked\n") && said.starts_with("taken by"), "{said}");
    assert_eq!(site.call(GET, &key).await, Code::Unauthenticated);
    // One that runs, but looks at nothing.
    site.gateway.signal("STOP");
    let (code, _, said) = run(&["keys", "add", "crm"]).await;
    site.gateway.signal("CONT");
    assert!(code == Some(0) && said.starts_with("not known ("), "{said}");
}
