//! What an answer of SIMPLer means: data, a word that it is done, a refusal, or nothing that can be told.

use bridge::{
    Fault, Node,
    fault::Kind,
    wire::simple_node,
    xml::{document::Limits, simple},
};
use bumpalo::Bump;

use super::{
    CHECK_EXISTING_EMAIL, GET_OVERAGE_ALLOWANCES, function_and_action,
    word::{Word, is_number},
};

/// The function that tells whether a login is right, with words about that login (SIMPLer API 2011-2Q, checkEUPLogin).
const CHECK_EUP_LOGIN: &str = "checkEUPLogin";
/// The function whose record has its verdict inside (SIMPLer API 2011-2Q, customerRadius), and its call that changes
/// nothing.
const CUSTOMER_RADIUS: &str = "customerRadius";
const LIST_CUSTOMER_RADIUS: &str = "customerRadius list";
/// The write that answers data (SIMPLer API 2011-2Q, generateIP).
const GENERATE_IP: &str = "generateIP";

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

/// Whether a call changes nothing, by the name of its function.
fn is_read(operation: &str) -> bool {
    let verbs = ["check", "get", "list", "ping", "search"];
    operation == LIST_CUSTOMER_RADIUS || verbs.iter().any(|verb| operation.starts_with(verb))
}

/// Whether a function answers data and not a word.
fn answers_data(function: &str) -> bool {
    function == GENERATE_IP || ["get", "list", "search"].iter().any(|verb| function.starts_with(verb))
}

/// Every answer comes with status 200; its form tells success from failure (SIMPLer API 2011-2Q).
pub(super) fn verdict<'t>(
    operation: &str,
    node: Node<'t>,
    limits: &Limits,
    arena: &'t Bump,
) -> Result<Node<'t>, Fault> {
    let (function, _) = function_and_action(operation);
    let Some(text) = node.scalar().map(|text| text.trim().trim_start_matches('\u{feff}').trim_start()) else {
        return if node == Node::Null { Err(nothing()) } else { data(operation, node, arena) };
    };
    if text.starts_with('<') {
        let element = simple::parse(text, limits, arena)?;
        let node = if TREES.contains(&function) { node } else { simple_node(&element, arena) };
        return data(operation, node, arena);
    }
    match Word::of(text) {
        _ if function == CHECK_EXISTING_EMAIL && is_number(text) => {
            Ok(done(Some(text).filter(|id| *id != "0"), None, arena))
        }
        Word::Done { id, has_more } if !answers_data(function) => Ok(done(id, Some(text).filter(|_| has_more), arena)),
        word => Err(not_done(operation, word, text)),
    }
}

/// Data as the mapping table reads them.
fn data<'t>(operation: &str, node: Node<'t>, arena: &'t Bump) -> Result<Node<'t>, Fault> {
    let (function, _) = function_and_action(operation);
    let named = |key, value| Node::Map(arena.alloc_slice_copy(&[(key, value)]));
    let is_empty = node.is_empty() || node.scalar().is_some_and(|text| text.trim().is_empty());
    match (function, node) {
        (CUSTOMER_RADIUS, _) => return record(operation, node),
        _ if !answers_data(function) => return Err(Fault::unreadable("data where a word was expected")),
        _ if TREES.contains(&function) => return Ok(named("data", node)),
        (GENERATE_IP, _) if is_empty => return Err(nothing()),
        // XML::Simple writes a record without keys as an empty element, JSON one as an empty list.
        _ if is_empty => return Ok(Node::Map(&[])),
        (_, Node::Map(_)) => {}
        _ => return Ok(named("content", node)),
    }
    Ok(match function {
        GET_OVERAGE_ALLOWANCES => renamed(node, |(_, value)| value.scalar().is_none(), "allowances", arena),
        "listRADIUSdetails" => replaced(node, "results", innermost, arena),
        _ => node,
    })
}

