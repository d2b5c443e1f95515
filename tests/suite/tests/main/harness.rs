//! Everything that a call passes, started for one test.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use chassis::{Program, Running};
use ispbridge::{client::Client, programs::PROVIDERS, reflection::Reflection, target::Target, wiring};
use ispbridge_gateway::{Gateway, KeyHash};
use ispbridge_sandbox::{AccountKey, Config, Credentials, Sandbox, StandIn};
use protocol::caller::Root;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::spans::Spans;

/// Account whose credentials are right.
pub(crate) const MAIN: &str = "main";
/// Account whose credentials the upstream refuses.
pub(crate) const WRONG: &str = "wrong";

/// Every secret of a harness.
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

/// Sandbox, services and gateway; [`Harness::close`] ends them.
pub(crate) struct Harness {
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

impl Secrets {
    /// What an upstream takes as the value of an account's key.
    fn right(&self, provider: &'static str, key: &AccountKey) -> String {
        self.upstream.get(provider, key.name).to_owned()
    }
}

impl Harness {
    pub(crate) async fn open() -> Self {
        Self::open_with(Secrets::default()).await
    }

    pub(crate) async fn open_with(secrets: Secrets) -> Self {
        let config = Config { credentials: secrets.upstream.clone(), ..Config::default() };
        let sandbox = Sandbox::start(config).await.unwrap();
        let (spans, folder) = (Spans::default(), Folder(TempDir::new().unwrap()));
        let mut services = Vec::new();
        for row in PROVIDERS {
            let config = folder.service(row.contract.provider, &sandbox, &secrets);
            let running = row.start(config, spans.of(row.contract.program)).await.unwrap();
            services.push((row.contract.provider, running));
        }
        let addresses: Vec<_> = services.iter().map(|(provider, running)| (*provider, running.grpc_addr())).collect();
        let gateway = started::<Gateway>(folder.gateway(&secrets, &addresses), &spans).await;
        let harness = Self { sandbox, spans, secrets, services, gateway, folder };
        harness.until_known().await;
        harness
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.gateway.grpc_addr())
    }

    /// A service's configuration in which the account `wrong` is right, at another address if one is given.
    pub(crate) fn mended(&self, provider: &'static str, address: &str) -> Table {
        let mut table = self.folder.service(provider, &self.sandbox, &self.secrets);
        // After it, because it writes the file of the same secret.
        let right = self.folder.account(provider, WRONG, &self.sandbox, |key| self.secrets.right(provider, key));
        table["accounts"][WRONG] = right.into();
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

    /// An account at an upstream of the sandbox.
    fn account(&self, provider: &str, alias: &str, sandbox: &Sandbox, value: impl Fn(&AccountKey) -> String) -> Table {
        let reference = |key: &AccountKey| match key.is_secret {
            true => Ok(self.reference(&format!("{provider}-{alias}-{}", key.name), &value(key))),
            false => Ok(value(key).into()),
        };
        let origin = format!("http://{}", sandbox.address(provider));
        wiring::account(StandIn::of(provider), &origin, reference).unwrap()
    }

    fn service(&self, provider: &'static str, sandbox: &Sandbox, secrets: &Secrets) -> Table {
        let right = |key: &AccountKey| secrets.right(provider, key);
        let wrong = |key: &AccountKey| if key.is_secret { secrets.wrong.clone() } else { right(key) };
        let key = Root::new("harness", &secrets.root).unwrap().derive(&format!("ispbridge-{provider}")).to_text();
        let accounts = Table::from_iter([
            (MAIN.to_owned(), self.account(provider, MAIN, sandbox, right).into()),
            (WRONG.to_owned(), self.account(provider, WRONG, sandbox, wrong).into()),
        ]);
        let (key, audit) = (self.reference(&format!("{provider}-caller-key"), &key), self.audit(provider));
        let audit = audit.to_str().unwrap();
        toml::toml! {
            server = { listen = "127.0.0.1:0", drain_seconds = 5 }
            admin = { listen = "127.0.0.1:0" }
            audit = { file = audit }
            callers = { keys = [{ id = "harness", secret = key }] }
            accounts = accounts
        }
    }

    /// Keeps a secret and returns its reference as a value.
    fn reference(&self, name: &str, secret: &str) -> Value {
        let path = self.0.path().join(name);
        fs::write(&path, secret).unwrap();
        Table::from_iter([("file".to_owned(), path.to_str().unwrap().into())]).into()
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
            signing = {{ id = "harness", secret = {root} }}
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
