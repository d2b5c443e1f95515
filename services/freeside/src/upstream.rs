//! How Freeside is spoken to: reseller sessions, XML-RPC, and the fault table.

use std::{borrow::Cow, time::Duration};

use bridge::{
    Fault, Node, Outgoing, Provider,
    fault::{Kind, Outcome},
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    node::Entry,
    problem::Problems,
    session::{Exchange, Login, Session},
    wire::{
        self, ProtocolFault,
        xml_rpc::{self, Parameters, Texts},
    },
    xml::document::Limits,
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use provider::AccountSettings;
use tokio::time::Instant;
use url::Url;

use crate::config::{Account, Door};

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
    password: bridge::Secret,
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

/// A result has failed if its `error` says something; a result without the key has not (Freeside's source).
fn verdict<'t>(entries: &'t [(&'t str, Node<'t>)], arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let result = Node::Map(entries);
    // A member without its name may be the error.
    let nameless = result.get("").map(|_| Node::Unreadable(""));
    match Said::of(result.get("error").or(nameless).unwrap_or(Node::Null)) {
        Said::Nothing => {
            let rest = entries.iter().copied().filter(|(key, _)| *key != "error");
            Ok(Node::Map(BumpVec::from_iter_in(rest, arena).into_bump_slice()))
        }
        Said::Unclear => Err(Fault::unreadable("the result's error")),
        // `adjust_ticket_priority` has done its work when this key is there; what follows it is the customer's record,
        // whose own refusal is not the call's (Freeside's source).
        Said::Text(_) if result.get("ticket_error").is_some() => Ok(result),
        Said::Text(text) if text == "_collect" => Err(payment_elsewhere(result)),
        Said::Text(text) => Err(refusal(&text)),
    }
}

/// What a result's `error` says. Freeside writes a text; the other forms are those of later code and of other people's.
#[derive(Debug, PartialEq, Eq)]
enum Said<'t> {
    /// There is no error: what Perl takes for false, or a list without a word.
    Nothing,
    Text(Cow<'t, str>),
    /// A value that is no words: whether something was done nobody knows.
    Unclear,
}

impl<'t> Said<'t> {
    fn of(error: Node<'t>) -> Self {
        match error {
            Node::Null | Node::Bool(false) | Node::List([]) | Node::Map([]) => Said::Nothing,
            Node::Text(text) | Node::Number(text) => match text.trim().parse::<f64>() {
                Ok(0.0) => Said::Nothing,
                Ok(_) => Said::Unclear,
                Err(_) if text.trim().is_empty() => Said::Nothing,
                Err(_) => Said::Text(text.into()),
            },
            Node::List(items) => items.iter().map(|item| Said::of(*item)).fold(Said::Nothing, Said::and),
            Node::Bool(true) | Node::Map(_) | Node::Unreadable(_) => Said::Unclear,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Said::Unclear, _) | (_, Said::Unclear) => Said::Unclear,
            (Said::Nothing, said) | (said, Said::Nothing) => said,
            (Said::Text(one), Said::Text(more)) => Said::Text(format!("{one}; {more}").into()),
        }
    }
}

/// Somebody has to pay at a third party's first; where and under which reference is all that helps (Freeside's source).
fn payment_elsewhere(result: Node<'_>) -> Fault {
    let [amount, url, reference] = ["amount", "popup_url", "reference"].map(|key| result.text_at(key));
    let text = format!("_collect: {amount} at {url}, reference {reference}");
    Fault::rejected(Kind::FailedPrecondition, "PAYMENT_ELSEWHERE", &text)
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
    if begins(&["_duplicate_card", "_duplicate_ach"]) {
        return Fault::rejected(Kind::AlreadyExists, "PAYMENT_MEANS_IN_USE", text);
    }
    if begins(&["Username in use"]) {
        return Fault::rejected(Kind::AlreadyExists, "ALREADY_TAKEN", text);
    }
    if begins(&ABSENT) || UNKNOWN.iter().any(|words| text.contains(words)) {
        return Fault::rejected(Kind::NotFound, "NOT_FOUND", text);
    }
    if begins(&INVALID) || text.contains(" phone: invalid phone number") {
        return Fault::rejected(Kind::InvalidArgument, "UPSTREAM_VALIDATION", text);
    }
    Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", text)
}

