//! What people may see of a message.

use std::fs;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use protocol::redact::Redactor;
use serde_json::json;

const OPTION: &str = r#"
syntax = "proto3";
package ispbridge.type.v1;
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { bool sensitive = 50001; }
"#;

const SHOP: &str = r#"
syntax = "proto3";
package shop.v1;
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "ispbridge/type/v1/sensitive.proto";
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }
message Account {
  string name = 1;
  string password = 2 [(ispbridge.type.v1.sensitive) = true];
  repeated string pins = 3 [(ispbridge.type.v1.sensitive) = true];
}
message Order {
  Account account = 1;
  repeated Account others = 2;
  map<string, Account> by_name = 3;
  map<string, Colour> colours = 4;
  google.protobuf.Timestamp create_time = 5;
  google.protobuf.Struct extra_fields = 6;
  google.protobuf.Struct notes = 7;
  bytes image = 8;
  int64 count = 9;
  Colour colour = 10;
  Account secret_account = 11 [(ispbridge.type.v1.sensitive) = true];
}
"#;

fn descriptors() -> DescriptorPool {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("ispbridge/type/v1")).unwrap();
    fs::write(directory.path().join("ispbridge/type/v1/sensitive.proto"), OPTION).unwrap();
    fs::write(directory.path().join("shop.proto"), SHOP).unwrap();
    let mut compiler = protox::Compiler::new([directory.path()]).unwrap();
    compiler.include_imports(true).open_file("shop.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

fn order(pool: &DescriptorPool, json: serde_json::Value) -> Vec<u8> {
    let order = pool.get_message_by_name("shop.v1.Order").unwrap();
    DynamicMessage::deserialize(order, json).unwrap().encode_to_vec()
}

#[test]
fn sensitive_fields_are_black_at_every_depth() {
    let pool = descriptors();
    let account = json!({ "name": "n", "password": "hunter2", "pins": ["hunter3"] });
    let bytes = order(
        &pool,
        json!({
            "account": account, "others": [account], "byName": { "a": account }, "colours": { "b": "COLOUR_RED" },
            "createTime": "2026-01-02T03:04:05Z", "extraFields": { "any": "hunter4" }, "notes": { "plain": true },
            "image": "AAAA", "count": "7", "colour": "COLOUR_RED", "secretAccount": account,
        }),
    );
    let shown = Redactor::new(pool).json("shop.v1.Order", &bytes).unwrap();
    let black = json!({ "name": "n", "password": "REDACTED", "pins": "REDACTED" });
    assert_eq!(
        shown,
        json!({
            "account": black, "others": [black], "by_name": { "a": black }, "colours": { "b": "COLOUR_RED" },
            "create_time": "2026-01-02T03:04:05Z", "extra_fields": "REDACTED", "notes": { "plain": true },
            "image": "3 bytes", "count": 7, "colour": "COLOUR_RED", "secret_account": "REDACTED",
        })
    );
    assert!(!shown.to_string().contains("hunter"));
}

#[test]
fn what_cannot_be_read_is_not_repeated() {
    let redactor = Redactor::new(descriptors());
    let unknown = redactor.json("shop.v1.Nothing", b"").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no message shop.v1.Nothing");
    let broken = redactor.json("shop.v1.Order", b"\x0ahunter2").unwrap_err();
    assert_eq!(broken.to_string(), "the bytes are no shop.v1.Order");
}
