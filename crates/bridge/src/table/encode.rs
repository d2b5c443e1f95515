//! Message -> tree: what a request says, in the upstream's words.

use std::fmt::Display;

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
    pub fn encode<'t, Q: Message + Name>(&'t self, request: &Q, arena: &'t Bump) -> Result<Node<'t>, Problems> {
        let table = self.requests.get(Q::NAME).expect("a request of this contract");
        let bytes = arena.alloc_slice_fill_copy(request.encoded_len(), 0);
        request.encode(&mut &mut *bytes).expect("the message says how long it is");
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
        if let Some(node) = self.node(field, raw, &path.field(&field.name)) {
            entries.push((&field.key, node));
        }
    }

    /// One value; `None` when it is not sent.
    fn node(&mut self, field: &'t Field, raw: Raw<'t>, path: &Path<'_>) -> Option<Node<'t>> {
        let (Kind::Message(table), Raw::Bytes(bytes)) = (&field.kind, &raw) else {
            return self.scalar(field, raw, path);
        };
        let table = &self.tables.tables[*table];
        Some(match &field.format {
            Format::Parts(separator) | Format::Joined { parts: Some(separator), .. } => {
                Node::Text(self.parts(table, separator, bytes, path))
            }
            Format::Json => {
                let node = self.message(table, bytes, path);
                self.json_text(node)
            }
            _ => self.message(table, bytes, path),
        })
    }

    fn add_to_run(&mut self, field: &'t Field, raw: Raw<'t>, path: &Path<'_>, run: &mut Run<'t>) {
        if let Some(value) = &field.entry {
            self.map_entry(value, raw, path, &mut run.entries);
            return;
        }
        let Some(packed) = packed(&field.kind, &raw) else {
            let path = path.item(&field.name, run.items.len());
            run.items.extend(self.node(field, raw, &path));
            return;
        };
        for raw in packed {
            let path = path.item(&field.name, run.items.len());
            run.items.extend(self.scalar(field, raw, &path));
        }
    }

    /// Adds an entry of a map with the key's prefix; protobuf leaves out a value that is its type's default.
    fn map_entry(&mut self, field: &'t Field, raw: Raw<'t>, path: &Path<'_>, entries: &mut BumpVec<'t, Entry<'t>>) {
        let Raw::Bytes(bytes) = raw else { return };
        let path = path.field(&field.name);
        let mut key: &str = "";
        let mut value = default_value(&field.kind);
        for (number, raw) in Fields(bytes) {
            match (number, raw) {
                (1, Raw::Bytes(text)) => key = self.text(text, &path).unwrap_or(""),
                (_, raw) => value = raw,
            }
        }
        if key.is_empty() {
            self.problem(&path, "has an empty key");
        }
        if field.format == Format::Numbered && !key.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problem(&path, "has a key that is not a whole number");
        }
        let prefix = field.key.strip_suffix('*').unwrap_or("");
        let key =
            if prefix.is_empty() { key } else { bumpalo::format!(in self.arena, "{}{}", prefix, key).into_bump_str() };
        entries.extend(self.node(field, value, &path).map(|node| (key, node)));
    }

    fn finish_run(
        &mut self,
        table: &'t Table,
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
        entries.push((&field.key, node));
    }

    fn join(&mut self, items: &[Node<'t>], separator: &str, path: &Path<'_>) -> &'t str {
        let texts: Vec<&str> = items.iter().filter_map(Node::scalar).collect();
        let joined = self.arena.alloc_str(&texts.join(separator));
        if !splits_into(joined, separator, &texts) {
            self.problem(path, &format!("must not contain {separator:?}, which separates its values upstream"));
        }
        joined
    }

    /// A message's fields in the order of the contract, each in its place, in one text.
    fn parts(&mut self, table: &'t Table, separator: &str, bytes: &'t [u8], path: &Path<'_>) -> &'t str {
        let Node::Map(entries) = self.message(table, bytes, path) else { return "" };
        let value = |field: &Field| entries.iter().find(|(key, _)| **key == *field.key).map(|(_, node)| *node);
        let texts: Vec<&str> =
            table.fields.iter().map(|field| value(field).and_then(|node| node.scalar()).unwrap_or("")).collect();
        let joined = self.arena.alloc_str(&texts.join(separator));
        if splits_into(joined, separator, &texts) {
            return joined;
        }
        let refusal = format!("must not contain {separator:?}, which separates fields upstream");
        for (field, text) in table.fields.iter().zip(&texts) {
            // The end of one field and the separator after it can make a separator too early.
            if splits_into(&format!("{text}{separator}"), separator, &[*text, ""]) {
                continue;
            }
            self.problem(&path.field(&field.name), &refusal);
        }
        joined
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
            (_, Raw::Bytes(bytes)) => self.well_known(field, bytes, path),
            _ => None,
        }
    }

    fn text_node(&mut self, field: &Field, bytes: &'t [u8], path: &Path<'_>) -> Option<Node<'t>> {
        let text = self.text(bytes, path)?;
        if field.format != Format::Number {
            return Some(Node::Text(text));
        }
        // An exponent says more than any amount is, and another program takes it for infinity.
        if !json::is_number(text) || text.contains(['e', 'E']) {
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

    fn boolean(&self, field: &'t Field, flag: bool) -> Option<Node<'t>> {
        match &field.format {
            Format::Flag => flag.then_some(Node::Text("1")),
            Format::Boolean(yes, no) => Some(Node::Text(if flag { yes } else { no })),
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
                let node = self.structure(bytes, path);
                Some(self.json_text(node))
            }
            (Kind::Struct, _) => Some(self.structure(bytes, path)),
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
    fn structure(&mut self, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        let mut entries = BumpVec::new_in(self.arena);
        for (_, raw) in Fields(bytes) {
            let Raw::Bytes(entry) = raw else { continue };
            let mut key: &str = "";
            let mut value = Node::Null;
            for (number, raw) in Fields(entry) {
                match (number, raw) {
                    (1, Raw::Bytes(text)) => key = self.text(text, path).unwrap_or(""),
                    (_, Raw::Bytes(bytes)) => value = self.value(bytes, path),
                    _ => {}
                }
            }
            entries.push((key, value));
        }
        Node::Map(entries.into_bump_slice())
    }

    /// An encoded `google.protobuf.Value`.
    fn value(&mut self, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        match Fields(bytes).next() {
            Some((2, Raw::Fixed64(bits))) => {
                let value = f64::from_bits(bits);
                self.float(value, value.is_finite(), path).unwrap_or(Node::Null)
            }
            Some((3, Raw::Bytes(text))) => Node::Text(self.text(text, path).unwrap_or("")),
            Some((4, Raw::Varint(flag))) => Node::Bool(flag != 0),
            Some((5, Raw::Bytes(bytes))) => self.structure(bytes, path),
            Some((6, Raw::Bytes(bytes))) => self.values(bytes, path),
            _ => Node::Null,
        }
    }

    /// An encoded `google.protobuf.ListValue`.
    fn values(&mut self, bytes: &'t [u8], path: &Path<'_>) -> Node<'t> {
        let mut items = BumpVec::new_in(self.arena);
        for (_, raw) in Fields(bytes) {
            if let Raw::Bytes(bytes) = raw {
                let item = self.value(bytes, path);
                items.push(item);
            }
        }
        Node::List(items.into_bump_slice())
    }

    fn problem(&mut self, path: &Path<'_>, text: &str) {
        self.problems.push(Problem::new(path.render(), text));
    }
}

/// Whether a reader that splits `joined` gets the same texts back.
fn splits_into(joined: &str, separator: &str, texts: &[&str]) -> bool {
    texts.is_empty() || joined.split(separator).eq(texts.iter().copied())
}

/// The values of a packed field; `None` if this is not one.
fn packed<'t>(kind: &Kind, raw: &Raw<'t>) -> Option<Vec<Raw<'t>>> {
    let Raw::Bytes(mut bytes) = *raw else { return None };
    match kind {
        Kind::Bool | Kind::Integer { .. } | Kind::Enum(_) => {
            Some(std::iter::from_fn(|| take_varint(&mut bytes).map(Raw::Varint)).collect())
        }
        Kind::Double => {
            Some(bytes.as_chunks().0.iter().map(|chunk| Raw::Fixed64(u64::from_le_bytes(*chunk))).collect())
        }
        Kind::Float => Some(bytes.as_chunks().0.iter().map(|chunk| Raw::Fixed32(u32::from_le_bytes(*chunk))).collect()),
        _ => None,
    }
}

/// What an absent value of a map entry means.
fn default_value<'t>(kind: &Kind) -> Raw<'t> {
    match kind {
        Kind::Bool | Kind::Integer { .. } | Kind::Enum(_) => Raw::Varint(0),
        Kind::Double => Raw::Fixed64(0),
        Kind::Float => Raw::Fixed32(0),
        _ => Raw::Bytes(&[]),
    }
}
