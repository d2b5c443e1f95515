//! Every provider over every wire that it has: a read and a write of it, and what was recorded of them.

use std::{fs, net::SocketAddr, os::unix::process::CommandExt, process::Command, time::Duration};

use chassis::Program;
use ispbridge_aex::Aex;
use ispbridge_azotel::Azotel;
use ispbridge_freeside::Freeside;
use ispbridge_kit::{
    Act, Hostile, Reply,
    hostile::{Asked, in_order, nobody},
};
use provider::Service;
use serde_json::Value;
use tempfile::TempDir;
use toml::Table;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use crate::{
    caller::{Call, Refusal},
    child,
    tree::recorded,
};

/// What must not stand in any error: it is part of every account.
pub(crate) const SECRET: &str = "hunter2-of-the-wires";

/// How long a caller waits who is not in a hurry.
const PATIENCE: Duration = Duration::from_secs(25);

/// A provider and how it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// REST with a bearer token.
    Aex,
    /// XML-RPC with sessions.
    Freeside,
    /// SOAP 1.1.
    Azotel,
    /// The same functions as JSON.
    AzotelRest,
}

/// What a call does upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Read,
    Write,
}

/// An account for [`Site::open`].
pub(crate) struct Account {
    /// Its name.
    pub(crate) alias: String,
    /// `http://host:port`.
    pub(crate) origin: String,
    /// More keys of its transport, such as `idle_seconds = 1`.
    pub(crate) transport: String,
}

/// A service with accounts at upstreams of any kind.
pub(crate) struct Site {
    pub(crate) wire: Wire,
    pub(crate) channel: Channel,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    _secrets: TempDir,
}

/// The same as a process of its own, with memory and descriptors that are only its own.
pub(crate) struct Apart {
    pub(crate) site: Site,
    pub(crate) child: child::Running,
}

pub(crate) const WIRES: [Wire; 4] = [Wire::Aex, Wire::Freeside, Wire::Azotel, Wire::AzotelRest];
pub(crate) const VERBS: [Verb; 2] = [Verb::Read, Verb::Write];

impl Wire {
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Self::Aex => "aex",
            Self::Freeside => "freeside",
            Self::Azotel | Self::AzotelRest => "azotel",
        }
    }

    pub(crate) fn method(self, verb: Verb) -> &'static str {
        match (self, verb) {
            (Self::Aex, Verb::Read) => "aex.PremiseService/GetPremise",
            (Self::Aex, Verb::Write) => "aex.OrderService/CreateService",
            (Self::Freeside, Verb::Read) => "freeside.AgentService/AgentInfo",
            (Self::Freeside, Verb::Write) => "freeside.CustomerService/NewCustomer",
            (_, Verb::Read) => "azotel.CustomerService/SearchCustomer",
            (_, Verb::Write) => "azotel.CustomerService/AddCustomer",
        }
    }

    /// What stands behind the origin in an account's address.
    fn path(self) -> &'static str {
        match self {
            Self::Aex => "",
            Self::Freeside => "/selfservice/xmlrpc.cgi",
            Self::Azotel => "/API/operatorapi.pl",
            Self::AzotelRest => "/restapi",
        }
    }

    fn recordings(self) -> &'static str {
        match self {
            Self::Aex => "services/aex/fixtures",
            Self::Freeside => "services/freeside/fixtures",
            Self::Azotel => "services/azotel/fixtures",
            Self::AzotelRest => "services/azotel/tests/rest",
        }
    }

    /// A section of a call's fixture.
    fn recorded(self, verb: Verb, section: &str) -> Vec<u8> {
        let rpc = self.method(verb).rsplit('/').next().unwrap();
        recorded(self.recordings(), rpc, section)
    }

    pub(crate) fn request(self, verb: Verb) -> Value {
        serde_json::from_slice(&self.recorded(verb, "request")).unwrap()
    }

    /// The recorded request of any method.
    pub(crate) fn request_of(self, rpc: &str) -> Value {
        serde_json::from_slice(&recorded(self.recordings(), rpc, "request")).unwrap()
    }

    /// The recorded reply, which is a success.
    pub(crate) fn reply(self, verb: Verb) -> Reply {
        Reply::recorded(&self.recorded(verb, "received"))
    }

    /// Does with calls what `acts` say in order, and opens a session for whoever wants one.
    pub(crate) fn acting(self, acts: Vec<Act>) -> impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static {
        let login = || Reply::recorded(&recorded(self.recordings(), "login", "received"));
        let login = (self == Self::Freeside).then(|| login().bytes());
        let acting = in_order(acts);
        move |asked| match &login {
            Some(login) if is_login(asked.text) => Act::Answer(login.clone()),
            _ => acting(asked),
        }
    }

    /// An upstream that does with calls what `acts` say in order.
    pub(crate) async fn upstream(self, acts: Vec<Act>) -> Hostile {
        Hostile::start(self.acting(acts)).await
    }

    /// The keys of an account but those of its transport.
    pub(crate) fn account(self, origin: &str, password: &str) -> String {
        let address = format!("base_url = \"{origin}{}\"\n", self.path());
        address
            + &match self {
                Self::Aex => format!("token = {password}"),
                Self::Freeside => format!("username = \"reseller\"\npassword = {password}"),
                Self::Azotel | Self::AzotelRest => format!("username = \"apiuser\"\npassword = {password}"),
            }
    }

    /// The keys of a transport that may reach this machine.
    pub(crate) fn transport(self, more: &str) -> String {
        let kind = if self == Self::AzotelRest { "kind = \"rest\"\n" } else { "" };
        format!("{kind}allow_private = true\n{more}")
    }

    /// What stands in a call of this kind and in no other.
    pub(crate) fn operation(self, verb: Verb) -> &'static str {
        match (self, verb) {
            (Self::Aex, Verb::Read) => "GET /premises/",
            (Self::Aex, Verb::Write) => "POST /services/full",
            (Self::Freeside, Verb::Read) => "agent_info",
            (Self::Freeside, Verb::Write) => "new_customer",
            (_, Verb::Read) => "searchCustomer",
            (_, Verb::Write) => "addCustomer",
        }
    }

    /// Starts the service and returns its addresses, of calls and of the admin port.
    async fn start(self, config: Table) -> [SocketAddr; 2] {
        match self {
            Self::Aex => started::<Service<Aex>>(config).await,
            Self::Freeside => started::<Service<Freeside>>(config).await,
            Self::Azotel | Self::AzotelRest => started::<Service<Azotel>>(config).await,
        }
    }
}

