//! The program against a gateway behind TLS that is no part of the local suite.

use std::{fs, path::Path};

use chassis::Running;
use ispbridge_aex::Aex;
use ispbridge_gateway::{Gateway, KeyHash};
use ispbridge_sandbox::Sandbox;
use provider::Service;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    command_line::ran,
    issuer::{AUDIENCE, ISSUER, Keys, now},
    pki::Authority,
};

const HOST: &str = "gateway.example.com";
const KEY: &str = "ispb_of_a_caller";
const GET: &str = "ispbridge.aex.v1.CustomerService/GetCustomer";
const KNOWN: &str = r#"{"customerId":"FC65F24E-AADD-440E-AF96-9CBBDFA50349"}"#;

/// A gateway behind TLS, a service, an upstream, and a folder with what its callers have.
struct Site {
    gateway: Running,
    service: Running,
    sandbox: Sandbox,
    files: TempDir,
}

impl Site {
    /// `client_auth` is what the gateway asks of a caller's certificate.
    async fn open(client_auth: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let keys = Keys::new();
        write_certificates(files.path());
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "crm", "exp": now() + 600 }).to_string();
        for (name, text) in [
            ("root", "a root of the caller context for tests"),
            ("upstream", ispbridge_sandbox::StandIn::of("aex").value("token")),
            ("api-key", &format!("{KEY}\n")),
            ("jwks", &keys.set()),
            ("token", &keys.sign("ed", r#"{"alg":"EdDSA","kid":"ed"}"#, &claims)),
            ("request.json", KNOWN),
        ] {
            fs::write(files.path().join(name), text).unwrap();
        }
        let sandbox = Sandbox::start(ispbridge_sandbox::Config::default()).await.unwrap();
        let service = service(files.path(), &sandbox);
        let service = chassis::start::<Service<Aex>>(service.parse().unwrap()).await.unwrap();
        let gateway = gateway(files.path(), &service, client_auth);
        let gateway = chassis::start::<Gateway>(gateway.parse().unwrap()).await.unwrap();
        let site = Self { gateway, service, sandbox, files };
        site.until_known(client_auth).await;
        site
    }

    async fn close(self) {
        self.gateway.drain().await;
        self.service.drain().await;
        self.sandbox.stop().await;
    }

    fn address(&self) -> String {
        format!("https://localhost:{}", self.gateway.grpc_addr().port())
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// Options that reach the gateway, and more that say who asks.
    fn options(&self, more: &[&str]) -> Vec<String> {
        let (address, ca) = (self.address(), self.file("ca.pem"));
        let own = ["--address", &address, "--ca", &ca, "--server-name", HOST];
        own.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    async fn run(&self, words: &[&str], options: &[&str]) -> (i32, String, String) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).chain(self.options(options)).collect();
        ran(words, &[], "").await
    }

    fn certificate(&self) -> [String; 4] {
        ["--cert".to_owned(), self.file("client.pem"), "--key".to_owned(), self.file("client.key")]
    }

    /// Returns when the gateway shows what its service can do.
    async fn until_known(&self, client_auth: &str) {
        let certificate = self.certificate();
        let certificate: Vec<&str> = certificate.iter().map(String::as_str).collect();
        let options = if client_auth == "required" { certificate } else { vec!["--api-key", KEY] };
        let known = async { while !self.run(&["list"], &options).await.1.contains("ispbridge.aex") {} };
        tokio::time::timeout(std::time::Duration::from_secs(30), known).await.unwrap();
    }
}

