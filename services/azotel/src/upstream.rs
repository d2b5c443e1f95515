//! How SIMPLer is spoken to: credentials in every call, SOAP, the many forms of a verdict.

use bridge::{
    AccountSetup, Fault, Node, Outgoing, Provider, Secret, Telemetry, Upstream,
    fault::{Kind, Outcome},
    http::{HttpReply, HttpRequest},
    table::{Tables, TextRule, Vocabulary},
    wire::{
        Envelope, simple_node,
        soap::{self, Style},
    },
    xml::{document::Limits, simple},
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use chassis::{Error, Process};
use http::{HeaderName, HeaderValue};
use url::Url;

use crate::config::{Account, Config};

pub(crate) fn connect(config: Config, process: &Process) -> Result<Upstream, Error> {
    let vocabulary = Vocabulary::parse(include_str!("../vocabulary.toml")).map_err(Error::program)?;
    let tables = Tables::build(crate::DESCRIPTORS, "ispbridge.azotel.v1", &vocabulary, None, TextRule::Xml);
    let telemetry = Telemetry::new("azotel", process.tracer(), process.meter());
    let accounts = config.accounts.into_iter().map(|(alias, account)| (alias, account.setup()));
    let upstream = Upstream::new("azotel.ispbridge", tables.map_err(Error::program)?, accounts, telemetry);
    upstream.map_err(|error| Error::config("accounts", error))
}

impl Account {
    fn setup(self) -> AccountSetup {
        let url = self.base_url.url().clone();
        let own_uri = || format!("{}/OperatorAPI", url.origin().ascii_serialization());
        let provider = Azotel {
            uri: self.uri.unwrap_or_else(own_uri),
            url,
            style: self.style,
            username: self.username,
            password: self.password,
            operator: self.operator,
        };
        AccountSetup { base_url: self.base_url, transport: self.transport, provider: Box::new(provider) }
    }
}

/// One account at a SIMPLer server.
struct Azotel {
    url: Url,
    uri: String,
    style: Style,
    username: String,
    password: Secret,
    operator: Option<String>,
}

/// The function whose attributes do not include `operator` (seed, checkExistingEmail).
const CHECK_EXISTING_EMAIL: &str = "checkExistingEmail";

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
        let body = soap::write_call(function, &self.uri, self.style, Node::Map(&attributes));
        let action = format!("\"{}#{function}\"", self.uri);
        let action = HeaderValue::try_from(action).map_err(|_| Fault::unreadable("uri cannot be a header"))?;
        let request = HttpRequest::post(self.url.clone(), "text/xml; charset=utf-8", body);
        Ok(request.with_header(HeaderName::from_static("soapaction"), action))
    }

    /// Faults come with status 500 and a SOAP body, so the body is read first.
    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        let by_status = reply.door_fault();
        if let Some(fault) = by_status.filter(|fault| fault.http_status() != Some(500)) {
            return Err(fault);
        }
        let (function, _) = function_and_action(operation);
        let envelope = soap::parse_reply(reply.text_in(arena)?, function, &Limits::default(), arena);
        match envelope.map_err(Fault::unreadable)? {
            Envelope::Fault { code, text } => Err(protocol_fault(code, text)),
            Envelope::Value(_) if !reply.status.is_success() => Err(Fault::server("a value with a status of failure")),
            Envelope::Value(node) => verdict(function, node, arena),
        }
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("pingAPI", &[])
    }
}

/// A call may fix the `action` of a function that has one: `customerRadius list`.
fn function_and_action(operation: &str) -> (&str, Option<&str>) {
    operation.split_once(' ').map_or((operation, None), |(function, action)| (function, Some(action)))
}

/// Whether a function answers data and not a word.
fn answers_data(function: &str) -> bool {
    ["get", "list", "search"].iter().any(|verb| function.starts_with(verb))
}

/// Every answer comes with status 200; its form tells success from failure (dossier 2.5).
fn verdict<'t>(function: &str, node: Node<'t>, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let text = match node {
        Node::Map(_) => return record(node),
        Node::Text(text) => text.trim(),
        _ => return Err(Fault::unreadable("the result is empty")),
    };
    if text.starts_with('<') {
        let element = simple::parse(text, &Limits::default(), arena).map_err(Fault::unreadable)?;
        return record(simple_node(&element, arena));
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

/// A record whose `result` is a word has its verdict there (seed, customerRadius).
fn record(node: Node<'_>) -> Result<Node<'_>, Fault> {
    match node.get("result").and_then(|result| result.scalar()) {
        Some(word) if word.trim() != "OK" => Err(refusal("", word)),
        _ => Ok(node),
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

/// The fault table: SIMPLer answers free texts, of which the documents show few; the rest keeps its text.
fn refusal(function: &str, text: &str) -> Fault {
    let lower = text.to_lowercase();
    match lower.as_str() {
        "" => Fault::unreadable("the result is empty"),
        // The access list holds user name, password and address together (dossier 2.6).
        _ if lower.contains("access denied") => Fault::upstream_auth(text),
        _ if lower.contains("already exist") => Fault::rejected(Kind::AlreadyExists, "ALREADY_TAKEN", text),
        "ok" => Fault::unreadable(format_args!("{function} answered OK where data were expected")),
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
    fault.with_upstream_code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(of("checkExistingEmail", "27").unwrap().text_at("id"), "27");
        assert_eq!(of("pingAPI", "ERROR: access denied").unwrap_err().kind(), Kind::UpstreamAuth);
        assert_eq!(of("addCommunityCode", "code already exist").unwrap_err().kind(), Kind::AlreadyExists);
        assert_eq!(of("searchCustomer", "OK").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(of("addCustomer", "").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(verdict("addCustomer", Node::Null, &arena).unwrap_err().outcome(), Outcome::Unknown);
        assert_eq!(of("searchCustomer", "<r><results>0</results></r>").unwrap().text_at("results"), "0");
        let nested = Node::Map(&[("action", Node::Text("add")), ("result", Node::Text("no such row"))]);
        assert_eq!(verdict("customerRadius", nested, &arena).unwrap_err().outcome(), Outcome::Rejected);
    }
}
