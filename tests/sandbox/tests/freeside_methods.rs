//! Freeside: what a reseller's session opens beside the reseller's own flow, and whom it reaches.

use std::net::SocketAddr;

use crate::freeside::{call, error, login, member};
use crate::wire::sandbox;

/// A reseller who is logged in.
struct Reseller {
    freeside: SocketAddr,
    session: String,
}

impl Reseller {
    /// A method of `FS::ClientAPI::MyAccount` on a customer.
    async fn on(&self, customer: &str, method: &str, more: &[(&str, &str)]) -> String {
        let mut arguments = vec![("agent_session_id", self.session.as_str()), ("custnum", customer)];
        arguments.extend_from_slice(more);
        call(self.freeside, method, &arguments).await.body
    }

    /// A method of `FS::ClientAPI::Signup`.
    async fn sign_up(&self, method: &str, more: &[(&str, &str)]) -> String {
        let mut arguments = vec![("session_id", self.session.as_str())];
        arguments.extend_from_slice(more);
        call(self.freeside, method, &arguments).await.body
    }
}

async fn reseller(freeside: SocketAddr) -> Reseller {
    Reseller { freeside, session: login(freeside).await }
}

#[tokio::test]
async fn what_is_scoped_knows_only_ones_own_customers() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    let short = reseller.on("23", "customer_info_short", &[]).await;
    assert_eq!((member(&short, "name"), member(&short, "max_invnum")), ("John Smith", "12"));
    assert_eq!(member(&reseller.on("23", "customer_recurring", &[]).await, "amount"), "19.99");
    let history = reseller.on("23", "billing_history", &[]).await;
    assert!(history.contains("Invoice #12") && !history.contains("<name>error</name>"));
    for (method, refusal) in [
        ("customer_info_short", "customer_info_short: unknown custnum 99"),
        ("customer_recurring", "customer_info_short: unknown custnum 99"),
        ("billing_history", "unknown custnum 99"),
        ("list_svcs", "unknown custnum 99"),
        ("part_svc_info", "unknown custnum 99"),
        ("provision_phone", "unknown custnum 99"),
        ("unprovision_svc", "unknown custnum 99"),
        ("order_recharge", "unknown custnum 99"),
    ] {
        assert_eq!(reseller.on("99", method, &[]).await, error(refusal), "{method}");
    }
    let report = reseller.on("99", "did_report", &[("format", "csv")]).await;
    assert_eq!(report, error("unknown custnum 99"));
    let passwords = [("svcnum", "504"), ("new_password", "n3w-s33kret"), ("new_password2", "n3w-s33kret")];
    assert_eq!(reseller.on("99", "myaccount_passwd", &passwords).await, error("Service not found"));
}

#[tokio::test]
async fn what_is_unscoped_reaches_everybodys() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    assert!(reseller.on("99", "list_tickets", &[]).await.contains("<string>Invoice</string>"));
    assert_eq!(member(&reseller.on("99", "pkg_info", &[("pkgnum", "8")]).await, "pkgpart"), "1");
    let changed = reseller.on("23", "change_pkg", &[("pkgnum", "8"), ("pkgpart", "2")]).await;
    assert_eq!((member(&changed, "pkg"), changed.contains("<name>error</name><value><string />")), ("Package 2", true));
    assert_eq!(reseller.on("99", "new_contact", &[("first", "Ann")]).await, error(""));
    assert_eq!(member(&reseller.on("99", "list_contacts", &[]).await, "first"), "Ann");
    // The session is all that counts.
    let nobody = Reseller { freeside: reseller.freeside, session: "nope".to_owned() };
    for method in ["list_tickets", "pkg_info", "change_pkg", "list_contacts", "access_info", "renew_info"] {
        assert_eq!(nobody.on("99", method, &[]).await, error("Can't resume session"), "{method}");
    }
    assert_eq!(member(&nobody.on("99", "skin_info", &[]).await, "company_name"), "Example Telecom");
}

