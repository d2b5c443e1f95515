//! How Freeside is spoken to: reseller sessions and XML-RPC.

mod verdict;

use std::time::Duration;

use bridge::{
    Fault, Node, Outgoing, Provider,
    fault::{Kind, Outcome},
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    node::Entry,
    problem::Problems,
    session::{Exchange, Login, Session},
    wire::{
        self,
        xml_rpc::{self, Parameters, Texts},
    },
    xml::document::Limits,
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use provider::AccountSettings;
use tokio::time::Instant;
use url::Url;

use crate::config::{Account, Door};

use verdict::{fault, verdict};

impl AccountSettings for Account {
    fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    fn transport(&self) -> &Transport {
        &self.transport
    }

    fn provider(&self) -> Result<Box<dyn Provider>, Problems> {
        if self.username.is_empty() {
            return Err(Problems::one("username", "must not be empty"));
        }
        let (prefix, parameters, texts) = match self.door {
            Door::SelfService => ("FS.SelfService.XMLRPC.", Parameters::Struct, Texts::String),
            Door::BackEnd => ("FS.ClientAPI_XMLRPC.", Parameters::Flat, Texts::Base64),
        };
        Ok(Box::new(Freeside {
            url: self.base_url.url().clone(),
            prefix: self.method_prefix.clone().unwrap_or_else(|| prefix.to_owned()),
            parameters: self.parameters.unwrap_or(parameters),
            texts,
            unscoped: self.unscoped_methods,
            limits: Limits::within(self.transport.max_reply_bytes),
            reseller: Reseller { username: self.username.clone(), password: self.password.clone() },
        }))
    }
}

/// One account at Freeside.
struct Freeside {
    url: Url,
    prefix: String,
    parameters: Parameters,
    texts: Texts,
    unscoped: bool,
    limits: Limits,
    reseller: Reseller,
}

/// Methods of Freeside's `Agent` and `Signup` classes; those of `MyAccount`, which are all others, know the
/// reseller's session by another key (Freeside's source).
const AGENT_AND_SIGNUP: [&str; 9] = [
    "agent_info",
    "agent_list_customers",
    "check_username",
    "suspend_username",
    "unsuspend_username",
    "signup_info",
    "new_customer",
    "new_customer_minimal",
    "new_prospect",
];

/// Methods that act on customers, packages or services of other resellers too: Freeside does not look whose they
/// are (Freeside's source).
pub const UNSCOPED: [&str; 32] = [
    "access_info",
    "acct_forward_info",
    "add_dsl_device",
    "adjust_ticket_priority",
    "change_pkg",
    "create_ticket",
    "delete_contact",
    "delete_dsl_device",
    "delete_payby",
    "edit_contact",
    "get_ticket",
    "insert_payby",
    "list_contacts",
    "list_dsl_devices",
    "list_payby",
    "list_tickets",
    "new_contact",
    "order_recharge",
    "order_renew",
    "pkg_info",
    "process_acct_forward",
    "provision_forward",
    "renew_info",
    "set_svc_status_hash",
    "set_svc_status_listadd",
    "set_svc_status_listdel",
    "set_svc_status_vacationadd",
    "set_svc_status_vacationdel",
    "skin_info",
    "svc_status_hash",
    "svc_status_html",
    "update_payby",
];

/// Arguments that repeat another one, as people do at a form: the upstream compares them (Freeside's source).
const REPEATED: [(&str, &str, &str); 2] =
    [("myaccount_passwd", "new_password", "new_password2"), ("provision_acct", "_password", "_password2")];

/// Arguments that never vary. The other format of `did_report` is a binary file in a text.
const CONSTANT: [(&str, &str, &str); 1] = [("did_report", "format", "csv")];

/// The exact words with which a method ends before it begins: it looks for its session first (Freeside's source).
const SESSION_DEAD: &str = "Can't resume session";

impl Provider for Freeside {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let key = session_key(call.operation);
        let mut arguments = BumpVec::new_in(call.arena);
        arguments.extend(call.session.map(|session| (key, Node::Text(session.key()))));
        if let Node::Map(entries) = call.arguments {
            arguments.extend_from_slice(entries);
        }
        arguments.extend(additions(call.operation, call.arguments));
        let method = format!("{}{}", self.prefix, call.operation);
        let body = xml_rpc::write_call(&method, self.parameters, self.texts, Node::Map(&arguments));
        Ok(HttpRequest::post(self.url.clone(), "text/xml; charset=utf-8", body))
    }

    fn reply<'t>(&self, _operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        let envelope = xml_rpc::parse_reply(reply.text_in(arena), &self.limits, arena);
        match wire::answered(reply, envelope, fault)? {
            // `mason_comp` and its like answer a dead session with the bare words (capture 28).
            Node::Text(SESSION_DEAD) => Err(Fault::session_dead(SESSION_DEAD)),
            Node::Map(entries) => verdict(entries, arena),
            _ => Err(Fault::unreadable("the result is not a struct")),
        }
    }

    fn admit(&self, operation: &str) -> Result<(), Fault> {
        if self.unscoped || !UNSCOPED.contains(&operation) {
            return Ok(());
        }
        let message =
            format!("{operation} does not check whose customers it acts on; this account's unscoped_methods is off");
        Err(Fault::new(Kind::FailedPrecondition, Outcome::NotSent, "METHOD_OFF", message))
    }

    fn login(&self) -> Option<&dyn Login> {
        Some(&self.reseller)
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("agent_info", &[])
    }
}

