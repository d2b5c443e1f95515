//! What an operator sees: the status page, the audit log, live calls, the log level.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use ispbridge_gateway::KeyHash;
use ispbridge_parts::BROWSER;
use jiff::Timestamp;
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    KEY,
    apart::Apart,
    backend::{ADD, Backend, Behaviour, GET},
    caller::{ALL, NOBODY, READER, Suite, config_with},
    payload, suite,
};

/// Asks the admin port; the head and the body of the answer.
pub(crate) async fn admin(address: SocketAddr, what: &str) -> (String, String) {
    let what = what.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = asked.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub(crate) async fn status(suite: &Suite) -> Value {
    let (head, body) = admin(suite.running.admin_addr().unwrap(), "GET /status.json").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_str(&body).unwrap()
}

/// The status once the instances have given back the places of calls whose answers were read a moment ago.
async fn until_idle(suite: &Suite) -> Value {
    let idle = async {
        loop {
            let now = status(suite).await;
            let instances =
                now["providers"].as_array().unwrap().iter().flat_map(|one| one["instances"].as_array().unwrap());
            if instances.into_iter().all(|instance| instance["in_flight"] == 0) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), idle).await.expect("no call is in flight")
}

#[tokio::test]
async fn the_status_counts_calls_and_remembers_failures() {
    let (backend, suite) = suite().await;
    let before = status(&suite).await;
    assert_eq!(
        (&before["state"], &before["failures"], &before["config"]["generation"]),
        (&json!("serving"), &json!([]), &json!(1))
    );
    backend.behave(&[Behaviour::Echo, Behaviour::Echo, Behaviour::BadGateway]);
    for (path, code) in [(GET, Code::Ok), (GET, Code::Ok), (ADD, Code::Aborted)] {
        let headers = [KEY, ("x-request-id", "order-7")];
        assert_eq!(suite.call(path, &headers, payload()).await.code(), code);
    }
    let now = until_idle(&suite).await;
    let [provider] = now["providers"].as_array().unwrap().as_slice() else { panic!("{now}") };
    let sum = |counts: &Value| counts.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum(&provider["calls"]), sum(&provider["failures"])), (3, 1));
    assert_eq!(
        (&provider["name"], &provider["methods"], &provider["limit"]),
        (&json!("fake-isp"), &json!(6), &json!(240))
    );
    let address = backend.address.to_string();
    let [instance] = provider["instances"].as_array().unwrap().as_slice() else { panic!("{provider}") };
    assert_eq!(
        (&instance["address"], &instance["state"], &instance["in_flight"]),
        (&json!(address), &json!("up"), &json!(0))
    );
    assert!(instance["latency_ms"].as_f64().unwrap() > 0.0, "{instance}");
    let failure = &now["failures"][0];
    let expected = [
        ("method", "ispbridge.fake_isp.v1.CustomerService/AddCustomer"),
        ("code", "ABORTED"),
        ("reason", "OUTCOME_UNKNOWN"),
        ("principal", "all"),
        ("account", "main"),
        ("instance", &address),
        ("request_id", "order-7"),
    ];
    for (name, value) in expected {
        assert_eq!(failure[name], value, "{failure}");
    }
    assert_eq!(now["principals"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn the_status_tells_keys_by_their_last_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let hash = KeyHash::of("ispb_of_the_file");
    fs::write(&file, format!("[[keys]]\nname = \"crm\"\nhash = \"{hash}\"\ncreated = \"\"\n")).unwrap();
    let backend = Backend::start().await;
    let suite = Suite::serving(config_with(backend.address, &format!("keys = {{ file = {file:?} }}"))).await;
    let keys = async || status(&suite).await["keys"].clone();
    let before = keys().await;
    assert_eq!((&before["count"], before["shown"].as_array().unwrap().len()), (&json!(5), 5));
    assert!(before["shown"].as_array().unwrap().iter().all(|key| key["last_used"].is_null()), "{before}");
    for (key, name, from) in [("ispb_of_the_file", "crm", "key_file"), (READER, "reader", "configuration")] {
        // What is shown has whole seconds.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        suite.call(GET, &[("x-api-key", key)], payload()).await;
        let used = keys().await["shown"][0].clone();
        let id = KeyHash::of(key).to_string()["sha256:".len()..][..8].to_owned();
        assert_eq!((&used["principal"], &used["from"], &used["id"]), (&json!(name), &json!(from), &json!(id)));
        let time: Timestamp = used["last_used"].as_str().unwrap().parse().unwrap();
        assert!((Timestamp::now() - time).get_seconds() < 30, "{used}");
    }
    let text = keys().await.to_string();
    assert!(!text.contains(&hash.to_string()[7..]) && !text.contains("ispb_"), "{text}");
}

#[tokio::test]
async fn an_account_whose_upstream_rests_is_shown_until_it_answers() {
    let (backend, suite) = suite().await;
    let resting = async || status(&suite).await["providers"][0]["resting"].clone();
    backend.behave(&[Behaviour::Denied, Behaviour::Held, Behaviour::Denied, Behaviour::Held, Behaviour::Echo]);
    suite.call(ADD, &[KEY], payload()).await;
    assert_eq!(resting().await, json!([]), "a failure is no rest");
    for _ in 0..3 {
        suite.call(ADD, &[KEY], payload()).await;
        let shown = resting().await;
        let [rest] = shown.as_array().unwrap().as_slice() else { panic!("{shown}") };
        assert_eq!((&rest["account"], &rest["instance"]), (&json!("main"), &json!(backend.address.to_string())));
        let times = ["since", "last_refused"].map(|name| rest[name].as_str().unwrap().parse::<Timestamp>().unwrap());
        assert!(times[0] <= times[1] && times[1] <= Timestamp::now(), "{rest}");
    }
    let other = [("x-api-key", READER), ("x-ispbridge-account", "other")];
    assert_eq!(suite.call(GET, &other, payload()).await.code(), Code::Ok);
    assert_eq!(resting().await.as_array().unwrap().len(), 1, "another account says nothing of this one");
    assert_eq!(suite.call(ADD, &[KEY], payload()).await.code(), Code::Ok);
    assert_eq!(resting().await, json!([]));
}

#[tokio::test]
async fn a_provider_is_told_by_how_its_calls_end_and_stays_in_balance() {
    let (backend, suite) = suite().await;
    let port = suite.running.admin_addr().unwrap();
    let health = async || status(&suite).await["providers"][0]["health"].clone();
    let verbose = async || admin(port, "GET /readyz?verbose").await;
    assert_eq!(health().await, "up");
    let (head, body) = verbose().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, "[+]fake-isp up: 1 of 1 instances up, 6 methods, 0 of 0 calls failed in the last minute\nok\n");
    backend.behave(&[Behaviour::Held, Behaviour::Echo]);
    suite.call(GET, &[KEY], payload()).await;
    assert_eq!(health().await, "down");
    let (head, body) = verbose().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let told = "[-]fake-isp down: 1 of 1 instances up, 6 methods, 1 of 1 calls failed in the last minute, upstream rests: main";
    assert!(body.contains(told), "{body}");
    assert_eq!(admin(port, "GET /readyz").await.1, "ok\n");
    assert_eq!((suite.health("", &[]).await, suite.health(crate::SERVICE, &[KEY]).await), (Ok(1), Ok(1)));
    suite.call(GET, &[KEY], payload()).await;
    assert_eq!(health().await, "degraded");
    assert!(verbose().await.1.contains("[!]fake-isp degraded: "));
    // One in a hundred is no sign of anything.
    for _ in 0..100 {
        suite.call(GET, &[KEY], payload()).await;
    }
    assert_eq!(health().await, "up");
}