#[tokio::test]
async fn a_service_is_made_listed_and_cancelled() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    let place = [("pkgnum", "5"), ("svcpart", "2"), ("username", "second")];
    let account = |again| [place[0], place[1], place[2], ("_password", "s33kret"), ("_password2", again)];
    let different = reseller.on("23", "provision_acct", &account("secret")).await;
    assert_eq!(different, error("Passwords don't match"));
    let made = reseller.on("23", "provision_acct", &account("s33kret")).await;
    assert_eq!((member(&made, "svc"), member(&made, "_password")), ("Account", "s33kret"));
    let again = reseller.on("23", "provision_acct", &account("s33kret")).await;
    assert_eq!(member(&again, "error"), "Username in use");
    let pbx = [("pkgnum", "5"), ("svcpart", "2")];
    let wrong = reseller.on("23", "provision_pbx", &pbx).await;
    assert_eq!(wrong, error("svcpart 2 is not a FS::svc_pbx definition"));
    let elsewhere = reseller.on("23", "provision_pbx", &[("pkgnum", "8"), ("svcpart", "6")]).await;
    assert_eq!(elsewhere, error("unknown pkgnum 8"));
    let listed = reseller.on("23", "list_svcs", &[("svcdb", "svc_acct")]).await;
    assert!(listed.contains("second@example.com") && !listed.contains("svc_dsl"));
    let other = reseller.on("23", "unprovision_svc", &[("svcnum", "502")]).await;
    assert_eq!(other, error("Service 502 does not belong to customer 23"));
    assert_eq!(member(&reseller.on("23", "unprovision_svc", &[("svcnum", "507")]).await, "svc"), "Phone");
    assert!(!reseller.on("23", "list_svcs", &[]).await.contains("<string>507</string>"));
    let report = reseller.on("23", "did_report", &[("format", "csv")]).await;
    assert!(report.contains("phone_name") && !report.contains("4155551213"));
}

#[tokio::test]
async fn cards_accounts_and_contacts_are_kept() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    let bank = [("payby", "CHEK"), ("payinfo1", "123456"), ("payinfo2", "021000021")];
    let made = reseller.on("23", "insert_payby", &bank).await;
    let number = member(&made, "custpaybynum");
    assert!(reseller.on("23", "list_payby", &[]).await.contains("xxxx56@021000021"));
    let bad = [("payby", "CHEK"), ("payinfo1", "123456"), ("payinfo2", "none")];
    assert_eq!(reseller.on("23", "insert_payby", &bad).await, error("illegal ABA/routing number none"));
    let card = [("custpaybynum", number), ("payby", "CARD"), ("payinfo", "4111111111111111")];
    assert_eq!(member(&reseller.on("23", "update_payby", &card).await, "custpaybynum"), number);
    let other = reseller.on("24", "delete_payby", &[("custpaybynum", number)]).await;
    assert_eq!(other, error(&format!("unknown custpaybynum {number}")));
    assert_eq!(reseller.on("23", "delete_payby", &[("custpaybynum", number)]).await, error(""));
    assert_eq!(reseller.on("23", "edit_contact", &[("contactnum", "41"), ("title", "Mr")]).await, error(""));
    assert_eq!(member(&reseller.on("23", "list_contacts", &[]).await, "title"), "Mr");
    assert_eq!(reseller.on("23", "delete_contact", &[("contactnum", "9")]).await, error("Unknown contactnum"));
}

#[tokio::test]
async fn mailboxes_lines_and_passwords_change() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    let john = ("svcnum", "501");
    assert_eq!(member(&reseller.on("23", "acct_forward_info", &[john]).await, "dst"), "john@example.org");
    assert_eq!(reseller.on("23", "process_acct_forward", &[john, ("dst", "")]).await, error(""));
    assert_eq!(reseller.on("24", "svc_status_hash", &[john]).await, error("Service not found"));
    let levels = [john, ("spam_tag2_level", "much"), ("spam_kill_level", "9")];
    assert_eq!(reseller.on("23", "set_svc_status_hash", &levels).await, error("illegal spam_tag2_level"));
    let friend = [john, ("list", "whitelist"), ("address", "friend@example.org")];
    let added = reseller.on("23", "set_svc_status_listadd", &friend).await;
    assert!(added.contains("<struct />"), "{added}");
    assert!(reseller.on("23", "svc_status_hash", &[john]).await.contains("friend@example.org"));
    reseller.on("23", "set_svc_status_listdel", &friend).await;
    assert!(!reseller.on("23", "svc_status_hash", &[john]).await.contains("friend@example.org"));
    let line = [("svcnum", "506"), ("mac_addr", "00005E005303")];
    assert_eq!(reseller.on("23", "add_dsl_device", &line).await, error(""));
    assert!(reseller.on("23", "list_dsl_devices", &line).await.contains("00005E005303"));
    let new = |old| [john, ("new_password", "n3w-s33kret"), ("new_password2", "n3w-s33kret"), ("old_password", old)];
    let refused = reseller.on("23", "myaccount_passwd", &new("wrong")).await;
    assert_eq!(refused, error("Incorrect current password."));
    assert_eq!(member(&reseller.on("23", "myaccount_passwd", &new("s33kret")).await, "value"), "john@example.com");
    assert!(reseller.on("23", "validate_passwd", &[john, ("check_password", "x")]).await.contains("password_invalid"));
}

