//! Every provider over every wire that it has: a read and a write of it, and what was recorded of them.

use std::{fmt, fs, net::SocketAddr, os::unix::process::CommandExt, process::Command, time::Duration};

use chassis::StartOptions;
use ispbridge::programs::Listed;
use ispbridge_kit::{
    Act, Hostile, Reply,
    hostile::{Asked, in_order, nobody},
};
use ispbridge_sandbox::StandIn;
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire {
    /// The provider.
    pub(crate) provider: &'static str,
    /// What its calls are written in.
    pub(crate) codec: Codec,
    /// A read and a write of it.
    methods: [&'static str; 2],
    /// What stands in calls of each and in no other.
    operations: [&'static str; 2],
    /// Where its fixtures are.
    recordings: &'static str,
    /// What stands behind the origin in an account's address, and in its transport, if it is not as the sandbox has it.
    other: Option<(&'static str, &'static str)>,
    /// What stands in the call that opens a session, for a provider that has sessions.
    login: Option<&'static str>,
}

/// What calls and replies are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Rest,
    Form,
    XmlRpc,
    Soap,
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

/// Every provider over every wire that it has.
#[rustfmt::skip]
pub(crate) const WIRES: &[Wire] = &[
    Wire::AEX,
    Wire::FREESIDE,
    Wire::AZOTEL,
    Wire::AZOTEL_REST,
];
pub(crate) const VERBS: [Verb; 2] = [Verb::Read, Verb::Write];

impl Wire {
    /// REST with a bearer token.
    pub(crate) const AEX: Self = Self {
        provider: "aex",
        codec: Codec::Rest,
        methods: ["aex.PremiseService/GetPremise", "aex.OrderService/CreateService"],
        operations: ["GET /premises/", "POST /services/full"],
        recordings: "services/aex/fixtures",
        other: None,
        login: None,
    };
    /// XML-RPC with sessions.
    pub(crate) const FREESIDE: Self = Self {
        provider: "freeside",
        codec: Codec::XmlRpc,
        methods: ["freeside.AgentService/AgentInfo", "freeside.CustomerService/NewCustomer"],
        operations: ["agent_info", "new_customer"],
        recordings: "services/freeside/fixtures",
        other: None,
        login: Some("agent_login"),
    };
    /// SOAP 1.1.
    pub(crate) const AZOTEL: Self = Self {
        provider: "azotel",
        codec: Codec::Soap,
        methods: ["azotel.CustomerService/SearchCustomer", "azotel.CustomerService/AddCustomer"],
        operations: ["searchCustomer", "addCustomer"],
        recordings: "services/azotel/fixtures",
        other: None,
        login: None,
    };
    /// The same functions as JSON.
    pub(crate) const AZOTEL_REST: Self = Self {
        codec: Codec::Rest,
        recordings: "services/azotel/tests/rest",
        other: Some(("/restapi", "kind = \"rest\"\n")),
        ..Self::AZOTEL
    };

    /// Whether this is the wire that an account of the sandbox has.
    pub(crate) fn is_of_sandbox(self) -> bool {
        self.other.is_none()
    }

    pub(crate) fn method(self, verb: Verb) -> &'static str {
        self.methods[verb as usize]
    }

    /// A section of a call's fixture.
    fn recorded(self, verb: Verb, section: &str) -> Vec<u8> {
        let rpc = self.method(verb).rsplit('/').next().unwrap();
        recorded(self.recordings, rpc, section)
    }

    pub(crate) fn request(self, verb: Verb) -> Value {
        serde_json::from_slice(&self.recorded(verb, "request")).unwrap()
    }

    /// The recorded request of any method.
    pub(crate) fn request_of(self, rpc: &str) -> Value {
        serde_json::from_slice(&recorded(self.recordings, rpc, "request")).unwrap()
    }

    /// The recorded reply, which is a success.
    pub(crate) fn reply(self, verb: Verb) -> Reply {
        Reply::recorded(&self.recorded(verb, "received"))
    }

    /// Does with calls what `acts` say in order, and opens a session for whoever wants one.
    pub(crate) fn acting(self, acts: Vec<Act>) -> impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static {
        let login = || Reply::recorded(&recorded(self.recordings, "login", "received"));
        let login = self.login.map(|operation| (operation, login().bytes()));
        let acting = in_order(acts);
        move |asked| match &login {
            Some((operation, login)) if asked.text.contains(operation) => Act::Answer(login.clone()),
            _ => acting(asked),
        }
    }

    /// An upstream that does with calls what `acts` say in order.
    pub(crate) async fn upstream(self, acts: Vec<Act>) -> Hostile {
        Hostile::start(self.acting(acts)).await
    }

    /// The keys of an account but those of its transport.
    pub(crate) fn account(self, origin: &str, password: &str) -> String {
        let stand_in = StandIn::of(self.provider);
        let path = self.other.map_or(stand_in.path, |(path, _)| path);
        let keys = stand_in.account.iter().map(|key| match key.is_secret {
            true => format!("\n{} = {password}", key.name),
            false => format!("\n{} = {:?}", key.name, key.value),
        });
        format!("base_url = \"{origin}{path}\"{}", keys.collect::<String>())
    }

    /// The keys of a transport that may reach this machine.
    pub(crate) fn transport(self, more: &str) -> String {
        format!("{}allow_private = true\n{more}", self.other.map_or("", |(_, transport)| transport))
    }

    /// What stands in a call of this kind and in no other.
    pub(crate) fn operation(self, verb: Verb) -> &'static str {
        self.operations[verb as usize]
    }

    /// Starts the service and returns its addresses, of calls and of the admin port.
    async fn start(self, config: Table) -> [SocketAddr; 2] {
        let row = Listed::of(self.provider).unwrap();
        let running = row.start(config, StartOptions::default()).await.unwrap();
        [running.grpc_addr(), running.admin_addr().unwrap()]
    }
}

/// By provider and codec, which together are no other wire's.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.provider, self.codec)
    }
}

/// How many calls came to an upstream, the opening of sessions not counted.
pub(crate) fn calls(upstream: &Hostile) -> usize {
    upstream.requests().iter().filter(|request| !is_login(request)).count()
}

fn is_login(request: &str) -> bool {
    WIRES.iter().filter_map(|wire| wire.login).any(|operation| request.contains(operation))
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
        command.arg0(format!("ispbridge-{}", wire.provider)).arg("--config").arg(file);
        let child = child::Running::start(command.envs(variables.iter().copied()));
        let address = child.after("\"address\":\"", '"').parse().unwrap();
        Self { site: Site::connected(wire, [address, admin], secrets).await, child }
    }
}