/// Beginnings of the texts that miss what was named (Freeside's source).
const ABSENT: [&str; 7] = [
    "Account not found",
    "Email not found",
    "Service not found",
    "ticket not found",
    "Unknown contactnum",
    "Unknown MAC address",
    "No service",
];

/// The same within a text, behind the name of the method.
const UNKNOWN: [&str; 9] = [
    "unknown custnum",
    "unknown pkgnum",
    "unknown pkg num",
    "unknown package",
    "unknown svcpart",
    "unknown svcnum",
    "unknown service",
    "unknown custpaybynum",
    "unknown agentnum",
];

/// Beginnings of the texts that find fault with what was sent (Freeside's source).
const INVALID: [&str; 22] = [
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
    "Unknown promotional code",
    "Unknown country",
    "Unknown svcpart",
    "illegal ",
    "Enter new password",
    "No MAC address supplied",
    "requested format not implemented",
];

/// What a fault of the protocol means. `No such procedure` are Freeside's own words before it does anything; the code with
/// them is `Server` (Freeside's source).
fn fault(said: ProtocolFault<'_>) -> Fault {
    if !said.text.starts_with("No such procedure") {
        return said.into();
    }
    Fault::rejected(Kind::Unimplemented, "UPSTREAM_LACKS_METHOD", said.text).with_upstream_code(said.code).of_function()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_something_nothing_or_nobody_knows() {
        let text = |text: &'static str| Node::Text(text);
        let nothing = [
            Node::Null,
            text(""),
            text(" \n"),
            text("0"),
            text("0.0"),
            Node::Number("0"),
            Node::Number("-0.0"),
            Node::Bool(false),
            Node::List(&[]),
            Node::Map(&[]),
            Node::List(&[Node::Text(""), Node::Null, Node::List(&[])]),
        ];
        for error in nothing {
            let entries = [("error", error), ("custnum", Node::Text("7"))];
            let arena = Bump::new();
            assert_eq!(verdict(&entries, &arena).unwrap(), Node::Map(&[("custnum", Node::Text("7"))]), "{error:?}");
        }
        let unclear = [
            Node::Bool(true),
            Node::Number("1"),
            text("1"),
            text("-1.5"),
            Node::Map(&[("text", Node::Text("no"))]),
            Node::List(&[Node::Text("Illegal name"), Node::Map(&[("a", Node::Null)])]),
            Node::List(&[Node::Bool(true)]),
            Node::Unreadable(""),
        ];
        for error in unclear {
            let fault = verdict(&[("error", error)], &Bump::new()).unwrap_err();
            assert_eq!((fault.kind(), fault.outcome()), (Kind::Unreadable, Outcome::Unknown), "{error:?}");
        }
        let fault = verdict(&[("", Node::Text("no"))], &Bump::new()).unwrap_err();
        assert_eq!(fault.outcome(), Outcome::Unknown, "a member without a name");
        let several = Node::List(&[Node::Text("Illegal name"), Node::Text(""), Node::List(&[Node::Text("no zip")])]);
        let fault = verdict(&[("error", several)], &Bump::new()).unwrap_err();
        assert_eq!((fault.kind(), fault.upstream_message()), (Kind::InvalidArgument, Some("Illegal name; no zip")));
    }

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
            ("unknown svcpart 4 for pkgnum 7", Kind::NotFound),
            ("unknown pkg num $pkgnum", Kind::NotFound),
            ("Daytime phone: invalid phone number", Kind::InvalidArgument),
            ("illegal ABA/routing number x", Kind::InvalidArgument),
            ("Not your account", Kind::FailedPrecondition),
            ("Service 9 does not belong to customer 23", Kind::FailedPrecondition),
        ] {
            assert_eq!(refusal(text).kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_died_method_is_unknown_and_an_undispatched_call_is_not() {
        let fault = |code, text| fault(ProtocolFault { code, text, detail: "" });
        let died = fault("Server", "DBD::Pg::st execute failed at X line 7.");
        assert_eq!((died.outcome(), died.upstream_code()), (Outcome::Unknown, Some("Server")));
        assert_eq!(fault("Client", "Denied access to method (x) in class (y)").outcome(), Outcome::Rejected);
        let missing = fault("Server", "No such procedure: x at Y line 1.");
        assert_eq!((missing.kind(), missing.upstream_code()), (Kind::Unimplemented, Some("Server")));
    }

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
