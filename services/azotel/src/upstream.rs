//! How SIMPLer is spoken to: credentials in every call, SOAP or JSON; [`mod@verdict`] has the many forms of a verdict.

mod verdict;
mod word;

use ::config::Secret;
use bridge::{
    Fault, Node, Outgoing, Provider,
    fault::Kind,
    http::{BaseUrl, HttpReply, HttpRequest, Transport},
    problem::{Problem, Problems},
    wire::{
        self,
        rest::{self, Arguments},
        soap::{self, Escapes, Style},
    },
    xml::document::Limits,
};
use bumpalo::{Bump, collections::Vec as BumpVec};
use http::{HeaderValue, header};
use provider::AccountSettings;
use url::Url;

use self::verdict::verdict;
use crate::config::{self, Account};

/// Says no to a call that would act on every customer, unless it asks for that in so many words.
///
/// `customer` is the one customer that it may name instead. The upstream takes an absent id for everybody,
/// so that a forgotten field would be an invoice for each of them (SIMPLer API 2011-2Q).
pub(crate) fn scope(customer: Option<&str>, all_customers: Option<bool>) -> Result<(), Problems> {
    if customer.is_some_and(|id| !id.is_empty() && !is_id(id)) {
        return Err(Problems(vec![Problem::new("customer_id", "must be a number above 0")]));
    }
    let problem = match (customer.filter(|id| !id.is_empty()), all_customers.unwrap_or(false)) {
        (None, false) => "must be true where no customer is named: the call would act on every customer",
        (Some(_), true) => "must not be true where a customer is named",
        _ => return Ok(()),
    };
    Err(Problems(vec![Problem::new("all_customers", problem)]))
}

/// Whether a text names one record. To Perl a zero and a text without digits are false, so that they are as good as absent.
pub(crate) fn is_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte != b'0')
}

impl AccountSettings for Account {
    fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    fn transport(&self) -> &Transport {
        &self.transport.http
    }

    fn dialects(&self) -> &'static [Option<&'static str>] {
        match self.transport.kind {
            config::Kind::Soap => &[None],
            config::Kind::Rest => &[Some(config::REST)],
        }
    }

    fn provider(&self) -> Result<Box<dyn Provider>, Problems> {
        let problems = self.problems();
        if !problems.0.is_empty() {
            return Err(problems);
        }
        Ok(Box::new(Azotel {
            door: Door::of(self),
            username: self.username.clone(),
            password: self.password.clone(),
            operator: self.operator.clone(),
            limits: Limits::within(self.transport.http.max_reply_bytes),
        }))
    }
}

/// One account at a SIMPLer server.
struct Azotel {
    door: Door,
    username: String,
    password: Secret,
    operator: Option<String>,
    limits: Limits,
}

/// The transport of an account.
enum Door {
    Soap { url: Url, uri: String, style: Style },
    Rest { base: Url },
}

/// The function whose attributes do not include `operator` (SIMPLer API 2011-2Q, checkExistingEmail).
const CHECK_EXISTING_EMAIL: &str = "checkExistingEmail";
/// The function whose key is printed `cutomerid`, and whose result is called `interfaces` (SIMPLer API 2011-2Q).
const GET_OVERAGE_ALLOWANCES: &str = "getOverageAllowances";

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
            // Nobody knows whether the misspelling is the document's or the program's (SIMPLer API 2011-2Q).
            attributes.extend(call.arguments.get("cutomerid").map(|id| ("customerid", id)));
        }
        self.door.request(function, Node::Map(&attributes), call.arena)
    }

    fn reply<'t>(&self, operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        let node = match self.door {
            Door::Soap { .. } => soap_value(operation, reply, &self.limits, arena)?,
            Door::Rest { .. } => json_value(operation, reply, arena)?,
        };
        verdict(operation, node, &self.limits, arena)
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("pingAPI", &[])
    }
}

impl Door {
    fn of(account: &Account) -> Self {
        let url = account.base_url.url().clone();
        match account.transport.kind {
            config::Kind::Soap => {
                let own_uri = || format!("{}/OperatorAPI", url.origin().ascii_serialization());
                let uri = account.uri.clone().unwrap_or_else(own_uri);
                Self::Soap { url, uri, style: account.style }
            }
            config::Kind::Rest => Self::Rest { base: url },
        }
    }

