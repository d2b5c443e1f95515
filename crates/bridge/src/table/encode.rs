//! Message -> tree: what a request says, in the upstream's words.

mod lists;
mod structure;

use std::fmt::Display;

use bumpalo::{Bump, collections::Vec as BumpVec};
use prost::{Message, Name};

use super::{
    calendar,
    field::{Field, Kind, Shape, Table, Tables, TextRule},
    format::ValueFormat,
    path::Path,
    protobuf::{Fields, Raw},
};
use crate::{
    binary,
    node::{Entry, Node},
    problem::{Problem, Problems},
    wire::{
        form::{self, Nesting},
        json,
    },
    xml::write::illegal_character,
};

impl Tables {
    /// Turns a request into the upstream's tree. What is absent is not in it.
    ///
    /// # Errors
    /// [`Problems`] with every field that is missing or cannot be written.
    ///
    /// # Panics
    /// If `Q` is not a request of the contract that these tables were built from.
    pub fn encode<'t, Q: Message + Name>(&'t self, request: &Q, arena: &'t Bump) -> Result<Node<'t>, Problems> {
        let bytes = arena.alloc_slice_fill_copy(request.encoded_len(), 0);
        request.encode(&mut &mut *bytes).expect("the message says how long it is");
        self.encode_bytes(Q::NAME, bytes, arena)
    }

    /// The same for a request that no type of this program describes: the name of its message without the package, and its
    /// bytes as prost writes them, fields in the order of their numbers and each known one valid.
    ///
    /// # Errors
    /// [`Problems`] with every field that is missing or cannot be written.
    ///
    /// # Panics
    /// If `request` is not a request of the contract that these tables were built from.
    pub fn encode_bytes<'t>(&'t self, request: &str, bytes: &'t [u8], arena: &'t Bump) -> Result<Node<'t>, Problems> {
        let table = self.requests.get(request).expect("a request of this contract");
        let mut encoder = Encoder { tables: self, arena, problems: Vec::new() };
        let node = encoder.message(&self.tables[*table], bytes, &Path::ROOT);
        if encoder.problems.is_empty() { Ok(node) } else { Err(Problems(encoder.problems)) }
    }
}

struct Encoder<'t> {
    tables: &'t Tables,
    arena: &'t Bump,
    problems: Vec<Problem>,
}

/// The values of a repeated field or map while they come in; prost writes them side by side.
struct Run<'t> {
    index: usize,
    items: BumpVec<'t, Node<'t>>,
    entries: BumpVec<'t, Entry<'t>>,
}

impl<'t> Encoder<'t> {
    fn message(&mut self, table: &'t Table, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        let mut entries = BumpVec::with_capacity_in(table.fields.len(), self.arena);
        let seen = self.arena.alloc_slice_fill_copy(table.fields.len(), false);
        let mut run: Option<Run<'t>> = None;
        for (number, raw) in Fields(bytes) {
            let Some(&index) = table.by_number.get(&number) else { continue };
            seen[index] = true;
            let field = &table.fields[index];
            if run.as_ref().is_none_or(|run| run.index != index) {
                self.finish_run(table, run.take(), path, &mut entries);
            }
            if field.shape == Shape::One {
                self.one(field, raw, path, &mut entries);
                continue;
            }
            let run = run.get_or_insert_with(|| Run {
                index,
                items: BumpVec::new_in(self.arena),
                entries: BumpVec::new_in(self.arena),
            });
            self.add_to_run(field, raw, path, run);
        }
        self.finish_run(table, run, path, &mut entries);
        for field in
            table.fields.iter().zip(seen).filter_map(|(field, seen)| (field.required && !*seen).then_some(field))
        {
            self.problem(&path.field(&field.name), "is required");
        }
        Node::Map(entries.into_bump_slice())
    }

    fn one(&mut self, field: &'t Field, raw: Raw<'t>, path: &Path<'_>, entries: &mut BumpVec<'t, Entry<'t>>) {
        match self.node(field, raw, &path.field(&field.name)) {
            Some(Node::Map(inner)) if field.is_spread() => entries.extend_from_slice(inner),
            Some(node) => entries.push((&field.key, node)),
            None => {}
        }
    }

    /// One value; `None` when it is not sent.
    fn node(&mut self, field: &'t Field, raw: Raw<'t>, path: &Path<'_>) -> Option<Node<'t>> {
        let (Kind::Message(table), Raw::Bytes(bytes)) = (&field.kind, &raw) else {
            return self.scalar(field, raw, path);
        };
        let table = &self.tables.tables[*table];
        if let ValueFormat::Parts(separator) = &field.format {
            return Some(Node::Text(self.parts(table, separator, bytes, path)));
        }
        let node = self.message(table, bytes, path);
        Some(self.record(&field.format, node, path))
    }

    /// A record as it is, or inside a text.
    fn record(&mut self, format: &ValueFormat, node: Node<'t>, path: &Path<'_>) -> Node<'t> {
        match (format, node) {
            (ValueFormat::Json, _) => {
                let mut text = String::new();
                json::write(node, &mut text);
                Node::Text(self.arena.alloc_str(&text))
            }
            (ValueFormat::Form, Node::Map(entries)) => Node::Text(self.form(entries, path)),
            _ => node,
        }
    }