#[tokio::test]
async fn what_callers_do_wrong_says_nothing_of_a_provider() {
    let (backend, suite) = suite().await;
    let health = async || status(&suite).await["providers"][0]["health"].clone();
    let wrong = async || {
        for (path, key) in [(GET, "ispb_wrong"), (ADD, READER), (GET, NOBODY)] {
            suite.call(path, &[("x-api-key", key)], payload()).await;
        }
    };
    backend.behave(&[Behaviour::Hang]);
    for path in [GET; 3] {
        suite.call(path, &[KEY, ("grpc-timeout", "100m")], payload()).await;
    }
    wrong().await;
    assert_eq!(health().await, "up", "callers in a hurry");
    backend.behave(&[Behaviour::Denied]);
    suite.call(GET, &[KEY], payload()).await;
    wrong().await;
    assert_eq!(health().await, "down", "all that was asked has failed");
}

#[tokio::test]
async fn the_health_of_accounts_needs_a_grant_that_reaches_them() {
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, "public_reflection = true").await;
    let asked = async |name: &str, key: &str| suite.health(name, &[("x-api-key", key)]).await;
    let (provider, main, other) = ("upstream/fake-isp", "upstream/fake-isp/main", "upstream/fake-isp/other");
    for (name, key, expected) in [
        (provider, ALL, Ok(1)),
        (provider, NOBODY, Err(Code::NotFound)),
        (main, ALL, Ok(2)),
        (main, READER, Ok(2)),
        (main, NOBODY, Err(Code::NotFound)),
        // Of the account of another, or of one that the service does not have, nobody learns anything.
        (other, ALL, Err(Code::NotFound)),
        (other, READER, Err(Code::NotFound)),
        ("upstream/none", ALL, Err(Code::NotFound)),
        ("upstream/", ALL, Err(Code::NotFound)),
        ("upstream/fake_isp/main", ALL, Err(Code::NotFound)),
    ] {
        assert_eq!(asked(name, key).await, expected, "{name} {key}");
    }
    assert_eq!(suite.health(main, &[]).await, Err(Code::Unauthenticated));
    assert_eq!(suite.health(crate::SERVICE, &[]).await, Ok(1), "contracts are open here");
}