/// A record whose `result` is a word has its verdict there; that of a change has one.
fn record<'t>(operation: &str, node: Node<'t>) -> Result<Node<'t>, Fault> {
    let Some(word) = node.get("result").and_then(|result| result.scalar()).map(str::trim) else {
        return if is_read(operation) { Ok(node) } else { Err(Fault::unreadable("the record has no result")) };
    };
    match Word::of(word) {
        Word::Done { .. } => Ok(node),
        other => Err(not_done(operation, other, word)),
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

/// `[["1"]]`, in XML::Simple's words `<results><anon>1</anon></results>`, is 1 (SIMPLer API 2011-2Q,
/// listRADIUSdetails).
fn innermost(node: Node<'_>) -> Node<'_> {
    match node {
        Node::List([only]) | Node::Map([(_, only)]) => innermost(*only),
        _ => node,
    }
}

/// A success: the id, if there is one, and the whole text, if it says more than we read. The text is no field of ours, so
/// that it is kept as it came and reported.
fn done<'t>(id: Option<&'t str>, more: Option<&'t str>, arena: &'t Bump) -> Node<'t> {
    let entries = [id.map(|id| ("id", Node::Text(id))), more.map(|text| ("result", Node::Unreadable(text)))];
    Node::Map(arena.alloc_slice_fill_iter(entries.into_iter().flatten().collect::<Vec<_>>()))
}

fn nothing() -> Fault {
    Fault::unreadable("the result is empty")
}

/// What a text means that is no success.
fn not_done(operation: &str, word: Word<'_>, text: &str) -> Fault {
    let (function, _) = function_and_action(operation);
    let is_value = text.parse::<f64>().is_ok() || matches!(text, "true" | "false");
    match word {
        _ if text.is_empty() => nothing(),
        Word::Refused => refusal(function, text),
        Word::Done { .. } => Fault::unreadable(format_args!("{function} answered OK where data were expected")),
        Word::Unclear if is_value || !is_read(operation) => {
            Fault::unreadable("the result is neither a known word of success nor one of refusal")
                .with_upstream_message(text)
        }
        Word::Unclear => refusal(function, text),
    }
}

/// A text that comes with a status of refusal and says why; of one that says that something was done nobody knows.
pub(super) fn explained(operation: &str, text: &str, by_status: Fault) -> Fault {
    match Word::of(text) {
        _ if text.is_empty() => by_status,
        Word::Done { .. } => Fault::server(text),
        word => not_done(operation, word, text),
    }
}

