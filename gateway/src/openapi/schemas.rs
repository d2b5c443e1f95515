//! Messages and enums as JSON Schema, each once, under its own full name.

use std::collections::HashSet;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, OneofDescriptor,
};
use serde_json::{Map, Value, json};

use super::{comments::Comments, fields::OptionReader, kinds};

/// The schemas that a document needs.
#[derive(Debug)]
pub(crate) struct Schemas {
    options: OptionReader,
    comments: Comments,
    wanted: Vec<PendingSchema>,
    seen: HashSet<String>,
    /// Messages that requests hold: what is `REQUIRED` there must be there.
    sent: HashSet<String>,
}

#[derive(Debug)]
enum PendingSchema {
    Message(MessageDescriptor),
    Enum(EnumDescriptor),
}

impl Schemas {
    /// Starts with none.
    pub(crate) fn new(pool: &DescriptorPool) -> Self {
        Self {
            options: OptionReader::new(pool),
            comments: Comments::default(),
            wanted: Vec::new(),
            seen: HashSet::new(),
            sent: HashSet::new(),
        }
    }

    /// The options of the contract's own.
    pub(crate) fn options(&self) -> &OptionReader {
        &self.options
    }

    /// The comment of a declaration.
    pub(crate) fn comment(&mut self, file: &FileDescriptor, path: &[i32]) -> Option<String> {
        self.comments.of(file, path)
    }

    /// The schema of a request.
    pub(crate) fn request(&mut self, message: &MessageDescriptor) -> Value {
        self.note_sent(message);
        self.message(message)
    }

    /// The schema of a reply.
    pub(crate) fn reply(&mut self, message: &MessageDescriptor) -> Value {
        self.message(message)
    }

    /// All that was asked for, and what it holds.
    pub(crate) fn finish(mut self) -> Map<String, Value> {
        let mut schemas = Map::new();
        while let Some(wanted) = self.wanted.pop() {
            match wanted {
                PendingSchema::Message(message) => {
                    schemas.insert(message.full_name().to_owned(), self.object(&message))
                }
                PendingSchema::Enum(list) => schemas.insert(list.full_name().to_owned(), self.list(&list)),
            };
        }
        schemas
    }

    fn note_sent(&mut self, message: &MessageDescriptor) {
        if !self.sent.insert(message.full_name().to_owned()) {
            return;
        }
        for field in message.fields() {
            if let Kind::Message(inner) = field.kind() {
                self.note_sent(&inner);
            }
        }
    }

    fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(form) = kinds::well_known(message.full_name()) {
            return form;
        }
        if self.seen.insert(message.full_name().to_owned()) {
            self.wanted.push(PendingSchema::Message(message.clone()));
        }
        reference(message.full_name())
    }

    fn object(&mut self, message: &MessageDescriptor) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        let is_sent = self.sent.contains(message.full_name());
        for field in message.fields() {
            if is_sent && self.options.of(&field).required {
                required.push(field.json_name().to_owned());
            }
            properties.insert(field.json_name().to_owned(), self.field(&field));
        }
        let mut object = json!({ "type": "object", "properties": properties });
        if let Some(comment) = self.comment(&message.parent_file(), message.path()) {
            object["description"] = comment.into();
        }
        if !required.is_empty() {
            object["required"] = required.into();
        }
        let choices: Vec<_> = message.oneofs().filter(|one| !one.is_synthetic()).map(|one| at_most_one(&one)).collect();
        if !choices.is_empty() {
            object["allOf"] = choices.into();
        }
        object
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let mut form = match field.kind() {
            Kind::Message(entry) if field.is_map() => self.map(&entry),
            kind if field.is_list() => json!({ "type": "array", "items": self.value(&kind) }),
            kind => self.value(&kind),
        };
        if let Some(comment) = self.comment(&field.parent_file(), field.path()) {
            form["description"] = comment.into();
        }
        let said = self.options.of(field);
        if said.sensitive {
            form["x-sensitive"] = true.into();
            if form["type"] == "string" && form.get("format").is_none() {
                form["format"] = "password".into();
            }
        }
        for (name, is) in
            [("deprecated", said.deprecated), ("readOnly", said.output_only), ("writeOnly", said.input_only)]
        {
            if is {
                form[name] = true.into();
            }
        }
        form
    }

    fn map(&mut self, entry: &MessageDescriptor) -> Value {
        let mut form = json!({ "type": "object" });
        form["additionalProperties"] = self.value(&entry.map_entry_value_field().kind());
        if let Some(names) = kinds::key(&entry.map_entry_key_field().kind()) {
            form["propertyNames"] = names;
        }
        form
    }

    fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => self.message(message),
            Kind::Enum(list) if list.full_name() == "google.protobuf.NullValue" => json!({ "type": "null" }),
            Kind::Enum(list) => {
                if self.seen.insert(list.full_name().to_owned()) {
                    self.wanted.push(PendingSchema::Enum(list.clone()));
                }
                reference(list.full_name())
            }
            kind => kinds::scalar(kind),
        }
    }

    fn list(&mut self, list: &EnumDescriptor) -> Value {
        let names: Vec<_> = list.values().map(|value| value.name().to_owned()).collect();
        let mut words = Map::new();
        for value in list.values() {
            if let Some(comment) = self.comment(&list.parent_file(), value.path()) {
                words.insert(value.name().to_owned(), comment.into());
            }
        }
        let mut form = json!({ "type": "string", "enum": names });
        if let Some(comment) = self.comment(&list.parent_file(), list.path()) {
            form["description"] = comment.into();
        }
        if !words.is_empty() {
            form["x-enum-descriptions"] = words.into();
        }
        form
    }
}

/// What every document needs.
pub(crate) fn common() -> Map<String, Value> {
    Map::from_iter([("connect.Error".to_owned(), error())])
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Of the fields of a oneof an object has one or none.
fn at_most_one(oneof: &OneofDescriptor) -> Value {
    let has: Vec<_> = oneof.fields().map(|field| json!({ "required": [field.json_name()] })).collect();
    let none = json!({ "not": { "anyOf": has } });
    let choices: Vec<_> = has.into_iter().chain([none]).collect();
    json!({ "oneOf": choices })
}

fn error() -> Value {
    let codes = [
        "canceled",
        "unknown",
        "invalid_argument",
        "deadline_exceeded",
        "not_found",
        "already_exists",
        "permission_denied",
        "resource_exhausted",
        "failed_precondition",
        "aborted",
        "out_of_range",
        "unimplemented",
        "internal",
        "unavailable",
        "data_loss",
        "unauthenticated",
    ];
    let detail = json!({
        "type": "object",
        "description": "One message of google.rpc.",
        "properties": {
            "type": { "type": "string", "description": "Name of the message, e.g. google.rpc.ErrorInfo." },
            "value": { "type": "string", "contentEncoding": "base64", "description": "The message as protobuf." },
            "debug": { "type": "object", "description": "The message as JSON." },
        },
        "required": ["type", "value"],
    });
    json!({
        "type": "object",
        "description": "An error of the Connect protocol.",
        "properties": {
            "code": { "type": "string", "enum": codes },
            "message": { "type": "string" },
            "details": { "type": "array", "items": detail },
        },
        "required": ["code"],
    })
}