#[tokio::test]
async fn the_page_allows_only_itself() {
    let (_backend, suite) = suite().await;
    let (head, body) = admin(suite.running.admin_addr().unwrap(), "GET /").await;
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(head.contains("default-src 'none'; style-src 'sha256-") && !head.contains("unsafe"), "{head}");
    let loads = [" src=", " href=", "@import", "url("];
    assert!(body.ends_with("</html>\n") && !loads.iter().any(|load| body.contains(load)));
}

#[tokio::test]
async fn a_caller_is_told_where_the_time_went() {
    let (_backend, suite) = suite().await;
    let answer = suite.call(GET, &[KEY], payload()).await;
    let timing = answer.trailers["x-ispbridge-timing"].to_str().unwrap();
    assert!(timing.starts_with("gateway;dur="), "{timing}");
    assert!(timing.ends_with(",service;dur=5.000,upstream;dur=3.000"), "{timing}");
    let refused = suite.call(GET, &[], payload()).await;
    assert!(refused.headers["x-ispbridge-timing"].to_str().unwrap().starts_with("gateway;dur="));
    let (_, metrics) = admin(suite.running.admin_addr().unwrap(), "GET /metrics").await;
    let time = metrics.lines().find(|line| line.starts_with("ispbridge_time_seconds_total{"));
    assert!(time.is_some_and(|line| line.contains("ispbridge_part=\"gateway\"")), "{metrics}");
}

#[tokio::test]
async fn every_attempt_to_change_something_stands_in_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, &format!("audit.file = {file:?}")).await;
    for (path, key, id) in
        [(ADD, KEY.1, "w1"), (GET, KEY.1, "r1"), (ADD, READER, "w2"), (ADD, NOBODY, "w3"), (ADD, "x", "u1")]
    {
        let headers = [("x-api-key", key), ("x-request-id", id), ("x-ispbridge-account", "main")];
        suite.call(path, &headers, payload()).await;
    }
    let address = backend.address.to_string();
    suite.running.drain().await;
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let facts = ["request_id", "principal", "authentication", "code", "outcome"];
    let seen: Vec<_> = lines.iter().map(|line| facts.map(|name| line[name].as_str().unwrap_or("-"))).collect();
    let expected = [
        ["w1", "all", "api_key", "OK", "-"],
        ["w2", "reader", "api_key", "PERMISSION_DENIED", "NOT_SENT"],
        ["w3", "nobody", "api_key", "PERMISSION_DENIED", "NOT_SENT"],
    ];
    assert_eq!(seen, expected, "{text}");
    let done = (&lines[0]["account"], &lines[0]["instance"], &lines[0]["service_ms"], &lines[0]["provider"]);
    assert_eq!(done, (&json!("main"), &json!(address), &json!(5.0), &json!("fake-isp")));
    assert!(!text.contains("ispb_") && !lines[0].as_object().unwrap().contains_key("request"));
}

