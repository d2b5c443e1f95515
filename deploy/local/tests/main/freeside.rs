//! Every method of Freeside, with the customers of the recordings.

use ispbridge_sandbox::PREPAID_CARD;
use serde_json::{Value, json};
use tonic::Code;

use crate::caller::{ask, assert_refusal, refused, started};

fn account(username: &str) -> Value {
    json!({ "username": username, "domain": "example.com" })
}

#[tokio::test]
async fn the_reseller_and_its_customers_are_read() {
    let suite = started().await;
    let info = ask(&suite, "freeside.AgentService/AgentInfo", json!({})).await;
    let printed = json!({
        "agentNumber": "3", "agentName": "Test Reseller",
        "prospectCount": 0, "activeCount": 1, "suspendedCount": 1, "cancelledCount": 0,
    });
    assert_eq!(info, printed);
    let listed = ask(&suite, "freeside.AgentService/AgentListCustomers", json!({ "suspended": true })).await;
    let zoe = json!({
        "customerNumber": "24",
        "agentNumber": "3",
        "name": "Tofu & Co (Beast, Zoë)",
        "firstName": "Zoë",
        "lastName": "Beast",
        "company": "Tofu & Co",
        "status": "suspended",
        "statusLabel": "Suspended",
        "statusColor": "FF9900",
        "signupDate": "2010-11-03T01:00:00Z",
        "referralNumber": "1",
        "referringCustomerNumber": "23",
        "daytimePhone": "0871234567",
    });
    assert_eq!(listed, json!({ "customers": [zoe] }));
    let john = ask(&suite, "freeside.CustomerService/CustomerInfo", json!({ "customerNumber": "23" })).await;
    assert_eq!((&john["name"], &john["balance"]), (&json!("John Smith"), &json!("19.99")));
    assert_eq!(john["openInvoices"][0]["invoiceNumber"], "12");
    // One login serves every call.
    assert_eq!(suite.sandbox().executed("freeside", "agent_login"), 1);
    suite.stop().await;
}

#[tokio::test]
async fn a_new_customer_orders_a_package_and_its_account_is_suspended_and_back() {
    let suite = started().await;
    let customer = json!({
        "firstName": "Thandi", "lastName": "Example", "addressLine1": "1 Long St", "city": "Cape Town",
        "state": "Western Cape", "postalCode": "8001", "country": "ZA", "packageDefinitionNumber": "1",
        "paymentMethod": "PAYMENT_METHOD_PREPAID_CARD", "paymentNumber": PREPAID_CARD,
        "username": "thandi", "password": "s33kret",
    });
    let created = ask(&suite, "freeside.CustomerService/NewCustomer", customer).await;
    assert_eq!((&created["username"], &created["signupService"]), (&json!("thandi"), &json!("svc_acct")));
    let number = json!({ "customerNumber": created["customerNumber"] });
    let order = json!({ "customerNumber": created["customerNumber"], "packageDefinitionNumber": "2" });
    let ordered = ask(&suite, "freeside.PackageService/OrderPkg", order).await;
    let status = async || {
        let listed = ask(&suite, "freeside.PackageService/ListPkgs", number.clone()).await;
        let packages = listed["packages"].as_array().unwrap().clone();
        assert_eq!(packages[1]["packageNumber"], ordered["packageNumber"]);
        packages[0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status().await, "active");
    ask(&suite, "freeside.AccountService/SuspendUsername", account("thandi")).await;
    assert_eq!(status().await, "suspended");
    ask(&suite, "freeside.AccountService/UnsuspendUsername", account("thandi")).await;
    assert_eq!(status().await, "active");
    for (username, available) in [("thandi", false), ("nobody", true)] {
        let checked = ask(&suite, "freeside.AccountService/CheckUsername", account(username)).await;
        assert_eq!(checked, json!({ "available": available }));
    }
    suite.stop().await;
}

#[tokio::test]
async fn another_resellers_customer_is_not_found() {
    let suite = started().await;
    let number = json!({ "customerNumber": "99" });
    let refusal = refused(&suite, suite.key(), "freeside.CustomerService/CustomerInfo", number).await;
    assert_refusal(&refusal, Code::NotFound, "NOT_FOUND", ("freeside.ispbridge", "REJECTED"));
    suite.stop().await;
}
