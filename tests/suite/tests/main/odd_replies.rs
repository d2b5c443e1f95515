//! Replies that bend the rules of their wires, as people have met them: what a caller is told of each.

use std::time::Duration;

use ispbridge_kit::{Act, Reply};
use serde_json::Value;
use tonic::Code;

use crate::{
    caller::Refusal,
    wires::{Account, Site, Verb, Wire},
};

/// What a caller is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// A reply that has these texts at these places; an empty text is none at all.
    Reply(&'static [(&'static str, &'static str)]),
    /// A code, an outcome, and words of the upstream.
    Refusal(Code, &'static str, &'static str),
}

pub(crate) const UNKNOWN: Told = Told::Refusal(Code::Aborted, "UNKNOWN", "");
const FAILED: Told = Told::Refusal(Code::Unavailable, "UNKNOWN", "");
const REFUSED: Told = Told::Refusal(Code::FailedPrecondition, "REJECTED", "");

pub(crate) type Case = (Verb, Reply, Told);

/// Plays cases over a wire, each at an upstream and with an account of its own.
pub(crate) async fn play(wire: Wire, cases: Vec<Case>) {
    let (mut upstreams, mut accounts) = (Vec::new(), Vec::new());
    for (at, (_, reply, _)) in cases.iter().enumerate() {
        let upstream = wire.upstream(vec![Act::Answer(reply.bytes())]).await;
        accounts.push(Account::at(format!("a{at}"), &upstream));
        upstreams.push(upstream);
    }
    let site = Site::open(wire, &accounts).await;
    for (at, (verb, reply, told)) in cases.iter().enumerate() {
        let answer = site.call(*verb, &format!("a{at}"), Duration::from_secs(20)).await;
        let shown = format!("{wire:?} {verb:?} {}\n{answer:?}", String::from_utf8_lossy(&reply.bytes()));
        match (told, answer) {
            (Told::Reply(places), Ok(found)) => {
                for (place, text) in *places {
                    let value = found.pointer(place).and_then(Value::as_str).unwrap_or("");
                    assert_eq!(value, *text, "{place} of {shown}");
                }
            }
            (Told::Refusal(code, outcome, words), Err(status)) => {
                let refusal = Refusal::of(status);
                assert_eq!((refusal.status.code(), refusal.note("outcome")), (*code, *outcome), "{shown}");
                assert!(refusal.note("upstream_message").contains(words), "{words:?} in {shown}");
                assert_eq!(refusal.note("probe").is_empty(), *code != Code::Aborted, "{shown}");
            }
            _ => panic!("{told:?}: {shown}"),
        }
    }
}

fn xml(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(status).with("content-type", content_type).with_body(body)
}

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

fn envelope(version: &str, body: &str) -> String {
    format!("<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"{version}\"><s:Body>{body}</s:Body></s:Envelope>")
}

/// What addCustomer answers.
fn word(text: &str) -> String {
    envelope(SOAP, &format!("<addCustomerResponse><s-gensym3>{text}</s-gensym3></addCustomerResponse>"))
}

fn fault(code: &str, rest: &str) -> Reply {
    let fault = format!("<s:Fault><faultcode>{code}</faultcode>{rest}</s:Fault>");
    xml(500, "text/xml; charset=utf-8", envelope(SOAP, &fault))
}

fn fault_12(status: u16, code: &str, text: &str) -> Reply {
    let fault = format!("<s:Fault><s:Code>{code}</s:Code><s:Reason><s:Text>{text}</s:Text></s:Reason></s:Fault>");
    xml(status, "application/soap+xml; charset=utf-8", envelope(SOAP_12, &fault))
}

