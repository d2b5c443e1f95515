//! Freeside: recorded requests and the reseller's flow.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use ispbridge_sandbox::{Config, DECLINED_CARD, Fault, Kind, Sandbox};

use crate::wire::{Reply, between, replay, sandbox, send};

const LOGIN: &str = "freeside/03-agent_login";
const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?><methodResponse>"#;

pub(crate) fn error(text: &str) -> String {
    let value = if text.is_empty() { "<string />".to_owned() } else { format!("<string>{text}</string>") };
    format!(
        "{HEAD}<params><param><value><struct><member><name>error</name><value>{value}</value></member></struct>\
         </value></param></params></methodResponse>"
    )
}

fn members(body: &str) -> BTreeSet<&str> {
    between(body, "<struct>", "</struct>").split("</member>").collect()
}

pub(crate) fn member<'a>(body: &'a str, name: &str) -> &'a str {
    between(body, &format!("<name>{name}</name><value><string>"), "</string>")
}

pub(crate) async fn login(address: SocketAddr) -> String {
    let reply = replay(address, LOGIN, None).await;
    member(&reply.body, "session_id").to_owned()
}

pub(crate) async fn call(address: SocketAddr, method: &str, arguments: &[(&str, &str)]) -> Reply {
    let members: String = arguments
        .iter()
        .map(|(name, value)| format!("<member><name>{name}</name><value><string>{value}</string></value></member>"))
        .collect();
    let body = format!(
        "<methodCall><methodName>FS.SelfService.XMLRPC.{method}</methodName><params><param><value>\
         <struct>{members}</struct></value></param></params></methodCall>"
    );
    send(address, "POST /selfservice/xmlrpc.cgi", "Content-Type: text/xml\r\n", &body).await.unwrap()
}

#[tokio::test]
async fn recorded_logins_get_recorded_replies() {
    let sandbox = sandbox().await;
    let freeside = sandbox.address("freeside");
    let bad = replay(freeside, "freeside/01-agent_login-bad", None).await;
    assert_eq!(bad.body, error("Incorrect password."));
    assert_eq!(bad.header("content-type"), Some("text/xml"));
    let blank = error("Must specify your reseller username and password.");
    assert_eq!(replay(freeside, "freeside/02-agent_login-blank", None).await.body, blank);
    assert_eq!(replay(freeside, "freeside/06-agent_login-8080-struct", None).await.body, blank);
    for good in [LOGIN, "freeside/04-agent_login-flat", "freeside/05-agent_login-8080-flat"] {
        let reply = replay(freeside, good, None).await;
        assert_eq!(member(&reply.body, "session_id").len(), 32, "{good}");
        assert!(reply.body.contains("<name>error</name><value><string /></value>"), "{good}");
    }
    assert_eq!(sandbox.executed("freeside", "agent_login"), 3);
}

#[tokio::test]
async fn a_recorded_sign_up_gets_the_recorded_members() {
    let sandbox = sandbox().await;
    let session = login(sandbox.address("freeside")).await;
    let empty = replay(sandbox.address("freeside"), "freeside/17-new_customer-nopassword", Some(&session)).await;
    assert_eq!(empty.body, error("Empty password"));
    let made = replay(sandbox.address("freeside"), "freeside/15-new_customer", Some(&session)).await;
    let recorded = "<struct><member><name>username</name><value><string>newuser</string></value></member>\
        <member><name>error</name><value><string /></value></member>\
        <member><name>_password</name><value><string>s33kret</string></value></member>\
        <member><name>signup_service</name><value><string>svc_acct</string></value></member>\
        <member><name>svcnum</name><value><string>1002</string></value></member>\
        <member><name>custnum</name><value><string>1001</string></value></member></struct>";
    assert_eq!(members(&made.body), members(recorded));
    let again = replay(sandbox.address("freeside"), "freeside/15-new_customer", Some(&session)).await;
    assert_eq!(again.body, error("Username in use"));
    let listed =
        call(sandbox.address("freeside"), "agent_list_customers", &[("session_id", &session), ("search", "1001")])
            .await;
    assert_eq!(member(&listed.body, "first"), "Łucja");
    assert!(!listed.body.contains("4111111111111111") && !listed.body.contains("<name>error"));
}

#[tokio::test]
async fn faults_come_with_status_200_and_a_code_of_text() {
    let sandbox = sandbox().await;
    let unknown = replay(sandbox.address("freeside"), "freeside/34-unknown-method", None).await;
    assert_eq!(unknown.status, 200);
    assert_eq!(member(&unknown.body, "faultCode"), "Server");
    assert!(member(&unknown.body, "faultString").starts_with("No such procedure: no_such_method at "));
    let denied = replay(sandbox.address("freeside"), "freeside/36-no-class", None).await;
    assert_eq!(member(&denied.body, "faultCode"), "Client");
    assert!(member(&denied.body, "faultString").starts_with("Denied access to method (thing) in class (main)"));
    let get = send(sandbox.address("freeside"), "GET /", "", "").await.unwrap();
    assert_eq!((get.status, get.body.as_str()), (405, ""));
}

