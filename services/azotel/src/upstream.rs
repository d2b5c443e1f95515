//! How SIMPLer is spoken to: credentials in every call, SOAP or JSON, the many forms of a verdict.

use std::sync::Arc;

use bridge::{
    AccountSetup, Fault, Node, Outgoing, Provider, Secret, Telemetry, Upstream,
    fault::{Kind, Outcome},
    http::{HttpReply, HttpRequest},
    problem::{Problem, Problems},
    table::{Tables, TextRule, Vocabulary},
    wire::{
        Envelope, json,
        rest::{self, Arguments},
        simple_node,
        soap::{self, Escapes, Style},
    },
    xml::{document::Limits, simple},
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use chassis::{Error, Process};
use http::{HeaderName, HeaderValue, header};
use url::Url;

use crate::config::{self, Account, Config};

pub(crate) fn connect(config: Config, process: &Process) -> Result<Upstream, Error> {
    let telemetry = Telemetry::new("azotel", process.tracer(), process.meter());
    let upstream = Upstream::new("azotel.ispbridge", setups(config)?, telemetry);
    upstream.map_err(|error| Error::config("accounts", error))
}

/// Puts the accounts of a configuration that was read again in the place of the present ones.
pub(crate) fn replace(config: Config, process: &Process) -> Result<(), Error> {
    let upstream = process.kept::<Upstream>().ok_or_else(|| Error::program("nothing is served yet"))?;
    upstream.replace(setups(config)?).map_err(|error| Error::config("accounts", error))
}

fn setups(config: Config) -> Result<Vec<(String, AccountSetup)>, Error> {
    let dialects = Dialects::build()?;
    Ok(config.accounts.into_iter().map(|(alias, account)| (alias, account.setup(&dialects))).collect())
}

/// Says no to a call that would act on every customer, unless it asks for that in so many words.
///
/// `customer` is the one customer that it may name instead. The upstream takes an absent id for everybody,
/// so that a forgotten field would be an invoice for each of them (dossier 2.8, 21).
pub(crate) fn scope(customer: Option<&str>, all_customers: Option<bool>) -> Result<(), Problems> {
    let problem = match (customer.filter(|id| !id.is_empty()), all_customers.unwrap_or(false)) {
        (None, false) => "must be true where no customer is named: the call would act on every customer",
        (Some(_), true) => "must not be true where a customer is named",
        _ => return Ok(()),
    };
    Err(Problems(vec![Problem::new("all_customers", problem)]))
}

/// The mapping tables of the two transports.
struct Dialects {
    soap: Arc<Tables>,
    rest: Arc<Tables>,
}

impl Dialects {
    fn build() -> Result<Self, Error> {
        let vocabulary = Vocabulary::parse(include_str!("../vocabulary.toml")).map_err(Error::program)?;
        let build = |dialect, text| {
            let tables = Tables::build(crate::DESCRIPTORS, "ispbridge.azotel.v1", &vocabulary, dialect, text);
            tables.map(Arc::new).map_err(Error::program)
        };
        Ok(Dialects { soap: build(None, TextRule::Xml)?, rest: build(Some("rest"), TextRule::Any)? })
    }
}

impl Account {
    fn setup(self, dialects: &Dialects) -> AccountSetup {
        let url = self.base_url.url().clone();
        let (door, tables) = match self.transport.kind {
            config::Kind::Soap => {
                let own_uri = || format!("{}/OperatorAPI", url.origin().ascii_serialization());
                let uri = self.uri.unwrap_or_else(own_uri);
                (Door::Soap { url, uri, style: self.style }, dialects.soap.clone())
            }
            config::Kind::Rest => (Door::Rest { base: url }, dialects.rest.clone()),
        };
        let provider =
            Box::new(Azotel { door, username: self.username, password: self.password, operator: self.operator });
        AccountSetup { base_url: self.base_url, transport: self.transport.http, tables, provider }
    }
}

/// One account at a SIMPLer server.
struct Azotel {
    door: Door,
    username: String,
    password: Secret,
    operator: Option<String>,
}

/// The transport of an account.
enum Door {
    Soap { url: Url, uri: String, style: Style },
    Rest { base: Url },
}

/// The function whose attributes do not include `operator` (seed, checkExistingEmail).
const CHECK_EXISTING_EMAIL: &str = "checkExistingEmail";
/// The function that tells whether a login is right, with words about that login (seed, checkEUPLogin).
const CHECK_EUP_LOGIN: &str = "checkEUPLogin";
/// The function whose key is printed `cutomerid`, and whose result is called `interfaces` (seed).
const GET_OVERAGE_ALLOWANCES: &str = "getOverageAllowances";
/// The function whose record has its verdict inside (seed, customerRadius).
const CUSTOMER_RADIUS: &str = "customerRadius";

/// Functions whose data no source describes; what they answer is handed on as it came.
const TREES: [&str; 8] = [
    "getActiveSubscriptionData",
    "getCPEData",
    "getCreditCardData",
    "getEFTData",
    "getInvoicesData",
    "getIPData",
    "getMaintenanceData",
    "getProducts",
];

impl Provider for Azotel {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let (function, action) = function_and_action(call.operation);
        let mut attributes = BumpVec::new_in(call.arena);
        attributes.push(("api_username", Node::Text(&self.username)));
        attributes.push(("api_password", Node::Text(self.password.expose())));
        if function != CHECK_EXISTING_EMAIL {
            attributes.extend(self.operator.as_deref().map(|operator| ("operator", Node::Text(operator))));
        }
        attributes.extend(action.map(|action| ("action", Node::Text(action))));
        if let Node::Map(entries) = call.arguments {
            attributes.extend_from_slice(entries);
        }
        if function == GET_OVERAGE_ALLOWANCES {
            // Nobody knows whether the misspelling is the document's or the program's (dossier 2.8, 3).
            attributes.extend(call.arguments.get("cutomerid").map(|id| ("customerid", id)));
        }
        self.door.request(function, Node::Map(&attributes), call.arena)
    }

    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        let (function, _) = function_and_action(operation);
        let node = match self.door {
            Door::Soap { .. } => soap_value(function, reply, arena)?,
            Door::Rest { .. } => json_value(function, reply, arena)?,
        };
        verdict(function, node, arena)
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("pingAPI", &[])
    }
}