#[tokio::test]
async fn a_ticket_is_answered_where_it_is_read() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    let made = reseller.on("23", "create_ticket", &[("subject", "Slow"), ("message", "Since Monday.")]).await;
    let ticket = ("ticket_id", member(&made, "ticket_id"));
    reseller.on("23", "get_ticket", &[ticket, ("reply", "Still slow.")]).await;
    let read = reseller.on("23", "get_ticket", &[ticket]).await;
    assert!(read.contains("Since Monday.") && read.contains("Still slow."));
    assert_eq!(reseller.on("24", "get_ticket", &[ticket]).await, error("ticket not found"));
    // Another's customer: the work is done, the record that follows is refused.
    let adjusted = reseller.on("99", "adjust_ticket_priority", &[]).await;
    assert_eq!(member(&adjusted, "error"), "customer_info: unknown custnum 99");
    assert!(adjusted.contains("<name>ticket_error</name>"));
}

#[tokio::test]
async fn packages_change_and_are_renewed() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    let suspended = reseller.on("23", "change_pkg", &[("pkgnum", "6"), ("pkgpart", "2")]).await;
    assert_eq!(member(&suspended, "error"), "Can't change a suspended package");
    let declined = reseller.on("23", "change_pkg", &[("pkgnum", "5"), ("pkgpart", "3")]).await;
    assert_eq!(member(&declined, "error"), "_decline");
    let due = reseller.on("23", "renew_info", &[]).await;
    let date = ("date", member(&due, "bill_date"));
    assert_eq!(reseller.on("23", "order_renew", &[date]).await, error(""));
    assert_eq!(member(&reseller.on("23", "renew_info", &[]).await, "bill_date"), member(&due, "renew_date"));
    assert_eq!(reseller.on("23", "order_recharge", &[("svcnum", "9")]).await, error("unknown service 9"));
}

#[tokio::test]
async fn lesser_sign_ups_make_customers_and_prospects() {
    let sandbox = sandbox().await;
    let reseller = reseller(sandbox.address("freeside")).await;
    let info = reseller.sign_up("signup_info", &[]).await;
    assert!(info.contains("Package 3") && !info.contains("<name>error</name>"));
    let promoted = reseller.sign_up("signup_info", &[("promo_code", "SPRING")]).await;
    assert!(promoted.contains("Package 2") && !promoted.contains("Package 3"));
    let unknown = reseller.sign_up("signup_info", &[("promo_code", "AUTUMN")]).await;
    assert_eq!(member(&unknown, "error"), "Unknown promotional code");
    let person = [("first", "Thandi"), ("last", "Example")];
    assert_eq!(reseller.sign_up("new_customer_minimal", &person).await, error("Empty password"));
    let made = reseller.sign_up("new_customer_minimal", &[person[0], person[1], ("_password", "s33kret")]).await;
    assert_eq!(member(&made, "session_id").len(), 128);
    let customer = member(&made, "custnum");
    assert_eq!(member(&reseller.on(customer, "customer_info_short", &[]).await, "first"), "Thandi");
    assert_eq!(reseller.sign_up("new_prospect", &person).await, error("Signup referral type is not configured"));
    let prospect = [person[0], person[1], ("refnum", "1"), ("country", "ZA")];
    assert!(reseller.sign_up("new_prospect", &prospect).await.contains("<name>prospectnum</name>"));
    let phone = [prospect[0], prospect[1], prospect[2], prospect[3], ("phone_mobile", "12")];
    assert_eq!(reseller.sign_up("new_prospect", &phone).await, error("Mobile phone: invalid phone number"));
}
