//! A configuration that changes under a running process.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chassis::{Running, StartOptions};
use config::ConfigSource;
use ispbridge_kit::http1::get;
use protocol::caller::Root;
use serde_json::Value;
use tempfile::TempDir;
use tonic::Request;

use crate::probe::{Probe, READ, ask, connected, send, until_metric};

const ROOTS: [&str; 2] = ["an invented root of the tests, long enough", "another invented root of the tests, as long"];

struct Site {
    directory: TempDir,
    running: Running,
}

impl Site {
    /// Starts the probe from a file that is looked at often.
    async fn open(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = ConfigSource::new(Some(write(directory.path(), config)), []);
        let mut options = StartOptions::default();
        options.source = Some(source.clone());
        let running = chassis::start_with::<Probe>(source.read().unwrap(), options).await.unwrap();
        Self { directory, running }
    }

    fn write(&self, config: &str) -> PathBuf {
        write(self.directory.path(), config)
    }

    async fn word(&self) -> String {
        ask(self.running.grpc_addr(), READ, "word").await.unwrap().into_inner()
    }

    async fn until_word(&self, word: &str) {
        let seen = async {
            while self.word().await != word {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap();
    }

    async fn config(&self) -> Value {
        let answer = get(self.running.admin_addr().unwrap(), "/config").await;
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

fn write(directory: &Path, config: &str) -> PathBuf {
    let path = directory.join("probe.toml");
    let callers = if config.contains("[callers]") { "" } else { "[callers]\nmode = \"open\"\n" };
    let usual = "[server]\nlisten = \"127.0.0.1:0\"\nreload_seconds = 0.02\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    fs::write(&path, format!("{config}\n{callers}{usual}")).unwrap();
    path
}

#[tokio::test]
async fn a_file_that_changes_is_taken_and_a_bad_one_is_not() {
    let site = Site::open("word = \"one\"").await;
    assert_eq!(site.word().await, "one");
    site.write("word = \"two\"");
    site.until_word("two").await;
    assert_eq!(site.config().await["generation"], 2);
    let admin = site.running.admin_addr().unwrap();
    for (number, bad) in ["word = \"bad\"", "word = 7", "wort = \"three\"", "word = hunter2"].into_iter().enumerate() {
        site.write(bad);
        let failed = format!(" {}", number + 1);
        until_metric(admin, "ispbridge_config_reloads_total{ispbridge_result=\"failed\"", &failed).await;
        let shown = site.config().await;
        let error = shown["last_error"]["error"].as_str().unwrap();
        assert!(error.starts_with("configuration: ") && !error.contains("hunter2"), "{error}");
        assert_eq!((shown["generation"].as_u64(), shown["config"]["word"].as_str()), (Some(2), Some("two")));
    }
    assert_eq!(site.word().await, "two");
    site.write("word = \"three\"");
    site.until_word("three").await;
    let shown = site.config().await;
    assert!(shown["last_error"].is_null() && shown["generation"] == 3, "{shown}");
}

#[tokio::test]
async fn keys_of_callers_are_changed_without_a_restart() {
    let key = |root: &str| Root::new("k1", root).unwrap().derive("chassis-probe").to_text();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("caller-key");
    fs::write(&file, key(ROOTS[0])).unwrap();
    let site = Site::open(&format!("[callers]\nkeys = [{{ id = \"k1\", secret = {{ file = {file:?} }} }}]")).await;
    let channel = connected(site.running.grpc_addr()).await;
    let call = |root: &str| {
        let mut request = Request::new("hello".to_owned());
        let signer = Root::new("k1", root).unwrap().signer("chassis-probe");
        let context = signer.sign("team", "main", READ.trim_start_matches('/'), "r");
        request.metadata_mut().insert("x-ispbridge-context", context.to_str().unwrap().parse().unwrap());
        request.metadata_mut().insert("x-request-id", "r".parse().unwrap());
        send(channel.clone(), READ, request)
    };
    assert!(call(ROOTS[0]).await.is_ok() && call(ROOTS[1]).await.is_err());
    fs::write(&file, key(ROOTS[1])).unwrap();
    let admin = site.running.admin_addr().unwrap();
    until_metric(admin, "ispbridge_config_reloads_total{ispbridge_result=\"ok\"", " 1").await;
    assert!(call(ROOTS[0]).await.is_err() && call(ROOTS[1]).await.is_ok());
    let shown = site.config().await.to_string();
    assert!(!shown.contains(&key(ROOTS[1])) && shown.contains("caller-key"), "{shown}");
}

#[tokio::test]
async fn what_needs_a_restart_is_said_and_not_done() {
    let site = Site::open("word = \"one\"").await;
    let mut table: toml::Table = fs::read_to_string(site.directory.path().join("probe.toml")).unwrap().parse().unwrap();
    table.insert("word".to_owned(), "two".into());
    table["server"].as_table_mut().unwrap().insert("max_in_flight".to_owned(), 7.into());
    assert_eq!(site.running.reload(table.clone()).unwrap(), 2);
    assert_eq!(site.config().await["needs_restart"], serde_json::json!(["server"]));
    assert_eq!(site.word().await, "two");
    table.remove("callers");
    let error = site.running.reload(table).unwrap_err();
    assert!(error.to_string().starts_with("configuration: callers."), "{error}");
}

#[tokio::test]
async fn a_hangup_reads_again_what_looks_the_same() {
    let site = Site::open("word = \"one\"").await;
    assert_eq!(site.running.reread().unwrap(), 2);
    fs::remove_file(site.directory.path().join("probe.toml")).unwrap();
    assert!(site.running.reread().unwrap_err().to_string().contains("cannot be read"));
    assert_eq!(site.word().await, "one");
}

/// Appends to a file again and again until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn with(file: PathBuf) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_over);
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let mut file = fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
                file.write_all(b"x").unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self(is_over)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn files_that_are_no_secrets_are_not_watched() {
    let folder = tempfile::tempdir().unwrap();
    let [word, ledger, audit] = ["word", "ledger", "audit"].map(|name| folder.path().join(name));
    fs::write(&word, "one").unwrap();
    let declared =
        format!("word_of = {{ file = {word:?} }}\nledger = {{ file = {ledger:?} }}\naudit = {{ file = {audit:?} }}");
    let _busy = [&ledger, &audit].map(|file| Busy::with(file.clone()));
    let site = Site::open(&declared).await;
    fs::write(&word, "two").unwrap();
    site.until_word("two").await;
    assert_eq!(site.config().await["generation"], 2, "only the secret was a change");
    let admin = site.running.admin_addr().unwrap();
    let delay = "ispbridge_config_delay_seconds_count{ispbridge_source=\"configuration\"";
    until_metric(admin, delay, " 1").await;
}

#[tokio::test]
async fn a_file_that_never_rests_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let busy = folder.path().join("busy");
    fs::write(&busy, "x").unwrap();
    let site = Site::open(&format!("word_of = {{ file = {busy:?} }}")).await;
    let _busy = Busy::with(busy);
    site.write("word = \"two\"");
    site.until_word("two").await;
}

#[tokio::test]
async fn a_secret_that_was_missing_is_taken_when_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let word = folder.path().join("word");
    let site = Site::open("word = \"one\"").await;
    site.write(&format!("word_of = {{ file = {word:?} }}"));
    let admin = site.running.admin_addr().unwrap();
    until_metric(admin, "ispbridge_config_reloads_total{ispbridge_result=\"failed\"", " 1").await;
    assert_eq!(site.word().await, "one");
    fs::write(&word, "two").unwrap();
    site.until_word("two").await;
    fs::remove_file(&word).unwrap();
    until_metric(admin, "ispbridge_config_reloads_total{ispbridge_result=\"failed\"", " 2").await;
    assert_eq!(site.word().await, "two", "what was taken stays");
    fs::write(&word, "three").unwrap();
    site.until_word("three").await;
}
