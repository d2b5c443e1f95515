//! How Freeside is spoken to: reseller sessions, XML-RPC, and the fault table.

use std::{sync::Arc, time::Duration};

use bridge::{
    AccountSetup, Fault, Node, Outgoing, Provider, Telemetry, Upstream,
    fault::{Kind, Outcome},
    http::{HttpReply, HttpRequest},
    session::{Lifetime, Login},
    table::{Tables, TextRule, Vocabulary},
    wire::{
        Envelope,
        xml_rpc::{self, Parameters, Texts},
    },
    xml::document::Limits,
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use chassis::{Error, Process};
use url::Url;

use crate::config::{Account, Config, Door};

pub(crate) fn connect(config: Config, process: &Process) -> Result<Upstream, Error> {
    let vocabulary = Vocabulary::parse(include_str!("../vocabulary.toml")).map_err(Error::program)?;
    let tables = Tables::build(crate::DESCRIPTORS, "ispbridge.freeside.v1", &vocabulary, None, TextRule::Xml);
    let tables = Arc::new(tables.map_err(Error::program)?);
    let telemetry = Telemetry::new("freeside", process.tracer(), process.meter());
    let accounts = config.accounts.into_iter().map(|(alias, account)| (alias, account.setup(tables.clone())));
    let upstream = Upstream::new("freeside.ispbridge", accounts, telemetry);
    upstream.map_err(|error| Error::config("accounts", error))
}

impl Account {
    fn setup(self, tables: Arc<Tables>) -> AccountSetup {
        let (prefix, parameters, texts) = match self.door {
            Door::SelfService => ("FS.SelfService.XMLRPC.", Parameters::Struct, Texts::String),
            Door::BackEnd => ("FS.ClientAPI_XMLRPC.", Parameters::Flat, Texts::Base64),
        };
        let provider = Freeside {
            url: self.base_url.url().clone(),
            prefix: self.method_prefix.unwrap_or_else(|| prefix.to_owned()),
            parameters: self.parameters.unwrap_or(parameters),
            texts,
            reseller: Reseller { username: self.username, password: self.password },
        };
        AccountSetup { base_url: self.base_url, transport: self.transport, tables, provider: Box::new(provider) }
    }
}

/// One account at Freeside.
struct Freeside {
    url: Url,
    prefix: String,
    parameters: Parameters,
    texts: Texts,
    reseller: Reseller,
}

/// Methods of Freeside's `MyAccount` class, which know the reseller's session by another key (dossier 1.2).
const MY_ACCOUNT: [&str; 3] = ["customer_info", "list_pkgs", "order_pkg"];

/// The exact words with which a method ends before it begins: it looks for its session first (dossier 1.2).
const SESSION_DEAD: &str = "Can't resume session";

impl Provider for Freeside {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let key = if MY_ACCOUNT.contains(&call.operation) { "agent_session_id" } else { "session_id" };
        let mut arguments = BumpVec::new_in(call.arena);
        arguments.extend(call.session.map(|session| (key, Node::Text(session))));
        if let Node::Map(entries) = call.arguments {
            arguments.extend_from_slice(entries);
        }
        let method = format!("{}{}", self.prefix, call.operation);
        let body = xml_rpc::write_call(&method, self.parameters, self.texts, Node::Map(&arguments));
        Ok(HttpRequest::post(self.url.clone(), "text/xml; charset=utf-8", body))
    }

    fn reply<'t>(&self, _operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        if let Some(fault) = reply.door_fault() {
            return Err(fault);
        }
        let text = reply.text_in(arena)?;
        match xml_rpc::parse_reply(text, &Limits::default(), arena).map_err(Fault::unreadable)? {
            Envelope::Fault { code, text } => Err(protocol_fault(code, text)),
            // `mason_comp` and its like answer a dead session with the bare words (capture 28).
            Envelope::Value(Node::Text(SESSION_DEAD)) => Err(Fault::session_dead(SESSION_DEAD)),
            Envelope::Value(Node::Map(entries)) => verdict(entries, arena),
            Envelope::Value(_) => Err(Fault::unreadable("the result is not a struct")),
        }
    }

    fn login(&self) -> Option<&dyn Login> {
        Some(&self.reseller)
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("agent_info", &[])
    }
}

/// The reseller's own credentials.
struct Reseller {
    username: String,
    password: bridge::Secret,
}