impl Door {
    fn request(&self, function: &str, attributes: Node<'_>, arena: &Bump) -> Result<HttpRequest, Fault> {
        match self {
            Door::Soap { url, uri, style } => {
                let body = soap::write_call(function, uri, *style, attributes);
                let action = format!("\"{uri}#{function}\"");
                let action = HeaderValue::try_from(action).map_err(|_| Fault::unreadable("uri cannot be a header"))?;
                let request = HttpRequest::post(url.clone(), "text/xml; charset=utf-8", body);
                Ok(request.with_header(HeaderName::from_static("soapaction"), action))
            }
            Door::Rest { base } => {
                // The one form that the document has for every function (dossier 2.6).
                let template = format!("POST /API/{function}");
                let call = rest::build(base, &template, texts(attributes, arena), Arguments::Body);
                let accept = HeaderValue::from_static("application/json");
                Ok(call.map_err(Fault::invalid)?.into_request().with_header(header::ACCEPT, accept))
            }
        }
    }
}

/// A call may fix the `action` of a function that has one: `customerRadius list`.
fn function_and_action(operation: &str) -> (&str, Option<&str>) {
    operation.split_once(' ').map_or((operation, None), |(function, action)| (function, Some(action)))
}

/// The document's JSON has texts only (seed, examples of the custom tables).
fn texts<'t>(node: Node<'t>, arena: &'t Bump) -> Node<'t> {
    match node {
        Node::Number(text) => Node::Text(text),
        Node::Bool(flag) => Node::Text(if flag { "1" } else { "0" }),
        Node::List(items) => Node::List(arena.alloc_slice_fill_iter(items.iter().map(|item| texts(*item, arena)))),
        Node::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (*key, texts(*value, arena)));
            Node::Map(arena.alloc_slice_fill_iter(entries))
        }
        Node::Text(_) | Node::Null => node,
    }
}

/// Faults come with status 500 and a SOAP body, so the body is read first; a web server's own page is none.
fn soap_value<'t>(function: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let by_status = reply.door_fault();
    if let Some(fault) = by_status.clone().filter(|fault| fault.http_status() != Some(500)) {
        return Err(fault);
    }
    let server = reply.headers.get("soapserver").and_then(|name| name.to_str().ok());
    let escapes = server.map_or(Escapes::Once, Escapes::of_server);
    let envelope =
        |text| soap::parse_reply(text, function, escapes, &Limits::default(), arena).map_err(Fault::unreadable);
    match reply.text_in(arena).and_then(envelope) {
        Ok(Envelope::Fault { code, text }) => Err(protocol_fault(code, text)),
        Ok(Envelope::Value(_)) if !reply.status.is_success() => Err(Fault::server("a value with a status of failure")),
        Ok(Envelope::Value(node)) => Ok(node),
        Err(unreadable) => Err(by_status.unwrap_or(unreadable)),
    }
}

