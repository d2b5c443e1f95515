//! Everything that a call passes, started for one test.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use chassis::{Program, Running};
use ispbridge::{client::Client, reflection::Reflection, target::Target};
use ispbridge_aex::Aex;
use ispbridge_azotel::Azotel;
use ispbridge_freeside::Freeside;
use ispbridge_gateway::{Gateway, KeyHash};
use ispbridge_sandbox::{Config, Credentials, Sandbox};
use protocol::caller::Root;
use provider::Service;
use tempfile::TempDir;
use toml::Table;

use crate::spans::Spans;

/// Account whose credentials are right.
pub(crate) const MAIN: &str = "main";
/// Account whose credentials the upstream refuses.
pub(crate) const WRONG: &str = "wrong";

/// Every secret of a stage.
#[derive(Clone)]
pub(crate) struct Secrets {
    /// What the upstreams accept and the account `main` has.
    pub(crate) upstream: Credentials,
    /// What the account `wrong` has.
    pub(crate) wrong: String,
    /// Root of the caller context.
    pub(crate) root: String,
    /// Key of the principal that may do everything.
    pub(crate) key: String,
    /// Key of the principal that may do nothing.
    pub(crate) stranger: String,
}

/// Sandbox, services and gateway; [`Stage::close`] ends them.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) spans: Spans,
    pub(crate) secrets: Secrets,
    pub(crate) services: Vec<(&'static str, Running)>,
    pub(crate) gateway: Running,
    folder: Folder,
}

/// Files that configurations refer to.
struct Folder(TempDir);

impl Default for Secrets {
    fn default() -> Self {
        Self {
            upstream: Credentials::default(),
            wrong: "not-the-password".to_owned(),
            root: "a root of the caller context for tests".to_owned(),
            key: "ispb_test_everything".to_owned(),
            stranger: "ispb_test_nothing".to_owned(),
        }
    }
}

impl Stage {
    pub(crate) async fn open() -> Self {
        Self::open_with(Secrets::default()).await
    }

    pub(crate) async fn open_with(secrets: Secrets) -> Self {
        let config = Config { credentials: secrets.upstream.clone(), ..Config::default() };
        let sandbox = Sandbox::start(config).await.unwrap();
        let (spans, folder) = (Spans::default(), Folder(TempDir::new().unwrap()));
        let services = vec![
            ("aex", started::<Service<Aex>>(folder.aex(&sandbox, &secrets), &spans).await),
            ("azotel", started::<Service<Azotel>>(folder.azotel(&sandbox, &secrets), &spans).await),
            ("freeside", started::<Service<Freeside>>(folder.freeside(&sandbox, &secrets), &spans).await),
        ];
        let addresses: Vec<_> = services.iter().map(|(provider, running)| (*provider, running.grpc_addr())).collect();
        let gateway = started::<Gateway>(folder.gateway(&secrets, &addresses), &spans).await;
        let stage = Self { sandbox, spans, secrets, services, gateway, folder };
        stage.until_known().await;
        stage
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.gateway.grpc_addr())
    }

    /// A service's configuration in which the account `wrong` is right, at another address if one is given.
    pub(crate) fn mended(&self, provider: &str, address: &str) -> Table {
        let upstream = &self.secrets.upstream;
        let with = |password: &str| Secrets { wrong: password.to_owned(), ..self.secrets.clone() };
        let mut table = match provider {
            "aex" => self.folder.aex(&self.sandbox, &with(&upstream.aex_token)),
            "azotel" => self.folder.azotel(&self.sandbox, &with(&upstream.azotel_password)),
            _ => self.folder.freeside(&self.sandbox, &with(&upstream.freeside_password)),
        };
        if !address.is_empty() {
            table["accounts"][WRONG]["base_url"] = address.into();
        }
        table
    }

    /// Ends all processes, which brings the last spans; returns what stands in their audit logs.
    pub(crate) async fn close(self) -> Vec<(String, String)> {
        self.gateway.drain().await;
        let mut audited = vec![self.folder.audited("gateway")];
        for (provider, service) in self.services {
            service.drain().await;
            audited.push(self.folder.audited(provider));
        }
        self.sandbox.stop().await;
        audited
    }

    /// Returns when the gateway has learnt what every service can do.
    async fn until_known(&self) {
        let target = Target::new(self.address()).with_key(&self.secrets.key).unwrap();
        let client = Client::connect(&target).await.unwrap();
        let shown = async || {
            let reflection = Reflection::open(&client).await.ok()?;
            let names = reflection.services().to_vec();
            let has = |provider: &str| names.iter().any(|name| name.starts_with(&format!("ispbridge.{provider}.")));
            self.services.iter().all(|(provider, _)| has(provider)).then_some(())
        };
        let known = async {
            while shown().await.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), known).await.unwrap();
    }
}

