//! `explain`: its answers, their exit codes, and what it knows of methods.

use std::{fs, path::Path, process::Command};

use ispbridge_gateway::KeyHash;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    backend::{ADD, DESCRIPTORS, GET},
    caller::{Suite, config_with},
    suite,
};

const CONFIG: &str = r#"
[signing]
id = "a"
secret = { env = "NOBODY_HAS_SET_THIS" }
[keys]
file = "KEYS"
[[issuers]]
name = "corp"
issuer = "https://login.example.com/"
audiences = ["ispbridge"]
jwks = { url = "https://login.example.com/jwks.json" }
[[principals]]
name = "billing"
certificates = ["spiffe://example.org/billing"]
[[principals]]
name = "support"
tokens = ["corp:support"]
[[groups]]
name = "operators"
claims = ["corp:isp-operators"]
[[grants]]
principals = ["billing"]
methods = ["ispbridge.fake_isp.v1.*"]
accounts = ["fake-isp/main"]
[[grants]]
principals = ["billing", "support"]
methods = ["reads"]
accounts = ["fake-isp/*"]
[[grants]]
groups = ["operators"]
methods = ["*"]
accounts = ["fake-isp/main"]
[[routes]]
provider = "fake-isp"
instances = ["http://127.0.0.1:1"]
"#;

/// A folder with a configuration, a file of keys and a contract.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let keys = desk.file("keys.toml");
        let key = |name: &str, key: &str, grant: &str| {
            format!(
                "[[keys]]\nname = {name:?}\nhash = \"{}\"\ncreated = \"\"\ngrants = [{grant:?}]\n",
                KeyHash::of(key)
            )
        };
        let good = key("crm", "one", "reads@fake-isp/main") + &key("crm", "two", "*@fake-isp/main");
        let over = key("crm", "three", "*@fake-isp/*") + "expires = \"2020-01-01\"\n";
        let refused = key("crm", "four", "*@fake-isp/*,nobody/main");
        fs::write(&keys, good + &over + &refused).unwrap();
        fs::write(desk.file("gateway.toml"), CONFIG.replace("KEYS", &keys)).unwrap();
        fs::write(desk.file("contract.binpb"), &*DESCRIPTORS).unwrap();
        desk
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn line(&self, text: &str) -> String {
        let line = CONFIG.lines().position(|line| line == text).unwrap();
        format!("{}:{}", self.file("gateway.toml"), line)
    }

    /// The exit code, and what was said.
    fn ask(&self, words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ispbridge-gateway"));
        let output = command.args(["explain", "--config", &self.file("gateway.toml")]).args(words).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    }

    fn ask_with_contract(&self, words: &[&str]) -> (i32, String) {
        self.ask(&[&["--contract", &self.file("contract.binpb")], words].concat())
    }
}

fn name(path: &str) -> &str {
    path.trim_start_matches('/')
}

#[test]
fn it_may_or_it_may_not_and_the_line_says_why() {
    let desk = Desk::new();
    let (code, text) = desk.ask_with_contract(&["billing", name(ADD), "main"]);
    assert!(
        code == 0 && text.starts_with("billing may call ispbridge.fake_isp.v1.CustomerService/AddCustomer of"),
        "{text}"
    );
    assert!(text.contains(&format!("\n  by grants[0] ({})", desk.line("principals = [\"billing\"]"))), "{text}");
    for (words, expected) in [
        (["billing", GET, "fake-isp/other"], 0),
        (["billing", ADD, "other"], 1),
        (["spiffe://example.org/billing", ADD, "main"], 0),
        (["corp:somebody", GET, "other"], 1),
        (["support", GET, "other"], 0),
    ] {
        let (code, text) = desk.ask_with_contract(&words);
        assert_eq!(code, expected, "{words:?}: {text}");
    }
    let (code, text) = desk.ask_with_contract(&["billing", GET]);
    assert!(code == 1 && text.contains("every account is granted"), "{text}");
}

#[test]
fn what_a_token_claims_cannot_be_seen() {
    let desk = Desk::new();
    for principal in ["support", "corp:somebody", "corp:support"] {
        let (code, text) = desk.ask_with_contract(&[principal, ADD, "main"]);
        assert!(code == 3 && text.starts_with(&format!("{principal} may call, or may not, ")), "{text}");
        assert!(text.contains("otherwise if the token claims corp:isp-operators\n    by grants[2]"), "{text}");
        let claimed = ["--claim", "corp:isp-operators", principal, ADD, "main"];
        assert_eq!(desk.ask_with_contract(&claimed).0, 0, "{principal}");
        assert_eq!(desk.ask_with_contract(&["--claim", "corp:people", principal, ADD, "main"]).0, 1, "{principal}");
    }
    // One account more, and it must be named.
    let (code, text) = desk.ask_with_contract(&["corp:somebody", GET]);
    assert!(code == 3 && text.contains("corp:isp-operators"), "{text}");
    for words in [["other:somebody", ADD, "main"], ["nobody", ADD, "main"]] {
        let (code, text) = desk.ask_with_contract(&words);
        assert!(code == 64 && text.starts_with("there is no "), "{text}");
    }
}

