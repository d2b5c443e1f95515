//! Long replies: read where they may be so long, else refused by the name of the limit, in bounded memory.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use ispbridge_kit::{Act, Reply};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    caller::{Call, Refusal},
    wires::{Account, Apart, Verb, Wire},
};

/// The key of an account, and that of a process.
const UPSTREAM: &str = "transport.max_reply_bytes";
const OWN: &str = "server.max_reply_bytes";
/// Room enough for every reply here.
const LARGE: &str = "max_reply_bytes = 67108864";
const LARGE_OWN: (&str, &str) = ("ISPBRIDGE__SERVER__MAX_REPLY_BYTES", "67108864");

fn xml(body: String) -> Reply {
    Reply::new(200).with("content-type", "text/xml").with_body(body)
}

/// What a database keeps of a customer, by column.
fn columns(number: usize) -> Vec<(String, String)> {
    let known =
        [("custnum", number.to_string()), ("first", "Łucja".to_owned()), ("last", format!("Kowalska {number}"))];
    let known = known.into_iter().map(|(name, value)| (name.to_owned(), value));
    known.chain((0..80).map(|column| (format!("column_{column}"), format!("what stands in column {column}")))).collect()
}

/// A list of so many customers in XML-RPC, about six kilobytes each.
fn agents_customers(count: usize) -> String {
    let member = |(name, value)| format!("<member><name>{name}</name><value><string>{value}</string></value></member>");
    let customer = |number| {
        let members: String = columns(number).into_iter().map(member).collect();
        format!("<value><struct>{members}</struct></value>")
    };
    let customers: String = (0..count).map(customer).collect();
    let list = format!("<member><name>customers</name><value><array><data>{customers}</data></array></value></member>");
    format!("<methodResponse><params><param><value><struct>{list}</struct></value></param></params></methodResponse>")
}

/// The same as XML::Simple writes it.
fn found_customers(count: usize) -> String {
    let element = |(name, value)| format!("    <{name}>{value}</{name}>\n");
    let customer = |number| {
        let elements: String = columns(number).into_iter().map(element).collect();
        let blanks = " ".repeat(3500);
        format!("  <customer id=\"{number}\">\n{elements}{blanks}</customer>\n")
    };
    let customers: String = (0..count).map(customer).collect();
    format!("<customerSearchRoot>\n{customers}</customerSearchRoot>\n")
}

fn soap(function: &str, value: &str) -> String {
    let answer = format!("<{function}Response>{value}</{function}Response>");
    format!("<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{answer}</s:Body></s:Envelope>")
}

/// A service whose upstream answers always the same.
async fn answered(wire: Wire, reply: &Reply, transport: &str, variables: &[(&str, &str)]) -> Apart {
    let upstream = wire.upstream(vec![Act::Answer(reply.bytes())]).await;
    let account = Account { transport: transport.to_owned(), ..Account::at("main", &upstream) };
    Apart::start(wire, &[account], "", variables).await
}

async fn list(apart: &Apart) -> Result<Value, Status> {
    let call = match apart.site.wire {
        Wire::FREESIDE => Call::new("freeside.AgentService/AgentListCustomers", json!({ "search": "a" })),
        wire => Call::new(wire.method(Verb::Read), json!({})),
    };
    call.within(Duration::from_secs(60)).send_over(apart.site.channel.clone()).await
}

async fn is_read(apart: Apart, count: usize) {
    let listed = list(&apart).await.unwrap();
    let customers = listed["customers"].as_array().unwrap();
    assert_eq!(customers.len(), count);
    let last = &customers[count - 1];
    assert_eq!(
        last["lastName"].as_str().or(last["extraFields"]["last"].as_str()),
        Some(&*format!("Kowalska {}", count - 1))
    );
}

async fn is_refused(apart: Apart, reason: &str, limit: &str) {
    let refusal = Refusal::of(list(&apart).await.unwrap_err());
    refusal.assert(Code::ResourceExhausted, reason, "UNKNOWN");
    assert!(refusal.note("limit") == limit && refusal.status.message().contains(limit), "{:?}", refusal.status);
}

#[tokio::test]
async fn a_long_list_is_read_if_it_may_be_so_long() {
    let (some, many) = (xml(agents_customers(750)), xml(agents_customers(1500)));
    assert!(some.body.len() > 4_600_000 && many.body.len() > 8 << 20, "{} {}", some.body.len(), many.body.len());
    is_read(answered(Wire::FREESIDE, &some, "", &[]).await, 750).await;
    is_read(answered(Wire::FREESIDE, &many, LARGE, &[LARGE_OWN]).await, 1500).await;
    is_refused(answered(Wire::FREESIDE, &many, "", &[]).await, "UPSTREAM_BODY_TOO_LARGE", UPSTREAM).await;
    is_refused(answered(Wire::FREESIDE, &many, LARGE, &[]).await, "REPLY_TOO_LARGE", OWN).await;
}

