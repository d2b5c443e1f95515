//! Messages as ProtoJSON, with the services' descriptors.

mod number;
mod proto_json;

use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor};
use serde_path_to_error::Track;
use tonic::{Code, Status};

use self::proto_json::{ProtoJson, TWICE};
use crate::answer::{Answer, Outcome};

/// Longest name of a field that is repeated to the caller.
const NAME_CHARS: usize = 200;

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// JSON.
    Json,
    /// Protobuf.
    Proto,
}

/// What is wrong with a text, without the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
struct JsonProblem {
    /// The field, as the caller writes it; empty for the whole.
    field: String,
    what: String,
}

impl Codec {
    /// Its content type in a unary reply.
    pub(crate) fn unary(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Proto => "application/proto",
        }
    }

    /// Its content type in a streaming reply.
    pub(crate) fn stream(self) -> &'static str {
        match self {
            Self::Json => "application/connect+json",
            Self::Proto => "application/connect+proto",
        }
    }
}

/// Reads JSON as a message and writes its protobuf.
///
/// # Errors
/// INVALID_ARGUMENT with the field that is wrong.
pub(crate) fn to_proto(descriptor: MessageDescriptor, json: &[u8]) -> Result<Vec<u8>, Status> {
    match parse(descriptor, json) {
        Ok(message) => Ok(message.encode_to_vec()),
        Err(JsonProblem { field, what }) => {
            let text = if field.is_empty() { format!("the JSON {what}") } else { format!("field {field} {what}") };
            let answer = Answer::new(Code::InvalidArgument, "REQUEST_JSON", text).outcome(Outcome::NotSent);
            Err(answer.violation(&field, &what).status())
        }
    }
}

/// Reads a message's protobuf and writes it as JSON; `None` if it does not fit the descriptor.
pub(crate) fn from_proto(descriptor: MessageDescriptor, message: &[u8]) -> Option<Vec<u8>> {
    let message = DynamicMessage::decode(descriptor, message).ok()?;
    serde_json::to_vec(&message).ok()
}

fn parse(descriptor: MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, JsonProblem> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let strict = ProtoJson::new(tracked, &descriptor);
    let message = DynamicMessage::deserialize_with_options(descriptor, strict, &options)
        .map_err(|error| problem(&track.path().to_string(), &error))?;
    deserializer.end().map_err(|error| problem("", &error))?;
    Ok(message)
}

fn problem(path: &str, error: &serde_json::Error) -> JsonProblem {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let place = format!("(line {}, column {})", error.line(), error.column());
    let field = path.trim_start_matches('.');
    // The path of an unknown field ends with its parent.
    let field = field.strip_suffix('?').unwrap_or(field).trim_end_matches('.');
    if !error.is_data() {
        // Where a text ends early, the path means nothing.
        let field = if error.is_eof() { String::new() } else { short(field) };
        return JsonProblem { field, what: format!("cannot be read: {text} {place}") };
    }
    let named = [
        ("unrecognized field name '", "does not exist"),
        ("multiple fields provided for oneof '", "is given twice"),
        (TWICE, "is given twice"),
    ];
    for (before, what) in named {
        if let Some(name) = quoted(text, before) {
            let name = if name.is_empty() { "\"\"".to_owned() } else { short(name) };
            let field = if field.is_empty() { name } else { format!("{field}.{name}") };
            return JsonProblem { field, what: what.to_owned() };
        }
    }
    JsonProblem { field: field.to_owned(), what: format!("{} {place}", without_value(text)) }
}

fn short(name: &str) -> String {
    name.chars().take(NAME_CHARS).collect()
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix('\'')
}

/// A library's message without the value.
fn without_value(text: &str) -> String {
    const SAFE: [&str; 5] = ["out of range", "float value out of range", "number too ", "expected ", "missing "];
    if let Some((_, expected)) = text.rsplit_once(", expected ") {
        return format!("must be {expected}");
    }
    if text.starts_with("must ") {
        return text.to_owned();
    }
    if text.starts_with("unrecognized enum value") {
        return "has no such value in its enum".to_owned();
    }
    if text.starts_with("invalid base64") {
        return "must be base64".to_owned();
    }
    if text.ends_with("recursion limit reached") {
        return "is nested too deeply".to_owned();
    }
    match SAFE.iter().any(|safe| text.starts_with(safe)) {
        true => format!("is wrong: {text}"),
        false => "has a value of the wrong form".to_owned(),
    }
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
