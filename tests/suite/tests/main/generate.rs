//! Messages with a value in every field, made from their descriptors.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// Levels of messages inside of messages; contracts that contain themselves end here.
const LEVELS: usize = 5;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// A text of the test's own.
    Own,
    /// A plain word, where the field takes no such text.
    Word,
    /// A small number, where the field takes nothing else.
    Number,
    /// Nothing.
    Absent,
}

/// What stands at which path; a path has no indexes.
pub(crate) type Contents = BTreeMap<String, Content>;

/// What stands at a path, by what is said of it or of the message around it.
pub(crate) fn content_at(contents: &Contents, path: &str) -> Content {
    let around = path.rsplit_once('.').map(|(around, _)| around);
    match (contents.get(path), around) {
        (Some(content), _) => *content,
        (None, Some(around)) => content_at(contents, around),
        (None, None) => Content::Own,
    }
}

/// Fills messages; every text that it is asked for gets a number.
pub(crate) struct Filling<'a> {
    contents: &'a Contents,
    text: &'a dyn Fn(usize) -> String,
    /// The paths of the texts so far.
    paths: Vec<String>,
}

/// A word that stands for the text of this number.
pub(crate) fn word(number: usize) -> String {
    format!("kw{number:04}wk")
}

impl<'a> Filling<'a> {
    /// A message in proto JSON, and the paths of its texts in the order of their numbers.
    pub(crate) fn fill(
        message: &MessageDescriptor,
        contents: &'a Contents,
        text: &'a dyn Fn(usize) -> String,
    ) -> (Value, Vec<String>) {
        let mut filling = Self { contents, text, paths: Vec::new() };
        (filling.message(message, "", 0), filling.paths)
    }

    fn message(&mut self, message: &MessageDescriptor, path: &str, level: usize) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => return json!("2024-01-02T03:04:05Z"),
            "google.protobuf.Struct" => return json!({ "key": self.text(path) }),
            "google.type.Date" => return json!({ "year": 2024, "month": 1, "day": 2 }),
            "google.type.DateTime" => return json!({ "year": 2024, "month": 1, "day": 2, "hours": 3 }),
            _ => {}
        }
        let (mut filled, mut chosen) = (Map::new(), Vec::new());
        for field in message.fields() {
            let path = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
            let choice = field.containing_oneof().filter(|choice| choice.fields().len() > 1);
            let is_taken = choice.as_ref().is_some_and(|choice| chosen.contains(choice));
            if is_taken || content_at(self.contents, &path) == Content::Absent || level == LEVELS {
                continue;
            }
            chosen.extend(choice);
            filled.insert(field.json_name().to_owned(), self.field(&field, &path, level));
        }
        filled.into()
    }

    fn field(&mut self, field: &FieldDescriptor, path: &str, level: usize) -> Value {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map's entries are messages") };
            let key = match entry.map_entry_key_field().kind() {
                Kind::String => self.text(path),
                _ => "4".to_owned(),
            };
            let value = self.one(&entry.map_entry_value_field(), path, level);
            return Value::Object([(key, value)].into_iter().collect());
        }
        if field.is_list() {
            return json!([self.one(field, path, level), self.one(field, path, level)]);
        }
        self.one(field, path, level)
    }

    fn one(&mut self, field: &FieldDescriptor, path: &str, level: usize) -> Value {
        match field.kind() {
            Kind::String => self.text(path).into(),
            Kind::Bytes => "YQ==".into(),
            Kind::Bool => true.into(),
            Kind::Enum(values) => values.values().find(|value| value.number() != 0).unwrap().name().into(),
            Kind::Message(message) => self.message(&message, path, level + 1),
            _ => 1.into(),
        }
    }

    fn text(&mut self, path: &str) -> String {
        let number = self.paths.len();
        self.paths.push(path.to_owned());
        match content_at(self.contents, path) {
            Content::Number => "1".to_owned(),
            Content::Word => word(number),
            _ => (self.text)(number),
        }
    }
}