/// The fault table: SIMPLer answers free texts, of which the document shows few; the rest keeps its text.
fn refusal(function: &str, text: &str) -> Fault {
    let lower = text.to_lowercase();
    let says = |known| lower.contains(known);
    match function {
        // The access list holds user name, password and address together (SIMPLer API 2011-2Q); the words are
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

#[cfg(test)]
mod tests {
    use bridge::fault::Outcome;
    use prost::Message;
    use prost_types::{FileDescriptorSet, method_options::IdempotencyLevel::NoSideEffects};

    use super::*;

    fn verdict_of<'t>(operation: &str, node: Node<'t>, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        verdict(operation, node, &Limits::default(), arena)
    }

    #[test]
    fn verdicts_by_function() {
        let arena = Bump::new();
        let of = |function, text| verdict_of(function, Node::Text(text), &arena);
        assert_eq!(of("checkExistingEmail", "0").unwrap(), Node::Map(&[]));
        assert_eq!(verdict_of("checkExistingEmail", Node::Number("27"), &arena).unwrap().text_at("id"), "27");
        let refused = of("pingAPI", "ERROR: access denied").unwrap_err();
        assert_eq!((refused.kind(), refused.upstream_message()), (Kind::UpstreamAuth, Some("ERROR: access denied")));
        assert_eq!(of("addCommunityCode", "code already exist").unwrap_err().kind(), Kind::AlreadyExists);
        assert_eq!(of("addSite", "no such state").unwrap_err().kind(), Kind::FailedPrecondition);
        let login = "ERROR: invalid username/password";
        assert_eq!(of("checkEUPLogin", login).unwrap_err().reason(), "PORTAL_LOGIN_INVALID");
        assert_eq!(of("addSite", login).unwrap_err().kind(), Kind::UpstreamAuth);
        assert_eq!(of("searchCustomer", "OK").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(of("addCustomer", "").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(verdict_of("addCustomer", Node::Null, &arena).unwrap_err().outcome(), Outcome::Unknown);
        assert_eq!(of("addCustomer", "<r><id>1</id></r>").unwrap_err().outcome(), Outcome::Unknown);
        assert_eq!(of("getIPData", "<r><a></r>").unwrap_err().kind(), Kind::Unreadable);
        assert_eq!(of("searchCustomer", "<r><results>0</results></r>").unwrap().text_at("results"), "0");
        assert_eq!(of("listRadiusSessions", "<r>\n</r>\n").unwrap(), Node::Map(&[]));
        let declared = "\u{feff}<?xml version='1.0'?>\n<!-- c --><r><results><![CDATA[0]]></results></r >";
        assert_eq!(of("searchCustomer", declared).unwrap().text_at("results"), "0");
        let nested = Node::Map(&[("action", Node::Text("add")), ("result", Node::Text("no such row"))]);
        assert_eq!(verdict_of("customerRadius", nested, &arena).unwrap_err().outcome(), Outcome::Rejected);
    }

    #[test]
    fn a_write_is_refused_by_known_words_only() {
        let arena = Bump::new();
        let of = |operation, node| verdict_of(operation, node, &arena).unwrap_err();
        let values = [Node::Number("104"), Node::Bool(true), Node::Bool(false), Node::Text("SUCCESS"), Node::Text("1")];
        for node in values {
            let fault = of("addCustomer", node);
            assert_eq!((fault.kind(), fault.outcome()), (Kind::Unreadable, Outcome::Unknown), "{node:?}");
            assert_eq!(of("generateIP", node).outcome(), Outcome::Unknown, "{node:?}");
        }
        assert_eq!(of("addCustomer", Node::Text("saved as 12")).upstream_message(), Some("saved as 12"));
        assert_eq!(of("getCustomerData", Node::Text("not for you")).outcome(), Outcome::Rejected);
        assert_eq!(of("pingAPI", Node::Number("1")).kind(), Kind::Unreadable);
        assert_eq!(of("generateIP", Node::Map(&[])).outcome(), Outcome::Unknown);
        for record in [Node::Map(&[]), Node::Map(&[("result", Node::Number("1"))])] {
            assert_eq!(of("customerRadius", record).outcome(), Outcome::Unknown);
        }
        assert!(verdict_of("customerRadius list", Node::Map(&[]), &arena).is_ok());
    }

    #[test]
    fn what_follows_a_success_is_kept() {
        let arena = Bump::new();
        let text = "Ok:12, nickname changed to b1";
        let node = verdict_of("addCustomer", Node::Text(text), &arena).unwrap();
        assert_eq!(node, Node::Map(&[("id", Node::Text("12")), ("result", Node::Unreadable(text))]));
        assert_eq!(verdict_of("addCustomer", Node::Unreadable("OK:1\u{ffff}2"), &arena).unwrap().get("id"), None);
    }

    #[test]
    fn a_status_of_refusal_does_not_overrule_a_success() {
        let by_status = || Fault::rejected(Kind::FailedPrecondition, "UPSTREAM_REFUSED", "the request was refused");
        for text in ["OK:12", "104", "true", "SUCCESS"] {
            assert_eq!(explained("addCustomer", text, by_status()).outcome(), Outcome::Unknown, "{text}");
        }
        assert_eq!(explained("addCustomer", "code already exist", by_status()).kind(), Kind::AlreadyExists);
        assert_eq!(explained("addCustomer", "", by_status()).outcome(), Outcome::Rejected);
    }

    #[test]
    fn reads_are_those_of_the_contract() {
        let set = FileDescriptorSet::decode(crate::CONTRACT.descriptors).unwrap();
        let own = set.file.iter().filter(|file| file.package() == "ispbridge.azotel.v1");
        let methods: Vec<_> = own.flat_map(|file| &file.service).flat_map(|service| &service.method).collect();
        assert_eq!(methods.len(), 73);
        for method in methods {
            let (first, rest) = method.name().split_at(1);
            let reads = method.options.as_ref().is_some_and(|options| options.idempotency_level() == NoSideEffects);
            assert_eq!(is_read(&format!("{}{rest}", first.to_lowercase())), reads, "{}", method.name());
        }
    }
}
