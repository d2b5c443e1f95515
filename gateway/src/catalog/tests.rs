use std::collections::BTreeMap;

use protocol::redact::Describe;

use super::*;
use crate::catalog::discover::Description;

/// What the service of a provider shows: the contract of `fake-isp` under another name of eight letters.
fn description(segment: &str) -> Description {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folders = ["gateway/tests/proto", "proto", "proto/third_party"].map(|folder| format!("{root}/{folder}"));
    let mut compiler = protox::Compiler::new(folders).unwrap();
    compiler.include_imports(true).open_file("ispbridge/fake_isp/v1/customer.proto").unwrap();
    let mut description = Description::default();
    for file in compiler.descriptor_pool().files() {
        let mut bytes = Vec::new();
        file.encode(&mut bytes).unwrap();
        let named: Vec<_> =
            bytes.windows(8).enumerate().filter(|(_, part)| part == b"fake_isp").map(|(at, _)| at).collect();
        named.iter().for_each(|at| bytes[*at..at + 8].copy_from_slice(segment.as_bytes()));
        description.add(segment, bytes).unwrap();
    }
    description
}

fn taught(segments: &[&str]) -> Catalog {
    let catalog = Catalog::default();
    for segment in segments {
        catalog.take(&segment.replace('_', "-").into(), description(segment));
    }
    catalog
}

fn contract(catalog: &Catalog, provider: &str) -> Arc<Contract> {
    Arc::clone(&catalog.current.load().contracts[provider])
}

#[test]
fn one_look_tells_provider_idempotency_and_name() {
    let catalog = taught(&["fake_isp"]);
    let get = "ispbridge.fake_isp.v1.CustomerService/GetCustomer";
    let known = catalog.know("fake-isp", get);
    assert_eq!((known.idempotency, known.name.as_deref()), (Some(Idempotency::Read), Some(get)));
    let known = catalog.know("fake-isp", "ispbridge.fake_isp.v1.CustomerService/Nothing");
    assert_eq!(known, MethodInfo { idempotency: Some(Idempotency::Write), ..MethodInfo::default() });
    assert_eq!(catalog.know("other", "ispbridge.other.v1.S/Get"), MethodInfo::default());
    assert_eq!(catalog.of_method(get), Some(Idempotency::Read));
    assert_eq!((catalog.of_method("ispbridge.other.v1.S/Get"), catalog.of_method("x")), (None, None));
}

#[test]
fn who_is_learnt_costs_the_others_nothing() {
    let catalog = taught(&["fake_isp", "provider"]);
    let before = contract(&catalog, "fake-isp");
    let segment = "supplier";
    catalog.take(&segment.into(), description(segment));
    assert!(Arc::ptr_eq(&before, &contract(&catalog, "fake-isp")));
    let method = MethodName::of("ispbridge.provider.v1.CustomerService/GetCustomer").unwrap();
    assert_eq!(catalog.described(&method).unwrap().full_name(), "ispbridge.provider.v1.CustomerService.GetCustomer");
    let pools = ["fake-isp", "provider"].map(|provider| contract(&catalog, provider).is_read());
    assert_eq!(pools, [false, true]);
    // The same again is no news: what was made of it stays.
    catalog.take(&"provider".into(), description("provider"));
    assert!(contract(&catalog, "provider").is_read());
    catalog.forget("provider");
    assert!(catalog.described(&method).is_err() && catalog.know("provider", method.full).idempotency.is_none());
}

#[test]
fn files_that_all_import_are_held_once() {
    let catalog = taught(&["fake_isp", "provider"]);
    let at = |provider: &str| -> BTreeMap<String, *const u8> {
        let files = contract(&catalog, provider).description().files.clone();
        files.into_iter().map(|(name, file)| (name, file.as_ptr())).collect()
    };
    let (one, other) = (at("fake-isp"), at("provider"));
    let common = one.iter().filter(|(name, _)| other.contains_key(*name));
    assert!(common.clone().count() > 3 && common.clone().all(|(name, place)| other[name] == *place));
    assert_eq!(one.len() - common.count(), 1, "its own is its own");
    catalog.forget("fake-isp");
    catalog.forget("provider");
    catalog.lock().join(&mut Description::default());
    assert_eq!(format!("{:?}", *catalog.lock()), "SharedFiles({})");
}

#[test]
fn messages_are_read_with_the_contract_of_their_provider() {
    let catalog = taught(&["fake_isp", "provider"]);
    let method = "ispbridge.provider.v1.CustomerService/GetCustomer";
    let shown = catalog.redactor(method).unwrap().request(method, b"\x0a\x03abc").unwrap();
    assert_eq!(shown, serde_json::json!({ "name": "abc" }));
    assert!(catalog.redactor("ispbridge.nobody.v1.S/Get").is_none());
}
