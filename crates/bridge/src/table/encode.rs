//! Message -> tree: what a request says, in the upstream's words.

use std::fmt::Write;

use bumpalo::{Bump, collections::Vec as BumpVec};
use prost::{Message, Name};

use super::{
    Field, Format, Kind, Path, Shape, Table, Tables, TextRule, array, calendar,
    protobuf::{Fields, Raw, take_varint},
};
use crate::{
    node::{Entry, Node},
    problem::{Problem, Problems},
    wire::json,
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
    pub fn encode<'t, Q: Message + Name>(&self, request: &Q, arena: &'t Bump) -> Result<Node<'t>, Problems> {
        let table = self.requests.get(Q::NAME).expect("a request of this contract");
        let bytes = arena.alloc_slice_copy(&request.encode_to_vec());
        let mut encoder = Encoder { tables: self, arena, problems: Vec::new() };
        let node = encoder.message(&self.tables[*table], bytes, &Path::ROOT);
        if encoder.problems.is_empty() { Ok(node) } else { Err(Problems(encoder.problems)) }
    }
}

struct Encoder<'t, 'p> {
    tables: &'p Tables,
    arena: &'t Bump,
    problems: Vec<Problem>,
}

/// The values of a repeated field or map while they come in; prost writes them side by side.
struct Run<'t> {
    index: usize,
    items: BumpVec<'t, Node<'t>>,
    entries: BumpVec<'t, Entry<'t>>,
}