/// How many calls came to an upstream, the opening of sessions not counted.
pub(crate) fn calls(upstream: &Hostile) -> usize {
    upstream.requests().iter().filter(|request| !is_login(request)).count()
}

fn is_login(request: &str) -> bool {
    request.contains("agent_login")
}

async fn started<P: Program>(config: Table) -> [SocketAddr; 2] {
    let running = chassis::start::<P>(config).await.unwrap();
    [running.grpc_addr(), running.admin_addr().unwrap()]
}

impl Account {
    /// An account at an upstream on this machine.
    pub(crate) fn at(alias: impl Into<String>, upstream: &Hostile) -> Self {
        Self { alias: alias.into(), origin: format!("http://{}", upstream.address), transport: String::new() }
    }
}

/// A configuration that anybody on this machine may call.
fn config(wire: Wire, secrets: &TempDir, admin: SocketAddr, accounts: &[Account]) -> String {
    let password = secrets.path().join("password");
    fs::write(&password, SECRET).unwrap();
    let password = format!("{{ file = {password:?} }}");
    let mut text = format!(
        "server = {{ listen = \"127.0.0.1:0\", drain_seconds = 5, announce_seconds = 0 }}\n\
         admin.listen = \"{admin}\"\ncallers.mode = \"open\"\n"
    );
    for Account { alias, origin, transport } in accounts {
        let (own, transport) = (wire.account(origin, &password), wire.transport(transport));
        text += &format!("[accounts.{alias}]\n{own}\n[accounts.{alias}.transport]\n{transport}\n");
    }
    text
}

impl Site {
    /// Starts a service in this process; it ends with the test's runtime.
    pub(crate) async fn open(wire: Wire, accounts: &[Account]) -> Self {
        let secrets = TempDir::new().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let [address, admin] = wire.start(config(wire, &secrets, any, accounts).parse().unwrap()).await;
        Self::connected(wire, [address, admin], secrets).await
    }

    /// A service with one account.
    pub(crate) async fn at(wire: Wire, upstream: &Hostile) -> Self {
        Self::open(wire, &[Account::at("main", upstream)]).await
    }

    async fn connected(wire: Wire, [address, admin]: [SocketAddr; 2], secrets: TempDir) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        Self { wire, channel: endpoint.connect().await.unwrap(), address, admin, _secrets: secrets }
    }

    pub(crate) async fn call(&self, verb: Verb, alias: &str, timeout: Duration) -> Result<Value, Status> {
        let call = Call::new(self.wire.method(verb), self.wire.request(verb)).with("x-ispbridge-account", alias);
        call.within(timeout).send_over(self.channel.clone()).await
    }

    /// Makes a call with the account `main` that is to succeed.
    pub(crate) async fn ask(&self, verb: Verb) -> Value {
        let answer = self.call(verb, "main", PATIENCE).await;
        answer.unwrap_or_else(|status| panic!("{:?} {verb:?}: {status:?}", self.wire))
    }

    /// Makes a call with the account `main` that is to fail.
    pub(crate) async fn refused(&self, verb: Verb) -> Refusal {
        Refusal::of(self.call(verb, "main", PATIENCE).await.unwrap_err())
    }
}

impl Apart {
    /// Starts the service as a process, with more of a configuration and with variables.
    pub(crate) async fn start(wire: Wire, accounts: &[Account], more: &str, variables: &[(&str, &str)]) -> Self {
        let (secrets, admin) = (TempDir::new().unwrap(), nobody().await);
        let file = secrets.path().join("service.toml");
        fs::write(&file, config(wire, &secrets, admin, accounts) + more).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_programs"));
        command.arg0(format!("ispbridge-{}", wire.provider())).arg("--config").arg(file);
        let child = child::Running::start(command.envs(variables.iter().copied()));
        let address = child.after("\"address\":\"", '"').parse().unwrap();
        Self { site: Site::connected(wire, [address, admin], secrets).await, child }
    }
}
