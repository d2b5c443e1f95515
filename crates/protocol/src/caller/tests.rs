use proptest::prelude::*;

use super::*;

const METHOD: &str = "ispbridge.aex.v1.CustomerService/GetCustomer";
const ID: &str = "req-1";
const ROOT: &str = "0123456789abcdef0123456789abcdef";

fn root(id: &str, fill: &str) -> Root {
    Root::new(id, &fill.repeat(32)).unwrap()
}

fn verifier(keys: &[(&str, &ServiceKey)]) -> Verifier {
    let texts: Vec<_> = keys.iter().map(|(id, key)| (*id, key.to_text())).collect();
    Verifier::new(texts.iter().map(|(id, text)| (*id, text.as_str()))).unwrap()
}

fn signed(root: &Root, service: &str) -> HeaderValue {
    root.signer(service).sign("team-billing", "main", METHOD, ID)
}

#[test]
fn what_the_gateway_says_arrives() {
    let root = root("k1", "a");
    let verifier = verifier(&[("k1", &root.derive("ispbridge-aex"))]);
    let caller = verifier.verify(Some(&signed(&root, "ispbridge-aex")), METHOD, ID).unwrap();
    assert_eq!((caller.key_id.as_str(), caller.principal.as_str()), ("k1", "team-billing"));
    assert_eq!(caller.account, "main");
    let left = caller.expires.duration_since(SystemTime::now()).unwrap();
    assert!(left <= LIFETIME && left > LIFETIME - Duration::from_secs(5), "{left:?}");
}

#[test]
fn every_changed_byte_is_noticed() {
    let root = root("k1", "a");
    let verifier = verifier(&[("k1", &root.derive("ispbridge-aex"))]);
    let good = signed(&root, "ispbridge-aex");
    for at in 0..good.len() {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let bad = HeaderValue::from_bytes(&bytes).unwrap();
        assert!(verifier.verify(Some(&bad), METHOD, ID).is_err(), "byte {at}");
    }
    for end in 0..good.len() {
        let cut = HeaderValue::from_bytes(&good.as_bytes()[..end]).unwrap();
        assert!(verifier.verify(Some(&cut), METHOD, ID).is_err(), "cut at {end}");
    }
}

#[test]
fn a_service_cannot_mint_for_another() {
    let root = root("k1", "a");
    let verifier = verifier(&[("k1", &root.derive("ispbridge-aex"))]);
    let other = signed(&root, "ispbridge-azotel");
    assert_eq!(verifier.verify(Some(&other), METHOD, ID), Err(Distrust::BadTag));
}

#[test]
fn two_keys_are_valid_while_keys_are_changed() {
    let (old, new, gone) = (root("2026-10", "a"), root("2026-11", "b"), root("2026-09", "c"));
    let verifier = verifier(&[("2026-11", &new.derive("s")), ("2026-10", &old.derive("s"))]);
    assert_eq!(verifier.verify(Some(&signed(&old, "s")), METHOD, ID).unwrap().key_id, "2026-10");
    assert_eq!(verifier.verify(Some(&signed(&new, "s")), METHOD, ID).unwrap().key_id, "2026-11");
    assert_eq!(verifier.verify(Some(&signed(&gone, "s")), METHOD, ID), Err(Distrust::UnknownKey));
}

#[test]
fn time_counts_with_a_little_patience() {
    let root = root("k1", "a");
    let verifier = verifier(&[("k1", &root.derive("s"))]);
    let now = SystemTime::now();
    let at = |expires| root.signer("s").sign_until(expires, ["p", "a"], [METHOD, ID]);
    let verdict = |expires| verifier.verify_at(now, at(expires).as_bytes(), [METHOD, ID]).map(|_| ());
    let second = Duration::from_secs(1);
    assert_eq!(verdict(now + LIFETIME), Ok(()));
    assert_eq!(verdict(now - SKEW + second), Ok(()));
    assert_eq!(verdict(now - SKEW - second), Err(Distrust::Expired));
    assert_eq!(verdict(now + LIFETIME + SKEW + second), Err(Distrust::Expired));
}

#[test]
fn a_context_is_for_one_call() {
    let root = root("k1", "a");
    let verifier = verifier(&[("k1", &root.derive("s"))]);
    let context = signed(&root, "s");
    let other = "ispbridge.aex.v1.CustomerService/DeleteCustomer";
    for (method, id) in [(other, ID), (METHOD, "req-2"), (METHOD, "")] {
        assert_eq!(verifier.verify(Some(&context), method, id), Err(Distrust::BadTag));
    }
    assert_eq!(verifier.verify(None, METHOD, ID), Err(Distrust::Missing));
}

#[test]
fn a_name_cannot_smuggle_a_line() {
    let root = root("k1", "a");
    let verifier = verifier(&[("k1", &root.derive("s"))]);
    let context = root.signer("s").sign("p\nother-account", "a", METHOD, ID);
    assert_eq!(verifier.verify(Some(&context), METHOD, ID), Err(Distrust::Malformed));
}

#[test]
fn unusable_keys_are_refused() {
    assert_eq!(Root::new("k1", "short").unwrap_err(), KeyError::ShortRoot);
    assert_eq!(Root::new("k.1", ROOT).unwrap_err(), KeyError::Id);
    assert_eq!(Verifier::new([("k1", ROOT)]).unwrap_err(), (0, KeyError::NotAServiceKey));
    let text = root("k1", "a").derive("s").to_text();
    assert_eq!(Verifier::new([("k", text.as_str()), ("k", text.as_str())]).unwrap_err().1, KeyError::Twice);
}

#[test]
fn keys_are_not_printed() {
    let root = root("k1", "a");
    let text = root.derive("s").to_text();
    let printed = format!("{root:?} {:?} {:?}", root.signer("s"), verifier(&[("k1", &root.derive("s"))]));
    assert!(!printed.contains(&text) && !printed.contains("aaaa"), "{printed}");
}

proptest! {
    #[test]
    fn what_nobody_signed_is_never_believed(context in prop::collection::vec(any::<u8>(), 0..300)) {
        let verifier = verifier(&[("k1", &root("k1", "a").derive("s"))]);
        prop_assert!(verifier.verify_at(SystemTime::now(), &context, [METHOD, ID]).is_err());
    }

    #[test]
    fn what_looks_signed_is_not_believed_either(id in "k1|k2|", payload in "[A-Za-z0-9_-]{0,60}", tag in "[A-Za-z0-9_-]{43}") {
        let verifier = verifier(&[("k1", &root("k1", "a").derive("s"))]);
        let context = format!("v2.{id}.{payload}.{tag}");
        prop_assert!(verifier.verify_at(SystemTime::now(), context.as_bytes(), [METHOD, ID]).is_err());
    }

    #[test]
    fn names_arrive_whole_or_not_at_all(principal in any::<String>(), account in ".{0,20}", id in "[!-~]{0,40}") {
        let root = root("k1", "a");
        let verifier = verifier(&[("k1", &root.derive("s"))]);
        let context = root.signer("s").sign(&principal, &account, METHOD, &id);
        match verifier.verify(Some(&context), METHOD, &id) {
            Ok(caller) => prop_assert_eq!((caller.principal, caller.account), (principal, account)),
            Err(error) => {
                let odd = principal.chars().chain(account.chars()).any(char::is_control);
                prop_assert!(odd && error == Distrust::Malformed, "{}", error);
            }
        }
    }
}
