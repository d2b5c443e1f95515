//! What a caller is told of calls that went wrong on their way, and how often they were made.

use std::time::Duration;

use ispbridge_kit::clock;
use ispbridge_sandbox::{Fault, Kind};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt;

use crate::harness::Harness;

/// A provider's call with everything that the tests need to know of it.
struct Case {
    provider: &'static str,
    method: &'static str,
    operation: &'static str,
    request: fn() -> Value,
}

const WRITES: [Case; 3] = [
    Case {
        provider: "aex",
        method: "aex.OrderService/CreateService",
        operation: "POST /services/full",
        request: order,
    },
    Case {
        provider: "freeside",
        method: "freeside.CustomerService/NewCustomer",
        operation: "new_customer",
        request: subscriber,
    },
    Case {
        provider: "azotel",
        method: "azotel.CustomerService/AddCustomer",
        operation: "addCustomer",
        request: customer,
    },
];

const READS: [Case; 3] = [
    Case {
        provider: "aex",
        method: "aex.PremiseService/GetPremise",
        operation: "GET /premises/{id}",
        request: premise,
    },
    Case { provider: "freeside", method: "freeside.AgentService/AgentInfo", operation: "agent_info", request: nothing },
    Case {
        provider: "azotel",
        method: "azotel.CustomerService/SearchCustomer",
        operation: "searchCustomer",
        request: search,
    },
];

/// The order of the document's sample (AEx ISP Flow, step 5), for the customer and the premise of the sandbox.
pub(crate) fn order() -> Value {
    json!({
        "customer": {
            "id": "FC65F24E-AADD-440E-AF96-9CBBDFA50349", "firstName": "Thandi", "lastName": "Example",
            "email": "thandi@example.com", "username": "thandi", "mobileNumber": "1234567890",
        },
        "premise": { "externalReference": "66E9BB4D-E360-4F40-A30E-AF27F52392B6" },
        "service": { "productId": "C567389A-2D36-4C29-AD46-0EC3D7A7D0EA" },
    })
}

/// The card is that of the document's sample, in whose time the sandbox stands.
pub(crate) fn subscriber() -> Value {
    json!({
        "firstName": "Łucja", "lastName": "Ó Briain", "addressLine1": "1 Main St", "city": "San Francisco",
        "state": "CA", "postalCode": "94105", "country": "US", "packageDefinitionNumber": "1",
        "paymentMethod": "PAYMENT_METHOD_CARD", "paymentNumber": "4111111111111111", "paymentExpiry": "11/2012",
    })
}

pub(crate) fn customer() -> Value {
    json!({ "name": "Jane Doe", "nickname": "Jane", "invoicingId": "J1" })
}

fn premise() -> Value {
    json!({ "premiseId": "B002A6B4-6541-47A5-8438-BE8ACEAA6D82" })
}

fn nothing() -> Value {
    json!({})
}

fn search() -> Value {
    json!({ "firstName": "John" })
}

impl Case {
    fn spoil(&self, harness: &Harness, times: u32, kind: Kind) {
        harness.sandbox.fault(self.provider, Fault { path_or_method: self.operation.to_owned(), times, kind });
    }

    fn received(&self, harness: &Harness) -> u64 {
        harness.sandbox.received(self.provider, self.operation)
    }

    fn executed(&self, harness: &Harness) -> u64 {
        harness.sandbox.executed(self.provider, self.operation)
    }
}

#[tokio::test]
async fn a_write_that_broke_off_is_of_unknown_outcome_and_was_made_once() {
    let harness = Harness::open().await;
    for case in WRITES {
        for kind in [Kind::ResetAfterCommit, Kind::TruncateAfterCommit] {
            let before = case.executed(&harness);
            case.spoil(&harness, 9, kind);
            let refusal = harness.refused(case.method, (case.request)()).await;
            refusal.assert(Code::Aborted, "OUTCOME_UNKNOWN", "UNKNOWN");
            assert_ne!(refusal.note("probe"), "", "{}", case.method);
            assert_eq!(case.executed(&harness) - before, 1, "{}", case.method);
            harness.sandbox.clear_faults(case.provider);
        }
        assert_eq!(case.received(&harness), 2, "{}", case.method);
    }
    harness.close().await;
}

#[tokio::test]
async fn a_write_that_broke_off_before_its_effect_is_not_sent_again_either() {
    let harness = Harness::open().await;
    for case in WRITES {
        case.spoil(&harness, 9, Kind::ResetBeforeCommit);
        harness.refused(case.method, (case.request)()).await.assert(Code::Aborted, "OUTCOME_UNKNOWN", "UNKNOWN");
        assert_eq!((case.received(&harness), case.executed(&harness)), (1, 0), "{}", case.method);
    }
    harness.close().await;
}