#[tokio::test]
async fn who_taps_sees_messages_by_what_was_learnt() {
    let (_backend, suite) = suite().await;
    let address = suite.running.admin_addr().unwrap();
    let (ready, begun) = tokio::sync::oneshot::channel();
    let looked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /tap?provider=fake-isp&principal=all HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        lines.by_ref().find(String::is_empty).unwrap();
        ready.send(()).unwrap();
        lines.find(|line| line.starts_with('{')).unwrap()
    });
    begun.await.unwrap();
    let reader = [("x-api-key", READER), ("x-ispbridge-account", "main")];
    suite.call(GET, &reader, payload()).await;
    suite.call(GET, &[KEY], payload()).await;
    let call: Value = serde_json::from_str(&looked.await.unwrap()).unwrap();
    assert_eq!((&call["principal"], &call["code"], &call["writes"]), (&json!("all"), &json!("OK"), &json!(false)));
    assert_eq!((&call["request"], &call["request_bytes"]), (&json!({"name": "abc"}), &json!(10)));
}

#[tokio::test]
async fn the_log_level_changes_and_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Apart::start(folder.path(), "");
    let steps = [
        ("GET /log", "200", "info\n"),
        ("PUT /log?level=debug", "200", "debug\n"),
        ("GET /log", "200", "debug\n"),
        (
            "PUT /log?level=ispbridge=loud",
            "400",
            "level \"ispbridge=loud\": must be a level (off, error, warn, info, debug, trace)",
        ),
        (
            "PUT /log?level=inof",
            "400",
            "level \"inof\": must be a level (off, error, warn, info, debug, trace), CRATE=LEVEL or CRATE::MODULE=LEVEL, \
             several with commas: \"inof\" is neither a level nor a crate (did you mean \"info\"?)",
        ),
        ("PUT /log?level=info,ispbridge_gatway=debug", "400", "level \"info,ispbridge_gatway=debug\": must be a level"),
        ("PUT /log?level=", "400", "level \"\": must be a level"),
        ("GET /log", "200", "debug\n"),
        ("PUT /log", "400", ""),
        ("DELETE /log", "200", "info\n"),
        ("GET /log", "200", "info\n"),
    ];
    for (what, code, body) in steps {
        let (head, said) = admin(gateway.admin, what).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{what}: {head}");
        assert!(said.starts_with(body), "{what}: {said}");
    }
}

#[tokio::test]
async fn a_browser_shows_the_page() {
    let check = "require('playwright-core').chromium; require('fs').accessSync('/usr/bin/chromium')";
    if !BROWSER.found(browser("-e").arg(check).output().is_ok_and(|ran| ran.status.success())) {
        return;
    }
    let (backend, suite) = suite().await;
    backend.behave(&[Behaviour::Held, Behaviour::BadGateway, Behaviour::Held]);
    for path in [GET, ADD] {
        suite.call(path, &[KEY], payload()).await;
    }
    suite.call(GET, &[("x-api-key", "ispb_wrong")], payload()).await;
    let admin = suite.running.admin_addr().unwrap();
    // An account that rests is shown while somebody is refused.
    let refused = tokio::spawn(async move {
        loop {
            suite.call(GET, &[KEY], payload()).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/status.cjs");
    let mut command = browser(script.to_str().unwrap());
    command.arg(format!("http://{admin}/"));
    command.args(pictures());
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    refused.abort();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn browser(script: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(script);
    if let Some(modules) = BROWSER.place() {
        node.env("NODE_PATH", modules);
    }
    node
}

/// A folder for pictures of the page, if somebody wants to look at them.
#[allow(clippy::disallowed_methods, reason = "where pictures go is no setting of the suite")]
fn pictures() -> Option<String> {
    std::env::var("ISPBRIDGE_PICTURES").ok()
}
