//! The services against the libraries that their upstreams are made of, in the upstreams' own language.
//!
//! Needs the Debian packages `libsoap-lite-perl`, `libxmlrpc-lite-perl` and `libxml-simple-perl`.

use std::{path::Path, process::Command};

use ispbridge_parts::{Part, SOAP_LITE, XML_SIMPLE, XMLRPC_LITE};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    child::Running,
    peer::{PASSWORD, Peer, USERNAME},
};

/// Not in Latin-1, and with letters that are.
const NAME: [&str; 2] = ["Łucja", "Ó Briain"];

/// `None` where one of Perl's libraries is missing.
fn start(
    provider: &'static str,
    libraries: &[Part],
    variables: &[(&str, &str)],
    account: impl Fn(&str) -> String,
) -> Option<Peer> {
    if !libraries.iter().all(Part::is_here) {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("perl/{provider}.pl"));
    let mut perl = Command::new("perl");
    perl.arg(script).env("PEER_USERNAME", USERNAME).env("PEER_PASSWORD", PASSWORD).envs(variables.iter().copied());
    let perl = Running::start(&mut perl);
    let port = perl.after("listening on ", '\n');
    Some(Peer::of(perl, provider, &port, account))
}

/// `types` is the table that the server's serialiser has.
fn freeside(door: &str, types: &str) -> Option<Peer> {
    start("freeside", &[XMLRPC_LITE], &[("PEER_TYPES", types)], |port| {
        format!("base_url = \"http://127.0.0.1:{port}/selfservice/xmlrpc.cgi\"\ndoor = {door:?}")
    })
}

#[tokio::test]
async fn freeside_behind_its_front_door() {
    if let Some(peer) = freeside("self_service", "text") {
        reseller(&peer).await;
        peer.end();
    }
}

#[tokio::test]
async fn freeside_behind_its_back_door() {
    if let Some(peer) = freeside("back_end", "text") {
        reseller(&peer).await;
        peer.end();
    }
}

#[tokio::test]
async fn freeside_that_sends_base64_beyond_ascii() {
    if let Some(peer) = freeside("self_service", "base64") {
        reseller(&peer).await;
        peer.end();
    }
}

#[tokio::test]
async fn freeside_that_guesses_types() {
    if let Some(peer) = freeside("self_service", "guess") {
        reseller(&peer).await;
        peer.end();
    }
}