/// `{"ip": the caller's address, "result": a word or data}` (seed). What status an error has is not
/// documented (dossier 2.6): a text under `result` explains a status of refusal.
fn json_value<'t>(function: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let body = json::parse(&reply.body, arena).map_err(Fault::unreadable);
    let result = |body: Node<'t>| body.get("result");
    let Some(fault) = reply.door_fault() else {
        return result(body?).ok_or_else(|| Fault::unreadable("the reply has no result"));
    };
    let said = body.ok().and_then(result).and_then(|said| said.scalar());
    Err(match (fault.kind(), said) {
        (Kind::FailedPrecondition, Some(text)) => refusal(function, text.trim()),
        (_, Some(text)) => fault.with_upstream_message(text),
        (_, None) => fault,
    })
}

/// Whether a function answers data and not a word.
fn answers_data(function: &str) -> bool {
    function == "generateIP" || ["get", "list", "search"].iter().any(|verb| function.starts_with(verb))
}

/// Every answer comes with status 200; its form tells success from failure (dossier 2.5).
fn verdict<'t>(function: &str, node: Node<'t>, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let Some(text) = node.scalar().map(str::trim) else {
        return if node == Node::Null { Err(nothing()) } else { data(function, node, arena) };
    };
    if text.starts_with('<') {
        let element = simple::parse(text, &Limits::default(), arena).map_err(Fault::unreadable)?;
        let node = if TREES.contains(&function) { Node::Text(text) } else { simple_node(&element, arena) };
        return data(function, node, arena);
    }
    if answers_data(function) {
        return Err(refusal(function, text));
    }
    match (function, returned_id(text)) {
        (CHECK_EXISTING_EMAIL, _) if is_number(text) => Ok(with_id(Some(text).filter(|id| *id != "0"), arena)),
        (_, Some(id)) => Ok(with_id(id, arena)),
        (_, None) => Err(refusal(function, text)),
    }
}

/// Data as the mapping table reads them.
fn data<'t>(function: &str, node: Node<'t>, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let named = |key, value| Node::Map(arena.alloc_slice_copy(&[(key, value)]));
    match (function, node) {
        (CUSTOMER_RADIUS, _) => return record(node),
        _ if !answers_data(function) => return Err(Fault::unreadable("data where a word was expected")),
        _ if TREES.contains(&function) => return Ok(named("data", node)),
        // XML::Simple writes a record without keys as an empty element, JSON one as an empty list.
        _ if node.is_empty() || node.scalar().is_some_and(|text| text.trim().is_empty()) => return Ok(Node::Map(&[])),
        (_, Node::Map(_)) => {}
        _ => return Ok(named("content", node)),
    }
    Ok(match function {
        GET_OVERAGE_ALLOWANCES => renamed(node, |(_, value)| value.scalar().is_none(), "allowances", arena),
        "listRADIUSdetails" => replaced(node, "results", innermost, arena),
        _ => node,
    })
}