    fn request(&self, function: &str, attributes: Node<'_>, arena: &Bump) -> Result<HttpRequest, Fault> {
        match self {
            Door::Soap { url, uri, style } => {
                let body = soap::write_call(function, uri, *style, attributes);
                soap::post(url.clone(), &format!("{uri}#{function}"), body)
            }
            Door::Rest { base } => {
                // The one form that the document has for every function (SIMPLer API 2011-2Q).
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

/// The document's JSON has texts only (SIMPLer API 2011-2Q, examples of the custom tables).
fn texts<'t>(node: Node<'t>, arena: &'t Bump) -> Node<'t> {
    match node {
        Node::Number(text) => Node::Text(text),
        Node::Bool(flag) => Node::Text(if flag { "1" } else { "0" }),
        Node::List(items) => Node::List(arena.alloc_slice_fill_iter(items.iter().map(|item| texts(*item, arena)))),
        Node::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (*key, texts(*value, arena)));
            Node::Map(arena.alloc_slice_fill_iter(entries))
        }
        Node::Text(_) | Node::Bytes(_) | Node::Null | Node::Unreadable(_) => node,
    }
}

fn soap_value<'t>(operation: &str, reply: &'t HttpReply, limits: &Limits, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let (function, _) = function_and_action(operation);
    let server = reply.headers.get("soapserver").and_then(|name| name.to_str().ok());
    let escapes = server.map_or(Escapes::Once, Escapes::of_server);
    let envelope = soap::parse_reply(reply.text_in(arena), function, escapes, limits, arena);
    wire::answered(reply, envelope, |said| said.into())
}

/// `{"ip": the caller's address, "result": a word or data}` (SIMPLer API 2011-2Q). What status an error has is not
/// documented (SIMPLer API 2011-2Q): a text under `result` explains a status of refusal.
fn json_value<'t>(operation: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let body = reply.json(arena);
    let result = |body: Node<'t>| body.get("result");
    let Some(fault) = reply.door_fault() else {
        return result(body?).ok_or_else(|| Fault::unreadable("the reply has no result"));
    };
    let said = body.ok().and_then(result).and_then(|said| said.scalar());
    Err(match (fault.kind(), said) {
        (Kind::FailedPrecondition, Some(text)) => verdict::explained(operation, text.trim(), fault),
        (_, Some(text)) => fault.with_upstream_message(text),
        (_, None) => fault,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use bridge::{
        table::{Decoded, Tables},
        wire::json,
    };
    use prost::{Message, Name};
    use provider::Dialects;

    use super::*;

    fn door(kind: config::Kind) -> Azotel {
        let url: Url = "https://simpler.example.com/restapi".parse().unwrap();
        let uri = "http://simpler.example.com/OperatorAPI".to_owned();
        let door = match kind {
            config::Kind::Soap => Door::Soap { url, uri, style: Style::Struct },
            config::Kind::Rest => Door::Rest { base: url },
        };
        let operator = Some("ISP".to_owned());
        Azotel {
            door,
            username: "apiuser".to_owned(),
            password: Secret::from("apipass".to_owned()),
            operator,
            limits: Limits::default(),
        }
    }

    /// The tables of both transports.
    fn tables() -> [Arc<Tables>; 2] {
        let dialects = Dialects::of::<crate::Azotel>().unwrap();
        [None, Some(config::REST)].map(|dialect| dialects.tables(dialect).unwrap())
    }

    /// The body of a call over both transports.
    pub(crate) fn sent<Q: Message + Name>(operation: &str, request: &Q) -> (String, String) {
        let [soap, rest] = tables();
        let body = |kind, tables: &Tables| {
            let arena = Bump::new();
            let arguments = tables.encode(request, &arena).unwrap();
            let call = Outgoing { operation, arguments, session: None, arena: &arena };
            let request = door(kind).request(&call).unwrap();
            String::from_utf8(request.body.to_vec()).unwrap()
        };
        (body(config::Kind::Soap, &soap), body(config::Kind::Rest, &rest))
    }

    /// The fields that make a request impossible to send.
    pub(crate) fn refused<Q: Message + Name>(request: &Q) -> Vec<String> {
        let problems = tables()[1].encode(request, &Bump::new()).unwrap_err();
        problems.0.into_iter().map(|problem| problem.field).collect()
    }

    /// What both transports make of the same data.
    pub(crate) fn received<R: Message + Name + Default + PartialEq>(function: &str, text: &str, json: &str) -> R {
        let [soap, rest] = tables();
        let arena = Bump::new();
        let read = |tables: &Tables, node| -> R {
            let Decoded { message, unreadable, missing, .. } =
                tables.decode(verdict(function, node, &Limits::default(), &arena).unwrap());
            assert!(unreadable.is_empty() && missing.is_empty(), "{function}: {unreadable:?} {missing:?}");
            message
        };
        let by_soap = read(&soap, Node::Text(text));
        let by_rest = read(&rest, json::parse(json.as_bytes(), &arena).unwrap());
        assert!(by_soap == by_rest, "{function}");
        by_rest
    }

    #[test]
    fn everybody_is_meant_only_when_said() {
        assert!(scope(Some("2"), None).is_ok() && scope(None, Some(true)).is_ok());
        for (customer, all) in [(None, None), (None, Some(false)), (Some(""), None), (Some("2"), Some(true))] {
            assert_eq!(scope(customer, all).unwrap_err().0[0].field, "all_customers");
        }
        for nobody in ["0", "00", " ", "\t", " 2", "2 ", "0.0", "-0", "+0", "0e0", "%", "*", "\u{a0}", "\u{200b}", "２"]
        {
            for all in [None, Some(false), Some(true)] {
                assert_eq!(scope(Some(nobody), all).unwrap_err().0[0].field, "customer_id", "{nobody:?}");
            }
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