/// A reseller's day.
async fn reseller(peer: &Peer) {
    let info = peer.ask("AgentService/AgentInfo", json!({})).await;
    assert_eq!((&info["agentName"], &info["activeCount"]), (&json!("Test Reseller"), &json!(1)));
    let new = json!({
        "firstName": NAME[0], "lastName": NAME[1], "addressLine1": "1 Main St", "city": "Łódź", "state": "CA",
        "postalCode": "05432", "country": "US", "packageDefinitionNumber": "1", "username": "lucja",
        "password": "s33kret", "company": "Tofu & <Co>",
    });
    let made = peer.ask("CustomerService/NewCustomer", new.clone()).await;
    assert_eq!((&made["username"], &made["password"]), (&json!("lucja"), &json!("s33kret")));
    let number = made["customerNumber"].as_str().unwrap();
    peer.refused("CustomerService/NewCustomer", new, Code::AlreadyExists, "REJECTED").await;
    let found = peer.ask("AgentService/AgentListCustomers", json!({ "search": "łucja" })).await;
    let [row] = found["customers"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!([&row["firstName"], &row["lastName"]], NAME, "{row}");
    assert_eq!(
        (&row["postalCode"], &row["city"], &row["company"]),
        (&json!("05432"), &json!("Łódź"), &json!("Tofu & <Co>"))
    );
    assert!(row["signupDate"].is_string(), "{row}");
    let own = json!({ "customerNumber": number });
    let info = peer.ask("CustomerService/CustomerInfo", own.clone()).await;
    assert_eq!((&info["firstName"], &info["balance"]), (&json!(NAME[0]), &json!("19.99")));
    assert_eq!(info["openInvoices"][0]["invoiceNumber"], "12");
    peer.refused("CustomerService/CustomerInfo", json!({ "customerNumber": "7" }), Code::NotFound, "REJECTED").await;
    accounts(peer).await;
    let order = json!({ "customerNumber": number, "packageDefinitionNumber": "2" });
    let ordered = peer.ask("PackageService/OrderPkg", order).await;
    let packages = peer.ask("PackageService/ListPkgs", own).await;
    assert_eq!(packages["packages"][1]["packageNumber"], ordered["packageNumber"]);
    peer.called("agent_login", 1);
}

async fn accounts(peer: &Peer) {
    let account = json!({ "username": "lucja", "domain": "example.com" });
    assert_eq!(peer.ask("AccountService/CheckUsername", account.clone()).await["available"], false);
    let free = json!({ "username": "nobody", "domain": "example.com" });
    assert_eq!(peer.ask("AccountService/CheckUsername", free.clone()).await["available"], true);
    peer.ask("AccountService/SuspendUsername", account.clone()).await;
    let suspended = peer.ask("AgentService/AgentListCustomers", json!({ "suspended": true })).await;
    assert_eq!(suspended["customers"].as_array().unwrap().len(), 2);
    peer.ask("AccountService/UnsuspendUsername", account).await;
    peer.refused("AccountService/SuspendUsername", free, Code::NotFound, "REJECTED").await;
}

#[tokio::test]
async fn a_freeside_method_that_dies_leaves_the_outcome_open() {
    let Some(peer) = freeside("self_service", "text") else { return };
    let new = json!({
        "firstName": "John", "lastName": "Smith", "addressLine1": "1 Main St", "city": "Cork", "state": "CA",
        "postalCode": "94105", "country": "US", "packageDefinitionNumber": "1", "comments": "x".repeat(201),
    });
    peer.refused("CustomerService/NewCustomer", new, Code::Aborted, "UNKNOWN").await;
    peer.called("new_customer", 1);
    peer.end();
}

#[tokio::test]
async fn a_freeside_that_dies_over_its_reply_has_done_its_work() {
    let Some(peer) = freeside("self_service", "wide") else { return };
    let mut new = json!({
        "firstName": "John", "lastName": "Smith", "addressLine1": "1 Main St", "city": "Cork", "state": "CA",
        "postalCode": "94105", "country": "US", "packageDefinitionNumber": "1", "username": "js", "password": "hasło",
    });
    peer.refused("CustomerService/NewCustomer", new.clone(), Code::Aborted, "UNKNOWN").await;
    peer.called("new_customer", 1);
    new["password"] = json!("plain");
    peer.refused("CustomerService/NewCustomer", new.clone(), Code::AlreadyExists, "REJECTED").await;
    new["username"] = json!("ł");
    new["firstName"] = json!("Łucja");
    peer.refused("CustomerService/NewCustomer", new, Code::Aborted, "UNKNOWN").await;
    // The same of a read is the server's failure, worth another attempt.
    let all = json!({ "search": "smith" });
    peer.refused("AgentService/AgentListCustomers", all, Code::Unavailable, "UNKNOWN").await;
    peer.called("agent_list_customers", 3);
    peer.end();
}

fn azotel(style: &str) -> Option<Peer> {
    azotel_with(&format!("style = {style:?}"))
}

fn azotel_with(keys: &str) -> Option<Peer> {
    start("azotel", &[SOAP_LITE, XML_SIMPLE], &[], |port| {
        format!("base_url = \"http://127.0.0.1:{port}/API/operatorapi.pl\"\noperator = \"wisp\"\n{keys}")
    })
}

#[tokio::test]
async fn an_azotel_that_dies_over_its_reply_has_done_its_work() {
    let Some(peer) = azotel("map") else { return };
    let new = json!({ "name": "John Smith", "nickname": "Unwritable", "invoicingId": "W1" });
    peer.refused("CustomerService/AddCustomer", new, Code::Aborted, "UNKNOWN").await;
    peer.called("addCustomer", 1);
    let found = peer.ask("CustomerService/SearchCustomer", json!({ "firstName": "John" })).await;
    assert_eq!(found["results"], 2, "it was made: {found}");
    peer.end();
}

#[tokio::test]
async fn what_azotel_does_not_begin_is_refused() {
    let Some(peer) = azotel("map") else { return };
    let site = json!({ "siteId": "1" });
    peer.refused("EquipmentService/DeleteSite", site.clone(), Code::Unimplemented, "REJECTED").await;
    peer.end();
    for uri in ["http://h/NoSuchClass", "http://h/", "http://h/not-a-class"] {
        let Some(peer) = azotel_with(&format!("uri = {uri:?}")) else { return };
        peer.refused("EquipmentService/DeleteSite", site.clone(), Code::FailedPrecondition, "REJECTED").await;
        peer.end();
    }
}

#[tokio::test]
async fn azotel_with_attributes_as_a_map() {
    if let Some(peer) = azotel("map") {
        operator(&peer).await;
        peer.end();
    }
}

#[tokio::test]
async fn azotel_with_attributes_as_a_struct() {
    if let Some(peer) = azotel("struct") {
        operator(&peer).await;
        peer.end();
    }
}

#[tokio::test]
async fn azotel_with_attributes_as_a_flat_list() {
    if let Some(peer) = azotel("flat") {
        operator(&peer).await;
        peer.end();
    }
}

/// An operator's day.
async fn operator(peer: &Peer) {
    peer.ask("SystemService/PingApi", json!({})).await;
    let name = NAME.join(" ");
    let new = json!({
        "name": name, "nickname": "JohnSmith", "invoicingId": "L1", "email": "lucja@example.com",
        "initialContactDate": { "year": 2018, "month": 9, "day": 22 }, "status": "current", "note": "a < b & \"c\"",
        "address": { "street1": "Główna 1", "town": "Łódź", "postalCode": "05432" }, "phone": "0871234567",
    });
    let made = peer.ask("CustomerService/AddCustomer", new).await;
    let id = made["customerId"].as_str().unwrap();
    let data = peer.ask("CustomerService/GetCustomerData", json!({ "customerId": id })).await;
    let customer = &data["customer"];
    assert_eq!((&customer["name"], &customer["nickname"]), (&json!(name), &json!("JohnSmith2")));
    assert_eq!(customer["initialContactDate"], json!({ "year": 2018, "month": 9, "day": 22 }));
    assert_eq!((&customer["street1"], &customer["town"]), (&json!("Główna 1"), &json!("Łódź")));
    assert_eq!((&customer["postalCode"], &customer["note"]), (&json!("05432"), &json!("a < b & \"c\"")));
    let found = peer.ask("CustomerService/SearchCustomer", json!({ "firstName": "łucja" })).await;
    let [row] = found["customers"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!((&row["id"], &row["lastName"], &row["phone"]), (&json!(id), &json!(NAME[1]), &json!("0871234567")));
    assert_eq!(peer.ask("CustomerService/SearchCustomer", json!({ "firstName": "nobody" })).await["results"], 0);
    let address = |email: &str| json!({ "email": email });
    let known = peer.ask("CustomerService/CheckExistingEmail", address("lucja@example.com")).await;
    assert_eq!(known["customerId"], id);
    assert_eq!(peer.ask("CustomerService/CheckExistingEmail", address("nobody@example.com")).await, json!({}));
    equipment(peer, id).await;
    radius(peer, id).await;
    removal(peer, id).await;
}

async fn equipment(peer: &Peer, customer: &str) {
    let statuses = peer.ask("CustomerService/GetCustomerStatuses", json!({})).await;
    assert_eq!(statuses["statuses"], json!(["contract", "current", "Nowy Status", "post"]));
    assert_eq!(statuses["labels"]["Nowy Status"], "Nowy Status");
    assert_eq!(statuses["substatuses"][0]["values"], json!(["", "price", "signal"]));
    let listed = peer.ask("EquipmentService/ListEquipment", json!({})).await;
    let description = |row: &Value| row["id"] == "100" && row["description"] == "Réseau NAS & Router <core>";
    assert!(listed["equipment"].as_array().unwrap().iter().any(description), "{listed}");
    let cpe = json!({ "equipmentId": "1", "customerId": customer, "additionalInfo": ["roof", "żółty"] });
    assert!(peer.ask("EquipmentService/AddCpe", cpe).await["cpeId"].is_string());
    let tracking = json!({ "maintenanceId": "7", "note": "Łącka" });
    let made = peer.ask("MaintenanceService/AddInstallerTracking", tracking).await;
    assert!(made["installerTrackingId"].is_string());
}

async fn radius(peer: &Peer, customer: &str) {
    let mut entry = json!({
        "table": "RADIUS_TABLE_RADCHECK", "customerId": customer, "username": "łucja", "operator": ":=",
        "attribute": "Cleartext-Password", "value": "0123", "action": "RADIUS_ACTION_ADD",
    });
    assert_eq!(peer.ask("NetworkService/ChangeCustomerRadius", entry.clone()).await["result"], "OK");
    let list = json!({ "table": "RADIUS_TABLE_RADCHECK", "customerId": customer });
    let listed = peer.ask("NetworkService/ListCustomerRadius", list).await;
    let [row] = listed["entries"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&row["username"], &row["value"], &row["operator"]), (&json!("łucja"), &json!("0123"), &json!(":=")));
    entry["action"] = json!("RADIUS_ACTION_DELETE");
    peer.ask("NetworkService/ChangeCustomerRadius", entry.clone()).await;
    peer.refused("NetworkService/ChangeCustomerRadius", entry, Code::FailedPrecondition, "REJECTED").await;
}

async fn removal(peer: &Peer, customer: &str) {
    let own = json!({ "customerId": customer });
    peer.refused("CustomerService/DeleteCustomer", own.clone(), Code::FailedPrecondition, "REJECTED").await;
    peer.ask("CustomerService/ModifyCustomer", json!({ "customerId": customer, "status": "post" })).await;
    peer.ask("CustomerService/DeleteCustomer", own.clone()).await;
    peer.refused("CustomerService/GetCustomerData", own, Code::FailedPrecondition, "REJECTED").await;
    peer.called("deleteCustomer", 2);
}