#[test]
fn which_of_several_keys_is_shown_cannot_be_seen() {
    let desk = Desk::new();
    let (code, text) = desk.ask_with_contract(&["crm", ADD, "main"]);
    // The first digits of the hash.
    let id = |key: &str| KeyHash::of(key).to_string()["sha256:".len()..][..8].to_owned();
    let (one, two) = (id("one"), id("two"));
    assert!(code == 3 && text.contains(&format!("with key {one} of the file of keys: it may not")), "{text}");
    assert!(text.contains(&format!("with key {two} of the file of keys: it may\n")), "{text}");
    assert_eq!(desk.ask_with_contract(&["crm", GET, "main"]).0, 0);
    // Keys that the gateway does not believe open nothing.
    assert_eq!(desk.ask_with_contract(&["crm", GET, "other"]).0, 1);
    assert_eq!(desk.ask_with_contract(&[&id("four"), GET, "other"]).0, 64);
    assert_eq!(desk.ask_with_contract(&[&one, ADD, "main"]).0, 1);
    assert_eq!(desk.ask_with_contract(&[&two, ADD, "main"]).0, 0);
}

#[test]
fn a_method_that_nobody_could_check_is_told() {
    let desk = Desk::new();
    for (words, expected) in [(["billing", ADD, "main"], 3), (["billing", ADD, "other"], 3), (["crm", ADD, "other"], 1)]
    {
        let (code, text) = desk.ask(&words);
        assert_eq!(code, expected, "{words:?}: {text}");
        assert_eq!(
            text.contains("if there is such a method: the configuration names no admin port"),
            code == 3,
            "{text}"
        );
    }
    let (_, text) = desk.ask(&["billing", ADD, "other"]);
    assert!(text.contains("if the method only reads\n    by grants[1]"), "{text}");
    // Nobody listens there.
    let (code, text) = desk.ask(&["--admin", "127.0.0.1:1", "billing", ADD, "main"]);
    assert!(
        code == 3 && text.contains("if there is such a method: no gateway told it (http://127.0.0.1:1/methods: "),
        "{text}"
    );
}

#[test]
fn a_method_with_a_slip_is_refused_with_the_nearest() {
    let desk = Desk::new();
    for slip in ["ispbridge.fake_isp.v1.CustomerService/GetCustomr", "ispbridge.fake_isp.v1.CustmerService/GetCustomer"]
    {
        let (code, text) = desk.ask_with_contract(&["billing", slip, "main"]);
        assert!(code == 64 && text.contains(&format!(" has no method {slip}; the nearest is {}", name(GET))), "{text}");
    }
    let contract = desk.file("gateway.toml");
    let (code, text) = desk.ask(&["--contract", &contract, "billing", GET, "main"]);
    assert!(code == 64 && text.contains("is no FileDescriptorSet"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_running_gateway_is_asked_for_its_methods() {
    let (_backend, suite) = suite().await;
    suite.until_learnt().await;
    let admin = suite.running.admin_addr().unwrap().to_string();
    let listed: Value = methods(&admin).await;
    assert_eq!((&listed["methods"][name(GET)], &listed["methods"][name(ADD)]), (&json!("read"), &json!("write")));
    assert_eq!(listed["undescribed"], json!([]));
    let asked = tokio::task::spawn_blocking(move || {
        let desk = Desk::new();
        let typed = ["--admin", &admin, "support", "ispbridge.fake_isp.v1.CustomerService/GetCustomer2", "main"];
        let by_option = (desk.ask(&["--admin", &admin, "billing", ADD, "main"]), desk.ask(&typed));
        // The configuration that names the admin port is enough.
        let config = desk.file("gateway.toml");
        fs::write(&config, format!("admin = {{ listen = {admin:?} }}\n{}", fs::read_to_string(&config).unwrap()))
            .unwrap();
        (by_option, desk.ask(&["support", GET, "main"]))
    });
    let (((may, _), (typo, text)), by_config) = asked.await.unwrap();
    assert_eq!((may, by_config.0), (0, 0), "{}", by_config.1);
    assert!(typo == 64 && text.contains("the gateway at 127.0.0.1:") && text.contains("the nearest is"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_has_shown_nothing_is_not_known() {
    // Nobody serves there.
    let suite = Suite::serving(config_with("127.0.0.1:1".parse().unwrap(), "")).await;
    let admin = suite.running.admin_addr().unwrap().to_string();
    assert_eq!(methods(&admin).await, json!({ "methods": {}, "undescribed": ["fake-isp"] }));
    let asked = tokio::task::spawn_blocking(move || Desk::new().ask(&["--admin", &admin, "billing", ADD, "main"]));
    let (code, text) = asked.await.unwrap();
    assert!(code == 3 && text.contains("has not seen a service of fake-isp yet"), "{text}");
}

/// What the admin port says of methods.
async fn methods(admin: &str) -> Value {
    let (_, body) = crate::status::admin(admin.parse().unwrap(), "GET /methods").await;
    serde_json::from_str(&body).unwrap()
}

#[test]
fn a_configuration_that_is_not_there_is_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_ispbridge-gateway"))
        .args(["explain", "--config", "/nowhere.toml", "billing", name(GET)])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(!Path::new("/nowhere.toml").exists() && String::from_utf8_lossy(&output.stderr).contains("/nowhere.toml"));
}
