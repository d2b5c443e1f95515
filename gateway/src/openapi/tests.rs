use serde_json::{Value, json};

use super::*;

fn written() -> Value {
    document([pool()], |_| true)
}

fn pool() -> DescriptorPool {
    compiled("ispbridge/fake_isp/v1/customer.proto")
}

fn compiled(file: &str) -> DescriptorPool {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folders = ["gateway/tests/proto", "proto", "proto/third_party"].map(|folder| format!("{root}/{folder}"));
    let mut compiler = protox::Compiler::new(folders).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(file).unwrap();
    compiler.descriptor_pool()
}

const SERVICE: &str = "ispbridge.fake_isp.v1.CustomerService";

#[test]
fn every_method_of_one_message_each_way_is_a_path() {
    let document = written();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    let expected = ["AddCustomer", "GetCustomer", "OldAddCustomer"].map(|name| format!("/{SERVICE}/{name}"));
    assert_eq!(paths, expected.iter().collect::<Vec<_>>());
    let get = &document["paths"][format!("/{SERVICE}/GetCustomer")]["post"];
    assert_eq!(get["description"], "Reads one customer (`GET /customers/{name}`).");
    assert_eq!((&get["x-idempotency-level"], &get["x-probe"]), (&json!("NO_SIDE_EFFECTS"), &Value::Null));
    let add = &document["paths"][format!("/{SERVICE}/AddCustomer")]["post"];
    assert_eq!(add["x-probe"], "CustomerService/GetCustomer");
    let schema = json!({ "$ref": "#/components/schemas/ispbridge.fake_isp.v1.Thing" });
    assert_eq!(get["requestBody"]["content"]["application/json"]["schema"], schema);
    assert_eq!(document["paths"][format!("/{SERVICE}/OldAddCustomer")]["post"]["deprecated"], true);
    assert_eq!(document["tags"][0]["description"], "Customers of an ISP that does not exist.");
}

#[test]
fn fields_have_their_json_form_and_what_the_options_say() {
    let document = written();
    let thing = &document["components"]["schemas"]["ispbridge.fake_isp.v1.Thing"];
    assert_eq!(thing["required"], json!(["name"]));
    let field = |name: &str| thing["properties"][name].clone();
    let said = |name: &str, key: &str| field(name)[key].clone();
    assert_eq!(field("name"), json!({ "type": "string", "description": "What the customer is called." }));
    assert_eq!((said("password", "format"), said("password", "x-sensitive")), (json!("password"), json!(true)));
    assert_eq!((said("balanceCents", "type"), said("balanceCents", "format")), (json!("string"), json!("int64")));
    assert_eq!(
        (said("createdAt", "format"), said("picture", "contentEncoding")),
        (json!("date-time"), json!("base64"))
    );
    assert_eq!((said("formerName", "deprecated"), said("id", "readOnly")), (json!(true), json!(true)));
    assert_eq!(said("birthday", "$ref"), "#/components/schemas/google.type.Date");
    assert_eq!(said("byNumber", "propertyNames"), json!({ "pattern": "^-?[0-9]+$" }));
    assert_eq!(said("numbers", "items")["minimum"], 0);
    assert_eq!(thing["allOf"].as_array().unwrap().len(), 1, "an optional field is no choice");
    assert_eq!(thing["allOf"][0]["oneOf"][1], json!({ "required": ["phone"] }));
    let kind = &document["components"]["schemas"]["ispbridge.fake_isp.v1.Thing.Kind"];
    assert_eq!(kind["enum"], json!(["KIND_UNSPECIFIED", "KIND_PERSON", "KIND_FIRM"]));
    assert_eq!(kind["x-enum-descriptions"]["KIND_FIRM"], "A firm.");
}

/// All references of a document.
fn references(document: &Value) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(entries) => {
                found.extend(entries.get("$ref").and_then(Value::as_str).map(str::to_owned));
                entries.values().for_each(|value| collect(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(document, &mut found);
    found
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    for shown in [|_: &str| true, |name: &str| name.ends_with("/GetPremise"), |_: &str| false] {
        let pools = ["ispbridge/fake_isp/v1/customer.proto", "ispbridge/aex/v1/premise_service.proto"].map(compiled);
        let document = document(pools, shown);
        let references = references(&document);
        for reference in &references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(references.contains(&format!("#/components/schemas/{name}")), "{name}");
        }
    }
}

#[test]
fn what_is_not_shown_leaves_nothing_behind() {
    let document = document([pool()], |name| name == format!("{SERVICE}/GetCustomer"));
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, [&format!("/{SERVICE}/GetCustomer")]);
    let nothing = super::document([pool()], |_| false);
    assert_eq!((&nothing["tags"], &nothing["paths"]), (&json!([]), &json!({})));
    assert_eq!(nothing["components"]["schemas"].as_object().unwrap().len(), 1, "only that of errors");
}