fn write_certificates(folder: &Path) {
    let (own, clients) = (Authority::new(), Authority::new());
    let (server, client) = (own.certify(HOST), clients.certify("spiffe://example.org/billing"));
    for (name, text) in [
        ("ca.pem", own.pem()),
        ("clients.pem", clients.pem()),
        ("gateway.pem", server.certificate),
        ("gateway.key", server.key),
        ("client.pem", client.certificate),
        ("client.key", client.key),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn service(folder: &Path, sandbox: &Sandbox) -> String {
    format!(
        "server = {{ listen = \"127.0.0.1:0\" }}\ncallers = {{ mode = \"open\" }}\n[accounts.main]\n\
         base_url = \"http://{}\"\ntoken = {{ file = {:?} }}\ntransport = {{ allow_private = true }}",
        sandbox.address("aex"),
        folder.join("upstream"),
    )
}

fn gateway(folder: &Path, service: &Running, client_auth: &str) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!(
        r#"
        server = {{ listen = "127.0.0.1:0", tls = {{ certificate = {{ file = {:?} }}, key = {{ file = {:?} }},
            client_ca = {{ file = {:?} }}, client_auth = {client_auth:?} }} }}
        signing = {{ id = "test", secret = {{ file = {:?} }} }}
        routes = [{{ provider = "aex", instances = ["http://{}"] }}]
        issuers = [{{ name = "corp", issuer = {ISSUER:?}, audiences = [{AUDIENCE:?}], jwks = {{ file = {:?} }},
            algorithms = ["EdDSA"] }}]
        principals = [{{ name = "crm", api_keys = [{:?}], tokens = ["corp:crm"],
            certificates = ["spiffe://example.org/billing"] }}]
        grants = [{{ principals = ["crm"], methods = ["*"], accounts = ["aex/main"] }}]
        "#,
        file("gateway.pem"),
        file("gateway.key"),
        file("clients.pem"),
        file("root"),
        service.grpc_addr(),
        file("jwks"),
        KeyHash::of(KEY).to_string(),
    )
}

#[tokio::test]
async fn a_caller_shows_a_key_a_token_or_a_certificate() {
    let site = Site::open("optional").await;
    let (key, token) = (format!("@{}", site.file("api-key")), format!("@{}", site.file("token")));
    let header = format!("x-api-key: {KEY}");
    let certificate = site.certificate();
    let certificate: Vec<&str> = certificate.iter().map(String::as_str).collect();
    for who in [&["--api-key", KEY][..], &["--api-key", &key], &["--bearer", &token], &["-H", &header], &certificate] {
        let (code, reply, error) = site.run(&["call", GET, KNOWN], who).await;
        assert!(code == 0 && reply.contains("portalUserId"), "{who:?}: {error}");
    }
    let (code, _, error) = site.run(&["call", GET, KNOWN], &["--api-key", "ispb_wrong"]).await;
    assert!(code == 80 && error.starts_with("UNAUTHENTICATED: ") && !error.contains("ispb_wrong"), "{error}");
    // Who names a gateway and shows nothing is nobody: the suite's public key stays at home.
    assert_eq!(site.run(&["list"], &[]).await.0, 80);
    site.close().await;
}

#[tokio::test]
async fn variables_say_it_as_well() {
    let site = Site::open("required").await;
    let variables = [
        ("ISPBRIDGE_ADDRESS", site.address()),
        ("ISPBRIDGE_CA", site.file("ca.pem")),
        ("ISPBRIDGE_CERT", site.file("client.pem")),
        ("ISPBRIDGE_KEY", site.file("client.key")),
        ("ISPBRIDGE_SERVER_NAME", HOST.to_owned()),
    ];
    let call = ["call", GET, "--account", "main", "-d"].map(str::to_owned);
    let request = format!("@{}", site.file("request.json"));
    for (data, input) in [(KNOWN, ""), (&request, ""), ("@-", KNOWN), ("-", KNOWN)] {
        let words = call.iter().cloned().chain([data.to_owned()]).collect();
        let (code, reply, error) = ran(words, &variables, input).await;
        assert!(code == 0 && reply.contains("portalUserId"), "{data}: {error}");
    }
    let beside = [variables.as_slice(), &[("ISPBRIDGE_API_KEY", "ispb_wrong".to_owned())]].concat();
    assert_eq!(ran(vec!["list".to_owned()], &beside, "").await.0, 80);
    // The gateway asks for a certificate.
    let (code, _, error) = site.run(&["list"], &["--api-key", KEY]).await;
    assert!(code == 78 && error.contains("--cert and --key"), "{error}");
    site.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_tls_is_told() {
    let site = Site::open("optional").await;
    let (address, ca) = (site.address(), site.file("ca.pem"));
    let plain = address.replace("https", "http");
    let service = format!("https://{}", site.service.grpc_addr());
    let request = site.file("request.json");
    let clients = site.file("clients.pem");
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--address", &address, "--ca", &ca], 78, "not valid for name"),
        (&["--address", &address, "--ca", &clients, "--server-name", HOST], 78, "--ca names the authority"),
        (&["--address", &service, "--ca", &ca], 78, "begins with http://"),
        (&["--address", &plain, "--ca", &ca], 64, "write https://"),
        (&["--address", &plain], 78, "begins with https://"),
        (&["--address", "gateway:443"], 64, "write https://host:port"),
        (&["--address", &address, "--ca", "/nowhere.pem"], 64, "--ca: /nowhere.pem: "),
        (&["--address", &address, "--ca", &request], 64, "is no PEM"),
        (&["--address", &address, "--cert", &ca], 64, "--key <FILE>"),
    ];
    for (options, code, part) in cases {
        let words = ["list"].iter().chain(options).map(|word| (*word).to_owned()).collect();
        let (seen, _, error) = ran(words, &[], "").await;
        assert!(seen == code && error.contains(part), "{options:?}: {seen} {error}");
    }
    site.close().await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_sent_is_not_printed() {
    let strange = "ispb_\u{1}secret";
    for option in ["--api-key", "--bearer"] {
        let (code, out, error) = ran(["list", option, strange].map(str::to_owned).into(), &[], "").await;
        assert!(code == 64 && out.is_empty() && !error.contains("secret"), "{error}");
    }
    let header = format!("x-api-key: {strange}");
    let (code, _, error) = ran(["list", "-H", &header].map(str::to_owned).into(), &[], "").await;
    assert!(code == 64 && !error.contains("secret"), "{error}");
}
