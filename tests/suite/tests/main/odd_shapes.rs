//! Errors, documents in texts, ids and amounts in other shapes than the usual, as people have met them.

use std::time::Duration;

use ispbridge_kit::{Act, Hostile, Reply};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    caller::{Call, Refusal},
    odd_replies::{Case, Told, UNKNOWN, play},
    wires::{Site, Verb, Wire, calls},
};

const UNREADABLE: Told = Told::Refusal(Code::Internal, "UNKNOWN", "");
const AGENT: Told = Told::Reply(&[("/agentName", "Test Reseller")]);
const MADE: Told = Told::Reply(&[("/customerNumber", "1001")]);
const REFUSED: Told = Told::Refusal(Code::InvalidArgument, "REJECTED", "Illegal name; no zip");

/// A recorded reply of Freeside with another value of `error`.
fn with_error(verb: Verb, value: &str) -> Reply {
    let (reply, begin) = (Wire::FREESIDE.reply(verb), "<name>error</name><value>");
    let body = String::from_utf8(reply.body.clone()).unwrap();
    let (before, rest) = body.split_once(begin).unwrap();
    let after = rest.split_once("</value>").map_or(rest, |(_, after)| after);
    reply.with_body(format!("{before}{begin}{value}</value>{after}"))
}

#[tokio::test]
async fn errors_of_freeside() {
    let list = |items: &str| format!("<array><data>{items}</data></array>");
    let texts = list("<value><string>Illegal name</string></value><value>no zip</value>");
    let unclear =
        list("<value>Illegal name</value><value><struct></struct></value><value><boolean>1</boolean></value>");
    let shapes = [
        ("<string>0</string>", [AGENT, MADE]),
        ("<int>0</int>", [AGENT, MADE]),
        ("<boolean>0</boolean>", [AGENT, MADE]),
        ("<double>0.0</double>", [AGENT, MADE]),
        ("<array><data/></array>", [AGENT, MADE]),
        ("<struct/>", [AGENT, MADE]),
        (&texts, [REFUSED, REFUSED]),
        (&unclear, [UNREADABLE, UNKNOWN]),
        ("<boolean>1</boolean>", [UNREADABLE, UNKNOWN]),
        ("<int>12</int>", [UNREADABLE, UNKNOWN]),
        ("<struct><member><name>a</name><value>b</value></member></struct>", [UNREADABLE, UNKNOWN]),
    ];
    let cases = shapes.iter().flat_map(|(value, [read, write])| -> [Case; 2] {
        [(Verb::Read, with_error(Verb::Read, value), *read), (Verb::Write, with_error(Verb::Write, value), *write)]
    });
    play(Wire::FREESIDE, cases.collect()).await;
}

#[tokio::test]
async fn documents_in_texts() {
    const JAN: Told = Told::Reply(&[("/customers/0/firstName", "Jan"), ("/customers/0/town", "A & <B>")]);
    let recorded = Wire::AZOTEL.reply(Verb::Read);
    let body = String::from_utf8(recorded.body.clone()).unwrap();
    let (root, city, name) = ("&lt;customerSearchRoot&gt;", "&lt;city&gt;Pogwizdow&lt;/city&gt;", "&lt;/firstname&gt;");
    assert!([root, city, name].iter().all(|part| body.contains(part)), "{body}");
    let case = |before: &str, written: &str| -> Case {
        let body = body.replacen(root, &format!("{before}{root}"), 1).replacen(city, written, 1);
        (Verb::Read, recorded.clone().with_body(body.replacen(name, "&lt;/firstname\n&gt;", 1)), JAN)
    };
    let cdata = "&lt;city&gt;A &lt;![CDATA[& <B>]]&gt;&lt;/city&gt;".replace("[& <B>]", "[&amp; &lt;B&gt;]");
    let escaped = "&lt;!-- > --&gt;&lt;city&gt;A &amp;amp; &amp;lt;B&amp;gt;&lt;/city &gt;";
    play(
        Wire::AZOTEL,
        vec![
            case("&lt;?xml version='1.0' standalone='yes'?&gt;\n", &cdata),
            case("\u{feff}&lt;!-- made by us --&gt;\n&lt;?pi x?&gt;", escaped),
        ],
    )
    .await;
}

async fn refused(site: &Site, method: &str, request: Value) -> Refusal {
    let call = Call::new(method, request.clone()).within(Duration::from_secs(20));
    Refusal::of(call.send_over(site.channel.clone()).await.expect_err(&request.to_string()))
}

#[tokio::test]
async fn what_names_nobody_is_not_sent() {
    let upstream = Wire::AZOTEL.upstream(vec![Act::Answer(Wire::AZOTEL.reply(Verb::Write).bytes())]).await;
    let site = Site::at(Wire::AZOTEL, &upstream).await;
    let mut requests = Vec::new();
    for id in ["0", "00", " ", "\t", "-0", "0.0", "%", "\u{a0}"] {
        let request = json!({ "run": "INVOICE_RUN_RECURRING", "customerId": id });
        requests.push(("azotel.BillingService/GenerateInvoices", request));
        let request = json!({ "customerId": "2", "rowId": id });
        requests.push(("azotel.CustomTableService/DeleteCustomTableEntries", request));
    }
    for amount in ["1e400", "1E5", "NaN", "inf", "0x10", "1,000"] {
        let request = json!({ "invoiceNumber": "1", "amount": amount, "paymentMethod": "PAYMENT_METHOD_CASH" });
        requests.push(("azotel.BillingService/PayInvoice", request));
    }
    for (method, request) in requests {
        let refusal = refused(&site, method, request.clone()).await;
        refusal.assert(Code::InvalidArgument, "INVALID_REQUEST", "NOT_SENT");
        let named = ["customer_id", "row_id", "amount"].iter().any(|field| refusal.status.message().contains(field));
        assert!(named, "{request}: {}", refusal.status.message());
    }
    assert_eq!(calls(&upstream), 0);
}

#[tokio::test]
async fn refused_credentials_are_told_until_the_next_login() {
    let text = "Incorrect password.";
    let error = format!("<member><name>error</name><value><string>{text}</string></value></member>");
    let body = format!(
        "<methodResponse><params><param><value><struct>{error}</struct></value></param></params></methodResponse>"
    );
    let reply = Reply::new(200).with("content-type", "text/xml").with_body(body).bytes();
    let upstream = Hostile::start(move |_| Act::Answer(reply.clone())).await;
    let site = Site::at(Wire::FREESIDE, &upstream).await;
    for verb in [Verb::Read, Verb::Write, Verb::Read] {
        let refusal = site.refused(verb).await;
        refusal.assert(Code::FailedPrecondition, "UPSTREAM_AUTH", "NOT_SENT");
        assert_eq!(refusal.note("upstream_message"), text);
    }
    assert_eq!(upstream.count("agent_login"), 1);
}
