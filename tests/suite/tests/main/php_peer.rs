//! The Azotel service against PHP's own SOAP server: references inside of arrays, faults of a method's author.
//!
//! Needs the Debian packages `php-cli` and `php-soap`.

use std::path::Path;

use ispbridge_parts::PHP_SOAP;
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    child::Running,
    peer::{PASSWORD, Peer, USERNAME},
};

/// `None`, and a line that says why, where PHP or its SOAP extension is missing.
fn start() -> Option<Peer> {
    let mut php = PHP_SOAP.command()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("php/azotel.php");
    php.args(["-d", "display_errors=stderr", "-S", "127.0.0.1:0"]).arg(script);
    let php = Running::start(php.env("PEER_USERNAME", USERNAME).env("PEER_PASSWORD", PASSWORD));
    let port = php.after("(http://127.0.0.1:", ')');
    Some(Peer::of(php, "azotel", &port, |port| {
        format!("base_url = \"http://127.0.0.1:{port}/\"\nuri = \"http://h/OperatorAPI\"")
    }))
}

#[tokio::test]
async fn a_reference_inside_of_an_array_is_what_it_points_at() {
    let Some(peer) = start() else { return };
    peer.ask("SystemService/PingApi", json!({})).await;
    let found = peer.ask("CustomerService/SearchCustomer", json!({})).await;
    let customers = found["customers"].as_array().unwrap();
    let read = (customers.len(), &customers[0]["email"], &customers[2]["id"]);
    assert_eq!(read, (3, &json!("ł@example.com"), &json!("2")), "{found}");
    assert_eq!(customers[0], customers[1]);
    peer.end();
}

#[tokio::test]
async fn what_php_says_of_a_write_is_told_as_it_is_known() {
    let Some(peer) = start() else { return };
    let new = |nickname: &str| json!({ "name": "John", "nickname": nickname, "invoicingId": "J1" });
    let add = "CustomerService/AddCustomer";
    for unknown in ["bare", "server", "detail", "died", "number", "true"] {
        peer.refused(add, new(unknown), Code::Aborted, "UNKNOWN").await;
    }
    peer.refused(add, new("refined"), Code::FailedPrecondition, "REJECTED").await;
    let status = peer.send(add, new("detail")).await.unwrap_err();
    assert!(status.get_details_error_info().unwrap().metadata["upstream_message"].contains("disk full"), "{status:?}");
    let renamed = peer.ask(add, new("renamed")).await;
    assert_eq!(renamed["customerId"], "104", "{renamed}");
    assert_eq!(renamed["extraFields"]["result"], "OK:104, nickname changed to ł2", "{renamed}");
    peer.called("addCustomer", 9);
    peer.end();
}