impl Login for Reseller {
    fn operation(&self) -> &'static str {
        "agent_login"
    }

    fn arguments<'t>(&self, arena: &'t Bump) -> Node<'t> {
        let text = |text: &str| Node::Text(arena.alloc_str(text));
        Node::Map(
            arena.alloc_slice_copy(&[("username", text(&self.username)), ("password", text(self.password.expose()))]),
        )
    }

    fn key(&self, reply: Node<'_>) -> Result<String, Fault> {
        match reply.text_at("session_id") {
            "" => Err(Fault::unreadable("the login's reply has no session_id")),
            key => Ok(key.to_owned()),
        }
    }

    /// One hour from the login, whatever happens in it (dossier 1.2); a minute earlier, so that no call
    /// meets the end on its way.
    fn lifetime(&self) -> Lifetime {
        Lifetime { absolute: Some(Duration::from_secs(59 * 60)), sliding: None }
    }
}

/// A result has failed if its `error` says something; a result without the key has not (dossier 1.3).
fn verdict<'t>(entries: &'t [(&'t str, Node<'t>)], arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let result = Node::Map(entries);
    match result.text_at("error") {
        "" => {
            let rest = entries.iter().copied().filter(|(key, _)| *key != "error");
            Ok(Node::Map(BumpVec::from_iter_in(rest, arena).into_bump_slice()))
        }
        text => Err(refusal(text)),
    }
}

/// The fault table: Freeside has no codes, only texts, which are matched by their beginnings and kept.
fn refusal(text: &str) -> Fault {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| text.starts_with(beginning));
    if text == SESSION_DEAD {
        return Fault::session_dead(text);
    }
    if begins(&["Incorrect password.", "Must specify your reseller username and password."]) {
        return Fault::upstream_auth(text);
    }
    if text == "_decline" {
        return Fault::rejected(Kind::FailedPrecondition, "BILLING_DECLINED", text);
    }
    if begins(&["Username in use"]) {
        return Fault::rejected(Kind::AlreadyExists, "ALREADY_TAKEN", text);
    }
    let unknown = ["unknown custnum", "unknown pkgnum", "unknown package", "unknown service", "unknown agentnum"];
    if begins(&["Account not found"]) || unknown.iter().any(|words| text.contains(words)) {
        return Fault::rejected(Kind::NotFound, "NOT_FOUND", text);
    }
    if begins(&INVALID) {
        return Fault::rejected(Kind::InvalidArgument, "UPSTREAM_VALIDATION", text);
    }
    Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", text)
}

/// Beginnings of the texts that find fault with what was sent (dossier 1.4).
const INVALID: [&str; 15] = [
    "Illegal ",
    "Invalid ",
    "invalid ",
    "Empty password",
    "Please select a package",
    "WARNING: unknown pkgpart",
    "Unknown refnum",
    "Unknown referring custnum",
    "Unknown registration code",
    "Unknown card type",
    "Unknown state",
    "Expiration date required",
    "Expired card",
    "CVV2 ",
    "No access number selected",
];

/// `Client` means that the call was not dispatched, `Server` that a method died, before or after it had an
/// effect (dossier 1.1).
fn protocol_fault(code: &str, text: &str) -> Fault {
    let missing = text.starts_with("No such procedure") || text.starts_with("Failed to locate method");
    let fault = match code {
        _ if missing => Fault::rejected(Kind::Unimplemented, "UPSTREAM_LACKS_METHOD", text),
        "Client" => Fault::new(
            Kind::FailedPrecondition,
            Outcome::Rejected,
            "UPSTREAM_REFUSED",
            "the upstream did not accept the call",
        )
        .with_upstream_message(text),
        _ => Fault::server(text),
    };
    fault.with_upstream_code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_kinds() {
        for (text, kind) in [
            ("Can't resume session", Kind::SessionDead),
            ("Incorrect password.", Kind::UpstreamAuth),
            ("_decline", Kind::FailedPrecondition),
            ("Username in use", Kind::AlreadyExists),
            ("Account not found", Kind::NotFound),
            ("customer_info: unknown custnum 99", Kind::NotFound),
            ("Illegal (zip) zip for country US: X", Kind::InvalidArgument),
            ("Not your account", Kind::FailedPrecondition),
        ] {
            assert_eq!(refusal(text).kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_died_method_is_unknown_and_an_undispatched_call_is_not() {
        let died = protocol_fault("Server", "DBD::Pg::st execute failed at X line 7.");
        assert_eq!((died.outcome(), died.upstream_code()), (Outcome::Unknown, Some("Server")));
        assert_eq!(protocol_fault("Client", "Denied access to method (x) in class (y)").outcome(), Outcome::Rejected);
        assert_eq!(protocol_fault("Server", "No such procedure: x at Y line 1.").kind(), Kind::Unimplemented);
    }
}