#[tokio::test]
async fn a_read_that_broke_off_once_is_repeated() {
    let harness = Harness::open().await;
    for case in READS {
        case.spoil(&harness, 1, Kind::ResetAfterCommit);
        harness.ask(case.method, (case.request)()).await;
        assert_eq!(case.received(&harness), 2, "{}", case.method);
    }
    harness.close().await;
}

#[tokio::test]
async fn a_read_that_always_breaks_off_is_given_up_after_three_attempts() {
    let harness = Harness::open().await;
    for case in READS {
        case.spoil(&harness, 99, Kind::ResetAfterCommit);
        let refusal = harness.refused(case.method, (case.request)()).await;
        assert_eq!(refusal.status.code(), Code::Unavailable, "{}", case.method);
        assert!((2..=3).contains(&case.received(&harness)), "{}: {}", case.method, case.received(&harness));
    }
    harness.close().await;
}

#[tokio::test]
async fn a_truncated_reply_is_never_a_success() {
    let harness = Harness::open().await;
    for case in READS {
        case.spoil(&harness, 99, Kind::TruncateAfterCommit);
        let refusal = harness.refused(case.method, (case.request)()).await;
        assert_eq!(refusal.note("outcome"), "UNKNOWN", "{}: {:?}", case.method, refusal.status);
    }
    harness.close().await;
}

#[tokio::test]
async fn a_login_page_says_that_our_credentials_are_bad() {
    for case in WRITES.into_iter().chain(READS) {
        let harness = Harness::open().await;
        case.spoil(&harness, 1, Kind::HtmlLoginPage);
        let refusal = harness.refused(case.method, (case.request)()).await;
        assert_eq!((refusal.status.code(), refusal.info.reason.as_str()), (Code::FailedPrecondition, "UPSTREAM_AUTH"));
        assert_eq!(case.received(&harness), 1, "{}", case.method);
        harness.close().await;
    }
}

#[tokio::test]
async fn a_method_that_died_in_the_middle_is_of_unknown_outcome() {
    let harness = Harness::open().await;
    for case in WRITES {
        case.spoil(&harness, 9, Kind::Http500 { after_commit: true });
        harness.refused(case.method, (case.request)()).await.assert(Code::Aborted, "OUTCOME_UNKNOWN", "UNKNOWN");
        assert_eq!((case.received(&harness), case.executed(&harness)), (1, 1), "{}", case.method);
    }
    harness.close().await;
}

#[tokio::test]
async fn a_session_that_ended_is_opened_anew_once() {
    let harness = Harness::open().await;
    let logins = || harness.sandbox.received("freeside", "agent_login");
    harness.ask("freeside.AgentService/AgentInfo", json!({})).await;
    assert_eq!(logins(), 1);
    until_next_login_is_due().await;
    let expire = Fault::once("new_customer", Kind::ExpireSessions);
    harness.sandbox.fault("freeside", expire);
    let made = harness.ask("freeside.CustomerService/NewCustomer", subscriber()).await;
    assert!(made["customerNumber"].is_string(), "{made}");
    assert_eq!(logins(), 2);
    assert_eq!(harness.sandbox.received("freeside", "new_customer"), 2);
    assert_eq!(harness.sandbox.executed("freeside", "new_customer"), 1);
    harness.close().await;
}

#[tokio::test]
async fn a_supplier_that_ends_every_session_is_not_flooded_with_logins() {
    let harness = Harness::open().await;
    harness.ask("freeside.AgentService/AgentInfo", json!({})).await;
    let expire = Fault { path_or_method: "*".to_owned(), times: 99, kind: Kind::ExpireSessions };
    harness.sandbox.fault("freeside", expire);
    let refusal = harness.refused("freeside.AgentService/AgentInfo", json!({})).await;
    refusal.assert(Code::Unavailable, "UPSTREAM_SESSION", "NOT_SENT");
    let wait = refusal.status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(wait <= Duration::from_secs(10), "{wait:?}");
    assert_eq!(harness.sandbox.received("freeside", "agent_login"), 1);
    harness.close().await;
}

/// Logins are ten seconds apart; tokio's clock is put forward instead of waited for.
async fn until_next_login_is_due() {
    clock::skip(Duration::from_secs(11)).await;
}
