//! The JSON Schema of settings: what their reference says, and which of them count only after a restart.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Keyword of a schema: whether a change counts only after a restart; inner keys may say otherwise.
pub(crate) const RESTART: &str = "x-restart";

/// The schema of settings, in one piece.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The keys of a table; nothing if it is none.
pub(crate) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// The schema of a value that is there: an optional one may also be null, which TOML does not have.
pub(crate) fn given(schema: &Value) -> &Value {
    let one_of = schema.get("anyOf").and_then(Value::as_array);
    one_of
        .and_then(|schemas| schemas.iter().find(|one| one.get("type").is_none_or(|kind| kind != "null")))
        .unwrap_or(schema)
}