#[tokio::test]
async fn faults_of_soap() {
    let client = |text: &str| fault("s:Client", &format!("<faultstring>{text}</faultstring>"));
    let told = |words| Told::Refusal(Code::Aborted, "UNKNOWN", words);
    let sender = "<s:Value>s:Sender</s:Value>";
    let late = "<s:Value>s:Sender</s:Value><s:Subcode><s:Value>m:Late</s:Value></s:Subcode>";
    let late = |status| fault_12(status, late, "too late");
    let authentication = fault("s:Client.Authentication", "<faultstring>who?</faultstring>");
    let version = fault("s:VersionMismatch", "<faultstring>1.2 only</faultstring>");
    let empty = fault("s:Server", "<faultstring/><detail><reason>disk full</reason></detail>");
    let mut bytes = envelope(SOAP, "<s:Fault><faultcode>s:Server</faultcode><faultstring>caf?</faultstring></s:Fault>")
        .into_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xe9;
    let broken = || xml(500, "text/xml; charset=utf-8", bytes.clone());
    let half = xml(400, "application/soap+xml", &envelope(SOAP_12, "<s:Fault/>").as_bytes()[..90]);
    let method = "Failed to locate method (addCustomer) in class (X) at /usr/share/perl5/SOAP/Lite.pm line 2914.";
    let mut cases = vec![
        (Verb::Write, client("Wide character in subroutine entry at X line 1."), told("Wide character")),
        (Verb::Write, client(method), Told::Refusal(Code::Unimplemented, "REJECTED", "Failed to locate")),
        (Verb::Write, client("Denied access to method (x) in class (y)"), REFUSED),
        (Verb::Write, authentication.clone(), Told::Refusal(Code::FailedPrecondition, "REJECTED", "who?")),
        (Verb::Read, authentication, REFUSED),
        (Verb::Write, version, REFUSED),
        (Verb::Write, empty, told("disk full")),
        (Verb::Write, broken(), told("caf\u{fffd}")),
        (Verb::Read, broken(), Told::Refusal(Code::Unavailable, "UNKNOWN", "caf\u{fffd}")),
        (Verb::Read, client("Wide character"), Told::Refusal(Code::Unavailable, "UNKNOWN", "Wide")),
        (Verb::Write, half, UNKNOWN),
        (Verb::Write, xml(400, "text/html", "<html><body>Bad Request</body></html>"), REFUSED),
        (Verb::Write, xml(400, "text/xml", word("OK:12")), UNKNOWN),
    ];
    for status in [200, 400, 500] {
        cases.push((Verb::Write, fault_12(status, sender, "no"), told("no")));
        cases.push((Verb::Read, fault_12(status, sender, "no"), Told::Refusal(Code::Unavailable, "UNKNOWN", "no")));
        cases.push((Verb::Write, late(status), Told::Refusal(Code::FailedPrecondition, "REJECTED", "too late")));
        cases.push((Verb::Write, fault_12(status, "<s:Value>s:Receiver</s:Value>", "died"), told("died")));
    }
    play(Wire::AZOTEL, cases).await;
}

#[tokio::test]
async fn faults_of_xml_rpc() {
    let fault = |code: &str, text: &str| {
        let member = |name: &str, value: &str| {
            format!("<member><name>{name}</name><value><string>{value}</string></value></member>")
        };
        let members = member("faultCode", code) + &member("faultString", text);
        let fault = format!("<fault><value><struct>{members}</struct></value></fault>");
        xml(200, "text/xml", format!("<?xml version=\"1.0\"?><methodResponse>{fault}</methodResponse>"))
    };
    let wide = "Wide character in subroutine entry at /usr/share/perl5/XMLRPC/Lite.pm line 187.";
    let not_now = Told::Refusal(Code::Unimplemented, "REJECTED", "No such procedure");
    play(
        Wire::FREESIDE,
        vec![
            (Verb::Write, fault("Client", wide), Told::Refusal(Code::Aborted, "UNKNOWN", "Wide")),
            (Verb::Read, fault("Client", wide), FAILED),
            (Verb::Write, fault("Client", "Denied access to method (x) in class (main) at X line 1."), REFUSED),
            (Verb::Write, fault("Client.Data", "no"), REFUSED),
            (Verb::Write, fault("Client", wide).with_status(500), UNKNOWN),
            (Verb::Write, fault("Server", "No such procedure: new_customer at X line 1."), not_now),
            (Verb::Write, fault("4", "Too many parameters."), UNKNOWN),
            (Verb::Write, fault("Server", "Denied access to method (x)"), UNKNOWN),
        ],
    )
    .await;
}

