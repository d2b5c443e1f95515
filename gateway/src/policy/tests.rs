use super::*;
use crate::{config::pattern::AccountPattern, policy::grant::GrantSource};

const GET: &str = "ispbridge.aex.v1.CustomerService/GetCustomer";
const ADD: &str = "ispbridge.aex.v1.CustomerService/AddCustomer";

fn grant(methods: &[&str], accounts: &[&str]) -> Arc<Grant> {
    let method = |text: &&str| MethodPattern::try_from((*text).to_owned()).unwrap();
    let account = |text: &&str| AccountPattern::try_from((*text).to_owned()).unwrap();
    let (methods, accounts): (Vec<_>, Vec<_>) =
        (methods.iter().map(method).collect(), accounts.iter().map(account).collect());
    Arc::new(Grant::new(GrantSource::Nowhere, &methods, &accounts))
}

fn ask(grants: &[Arc<Grant>], full: &str, account: Option<&str>) -> Result<String, Code> {
    let path = format!("/{full}");
    let method = MethodName::parse(&path).unwrap();
    let idempotency = if full == GET { Idempotency::Read } else { Idempotency::Write };
    let call = AccessRequest { method, provider: "aex", idempotency: Some(idempotency) };
    let decided = Grants::of(grants).decide(&call, account);
    decided.map(|account| account.to_string()).map_err(|answer| answer.code())
}

#[test]
fn without_a_grant_nothing_is_allowed() {
    assert_eq!(ask(&[], GET, Some("main")), Err(Code::PermissionDenied));
    let other = [grant(&["*"], &["azotel/main"])];
    assert_eq!(ask(&other, GET, Some("main")), Err(Code::PermissionDenied));
    assert_eq!(ask(&other, GET, None), Err(Code::PermissionDenied));
}

#[test]
fn each_pattern_covers_what_it_says() {
    let covered = [
        ("*", true, true),
        ("reads", true, false),
        ("ispbridge.aex.v1.*", true, true),
        ("ispbridge.aex.*", true, true),
        ("ispbridge.aexx.v1.*", false, false),
        ("ispbridge.aex.v1.CustomerService/*", true, true),
        ("ispbridge.aex.v1.Customer/*", false, false),
        (ADD, false, true),
    ];
    for (pattern, get, add) in covered {
        let grants = [grant(&[pattern], &["aex/main"])];
        assert_eq!(ask(&grants, GET, Some("main")).is_ok(), get, "{pattern}");
        assert_eq!(ask(&grants, ADD, Some("main")).is_ok(), add, "{pattern}");
    }
}

#[test]
fn the_account_must_stand_in_the_same_grant_as_the_method() {
    let grants = [grant(&["reads"], &["aex/live"]), grant(&["*"], &["aex/test"])];
    assert_eq!(ask(&grants, GET, Some("live")), Ok("live".to_owned()));
    assert_eq!(ask(&grants, ADD, Some("test")), Ok("test".to_owned()));
    assert_eq!(ask(&grants, ADD, Some("live")), Err(Code::PermissionDenied));
    assert_eq!(ask(&grants, ADD, None), Ok("test".to_owned()));
    assert_eq!(ask(&grants, GET, None), Err(Code::InvalidArgument));
}

#[test]
fn an_account_may_be_left_out_only_if_it_is_the_only_one() {
    let one = [grant(&["*"], &["aex/main", "azotel/other"]), grant(&["reads"], &["aex/main"])];
    assert_eq!(ask(&one, GET, None), Ok("main".to_owned()));
    let every = [grant(&["*"], &["aex/*"])];
    assert_eq!(ask(&every, GET, None), Err(Code::InvalidArgument));
    assert_eq!(ask(&every, GET, Some("any")), Ok("any".to_owned()));
    for bad in ["", "../x", "a/b", "a b", &"a".repeat(64)] {
        assert_eq!(ask(&every, GET, Some(bad)), Err(Code::InvalidArgument), "{bad}");
    }
}

#[test]
fn a_grant_of_reads_waits_until_the_methods_are_known() {
    let path = format!("/{GET}");
    let method = MethodName::parse(&path).unwrap();
    let call = AccessRequest { method, provider: "aex", idempotency: None };
    let reads = [grant(&["reads"], &["aex/main"])];
    let code = Grants::of(&reads).decide(&call, None).unwrap_err().code();
    assert_eq!(code, Code::Unavailable);
    let other = [grant(&["reads"], &["azotel/main"])];
    let code = Grants::of(&other).decide(&call, None).unwrap_err().code();
    assert_eq!(code, Code::PermissionDenied);
}

#[test]
fn an_account_that_every_grant_means_may_be_left_out_only_alone() {
    let cases = [
        (vec![grant(&["*"], &["*"])], Err(Code::InvalidArgument)),
        (vec![grant(&["*"], &["aex/main"]), grant(&["reads"], &["*"])], Err(Code::InvalidArgument)),
        (vec![grant(&["*"], &["aex/main", "aex/other"])], Err(Code::InvalidArgument)),
        (vec![grant(&["*"], &["aex/main"]), grant(&["*"], &["azotel/*"])], Ok("main".to_owned())),
    ];
    for (grants, expected) in cases {
        assert_eq!(ask(&grants, GET, None), expected, "{grants:?}");
    }
}
