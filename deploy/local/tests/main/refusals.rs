//! Who is refused, where, and with which words.

use ispbridge_sandbox::{Fault, Kind};
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt;

use crate::caller::{ask, assert_refusal, new_customer, refused, started};

#[tokio::test]
async fn a_wrong_key_is_refused_at_the_gateway() {
    let suite = started().await;
    let refusal = refused(&suite, "ispb_wrong", "aex.CustomerService/GetCustomer", json!({})).await;
    assert_refusal(&refusal, Code::Unauthenticated, "CREDENTIALS_INVALID", ("gateway.ispbridge", "NOT_SENT"));
    suite.stop().await;
}

#[tokio::test]
async fn a_reader_reads_and_does_not_write() {
    let suite = started().await;
    let key = suite.reader_key();
    let refusal = refused(&suite, key, "aex.CustomerService/CreateCustomer", new_customer()).await;
    assert_eq!((refusal.0.code(), refusal.1.domain.as_str()), (Code::PermissionDenied, "gateway.ispbridge"));
    assert_eq!(suite.sandbox().received("aex", "POST /customers"), 0);
    let id = json!({ "customerId": "00000000-0000-0000-0000-000000000000" });
    let refusal = refused(&suite, key, "aex.CustomerService/GetCustomer", id).await;
    assert_eq!(refusal.0.code(), Code::NotFound);
    suite.stop().await;
}

#[tokio::test]
async fn a_missing_field_is_named_and_nothing_is_sent() {
    let suite = started().await;
    let customer = json!({ "customer": { "firstName": "Thandi", "password": "s33kret" } });
    let refusal = refused(&suite, suite.key(), "aex.CustomerService/CreateCustomer", customer).await;
    assert_eq!(refusal.0.code(), Code::InvalidArgument);
    assert_eq!(refusal.1.metadata["outcome"], "NOT_SENT");
    let violations = refusal.0.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<&str> = violations.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["customer.last_name", "customer.email", "customer.mobile_number"]);
    assert_eq!(suite.sandbox().received("aex", "POST /customers"), 0);
    suite.stop().await;
}

#[tokio::test]
async fn an_unknown_premise_is_not_found() {
    let suite = started().await;
    let id = json!({ "premiseId": "00000000-0000-0000-0000-000000000000" });
    let refusal = refused(&suite, suite.key(), "aex.PremiseService/GetPremise", id).await;
    assert_refusal(&refusal, Code::NotFound, "NOT_FOUND", ("aex.ispbridge", "REJECTED"));
    suite.stop().await;
}

#[tokio::test]
async fn a_second_customer_with_the_same_address_exists_already() {
    let suite = started().await;
    ask(&suite, "aex.CustomerService/CreateCustomer", new_customer()).await;
    let refusal = refused(&suite, suite.key(), "aex.CustomerService/CreateCustomer", new_customer()).await;
    assert_refusal(&refusal, Code::AlreadyExists, "ALREADY_TAKEN", ("aex.ispbridge", "REJECTED"));
    suite.stop().await;
}

#[tokio::test]
async fn a_write_that_was_cut_off_after_its_effect_is_told_as_unknown_and_made_once() {
    let suite = started().await;
    suite.sandbox().fault("aex", cut("POST /customers"));
    let refusal = refused(&suite, suite.key(), "aex.CustomerService/CreateCustomer", new_customer()).await;
    assert_refusal(&refusal, Code::Aborted, "OUTCOME_UNKNOWN", ("aex.ispbridge", "UNKNOWN"));
    assert_eq!(refusal.1.metadata["probe"], "CustomerService/ListCustomers");
    assert_eq!(suite.sandbox().executed("aex", "POST /customers"), 1);
    suite.stop().await;
}

#[tokio::test]
async fn a_read_that_was_cut_off_is_repeated() {
    let suite = started().await;
    suite.sandbox().fault("aex", cut("GET /premises/{id}"));
    let id = json!({ "premiseId": "B002A6B4-6541-47A5-8438-BE8ACEAA6D82" });
    let read = ask(&suite, "aex.PremiseService/GetPremise", id.clone()).await;
    assert_eq!(read["premise"]["id"], id["premiseId"]);
    assert_eq!(suite.sandbox().received("aex", "GET /premises/{id}"), 2);
    suite.stop().await;
}

fn cut(operation: &str) -> Fault {
    Fault { path_or_method: operation.to_owned(), times: 1, kind: Kind::ResetAfterCommit }
}