impl Folder {
    /// Keeps a secret and returns its reference as it stands in a file.
    fn keep(&self, name: &str, secret: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, secret).unwrap();
        format!("{{ file = {path:?} }}")
    }

    fn audit(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.audit.log"))
    }

    fn audited(&self, name: &str) -> (String, String) {
        (format!("audit log of {name}"), fs::read_to_string(self.audit(name)).unwrap())
    }

    fn aex(&self, sandbox: &Sandbox, secrets: &Secrets) -> Table {
        let account = |alias: &str, token: &str| {
            let token = self.keep(&format!("aex-{alias}"), token);
            format!("base_url = \"http://{}\"\ntoken = {token}", sandbox.aex())
        };
        let accounts = (account(MAIN, &secrets.upstream.aex_token), account(WRONG, &secrets.wrong));
        self.service("aex", secrets, &accounts)
    }

    fn azotel(&self, sandbox: &Sandbox, secrets: &Secrets) -> Table {
        let url = format!("http://{}/API/operatorapi.pl", sandbox.azotel());
        let known = &secrets.upstream;
        self.with_password("azotel", &url, secrets, (&known.azotel_username, &known.azotel_password))
    }

    fn freeside(&self, sandbox: &Sandbox, secrets: &Secrets) -> Table {
        let url = format!("http://{}/selfservice/xmlrpc.cgi", sandbox.freeside());
        let known = &secrets.upstream;
        self.with_password("freeside", &url, secrets, (&known.freeside_username, &known.freeside_password))
    }

    fn with_password(&self, provider: &str, url: &str, secrets: &Secrets, (username, password): (&str, &str)) -> Table {
        let account = |alias: &str, password: &str| {
            let password = self.keep(&format!("{provider}-{alias}"), password);
            format!("base_url = {url:?}\nusername = {username:?}\npassword = {password}")
        };
        self.service(provider, secrets, &(account(MAIN, password), account(WRONG, &secrets.wrong)))
    }

    fn service(&self, provider: &str, secrets: &Secrets, (main, wrong): &(String, String)) -> Table {
        let key = Root::new("stage", &secrets.root).unwrap().derive(&format!("ispbridge-{provider}")).to_text();
        let key = self.keep(&format!("{provider}-caller-key"), &key);
        let audit = self.audit(provider);
        let text = format!(
            r#"
            server = {{ listen = "127.0.0.1:0", drain_seconds = 5 }}
            admin.listen = "127.0.0.1:0"
            audit.file = {audit:?}
            callers.keys = [{{ id = "stage", secret = {key} }}]
            [accounts.{MAIN}]
            transport.allow_private = true
            {main}
            [accounts.{WRONG}]
            transport.allow_private = true
            {wrong}
            "#
        );
        text.parse().unwrap()
    }

    fn gateway(&self, secrets: &Secrets, services: &[(&str, SocketAddr)]) -> Table {
        let root = self.keep("caller-root", &secrets.root);
        let audit = self.audit("gateway");
        let (key, stranger) = (KeyHash::of(&secrets.key).to_string(), KeyHash::of(&secrets.stranger).to_string());
        let mut text = format!(
            r#"
            server = {{ listen = "127.0.0.1:0", drain_seconds = 5 }}
            admin.listen = "127.0.0.1:0"
            audit.file = {audit:?}
            guesses.per_minute = 0
            signing = {{ id = "stage", secret = {root} }}
            principals = [{{ name = "tester", api_keys = [{key:?}] }}, {{ name = "stranger", api_keys = [{stranger:?}] }}]
            grants = [{{ principals = ["tester"], methods = ["*"], accounts = ["*"] }}]
            "#
        );
        for (provider, address) in services {
            text += &format!("[[routes]]\nprovider = {provider:?}\ninstances = [\"http://{address}\"]\n");
        }
        text.parse().unwrap()
    }
}

async fn started<P: Program>(config: Table, spans: &Spans) -> Running {
    chassis::start_with::<P>(config, spans.of(P::NAME)).await.unwrap()
}
