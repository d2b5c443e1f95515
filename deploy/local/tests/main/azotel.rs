//! Every method of Azotel, with the records of its document.

use serde_json::json;
use tonic::Code;

use crate::caller::{ask, assert_refusal, refused, started};

#[tokio::test]
async fn a_customer_is_added_found_changed_and_deleted() {
    let suite = started().await;
    let customer = json!({
        "name": "Thandi Example", "nickname": "thandi", "invoicingId": "TE1", "email": "thandi@example.com",
        "startDate": { "year": 2026, "month": 11, "day": 22 },
        "address": { "street1": "1 Long St", "town": "Cape Town", "postalCode": "8001" },
    });
    let id = ask(&suite, "azotel.CustomerService/AddCustomer", customer).await;
    let email = json!({ "email": "thandi@example.com" });
    let found = ask(&suite, "azotel.CustomerService/SearchCustomer", email.clone()).await;
    assert_eq!((&found["customers"][0]["id"], &found["results"]), (&id["customerId"], &json!(1)));
    assert_eq!(ask(&suite, "azotel.CustomerService/CheckExistingEmail", email).await, id);
    let change = json!({ "customerId": id["customerId"], "phone": "0215550100" });
    ask(&suite, "azotel.CustomerService/ModifyCustomer", change).await;
    let data = ask(&suite, "azotel.CustomerService/GetCustomerData", id.clone()).await;
    let expected = json!({
        "id": id["customerId"],
        "name": "Thandi Example",
        "nickname": "thandi",
        "invoicingId": "TE1",
        "status": "potential",
        "status1": "potential",
        "startDate": { "year": 2026, "month": 11, "day": 22 },
        "street1": "1 Long St",
        "town": "Cape Town",
        "postalCode": "8001",
        "phone": "0215550100",
        "email": "thandi@example.com",
        "vatExemption": { "exempt": false },
    });
    assert_eq!(data, json!({ "customer": expected }));
    ask(&suite, "azotel.CustomerService/DeleteCustomer", id.clone()).await;
    let refusal = refused(&suite, suite.key(), "azotel.CustomerService/GetCustomerData", id).await;
    // The document words no error for it, so the upstream's text is passed on unclassified.
    assert_refusal(&refusal, Code::FailedPrecondition, "UPSTREAM_REFUSED", ("azotel.ispbridge", "REJECTED"));
    suite.stop().await;
}

#[tokio::test]
async fn the_server_answers_and_tells_its_statuses() {
    let suite = started().await;
    assert_eq!(ask(&suite, "azotel.SystemService/PingApi", json!({})).await, json!({}));
    let statuses = ask(&suite, "azotel.CustomerService/GetCustomerStatuses", json!({})).await;
    assert_eq!(statuses["labels"]["post"], "Disconnected");
    assert_eq!(statuses["substatuses"][3]["defaultValue"], "3");
    suite.stop().await;
}

#[tokio::test]
async fn equipment_is_listed_and_installed_and_the_visit_is_kept() {
    let suite = started().await;
    let listed = ask(&suite, "azotel.EquipmentService/ListEquipment", json!({ "id": "32" })).await;
    let printed = json!({
        "id": "32",
        "nickname": "NS2",
        "type": "nanostationsm",
        "status": "stock",
        "description": "3.2.3-rc",
        "ipAddress": "172.16.9.202",
        "macAddress": "00:15:6D:B7:FA:4E",
        "dateAdded": {
            "year": 2016, "month": 8, "day": 10, "hours": 5, "minutes": 49, "seconds": 50, "nanos": 297_976_000,
        },
    });
    assert_eq!(listed, json!({ "equipment": [printed] }));
    let cpe = json!({ "equipmentId": "32", "customerId": "2", "additionalInfo": ["mast", "10 m"] });
    let installed = ask(&suite, "azotel.EquipmentService/AddCpe", cpe).await;
    let wanted = json!({ "customerId": "2", "includeCpes": true });
    let data = ask(&suite, "azotel.CustomerService/GetCustomerData", wanted).await;
    assert!(data["cpes"].to_string().contains(installed["cpeId"].as_str().unwrap()), "{data}");
    let visit = json!({ "maintenanceId": "1", "note": "on the roof" });
    let visit = ask(&suite, "azotel.MaintenanceService/AddInstallerTracking", visit).await;
    assert!(visit["installerTrackingId"].as_str().is_some_and(|id| id.parse::<u32>().is_ok()), "{visit}");
    suite.stop().await;
}

#[tokio::test]
async fn radius_rows_are_listed_and_changed() {
    let suite = started().await;
    let table = json!({ "table": "RADIUS_TABLE_RADCHECK", "customerId": "27939" });
    let listed = ask(&suite, "azotel.NetworkService/ListCustomerRadius", table.clone()).await;
    let printed = json!({
        "id": "4270", "customerId": "27939", "username": "ts_telrad_autopro",
        "attribute": "Cleartext-Password", "operator": ":=", "value": "0ac5ae06a2ec2",
    });
    assert_eq!((&listed["entries"][0], &listed["table"]), (&printed, &table["table"]));
    let change = json!({
        "table": "RADIUS_TABLE_RADCHECK", "action": "RADIUS_ACTION_MODIFY", "customerId": "27939",
        "username": "ts_telrad_autopro", "attribute": "filter-id", "value": "open",
    });
    ask(&suite, "azotel.NetworkService/ChangeCustomerRadius", change).await;
    let listed = ask(&suite, "azotel.NetworkService/ListCustomerRadius", table).await;
    assert_eq!((&listed["entries"][1]["value"], &listed["entries"][1]["operator"]), (&json!("open"), &json!("==")));
    assert_eq!(suite.sandbox().executed("azotel", "customerRadius"), 3);
    suite.stop().await;
}

#[tokio::test]
async fn a_current_customer_is_not_deleted() {
    let suite = started().await;
    let id = json!({ "customerId": "2" });
    let (status, info) = refused(&suite, suite.key(), "azotel.CustomerService/DeleteCustomer", id).await;
    assert_eq!((status.code(), info.metadata["outcome"].as_str()), (Code::FailedPrecondition, "REJECTED"));
    assert!(info.metadata["upstream_message"].contains("different than 'current'"), "{info:?}");
    suite.stop().await;
}
