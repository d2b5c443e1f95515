//! Any text that a caller can send comes back byte for byte over each of the wires, read in between by parsers that are
//! not ours, or is refused as the caller's own.

use proptest::{
    prop_oneof,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::{azotel_transports::Doors, caller::Call, harness::Harness};

/// Texts that something on the way might take for its own.
const ODD: [&str; 16] = [
    "\r",
    "a\r\nb\nc\rd\te",
    "]]>",
    "<![CDATA[x]]>",
    "&#13;&amp;&lt;",
    "<a b=\"c\">d</a>",
    "'\"\\",
    "  both ends  ",
    "\u{a0}\u{2028}\u{85}",
    "Łódź žluťoučký kůň ΑΒΓ 日本語 🦀",
    "e\u{301} é",
    "\u{fdd0}\u{10fffd}",
    "OK:12",
    "ERROR: no",
    "true",
    "{\"a\": [1]}",
];
/// Texts that XML cannot carry in any form.
const NO_XML: [&str; 6] = ["\0", "a\u{1}b", "\u{b}", "\u{1f}", "\u{fffe}", "x\u{ffff}"];
/// Texts that are made up.
const MADE_UP: usize = 40;

fn texts() -> Vec<String> {
    let strategy = prop_oneof!["[ -~]{1,40}", "\\PC{1,40}", "[<>&\"'\\]\r\n\t\\\\ a]{1,40}"];
    let mut runner = TestRunner::deterministic();
    let made_up = (0..MADE_UP).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    ODD.iter().map(|text| (*text).to_owned()).chain(made_up).collect()
}

#[tokio::test]
async fn any_text_survives_soap_and_json() {
    let doors = Doors::open().await;
    for transport in ["soap", "rest"] {
        for text in texts() {
            let changed = note(&doors, transport, &text).await;
            assert_eq!(changed, json!({}), "{transport} {text:?}");
            let own = json!({ "customerId": "3" });
            let data = doors.ask(transport, "CustomerService/GetCustomerData", &own).await;
            assert_eq!(data["customer"]["note"], text, "{transport}");
        }
    }
    for text in NO_XML {
        let refused = note(&doors, "soap", text).await;
        assert_eq!(refused["refused"]["code"], "InvalidArgument", "{text:?}");
        assert_eq!(refused["refused"]["violations"], json!(["note"]), "{text:?}");
        assert_eq!(note(&doors, "rest", text).await, json!({}), "{text:?}");
    }
    doors.close().await;
}

async fn note(doors: &Doors, transport: &str, text: &str) -> Value {
    let request = json!({ "customerId": "3", "note": text });
    doors.ask(transport, "CustomerService/ModifyCustomer", &request).await
}

#[tokio::test]
async fn any_text_survives_xml_rpc() {
    let harness = Harness::open().await;
    let new = |number: usize, text: &str| {
        json!({
            "firstName": "John", "lastName": "Smith", "addressLine1": "1 Main St", "city": "Cork", "state": "CA",
            "postalCode": "94105", "country": "US", "packageDefinitionNumber": "1", "paymentMethod": "PAYMENT_METHOD_CARD",
            "paymentNumber": "4111111111111111", "paymentExpiry": "11/2030", "cardVerificationCode": "123", "username": format!("user{number}"), "password": text,
        })
    };
    for (number, text) in texts().iter().enumerate() {
        let made = harness.ask("freeside.CustomerService/NewCustomer", new(number, text)).await;
        assert_eq!(made["password"], *text);
    }
    for text in NO_XML {
        let call = Call::new("freeside.CustomerService/NewCustomer", new(1000, text));
        let refused = harness.refused_call(call).await;
        refused.assert(Code::InvalidArgument, "INVALID_REQUEST", "NOT_SENT");
        assert!(!format!("{:?}", refused.status).contains(text), "a password in its own refusal");
    }
    harness.close().await;
}