/// The words after a write, over both wires, and what is not even a text, over the one that has it.
#[tokio::test]
async fn words_after_a_write() {
    const MADE: Told = Told::Reply(&[("/customerId", "12")]);
    const RENAMED: Told =
        Told::Reply(&[("/customerId", "12"), ("/extraFields/result", "OK:12, nickname changed to b1")]);
    let words = [
        ("Ok:12", MADE),
        ("OK 12", MADE),
        ("[12]OK", MADE),
        ("OK:12, nickname changed to b1", RENAMED),
        ("12", UNKNOWN),
        ("1", UNKNOWN),
        ("true", UNKNOWN),
        ("SUCCESS", UNKNOWN),
        ("saved", Told::Refusal(Code::Aborted, "UNKNOWN", "saved")),
        ("OKAY", UNKNOWN),
        ("OK.", UNKNOWN),
        ("customer 12 created, mail address is invalid", UNKNOWN),
        ("code already exist", Told::Refusal(Code::AlreadyExists, "REJECTED", "code")),
        ("ERROR: no such customer", REFUSED),
    ];
    let soap = words.map(|(text, told)| (Verb::Write, xml(200, "text/xml", word(text)), told));
    play(Wire::AZOTEL, soap.into()).await;
    let json = |result: &str| {
        Reply::new(200)
            .with("content-type", "application/json")
            .with_body(format!("{{\"ip\":\"1\",\"result\":{result}}}"))
    };
    let mut rest: Vec<Case> =
        words.map(|(text, told)| (Verb::Write, json(&format!("{text:?}")), told)).into_iter().collect();
    for result in ["104", "1.5", "true", "false", "null", "\"\"", "[]", "{}", "{\"id\":\"104\"}", "[104]"] {
        rest.push((Verb::Write, json(result), UNKNOWN));
    }
    for (result, told) in [("\"OK:12\"", UNKNOWN), ("104", UNKNOWN), ("\"ERROR: no such customer\"", REFUSED)] {
        rest.push((Verb::Write, json(result).with_status(400), told));
    }
    rest.push((Verb::Read, json("104"), Told::Refusal(Code::Internal, "UNKNOWN", "")));
    rest.push((Verb::Read, json("\"not yours\""), REFUSED));
    play(Wire::AZOTEL_REST, rest).await;
}

/// The recorded reply to a read of Freeside's with another agent, in some charset.
fn agent(content_type: &str, before: &[u8], declaration: &str, name: &[u8]) -> Reply {
    let body = Wire::FREESIDE.reply(Verb::Read).body;
    let body = String::from_utf8(body).unwrap();
    let (_, document) = body.split_once("?>").unwrap();
    let (head, rest) = document.split_once("Test Reseller").unwrap();
    xml(200, content_type, [before, declaration.as_bytes(), head.as_bytes(), name, rest.as_bytes()].concat())
}

#[tokio::test]
async fn charsets_of_replies() {
    const READ: Told = Told::Reply(&[("/agentName", "Łódź")]);
    const DAMAGED: Told =
        Told::Reply(&[("/agentName", ""), ("/agentNumber", "3"), ("/extraFields/agent", "Ł\u{fffd}")]);
    let utf_8 = |content_type: &str, before: &str, declaration: &str| {
        (Verb::Read, agent(content_type, before.as_bytes(), declaration, "Łódź".as_bytes()), READ)
    };
    let declared = |encoding: &str| format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>");
    let mut cases = vec![utf_8("text/xml", "\n\u{feff}", ""), utf_8("text/xml", "\u{feff}\r\n\u{feff}", "")];
    for label in ["", "; charset=", "; charset=\"\"", "; charset=klingon", "; charset=us-ascii", "; charset=UTF-16"] {
        cases.push(utf_8(&format!("text/xml{label}"), "", ""));
        cases.push(utf_8(&format!("text/xml{label}"), "", &declared("utf-8")));
    }
    for encoding in ["utf-16", "UCS-2", "klingon", "us-ascii"] {
        cases.push(utf_8("text/xml", "", &declared(encoding)));
    }
    let latin_2 = [0xa3, 0xf3, b'd', 0xbc];
    cases.push((Verb::Read, agent("text/xml; charset=", b"", &declared("iso-8859-2"), &latin_2), READ));
    for content_type in ["text/xml", "text/xml; charset=us-ascii", "text/xml; charset=utf-8"] {
        cases.push((Verb::Read, agent(content_type, b"", "", b"\xc5\x81\xe9"), DAMAGED));
    }
    play(Wire::FREESIDE, cases).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_leave_the_verdict() {
    const MADE: Told = Told::Reply(&[("/customerId", "12"), ("/extraFields/result", "OK:12, caf\u{fffd}")]);
    let with = |text: &str| text.bytes().map(|byte| if byte == b'~' { 0xe9 } else { byte }).collect::<Vec<_>>();
    let id = with(&word("OK:1~2"));
    let soap = [(with(&word("OK:12, caf~")), MADE), (id, UNKNOWN)];
    let soap = soap.map(|(body, told)| (Verb::Write, xml(200, "text/xml; charset=us-ascii", body), told));
    play(Wire::AZOTEL, soap.into()).await;
    let rest = [("OK:12, caf~", MADE), ("OK:1~2", UNKNOWN)].map(|(text, told)| {
        let body = with(&format!("{{\"ip\":\"1\",\"result\":\"{text}\"}}"));
        (Verb::Write, Reply::new(200).with("content-type", "application/json").with_body(body), told)
    });
    play(Wire::AZOTEL_REST, rest.into()).await;
}