impl<'t> Encoder<'t, '_> {
    fn message(&mut self, table: &Table, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        let mut entries = BumpVec::with_capacity_in(table.fields.len(), self.arena);
        let seen = self.arena.alloc_slice_fill_copy(table.fields.len(), false);
        let mut run: Option<Run<'t>> = None;
        for (number, raw) in Fields(bytes) {
            let Some(&index) = table.by_number.get(&number) else { continue };
            seen[index] = true;
            let field = &table.fields[index];
            if field.shape == Shape::One {
                self.one(field, raw, path, &mut entries);
                continue;
            }
            if run.as_ref().is_none_or(|run| run.index != index) {
                self.finish_run(table, run.take(), path, &mut entries);
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

    fn one(&mut self, field: &Field, raw: Raw<'t>, path: &Path<'_>, entries: &mut BumpVec<'t, Entry<'t>>) {
        let path = path.field(&field.name);
        let node = match (&field.kind, &field.format, raw) {
            (Kind::Message(table), Format::Parts(separator), Raw::Bytes(bytes)) => {
                Some(Node::Text(self.parts(&self.tables.tables[*table], separator, bytes, &path)))
            }
            (Kind::Message(table), Format::Json, Raw::Bytes(bytes)) => {
                let node = self.message(&self.tables.tables[*table], bytes, &path);
                Some(self.json_text(node))
            }
            (Kind::Message(table), _, Raw::Bytes(bytes)) => {
                Some(self.message(&self.tables.tables[*table], bytes, &path))
            }
            (_, _, raw) => self.scalar(field, raw, &path),
        };
        if let Some(node) = node {
            entries.push((self.arena.alloc_str(&field.key), node));
        }
    }

    fn add_to_run(&mut self, field: &Field, raw: Raw<'t>, path: &Path<'_>, run: &mut Run<'t>) {
        if field.shape == Shape::Map {
            self.map_entry(field, raw, path, &mut run.entries);
            return;
        }
        let path = path.item(&field.name, run.items.len());
        match (&field.kind, &field.format, raw) {
            (Kind::Message(table), Format::Joined { parts: Some(separator), .. }, Raw::Bytes(bytes)) => {
                let text = self.parts(&self.tables.tables[*table], separator, bytes, &path);
                run.items.push(Node::Text(text));
            }
            (Kind::Message(table), _, Raw::Bytes(bytes)) => {
                let node = self.message(&self.tables.tables[*table], bytes, &path);
                run.items.push(node);
            }
            (Kind::Bool | Kind::Integer { .. } | Kind::Enum(_), _, Raw::Bytes(mut packed)) => {
                while let Some(value) = take_varint(&mut packed) {
                    run.items.extend(self.scalar(field, Raw::Varint(value), &path));
                }
            }
            (_, _, raw) => run.items.extend(self.scalar(field, raw, &path)),
        }
    }

    /// Adds an entry of a map with the key's prefix.
    fn map_entry(&mut self, field: &Field, raw: Raw<'t>, path: &Path<'_>, entries: &mut BumpVec<'t, Entry<'t>>) {
        let Raw::Bytes(bytes) = raw else { return };
        let path = path.field(&field.name);
        let mut key: &str = "";
        let mut value = None;
        for (number, raw) in Fields(bytes) {
            match (number, raw) {
                (1, Raw::Bytes(text)) => key = self.text(text, &path).unwrap_or(""),
                (_, raw) => value = self.scalar(field, raw, &path),
            }
        }
        if key.is_empty() {
            self.problem(&path, "has an empty key");
        }
        if field.format == Format::Numbered && !key.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problem(&path, "has a key that is not a whole number");
        }
        let prefix = field.key.strip_suffix('*').unwrap_or("");
        let key = self.arena.alloc_str(&format!("{prefix}{key}"));
        entries.push((key, value.unwrap_or(Node::Text(""))));
    }

    fn finish_run(
        &mut self,
        table: &Table,
        run: Option<Run<'t>>,
        path: &Path<'_>,
        entries: &mut BumpVec<'t, Entry<'t>>,
    ) {
        let Some(run) = run else { return };
        let field = &table.fields[run.index];
        let node = match (&field.format, field.shape) {
            (_, Shape::Map) if field.key.ends_with('*') => {
                entries.extend(run.entries);
                return;
            }
            (_, Shape::Map) => Node::Map(run.entries.into_bump_slice()),
            (Format::Joined { separator, .. }, _) => {
                Node::Text(self.join(&run.items, separator, &path.field(&field.name)))
            }
            (Format::Array, _) => Node::Text(array::write(&run.items, self.arena)),
            _ => Node::List(run.items.into_bump_slice()),
        };
        entries.push((self.arena.alloc_str(&field.key), node));
    }

    fn join(&mut self, items: &[Node<'t>], separator: &str, path: &Path<'_>) -> &'t str {
        let texts: Vec<&str> = items.iter().filter_map(Node::scalar).collect();
        if texts.iter().any(|text| text.contains(separator)) {
            self.problem(path, &format!("must not contain {separator:?}, which separates its values upstream"));
        }
        self.arena.alloc_str(&texts.join(separator))
    }

    /// A message's fields in the order of the contract, each in its place, in one text.
    fn parts(&mut self, table: &Table, separator: &str, bytes: &'t [u8], path: &Path<'_>) -> &'t str {
        let Node::Map(entries) = self.message(table, bytes, path) else { return "" };
        let value =
            |field: &Field| entries.iter().find(|(key, _)| **key == *field.key).and_then(|(_, node)| node.scalar());
        let mut joined = String::new();
        for (at, field) in table.fields.iter().enumerate() {
            let text = value(field).unwrap_or("");
            if text.contains(separator) {
                self.problem(
                    &path.field(&field.name),
                    &format!("must not contain {separator:?}, which separates fields upstream"),
                );
            }
            let _ = write!(joined, "{}{text}", if at == 0 { "" } else { separator });
        }
        self.arena.alloc_str(&joined)
    }

    fn scalar(&mut self, field: &Field, raw: Raw<'t>, path: &Path<'_>) -> Option<Node<'t>> {
        match (&field.kind, raw) {
            (Kind::Text, Raw::Bytes(bytes)) => self.text_node(field, bytes, path),
            (Kind::Bool, Raw::Varint(value)) => self.boolean(field, value != 0),
            (Kind::Integer { signed: true, .. }, Raw::Varint(value)) => Some(self.number(&(value as i64))),
            (Kind::Integer { signed: false, .. }, Raw::Varint(value)) => Some(self.number(&value)),
            (Kind::Double, Raw::Fixed64(bits)) => self.float(f64::from_bits(bits), path),
            (Kind::Float, Raw::Fixed32(bits)) => self.float(f64::from(f32::from_bits(bits)), path),
            (Kind::Enum(values), Raw::Varint(value)) => {
                let spelling = values.values.iter().find(|(number, _)| i64::from(*number) == value as i64);
                if spelling.is_none() && value != 0 {
                    self.problem(path, "is not a value of its enum");
                }
                spelling.map(|(_, text)| Node::Text(self.arena.alloc_str(text)))
            }
            (_, Raw::Bytes(bytes)) => self.well_known(field, bytes, path),
            _ => None,
        }
    }

    fn text_node(&mut self, field: &Field, bytes: &'t [u8], path: &Path<'_>) -> Option<Node<'t>> {
        let text = self.text(bytes, path)?;
        if field.format != Format::Number {
            return Some(Node::Text(text));
        }
        if !json::is_number(text) {
            self.problem(path, "is not a decimal number such as 12.50");
        }
        Some(Node::Number(text))
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

    fn boolean(&self, field: &Field, flag: bool) -> Option<Node<'t>> {
        match &field.format {
            Format::Flag => flag.then_some(Node::Text("1")),
            Format::Boolean(yes, no) => Some(Node::Text(self.arena.alloc_str(if flag { yes } else { no }))),
            _ => Some(Node::Bool(flag)),
        }
    }

    fn number(&self, value: &dyn std::fmt::Display) -> Node<'t> {
        Node::Number(bumpalo::format!(in self.arena, "{}", value).into_bump_str())
    }

    fn float(&mut self, value: f64, path: &Path<'_>) -> Option<Node<'t>> {
        if value.is_finite() {
            return Some(self.number(&value));
        }
        self.problem(path, "must be a finite number");
        None
    }

    fn well_known(&mut self, field: &Field, bytes: &'t [u8], path: &Path<'_>) -> Option<Node<'t>> {
        match (&field.kind, &field.format) {
            (Kind::Date, Format::Date(order)) => {
                let written = calendar::date_from_message(bytes).map(|date| calendar::date_text(date, *order));
                self.written(written, path)
            }
            (Kind::DateTime, _) => {
                let written = calendar::date_time_from_message(bytes)
                    .map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string());
                self.written(written, path)
            }
            (Kind::Timestamp, Format::Epoch) => Some(self.number(&calendar::timestamp_from_message(bytes).0)),
            (Kind::Timestamp, _) => {
                let (seconds, nanos) = calendar::timestamp_from_message(bytes);
                self.written(calendar::timestamp_text(seconds, nanos).ok_or("is outside the calendar"), path)
            }
            (Kind::Struct, Format::Json) => {
                let node = self.structure(bytes);
                Some(self.json_text(node))
            }
            (Kind::Struct, _) => Some(self.structure(bytes)),
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

    fn json_text(&self, node: Node<'t>) -> Node<'t> {
        let mut text = String::new();
        json::write(node, &mut text);
        Node::Text(self.arena.alloc_str(&text))
    }

    /// An encoded `google.protobuf.Struct`: field 1 holds entries of key 1 and value 2.
    fn structure(&mut self, bytes: &'t [u8]) -> Node<'t> {
        let mut entries = BumpVec::new_in(self.arena);
        for (_, raw) in Fields(bytes) {
            let Raw::Bytes(entry) = raw else { continue };
            let mut key: &str = "";
            let mut value = Node::Null;
            for (number, raw) in Fields(entry) {
                match (number, raw) {
                    (1, Raw::Bytes(text)) => key = std::str::from_utf8(text).unwrap_or(""),
                    (_, Raw::Bytes(bytes)) => value = self.value(bytes),
                    _ => {}
                }
            }
            entries.push((key, value));
        }
        Node::Map(entries.into_bump_slice())
    }

    /// An encoded `google.protobuf.Value`.
    fn value(&mut self, bytes: &'t [u8]) -> Node<'t> {
        match Fields(bytes).next() {
            Some((2, Raw::Fixed64(bits))) => self.number(&f64::from_bits(bits)),
            Some((3, Raw::Bytes(text))) => Node::Text(std::str::from_utf8(text).unwrap_or("")),
            Some((4, Raw::Varint(flag))) => Node::Bool(flag != 0),
            Some((5, Raw::Bytes(bytes))) => self.structure(bytes),
            Some((6, Raw::Bytes(bytes))) => {
                let mut items = BumpVec::new_in(self.arena);
                for (_, raw) in Fields(bytes) {
                    if let Raw::Bytes(bytes) = raw {
                        let item = self.value(bytes);
                        items.push(item);
                    }
                }
                Node::List(items.into_bump_slice())
            }
            _ => Node::Null,
        }
    }

    fn problem(&mut self, path: &Path<'_>, text: &str) {
        self.problems.push(Problem::new(path.render(), text));
    }
}
