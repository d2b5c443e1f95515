//! Values, addresses and heads that bend the rules of their wires, as people have met them.

use std::time::Duration;

use ispbridge_kit::{Act, Reply, reply::gzip};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    caller::{Call, Refusal},
    odd_replies::{Case, Told, UNKNOWN, play},
    wires::{Account, Site, Verb, Wire},
};

const AGENT: Told = Told::Reply(&[("/agentName", "Test Reseller"), ("/agentNumber", "3")]);
const MADE: Told = Told::Reply(&[("/customerNumber", "1001"), ("/username", "newuser")]);

/// A recorded reply in which one text is another.
fn with(wire: Wire, verb: Verb, text: &str, other: &str) -> Reply {
    let reply = wire.reply(verb);
    let body = String::from_utf8(reply.body.clone()).unwrap();
    assert!(body.contains(text), "{text} is not in {body}");
    reply.with_body(body.replacen(text, other, 1))
}

/// Answers of AEx to one method, each at an upstream and with an account of its own: what a caller is told.
async fn asked(method: &str, request: &Value, replies: &[Reply]) -> Vec<Result<Value, Refusal>> {
    let (mut upstreams, mut accounts) = (Vec::new(), Vec::new());
    for (at, reply) in replies.iter().enumerate() {
        // What follows a create may look for what was made.
        let none = Reply::new(200).with("content-type", "application/json").with_body("{\"items\":[]}").bytes();
        let upstream = Wire::AEX.upstream(vec![Act::Answer(reply.bytes()), Act::Answer(none)]).await;
        accounts.push(Account::at(format!("a{at}"), &upstream));
        upstreams.push(upstream);
    }
    let site = Site::open(Wire::AEX, &accounts).await;
    let mut answers = Vec::new();
    for at in 0..replies.len() {
        let call = Call::new(method, request.clone()).with("x-ispbridge-account", format!("a{at}"));
        let answer = call.within(Duration::from_secs(20)).send_over(site.channel.clone()).await;
        answers.push(answer.map_err(Refusal::of));
    }
    answers
}