/// A record whose `result` is a word has its verdict there.
fn record(node: Node<'_>) -> Result<Node<'_>, Fault> {
    match node.get("result").and_then(|result| result.scalar()) {
        Some(word) if word.trim() != "OK" => Err(refusal(CUSTOMER_RADIUS, word.trim())),
        _ => Ok(node),
    }
}

/// The first entry that `is_it` under another key: the document's key is copied from another function.
fn renamed<'t>(node: Node<'t>, is_it: fn(&(&str, Node<'_>)) -> bool, key: &'t str, arena: &'t Bump) -> Node<'t> {
    let Node::Map(entries) = node else { return node };
    let entries = arena.alloc_slice_copy(entries);
    if let Some(entry) = entries.iter_mut().find(|entry| is_it(entry)) {
        entry.0 = key;
    }
    Node::Map(entries)
}

fn replaced<'t>(node: Node<'t>, key: &str, with: fn(Node<'t>) -> Node<'t>, arena: &'t Bump) -> Node<'t> {
    let Node::Map(entries) = node else { return node };
    let entries = entries.iter().map(|(name, value)| (*name, if *name == key { with(*value) } else { *value }));
    Node::Map(arena.alloc_slice_fill_iter(entries))
}

/// `[["1"]]`, in XML::Simple's words `<results><anon>1</anon></results>`, is 1 (seed, listRADIUSdetails).
fn innermost(node: Node<'_>) -> Node<'_> {
    match node {
        Node::List([only]) | Node::Map([(_, only)]) => innermost(*only),
        _ => node,
    }
}

/// `OK`, `OK:12`, `OK: 12`, `OK :12`, `12OK`, `[12]OK`: success, with the id if there is one; `None` for
/// anything else.
fn returned_id(text: &str) -> Option<Option<&str>> {
    if text == "OK" {
        return Some(None);
    }
    if let Some(rest) = text.strip_prefix("OK") {
        let id = rest.trim_start().strip_prefix(':')?.trim();
        return (!id.is_empty()).then_some(Some(id));
    }
    let id = text.strip_suffix("OK")?.trim_end();
    let id = id.strip_prefix('[').and_then(|id| id.strip_suffix(']')).unwrap_or(id);
    is_number(id).then_some(Some(id))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn with_id<'t>(id: Option<&'t str>, arena: &'t Bump) -> Node<'t> {
    match id {
        Some(id) => Node::Map(arena.alloc_slice_copy(&[("id", Node::Text(id))])),
        None => Node::Map(&[]),
    }
}

fn nothing() -> Fault {
    Fault::unreadable("the result is empty")
}

/// The fault table: SIMPLer answers free texts, of which the document shows few; the rest keeps its text.
fn refusal(function: &str, text: &str) -> Fault {
    let lower = text.to_lowercase();
    let says = |known| lower.contains(known);
    match function {
        _ if lower.is_empty() => nothing(),
        _ if lower == "ok" => Fault::unreadable(format_args!("{function} answered OK where data were expected")),
        // The access list holds user name, password and address together (dossier 2.6); the words are
        // those of the captures and, inferred, the list's name.
        _ if says("access denied") || says("access list") => Fault::upstream_auth(text),
        CHECK_EUP_LOGIN if says("invalid username/password") => {
            Fault::rejected(Kind::NotFound, "PORTAL_LOGIN_INVALID", text)
        }
        // Elsewhere there is no other login than ours that these words could be about (inferred).
        _ if says("invalid username/password") => Fault::upstream_auth(text),
        _ if says("already exist") => Fault::rejected(Kind::AlreadyExists, "ALREADY_TAKEN", text),
        _ => Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", text),
    }
}

/// `Client` means that the call was not dispatched, `Server` that a function died (dossier 2.3).
fn protocol_fault(code: &str, text: &str) -> Fault {
    let fault = match code {
        _ if text.starts_with("Failed to locate method") => {
            Fault::rejected(Kind::Unimplemented, "UPSTREAM_LACKS_METHOD", text)
        }
        "Client" => Fault::new(
            Kind::FailedPrecondition,
            Outcome::Rejected,
            "UPSTREAM_REFUSED",
            "the upstream did not accept the call",
        )
        .with_upstream_message(text),
        _ => Fault::server(text),
    };
    fault.with_upstream_code(code).of_function()
}

#[cfg(test)]
pub(crate) mod tests {
    use bridge::table::Decoded;
    use prost::{Message, Name};

    use super::*;

    fn door(kind: config::Kind) -> Azotel {
        let url: Url = "https://simpler.example.com/restapi".parse().unwrap();
        let uri = "http://simpler.example.com/OperatorAPI".to_owned();
        let door = match kind {
            config::Kind::Soap => Door::Soap { url, uri, style: Style::Struct },
            config::Kind::Rest => Door::Rest { base: url },
        };
        let operator = Some("ISP".to_owned());
        Azotel { door, username: "apiuser".to_owned(), password: Secret::from("apipass".to_owned()), operator }
    }

    /// The body of a call over both transports.
    pub(crate) fn sent<Q: Message + Name>(operation: &str, request: &Q) -> (String, String) {
        let dialects = Dialects::build().unwrap();
        let body = |kind, tables: &Tables| {
            let arena = Bump::new();
            let arguments = tables.encode(request, &arena).unwrap();
            let call = Outgoing { operation, arguments, session: None, arena: &arena };
            let request = door(kind).request(&call).unwrap();
            String::from_utf8(request.body.to_vec()).unwrap()
        };
        (body(config::Kind::Soap, &dialects.soap), body(config::Kind::Rest, &dialects.rest))
    }

    /// The fields that make a request impossible to send.
    pub(crate) fn refused<Q: Message + Name>(request: &Q) -> Vec<String> {
        let problems = Dialects::build().unwrap().rest.encode(request, &Bump::new()).unwrap_err();
        problems.0.into_iter().map(|problem| problem.field).collect()
    }

    /// What both transports make of the same data.
    pub(crate) fn received<R: Message + Name + Default + PartialEq>(function: &str, text: &str, json: &str) -> R {
        let dialects = Dialects::build().unwrap();
        let arena = Bump::new();
        let read = |tables: &Tables, node| -> R {
            let Decoded { message, unreadable, missing } = tables.decode(verdict(function, node, &arena).unwrap());
            assert!(unreadable.is_empty() && missing.is_empty(), "{function}: {unreadable:?} {missing:?}");
            message
        };
        let by_soap = read(&dialects.soap, Node::Text(text));
        let by_rest = read(&dialects.rest, json::parse(json.as_bytes(), &arena).unwrap());
        assert!(by_soap == by_rest, "{function}");
        by_rest
    }

    #[test]
    fn every_form_of_success_is_known() {
        assert_eq!(returned_id("OK"), Some(None));
        for text in ["OK:12", "OK: 12", "OK :12", "12OK", "[12]OK", "12 OK"] {
            assert_eq!(returned_id(text), Some(Some("12")), "{text}");
        }
        for text in ["", "NOT OK", "OK:", "OKAY", "ERROR: OK", "code already exist", "nickOK", "OK then"] {
            assert_eq!(returned_id(text), None, "{text}");
        }
    }

    #[test]
    fn verdicts_by_function() {
        let arena = Bump::new();
        let of = |function, text| verdict(function, Node::Text(text), &arena);
        assert_eq!(of("checkExistingEmail", "0").unwrap(), Node::Map(&[]));
        assert_eq!(verdict("checkExistingEmail", Node::Number("27"), &arena).unwrap().text_at("id"), "27");
        let refused = of("pingAPI", "ERROR: access denied").unwrap_err();
        assert_eq!((refused.kind(), refused.upstream_message()), (Kind::UpstreamAuth, Some("ERROR: access denied")));
        assert_eq!(of("addCommunityCode", "code already exist").unwrap_err().kind(), Kind::AlreadyExists);
        assert_eq!(of("addSite", "no such state").unwrap_err().kind(), Kind::FailedPrecondition);
        let login = "ERROR: invalid username/password";
        assert_eq!(of("checkEUPLogin", login).unwrap_err().reason(), "PORTAL_LOGIN_INVALID");
        assert_eq!(of("addSite", login).unwrap_err().kind(), Kind::UpstreamAuth);
        assert_eq!(of("searchCustomer", "OK").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(of("addCustomer", "").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(verdict("addCustomer", Node::Null, &arena).unwrap_err().outcome(), Outcome::Unknown);
        assert_eq!(of("addCustomer", "<r><id>1</id></r>").unwrap_err().outcome(), Outcome::Unknown);
        assert_eq!(of("getIPData", "<r><a></r>").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(of("searchCustomer", "<r><results>0</results></r>").unwrap().text_at("results"), "0");
        assert_eq!(of("listRadiusSessions", "<r>\n</r>\n").unwrap(), Node::Map(&[]));
        let nested = Node::Map(&[("action", Node::Text("add")), ("result", Node::Text("no such row"))]);
        assert_eq!(verdict("customerRadius", nested, &arena).unwrap_err().outcome(), Outcome::Rejected);
    }

    #[test]
    fn everybody_is_meant_only_when_said() {
        assert!(scope(Some("2"), None).is_ok() && scope(None, Some(true)).is_ok());
        for (customer, all) in [(None, None), (None, Some(false)), (Some(""), None), (Some("2"), Some(true))] {
            assert_eq!(scope(customer, all).unwrap_err().0[0].field, "all_customers");
        }
    }

    #[test]
    fn no_cut_of_a_recorded_reply_is_a_success() {
        let transports =
            [("fixtures", config::Kind::Soap, "<soap:Body><"), ("tests/rest", config::Kind::Rest, "/API/")];
        for (folder, kind, before) in transports {
            let azotel = door(kind);
            for recording in playback::recordings(&format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))) {
                let function = recording.sent.split(before).nth(1).unwrap().split(' ').next().unwrap();
                for body in recording.cuts() {
                    let (status, headers) = (recording.status, recording.headers.clone());
                    let (reply, arena) = (HttpReply { status, headers, body: body.to_vec() }, Bump::new());
                    let said = azotel.reply(function, &reply, &arena);
                    assert!(said.is_err(), "{} cut at {}: {said:?}", recording.name, body.len());
                }
            }
        }
    }
}
