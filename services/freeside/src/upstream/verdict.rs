//! What an answer of Freeside means: data, a refusal, or nothing that can be told.

use std::borrow::Cow;

use bridge::{Fault, Node, fault::Kind, wire::ProtocolFault};

use bumpalo::{Bump, collections::Vec as BumpVec};

use super::SESSION_DEAD;

/// A result has failed if its `error` says something; a result without the key has not (Freeside's source).
pub(super) fn verdict<'t>(entries: &'t [(&'t str, Node<'t>)], arena: &'t Bump) -> Result<Node<'t>, Fault> {
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
            Node::Bool(true) | Node::Bytes(_) | Node::Map(_) | Node::Unreadable(_) => Said::Unclear,
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
pub(super) fn fault(said: ProtocolFault<'_>) -> Fault {
    if !said.text.starts_with("No such procedure") {
        return said.into();
    }
    Fault::rejected(Kind::Unimplemented, "UPSTREAM_LACKS_METHOD", said.text).with_upstream_code(said.code).of_function()
}

#[cfg(test)]
mod tests {
    use bridge::fault::Outcome;

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
}
