//! The form of single values in proto3 JSON.

use prost_reflect::Kind;
use serde_json::{Value, json};

/// The form of a value that is neither a message nor an enum.
pub(crate) fn scalar(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::String => json!({ "type": "string" }),
        Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
        Kind::Uint32 | Kind::Fixed32 => {
            json!({ "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX })
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]+$" })
        }
        Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]+$" }),
        Kind::Float => number("float"),
        Kind::Double => number("double"),
        Kind::Message(_) | Kind::Enum(_) => json!({}),
    }
}

fn number(format: &str) -> Value {
    let words = json!({ "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] });
    json!({ "anyOf": [{ "type": "number", "format": format }, words] })
}

/// The form of keys of a map, which JSON only has as texts.
pub(crate) fn key(kind: &Kind) -> Option<Value> {
    match kind {
        Kind::String => None,
        Kind::Bool => Some(json!({ "enum": ["true", "false"] })),
        _ => Some(json!({ "pattern": "^-?[0-9]+$" })),
    }
}

/// The form of a well-known type; `None` if the message is none.
pub(crate) fn well_known(name: &str) -> Option<Value> {
    let wrapped = |kind: Kind| scalar(&kind);
    Some(match name.strip_prefix("google.protobuf.")? {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$" }),
        "FieldMask" => json!({ "type": "string", "description": "Names of fields, with commas between them." }),
        "Struct" => json!({ "type": "object" }),
        "Value" => json!({}),
        "ListValue" => json!({ "type": "array", "items": {} }),
        "Empty" => json!({ "type": "object", "maxProperties": 0 }),
        "NullValue" => json!({ "type": "null" }),
        "Any" => json!({
            "type": "object", "properties": { "@type": { "type": "string" } }, "required": ["@type"],
        }),
        "BoolValue" => wrapped(Kind::Bool),
        "StringValue" => wrapped(Kind::String),
        "BytesValue" => wrapped(Kind::Bytes),
        "Int32Value" => wrapped(Kind::Int32),
        "UInt32Value" => wrapped(Kind::Uint32),
        "Int64Value" => wrapped(Kind::Int64),
        "UInt64Value" => wrapped(Kind::Uint64),
        "FloatValue" => wrapped(Kind::Float),
        "DoubleValue" => wrapped(Kind::Double),
        _ => return None,
    })
}