#[tokio::test]
async fn accounts_are_suspended_by_package_and_only_ones_own() {
    let sandbox = sandbox().await;
    let freeside = sandbox.address("freeside");
    let session = login(freeside).await;
    let act = async |method: &str, username: &str, domain: &str| {
        let arguments = [("session_id", session.as_str()), ("username", username), ("domain", domain)];
        call(freeside, method, &arguments).await.body
    };
    assert_eq!(act("suspend_username", "john", "example.com").await, error(""));
    assert_eq!(act("suspend_username", "john", "example.com").await, error(""));
    let info = call(freeside, "agent_info", &[("session_id", &session)]).await.body;
    assert_eq!((member(&info, "num_active"), member(&info, "num_susp")), ("0", "2"));
    assert_eq!(act("unsuspend_username", "john", "example.com").await, error(""));
    assert_eq!(act("suspend_username", "nobody", "example.com").await, error("Account not found"));
    assert_eq!(act("suspend_username", "john", "nowhere.example").await, error("Account not found"));
    assert_eq!(act("suspend_username", "other", "example.com").await, error("Not your account"));
    assert_eq!(act("suspend_username", "loose", "example.com").await, error("Unlinked account"));
    assert_eq!(act("suspend_username", "gone", "example.com").await, error("Can't suspend cancelled package 7"));
    assert_eq!(member(&act("check_username", "john", "example.com").await, "available"), "0");
    assert_eq!(member(&act("check_username", "john", "nowhere.example").await, "available"), "1");
}

#[tokio::test]
async fn a_resellers_session_opens_customers_under_its_other_name() {
    let sandbox = sandbox().await;
    let freeside = sandbox.address("freeside");
    let session = login(freeside).await;
    let agent = ("agent_session_id", session.as_str());
    let info = call(freeside, "customer_info", &[agent, ("custnum", "23")]).await.body;
    assert_eq!((member(&info, "name"), member(&info, "balance")), ("John Smith", "19.99"));
    let others = call(freeside, "customer_info", &[agent, ("custnum", "99")]).await.body;
    assert_eq!(others, error("customer_info: unknown custnum 99"));
    assert_eq!(call(freeside, "customer_info", &[agent]).await.body, error("Expired session"));
    let wrong = call(freeside, "customer_info", &[("session_id", &session), ("custnum", "23")]).await.body;
    assert_eq!(wrong, error("Can't resume session"));
    let ordered = call(freeside, "order_pkg", &[agent, ("custnum", "23"), ("pkgpart", "2")]).await.body;
    let packages = call(freeside, "list_pkgs", &[agent, ("custnum", "23")]).await.body;
    assert!(packages.contains(&format!("<name>pkgnum</name><value><string>{}</string>", member(&ordered, "pkgnum"))));
    assert!(!packages.contains("<name>error</name>"));
}

#[tokio::test]
async fn a_declined_card_leaves_a_cancelled_customer() {
    let sandbox = sandbox().await;
    let session = login(sandbox.address("freeside")).await;
    let arguments = [
        ("session_id", session.as_str()),
        ("first", "Tofu"),
        ("last", "Beast"),
        ("address1", "1234 Soybean Ln."),
        ("city", "Tofutown"),
        ("state", "CA"),
        ("zip", "05432"),
        ("country", "US"),
        ("payby", "CARD"),
        ("payinfo", DECLINED_CARD),
        ("paydate", "11/2012"),
        ("pkgpart", "2"),
        ("username", "tofu"),
        ("_password", "x"),
    ];
    let reply = call(sandbox.address("freeside"), "new_customer", &arguments).await.body;
    assert_eq!(reply, error("_decline"));
    let info = call(sandbox.address("freeside"), "agent_info", &[("session_id", &session)]).await.body;
    assert_eq!(member(&info, "num_cancel"), "1");
}

#[tokio::test]
async fn sessions_end_by_age_by_order_and_by_logout() {
    let config = Config { session_lifetime: Some(Duration::ZERO), ..Config::default() };
    let aged = Sandbox::start(config).await.unwrap();
    let session = login(aged.address("freeside")).await;
    let dead = error("Can't resume session");
    assert_eq!(call(aged.address("freeside"), "agent_info", &[("session_id", &session)]).await.body, dead);

    let sandbox = sandbox().await;
    let session = login(sandbox.address("freeside")).await;
    sandbox.fault("freeside", Fault::once("agent_info", Kind::ExpireSessions));
    assert_eq!(call(sandbox.address("freeside"), "agent_info", &[("session_id", &session)]).await.body, dead);
    let session = login(sandbox.address("freeside")).await;
    assert_eq!(call(sandbox.address("freeside"), "agent_logout", &[("session_id", &session)]).await.body, error(""));
    assert_eq!(call(sandbox.address("freeside"), "agent_info", &[("session_id", &session)]).await.body, dead);
    assert_eq!(call(sandbox.address("freeside"), "agent_logout", &[]).await.body, dead);
}