/// The name under which a method knows the reseller's session.
fn session_key(operation: &str) -> &'static str {
    if AGENT_AND_SIGNUP.contains(&operation) { "session_id" } else { "agent_session_id" }
}

/// The arguments that the upstream wants besides what the caller says.
fn additions<'t>(operation: &str, given: Node<'t>) -> impl Iterator<Item = Entry<'t>> {
    let repeated = REPEATED.iter().filter(move |(wanted, ..)| *wanted == operation);
    let constant = CONSTANT.iter().filter(move |(wanted, ..)| *wanted == operation);
    repeated
        .filter_map(move |(_, key, again)| Some((*again, given.get(key)?)))
        .chain(constant.map(|(_, key, value)| (*key, Node::Text(value))))
}

/// The reseller's own credentials.
struct Reseller {
    username: String,
    password: config::Secret,
}

impl Login for Reseller {
    fn open<'t>(&self, arena: &'t Bump) -> Exchange<'t> {
        let text = |text: &str| Node::Text(arena.alloc_str(text));
        let arguments = [("username", text(&self.username)), ("password", text(self.password.expose()))];
        Exchange { operation: "agent_login", arguments: Node::Map(arena.alloc_slice_copy(&arguments)) }
    }

    fn read(&self, reply: Node<'_>, sent: Instant) -> Result<Session, Fault> {
        match reply.text_at("session_id") {
            "" => Err(Fault::unreadable("the login's reply has no session_id")),
            key => Ok(Session::new(key).ending_at(sent + LIFE)),
        }
    }
}

/// One hour from the login, whatever happens in it (Freeside's source); a minute earlier, so that no call meets the end on
/// its way.
const LIFE: Duration = Duration::from_secs(59 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cut_of_a_recorded_reply_is_a_success() {
        let account = Freeside {
            url: "https://freeside.example.com/".parse().unwrap(),
            prefix: String::new(),
            parameters: Parameters::Struct,
            texts: Texts::String,
            unscoped: true,
            limits: Limits::default(),
            reseller: Reseller { username: String::new(), password: String::new().into() },
        };
        for recording in playback::recordings(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")) {
            for body in recording.cuts() {
                let (status, headers) = (recording.status, recording.headers.clone());
                let (reply, arena) = (HttpReply { status, headers, body: body.to_vec() }, Bump::new());
                let said = account.reply("agent_info", &reply, &arena);
                assert!(said.is_err(), "{} cut at {}: {said:?}", recording.name, body.len());
            }
        }
    }
}