    fn form(&mut self, entries: &[Entry<'t>], path: &Path<'_>) -> &'t str {
        let mut text = String::new();
        if let Err(problems) = form::write(entries, Nesting::Brackets, &mut text) {
            problems.0.iter().for_each(|problem| {
                self.problem(path, &format!("cannot be a form: {} {}", problem.field, problem.text))
            });
        }
        self.arena.alloc_str(&text)
    }

    fn scalar(&mut self, field: &'t Field, raw: Raw<'t>, path: &Path<'_>) -> Option<Node<'t>> {
        match (&field.kind, raw) {
            (Kind::Text, Raw::Bytes(bytes)) => self.text_node(field, bytes, path),
            (Kind::Bool, Raw::Varint(value)) => self.boolean(field, value != 0),
            (Kind::Integer { signed: true, .. }, Raw::Varint(value)) => Some(self.number(&(value as i64))),
            (Kind::Integer { signed: false, .. }, Raw::Varint(value)) => Some(self.number(&value)),
            (Kind::Double, Raw::Fixed64(bits)) => {
                let value = f64::from_bits(bits);
                self.float(value, value.is_finite(), path)
            }
            (Kind::Float, Raw::Fixed32(bits)) => {
                let value = f32::from_bits(bits);
                self.float(value, value.is_finite(), path)
            }
            (Kind::Enum(values), Raw::Varint(value)) => {
                let spelling = values.values.iter().find(|(number, _)| i64::from(*number) == value as i64);
                if spelling.is_none() && value != 0 {
                    self.problem(path, "is not a value of its enum");
                }
                spelling.map(|(_, text)| Node::Text(text))
            }
            (Kind::Bytes, Raw::Bytes(bytes)) => Some(self.binary(field, bytes)),
            (_, Raw::Bytes(bytes)) => self.well_known(field, bytes, path),
            _ => None,
        }
    }

    fn text_node(&mut self, field: &Field, bytes: &'t [u8], path: &Path<'_>) -> Option<Node<'t>> {
        let text = self.text(bytes, path)?;
        if field.format != ValueFormat::Number {
            return Some(Node::Text(text));
        }
        // An exponent says more than any amount is, and another program takes it for infinity.
        if !json::is_number(text) || text.contains(['e', 'E']) {
            self.problem(path, "is not a decimal number such as 12.50");
        }
        Some(Node::Number(text))
    }

    fn binary(&self, field: &Field, bytes: &'t [u8]) -> Node<'t> {
        match field.format {
            ValueFormat::Base64(alphabet) => Node::Text(self.arena.alloc_str(&binary::encode(bytes, alphabet))),
            _ => Node::Bytes(bytes),
        }
    }

    fn text(&mut self, bytes: &'t [u8], path: &Path<'_>) -> Option<&'t str> {
        let text = std::str::from_utf8(bytes).ok()?;
        if self.tables.text == TextRule::Xml
            && let Some(illegal) = illegal_character(text)
        {
            self.problem(path, &format!("contains U+{:04X}, which XML cannot carry", u32::from(illegal)));
        }
        Some(text)
    }

    fn boolean(&self, field: &'t Field, flag: bool) -> Option<Node<'t>> {
        match &field.format {
            ValueFormat::Flag(word) => flag.then_some(Node::Text(word)),
            ValueFormat::Boolean(yes, no) => Some(Node::Text(if flag { yes } else { no })),
            _ => Some(Node::Bool(flag)),
        }
    }

    fn number(&self, value: &dyn Display) -> Node<'t> {
        Node::Number(bumpalo::format!(in self.arena, "{}", value).into_bump_str())
    }

    fn float(&mut self, value: impl Display, finite: bool, path: &Path<'_>) -> Option<Node<'t>> {
        if finite {
            return Some(self.number(&value));
        }
        self.problem(path, "must be a finite number");
        None
    }

    fn well_known(&mut self, field: &Field, bytes: &'t [u8], path: &Path<'_>) -> Option<Node<'t>> {
        match (&field.kind, &field.format) {
            (Kind::Date, ValueFormat::Date(order)) => {
                let written = calendar::date_from_message(bytes).map(|date| calendar::date_text(date, *order));
                self.written(written, path)
            }
            (Kind::DateTime, _) => {
                let written = calendar::date_time_from_message(bytes)
                    .map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string());
                self.written(written, path)
            }
            (Kind::Timestamp, ValueFormat::Epoch) => Some(self.number(&calendar::timestamp_from_message(bytes).0)),
            (Kind::Timestamp, _) => {
                let (seconds, nanos) = calendar::timestamp_from_message(bytes);
                self.written(calendar::timestamp_text(seconds, nanos).ok_or("is outside the calendar"), path)
            }
            (Kind::Struct, format) => {
                let node = self.structure(bytes, path);
                Some(self.record(format, node, path))
            }
            _ => {
                self.problem(path, "cannot be sent");
                None
            }
        }
    }

    fn written(&mut self, text: Result<String, &str>, path: &Path<'_>) -> Option<Node<'t>> {
        match text {
            Ok(text) => Some(Node::Text(self.arena.alloc_str(&text))),
            Err(why) => {
                self.problem(path, why);
                None
            }
        }
    }

    fn problem(&mut self, path: &Path<'_>, text: &str) {
        self.problems.push(Problem::new(path.render(), text));
    }
}
