//! The configuration reference, made from the doc comments, types and defaults of the settings themselves.
//!
//! A setting's JSON Schema has all of it. `x-restart` in a schema says that a change of the key, or of the section, counts only
//! after a restart; everything else is taken while the process runs.

use std::fmt::Write;

use schemars::JsonSchema;
use serde_json::Value;

use crate::{
    program::Program,
    schema::{RESTART, given, properties, schema_of},
    settings::Settings,
};

/// The sections that every process of the suite has, as Markdown.
#[must_use]
pub fn shared() -> String {
    document::<Settings>()
}

/// The keys of one program's own part, as Markdown.
#[must_use]
pub fn own<P: Program>() -> String {
    document::<P::Config>()
}

/// All keys of one program, as Markdown.
#[must_use]
pub fn of_program<P: Program>() -> String {
    format!("# Configuration of {}\n\n## Its own part\n\n{}## Every process\n\n{}", P::NAME, own::<P>(), shared())
}

fn document<T: JsonSchema>() -> String {
    let schema = schema_of::<T>();
    let mut text = String::new();
    Table { path: "", brackets: ("", ""), schema: &schema, restart: false }.write(&mut text);
    text
}

/// A table of the file, and where it stands.
struct Table<'s> {
    path: &'s str,
    /// What stands around its name in the file.
    brackets: (&'static str, &'static str),
    schema: &'s Value,
    restart: bool,
}

impl Table<'_> {
    fn write(&self, text: &mut String) {
        let Some(keys) = properties(self.schema) else { return };
        let (inner, own): (Vec<_>, Vec<_>) = keys.iter().partition(|(_, schema)| inner_table(schema).is_some());
        if !self.path.is_empty() {
            let (open, close) = self.brackets;
            // Writing to a text cannot fail.
            let _ = writeln!(text, "### `{open}{}{close}`\n\n{}\n", self.path, meaning(self.schema));
        }
        if !own.is_empty() {
            text.push_str("| key | type | default | a change needs | meaning |\n|---|---|---|---|---|\n");
            own.iter().for_each(|(key, schema)| self.row(key, schema, text));
            text.push('\n');
        }
        for (key, schema) in inner {
            self.inner(key, schema, text);
        }
    }

    fn row(&self, key: &str, schema: &Value, text: &mut String) {
        let needs = if self.restarts(schema) { "restart" } else { "nothing" };
        let (kind, default) = (kind(schema), self.default(key, schema));
        let _ = writeln!(text, "| `{key}` | {kind} | {default} | {needs} | {} |", meaning(schema).replace('|', "\\|"));
    }

    fn inner(&self, key: &str, schema: &Value, text: &mut String) {
        let Some((form, table)) = inner_table(schema) else { return };
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let (path, brackets) = match form {
            Form::One => (path, ("[", "]")),
            Form::List => (path, ("[[", "]]")),
            Form::Named => (format!("{path}.NAME"), ("[", "]")),
        };
        // The comment of the key says what the table is for here.
        let mut described = table.clone();
        if let (Some(comment), Some(described)) = (schema.get("description"), described.as_object_mut()) {
            described.insert("description".to_owned(), comment.clone());
        }
        Table { path: &path, brackets, schema: &described, restart: self.restarts(schema) }.write(text);
    }

    fn restarts(&self, schema: &Value) -> bool {
        schema.get(RESTART).and_then(Value::as_bool).unwrap_or(self.restart)
    }

    fn default(&self, key: &str, schema: &Value) -> String {
        let required = self.schema.get("required").and_then(Value::as_array);
        if required.is_some_and(|keys| keys.iter().any(|required| required == key)) {
            return "must be given".to_owned();
        }
        match schema.get("default") {
            None | Some(Value::Null) => "none".to_owned(),
            Some(Value::Number(number)) => match number.as_f64() {
                Some(float) if !number.is_u64() && !number.is_i64() => format!("`{float}`"),
                _ => format!("`{number}`"),
            },
            Some(default) => format!("`{default}`"),
        }
    }
}

/// How tables stand under a key.
enum Form {
    One,
    List,
    /// Each under a name that the operator chooses.
    Named,
}

/// The table, or the tables, under a key; none for a plain value.
fn inner_table(schema: &Value) -> Option<(Form, &Value)> {
    let schema = given(schema);
    let (items, values) = (schema.get("items").map(given), schema.get("additionalProperties").map(given));
    let (form, table) = match (items, values) {
        _ if properties(schema).is_some() => (Form::One, schema),
        (Some(items), _) => (Form::List, items),
        (_, Some(values)) => (Form::Named, values),
        _ => return None,
    };
    properties(table).map(|_| (form, table))
}

/// What may stand as a value.
fn kind(schema: &Value) -> String {
    let schema = given(schema);
    match schema.get("format").and_then(Value::as_str) {
        Some("seconds") => return "seconds".to_owned(),
        Some("secret") => return "`{ file = \"...\" }` or `{ env = \"...\" }`".to_owned(),
        Some("secrets") => return "secrets by name".to_owned(),
        _ => {}
    }
    if let Some(values) = choices(schema) {
        return values.iter().map(|(value, _)| format!("`\"{value}\"`")).collect::<Vec<_>>().join(", ");
    }
    let named = |name: &str| match name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => format!("list of {}", schema.get("items").map(kind).unwrap_or_default()),
        "object" => format!("table of {}", schema.get("additionalProperties").map(kind).unwrap_or_default()),
        other => other.to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => named(name),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.map(named).collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    }
}

/// The values of an enum, and what each means.
fn choices(schema: &Value) -> Option<Vec<(&str, Option<&str>)>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.iter().filter_map(|value| Some((value.as_str()?, None))).collect());
    }
    let values = schema.get("oneOf")?.as_array()?.iter().filter_map(|one| {
        let meaning = one.get("description").and_then(Value::as_str);
        Some((one.get("const")?.as_str()?, meaning))
    });
    Some(values.collect())
}

/// The doc comment in one line, and those of the values of an enum.
fn meaning(schema: &Value) -> String {
    let value = given(schema);
    let comment = schema.get("description").or_else(|| value.get("description")).and_then(Value::as_str);
    let mut text = comment.map(one_line).unwrap_or_default();
    let element = value.get("items").unwrap_or(value);
    for (value, comment) in choices(element).into_iter().flatten() {
        if let Some(comment) = comment {
            let _ = write!(text, " `\"{value}\"`: {}", one_line(comment));
        }
    }
    text
}

/// Without line breaks and without the brackets of links between items of the code.
fn one_line(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ").replace("[`", "`").replace("`]", "`")
}