#[tokio::test]
async fn a_long_text_is_read_if_it_may_be_so_long() {
    for count in [750, 1500] {
        let text = found_customers(count);
        assert!(text.len() > count * 6000);
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
        let base64 = STANDARD.encode(&text);
        for value in [format!("<s>{escaped}</s>"), format!("<s t:type=\"x:base64Binary\">{base64}</s>")] {
            let reply = xml(soap("searchCustomer", &value));
            let (transport, own): (_, &[_]) = if count == 750 { ("", &[]) } else { (LARGE, &[LARGE_OWN]) };
            is_read(answered(Wire::AZOTEL, &reply, transport, own).await, count).await;
        }
    }
}

/// Replies within their bytes that mean far more than these, each with the limit that they pass.
fn dense() -> Vec<(Wire, Verb, Reply, &'static str)> {
    let deep = format!("{}{}", "<i>".repeat(100), "</i>".repeat(100));
    let values = |of: &str, count: usize| format!("<r>{}</r>", of.repeat(count));
    let list = format!("<array><data>{}</data></array>", "<value/>".repeat(1_000_000));
    let list = format!("<methodResponse><params><param><value>{list}</value></param></params></methodResponse>");
    let tags = STANDARD.encode(values("<a b=\"\"/>", 600_000));
    let json = |result: String| Reply::new(200).with_body(format!("{{\"result\":{result}}}"));
    vec![
        (Wire::AZOTEL, Verb::Read, xml(soap("searchCustomer", &values("<i/>", 2_000_000))), UPSTREAM),
        (Wire::AZOTEL, Verb::Write, xml(soap("addCustomer", &values("<i/>", 2_000_000))), UPSTREAM),
        (Wire::AZOTEL, Verb::Read, xml(soap("searchCustomer", &deep)), "levels"),
        (Wire::AZOTEL, Verb::Write, xml(soap("addCustomer", &deep)), "levels"),
        (Wire::FREESIDE, Verb::Read, xml(list.clone()), UPSTREAM),
        (Wire::FREESIDE, Verb::Write, xml(list), UPSTREAM),
        (
            Wire::AZOTEL_REST,
            Verb::Read,
            json(format!("{{\"customer\":[{{}}{}]}}", ",{\"\":0}".repeat(1_000_000))),
            UPSTREAM,
        ),
        (Wire::AZOTEL_REST, Verb::Read, json(format!("{{\"x\":[{{}}{}]}}", ",{\"\":0}".repeat(1_000_000))), UPSTREAM),
        (Wire::AZOTEL_REST, Verb::Read, json(format!("{{\"x\":[0{}]}}", ",0".repeat(4_000_000))), UPSTREAM),
        (
            Wire::AZOTEL,
            Verb::Read,
            xml(soap("searchCustomer", &format!("<s t:type=\"x:base64Binary\">{tags}</s>"))),
            UPSTREAM,
        ),
        (Wire::AZOTEL_REST, Verb::Write, json("[".repeat(200) + &"]".repeat(200)), "levels"),
    ]
}

#[tokio::test]
async fn what_means_more_than_its_bytes_is_refused_in_bounded_memory() {
    for (wire, verb, reply, limit) in dense() {
        let apart = answered(wire, &reply, "", &[]).await;
        let before = apart.child.number("VmHWM");
        let refusal = apart.site.refused(verb).await;
        match verb {
            Verb::Read => refusal.assert(Code::ResourceExhausted, "UPSTREAM_BODY_TOO_LARGE", "UNKNOWN"),
            Verb::Write => refusal.assert(Code::Aborted, "OUTCOME_UNKNOWN", "UNKNOWN"),
        }
        assert_eq!(refusal.note("limit"), limit, "{:?}", refusal.status);
        assert!(refusal.status.message().contains(limit), "{:?}", refusal.status);
        let grown = (apart.child.number("VmHWM") - before) / 1024;
        println!("{wire:?} {verb:?} {limit}: {grown} MiB for {} bytes", reply.body.len());
        assert!(grown <= 40 * 8, "{wire:?} {verb:?}: {grown} MiB for a reply of at most 8 MiB");
    }
}
