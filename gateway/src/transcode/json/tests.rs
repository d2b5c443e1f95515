use prost_reflect::DescriptorPool;
use serde_json::{Value, json};

use super::*;

fn thing() -> MessageDescriptor {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folders = ["gateway/tests/proto", "proto", "proto/third_party"].map(|folder| format!("{root}/{folder}"));
    let files = protox::compile(["ispbridge/fake_isp/v1/customer.proto"], folders).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    pool.get_message_by_name("ispbridge.fake_isp.v1.Thing").unwrap()
}

fn through(json: &Value) -> Value {
    let proto = to_proto(thing(), json.to_string().as_bytes()).unwrap();
    serde_json::from_slice(&from_proto(thing(), &proto).unwrap()).unwrap()
}

/// The field and the text that a caller is told.
fn refused(json: &str) -> (String, String) {
    use tonic_types::StatusExt;
    let status = to_proto(thing(), json.as_bytes()).unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    (violations[0].field.clone(), status.message().to_owned())
}

#[test]
fn every_kind_of_field_survives_both_ways() {
    let whole = json!({
        "name": "Ó Briain ☺😈",
        "password": "s3cret",
        "balanceCents": "9007199254740993",
        "kind": "KIND_FIRM",
        "picture": "+/8=",
        "createdAt": "2026-11-23T03:04:05.678Z",
        "stay": "86400.500s",
        "more": {"a": [1.0, true, null, {"b": "c"}]},
        "mask": "name,balanceCents",
        "limit": "-5",
        "birthday": {"year": 2026, "month": 2, "day": 28},
        "parts": [{"name": "one"}, {}],
        "byNumber": {"-7": {"name": "seven"}},
        "labels": {"": "x", "ü": "y"},
        "phone": "",
        "matters": false,
        "share": 0.5,
        "other": {"@type": "type.googleapis.com/ispbridge.fake_isp.v1.Thing", "name": "inner"},
        "value": null,
        "formerName": "before",
        "numbers": [0, 4_294_967_295_u32],
        "id": "7",
        "line2Text": "digits",
    });
    assert_eq!(through(&whole), whole);
}

#[test]
fn what_protobuf_allows_is_read_and_written_in_the_one_form() {
    let read = json!({
        "balance_cents": 12,
        "kind": 1,
        "picture": "-_8",
        "createdAt": "2026-11-23T05:04:05+02:00",
        "share": "NaN",
        "parts": null,
        "name": "",
    });
    let written = json!({
        "balanceCents": "12",
        "kind": "KIND_PERSON",
        "picture": "+/8=",
        "createdAt": "2026-11-23T03:04:05Z",
        "share": "NaN",
    });
    assert_eq!(through(&read), written);
    assert_eq!(through(&json!({})), json!({}));
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let cases = [
        (r#"{"nome":"x"}"#, "nome", "does not exist"),
        (r#"{"parts":[{},{"byNumber":{"7":{"nome":1}}}]}"#, "parts[1].byNumber.7.nome", "does not exist"),
        (r#"{"parts":[{"numbers":[1,-1]}]}"#, "parts[0].numbers[1]", "out of range"),
        (r#"{"balanceCents":"x"}"#, "balanceCents", "whole number"),
        (r#"{"":1}"#, "\"\"", "does not exist"),
        (r#"{"labels":{"a":"\ud83d"}}"#, "labels.a", "cannot be read"),
        (r#"{"labels":{"\ud83d":"a"}}"#, "labels", "cannot be read"),
        (r#"{"kind":"KIND_CAT"}"#, "kind", "no such value"),
        (r#"{"picture":"%%"}"#, "picture", "base64"),
        (r#"{"createdAt":"yesterday"}"#, "createdAt", ""),
        (r#"{"name":7}"#, "name", "must be a"),
        (r#"{"address":"a","phone":"b"}"#, "contact", "twice"),
    ];
    for (json, field, text) in cases {
        let (named, message) = refused(json);
        assert_eq!(named, field, "{message}");
        assert!(message.contains(text) && message.contains(field), "{message}");
    }
}

#[test]
fn no_value_is_repeated_in_an_error() {
    let cases = [
        r#"{"password":{"hunter2":1}}"#,
        r#"{"password":["hunter2"]}"#,
        r#"{"balanceCents":"hunter2"}"#,
        r#"{"kind":"hunter2"}"#,
        r#"{"createdAt":"hunter2"}"#,
        r#"{"stay":"hunter2"}"#,
        r#"{"mask":5,"x":"hunter2"}"#,
        r#"{"parts":"hunter2"}"#,
        r#"{"numbers":["hunter2"]}"#,
        r#"{"byNumber":{"hunter2":{}}}"#,
        r#"{"numbers":[", expected hunter2"]}"#,
        r#"{"matters":"hunter2"}"#,
        r#"{"share":"hunter2"}"#,
        r#"{"limit":"hunter2"}"#,
        r#"{"other":{"@type":"type.googleapis.com/hunter2"}}"#,
        r#"{"birthday":"hunter2"}"#,
        r#""hunter2""#,
        r#"{"name":"hunter2"#,
        r#"{"name":hunter2}"#,
        r#"{"name":"a"} hunter2"#,
        "{\"name\":\"hunter2\n\"}",
    ];
    for json in cases {
        let (_, message) = refused(json);
        assert!(!message.contains("hunter2"), "{json}: {message}");
    }
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    let cases = [("", "line 1"), ("{", "line 1"), ("{}\n{}", "line 2"), ("\u{feff}{}", "line 1"), ("[1]", "must be")];
    for (json, place) in cases {
        let (field, message) = refused(json);
        assert!(field.is_empty() && message.contains(place), "{message}");
    }
    let deep = "{\"parts\":[".repeat(200);
    assert!(refused(&deep).1.contains("recursion limit"));
    let bytes = b"{\"name\":\"\xff\"}";
    assert_eq!(to_proto(thing(), bytes).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn a_reply_that_does_not_fit_is_none() {
    assert_eq!(from_proto(thing(), &[0xff]), None);
}