#[tokio::test]
async fn lists_that_are_maps_of_numbers() {
    let two = json!([["A", ""], ["B", ""]]);
    let none = json!([]);
    let bad = json!(null);
    let cases = [
        (r#"{"0":{"id":"A"},"2":{"id":"B"}}"#, &two),
        (r#"{"10":{"id":"B"},"9":{"id":"A"}}"#, &two),
        (r#"{"-1":{"id":"A"},"0":null,"1":{"id":"B"}}"#, &two),
        (r#"[{"id":"A"},{"id":"B"}]"#, &two),
        ("{}", &none),
        ("[]", &none),
        ("null", &none),
        ("\"\"", &none),
        (r#"{"0":{"id":"A"},"total":1}"#, &bad),
        (r#"{"first":{"id":"A"}}"#, &bad),
        (r#"{"error":"none"}"#, &bad),
        ("false", &bad),
        ("\"none\"", &bad),
        ("7", &bad),
    ];
    let reply = |items: &str| {
        let body = format!("{{\"items\":{items},\"total\":2}}");
        Reply::new(200).with("content-type", "application/json").with_body(body)
    };
    let replies: Vec<_> = cases.iter().map(|(items, _)| reply(items)).collect();
    let answers = asked("aex.CustomerService/ListCustomers", &json!({"query": "x"}), &replies).await;
    for ((items, expected), answer) in cases.iter().zip(answers) {
        let answer = answer.unwrap_or_else(|refusal| panic!("{items}: {refusal:?}"));
        let customers = answer["customers"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> =
            customers.iter().map(|one| json!([one["id"], one["email"].as_str().unwrap_or("")])).collect();
        let is_kept = answer.pointer("/extraFields/items").is_some();
        assert_eq!(is_kept, expected.is_null(), "{items}: {answer}");
        assert_eq!(json!(found), if is_kept { json!([]) } else { (*expected).clone() }, "{items}: {answer}");
    }
}

#[tokio::test]
async fn ids_in_locations() {
    let cases = [
        ("/customers/ID", Some("ID")),
        ("/customers/ID?lang=en", Some("ID")),
        ("/customers/ID/#top", Some("ID")),
        ("/customers/ID;v=1", Some("ID")),
        ("/customers/ID?next=/auth/login", Some("ID")),
        ("//other.example.com/api/customers/A%20%C5%81", Some("A Ł")),
        ("https://other.example.com/customers/A%2FB?x", Some("A/B")),
        ("customers/ID", Some("ID")),
        ("/customers/", None),
        ("/auth/login", None),
        ("/auth/login?next=/customers/ID", None),
        ("/customers/ID/..", None),
        ("/customers/%ff", None),
        ("/customers/%4", None),
        ("", None),
    ];
    let created = |location: &str| Reply::new(201).with("location", location);
    let request = Wire::AEX.request_of("CreateCustomer");
    let replies: Vec<_> = cases.iter().map(|(location, _)| created(location)).collect();
    let answers = asked("aex.CustomerService/CreateCustomer", &request, &replies).await;
    for ((location, id), answer) in cases.iter().zip(answers) {
        let answer = answer.unwrap_or_else(|refusal| panic!("{location}: {refusal:?}"));
        assert_eq!(answer["customerId"].as_str(), *id, "{location}");
    }
    let login = |status: u16, target: &str| Reply::new(status).with("location", target).with_body("<html>moved</html>");
    let replies = [
        login(302, "/auth/login"),
        login(302, "https://x.example/auth/login?next=/customers"),
        login(303, "/auth/login/;a=b#c"),
        created("/auth/login?next=/customers/ID").with_body("<html>who are you?</html>"),
    ];
    let answers = asked("aex.CustomerService/CreateCustomer", &request, &replies).await;
    for (at, answer) in answers.into_iter().enumerate() {
        let refusal = answer.unwrap_err();
        let (code, outcome) = if at < 3 { (Code::FailedPrecondition, "REJECTED") } else { (Code::Aborted, "UNKNOWN") };
        assert_eq!((refusal.status.code(), refusal.note("outcome")), (code, outcome), "{at}: {refusal:?}");
        assert_eq!(refusal.info.reason == "UPSTREAM_AUTH", at < 3, "{refusal:?}");
    }
}

#[tokio::test]
async fn values_of_xml_rpc() {
    let name = "<value><string>Test Reseller</string></value>";
    let agent = |other: &str| with(Wire::FREESIDE, Verb::Read, name, other);
    let whole =
        |other: &str, text: &'static [(&'static str, &'static str)]| (Verb::Read, agent(other), Told::Reply(text));
    const NUMBERED: &[(&str, &str)] = &[("/agentName", "1.50"), ("/agentNumber", "3")];
    const ABSENT: &[(&str, &str)] = &[("/agentName", ""), ("/agentNumber", "3")];
    const DAMAGED: &[(&str, &str)] = &[("/agentName", ""), ("/agentNumber", "3"), ("/extraFields/agent", "a\u{fffd}b")];
    let mut cases: Vec<Case> = vec![
        whole("<value><array/></value>", ABSENT),
        whole("<value><array></array></value>", ABSENT),
        whole("", ABSENT),
        whole("<value><base64>xYHDs2TFug</base64></value>", &[("/agentName", "Łódź")]),
        whole("<value><base64>xYHD s2TF\nug=</base64></value>", &[("/agentName", "Łódź")]),
        whole("<value><base64>Pz8_Pj4-</base64></value>", &[("/agentName", "???>>>")]),
        whole("<value><base64>!</base64></value>", &[("/agentName", ""), ("/extraFields/agent", "!")]),
        whole("<value>a\r\nb\rc&#13;</value>", &[("/agentName", "a\nb\nc\r")]),
        whole("<value><![CDATA[a\r\nb]]></value>", &[("/agentName", "a\nb")]),
    ];
    for kind in ["i1", "i8", "ex:i2", "ex:float", "ex:bigdecimal", "bigdecimal", "ex:dateTime", "klingon"] {
        cases.push(whole(&format!("<value><{kind}> 1.50 </{kind}></value>"), NUMBERED));
    }
    for forbidden in ["&#0;", "&#x1F;", "&#xFFFF;", "&#xD800;", "&#1114112;"] {
        cases.push(whole(&format!("<value>a{forbidden}b</value>"), DAMAGED));
    }
    let member = "<member><name>username</name><value><string>newuser</string></value></member>";
    let made = |other: &str| with(Wire::FREESIDE, Verb::Write, member, other);
    let error = "<member><name>error</name><value><string /></value></member>";
    let judged = |other: &str| with(Wire::FREESIDE, Verb::Write, error, other);
    const PLAIN: Told = Told::Reply(&[("/customerNumber", "1001"), ("/username", "")]);
    cases.extend([
        (Verb::Write, made("<member><name>username</name></member>"), PLAIN),
        (Verb::Write, made("<member><value>x</value></member>"), PLAIN),
        (Verb::Write, made("<member/>"), PLAIN),
        (Verb::Write, made(&format!("{}{member}", member.replace("newuser", "x"))), MADE),
        (Verb::Write, judged(&format!("{}{error}", error.replace("<string />", "died"))), MADE),
        (Verb::Write, judged("<member><name>error</name></member>"), UNKNOWN),
        (Verb::Write, judged("<member><value>Illegal zip</value></member>"), UNKNOWN),
    ]);
    play(Wire::FREESIDE, cases).await;
}

#[tokio::test]
async fn escapes_and_keys_of_json() {
    let reply = |body: &str| Reply::new(200).with("content-type", "application/json").with_body(body);
    let made = |text: &str| (Verb::Write, reply(&format!("{{\"ip\":\"1\",\"result\":{text}}}")));
    const KEPT: Told = Told::Reply(&[("/customerId", "12"), ("/extraFields/result", "OK:12, \u{fffd}")]);
    const MADE: Told = Told::Reply(&[("/customerId", "12")]);
    let mut cases: Vec<Case> = Vec::new();
    for half in [r"\ud83d", r"\uDE00"] {
        let (verb, reply) = made(&format!("\"OK:12, {half}\""));
        cases.push((verb, reply, KEPT));
    }
    let told = [
        (r#""OK:12","\ud83d":"\ude00""#, MADE),
        (r#""OK:1","result":"OK:12""#, MADE),
        (r#""OK:12","result":"code already exist""#, Told::Refusal(Code::AlreadyExists, "REJECTED", "code")),
        (r#""OK:12","result":null"#, UNKNOWN),
        (r#""OK:12, \ud83""#, UNKNOWN),
    ];
    cases.extend(told.map(|(text, told)| {
        let (verb, reply) = made(text);
        (verb, reply, told)
    }));
    let found = |customer: &str| reply(&format!("{{\"ip\":\"1\",\"result\":{{\"customer\":{customer}}}}}"));
    const JAN: Told = Told::Reply(&[("/customers/0/id", "7"), ("/customers/0/firstName", "Jan \u{fffd}😀")]);
    cases.push((
        Verb::Read,
        found(r#"[{"id":"1","firstname":"x","id":"7","firstname":"Jan \ud83d\ud83d\ude00"}]"#),
        JAN,
    ));
    cases.push((
        Verb::Read,
        found(r#"{"8":{"id":"7","firstname":"Jan \ude00\ud83d\ude00"},"9":{"firstname":"x"}}"#),
        JAN,
    ));
    play(Wire::AZOTEL_REST, cases).await;
}

/// Heads as old servers write them, and codings under all of their names.
#[tokio::test]
async fn heads_and_codings() {
    let (read, write) = (Wire::FREESIDE.reply(Verb::Read), Wire::FREESIDE.reply(Verb::Write));
    let heads: [(&str, &str); 6] = [
        ("x-folded", "a\r\n b\r\n\tc"),
        ("x-empty", "\r\n b"),
        ("x-blank ", "a"),
        ("x-tab\t", "\ta\t"),
        ("x-both \t ", " a\r\n  b "),
        ("content-type ", "text/xml;\r\n\tcharset=utf-8"),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, value) in heads {
        cases.push((Verb::Read, read.clone().with(name.trim(), "").with(name, value), AGENT));
        cases.push((Verb::Write, write.clone().with(name, value), MADE));
    }
    let packed =
        |reply: &Reply, coding: &str| reply.clone().with("content-encoding", coding).with_body(gzip(&reply.body));
    for coding in ["GZIP", "x-gzip", "X-GZip", "gzip, identity", "identity,gzip", ",gzip"] {
        cases.push((Verb::Read, packed(&read, coding), AGENT));
        cases.push((Verb::Write, packed(&write, coding), MADE));
    }
    for coding in ["identity", "Identity", ""] {
        cases.push((Verb::Read, read.clone().with("content-encoding", coding), AGENT));
    }
    for coding in ["br", "x-compress", "gzip, gzip", "gzip-2"] {
        cases.push((Verb::Read, packed(&read, coding), Told::Refusal(Code::Internal, "UNKNOWN", "")));
        cases.push((Verb::Write, packed(&write, coding), UNKNOWN));
    }
    play(Wire::FREESIDE, cases).await;
}

/// A folded line that says how long the reply is, and a connection that is used again after it.
#[tokio::test]
async fn a_folded_length_is_a_length() {
    let reply = Wire::FREESIDE.reply(Verb::Read);
    let lengths = ["Content-Length:\r\n {}\r\n", "Content-Length : {}\r\n", "content-length\t:\t{}\r\n \r\n"];
    for line in lengths {
        let bytes = reply.framed(&line.replace("{}", &reply.body.len().to_string()));
        let upstream = Wire::FREESIDE.upstream(vec![Act::Answer(bytes)]).await;
        let site = Site::at(Wire::FREESIDE, &upstream).await;
        for _ in 0..2 {
            assert_eq!(site.ask(Verb::Read).await["agentName"], "Test Reseller", "{line:?}");
        }
        assert_eq!(crate::wires::calls(&upstream), 2, "{line:?}");
    }
}
