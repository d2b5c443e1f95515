//! Tree -> message: what a reply says, in our words.
//!
//! Reading is lenient: a number may come as text, a lone value for a list, an empty list for an empty
//! map, and null, an empty text and `0000-00-00` all mean absent (the same record comes with null on
//! one transport and with an empty text on the other). What still cannot be read stays absent, is
//! reported, and its raw form goes to `extra_fields`.

use prost::{Message, Name};

use super::{
    EnumTable, Field, Format, Kind, Path, Shape, Table, Tables, array, calendar,
    protobuf::{put_bytes, put_double, put_float, put_message, put_uint},
    structure::{put_element_node, put_element_text, put_struct, put_structure},
};
use crate::{
    node::{Entry, Node},
    problem::Problem,
    wire::json,
};

/// A reply in our words, and what was wrong with it.
#[derive(Debug)]
pub struct Decoded<R> {
    /// The message with everything that could be read.
    pub message: R,
    /// Fields that are in the reply but cannot be read.
    pub unreadable: Vec<Problem>,
    /// Fields that the vocabulary requires and the reply lacks.
    pub missing: Vec<Problem>,
}

impl Tables {
    /// Turns an upstream's tree into the reply message.
    ///
    /// # Panics
    /// If `R` is not a reply of the contract that these tables were built from.
    pub fn decode<R: Message + Name + Default>(&self, reply: Node<'_>) -> Decoded<R> {
        let table = self.replies.get(R::NAME).expect("a reply of this contract");
        let mut decoder = Decoder { tables: self, unreadable: Vec::new(), missing: Vec::new() };
        let mut bytes = Vec::with_capacity(4096);
        decoder.message(&self.tables[*table], reply, &Path::ROOT, &mut bytes);
        let message = R::decode(bytes.as_slice()).unwrap_or_else(|_| {
            // Only a contract whose messages contain themselves gets here: the rest has its bounds.
            decoder.missing.push(Problem::new("reply", "is nested more deeply than protobuf allows"));
            R::default()
        });
        Decoded { message, unreadable: decoder.unreadable, missing: decoder.missing }
    }
}

struct Decoder<'p> {
    tables: &'p Tables,
    unreadable: Vec<Problem>,
    missing: Vec<Problem>,
}

type Out = Vec<u8>;

impl Decoder<'_> {
    /// Reads a record; false if something in it cannot be read and it has no `extra_fields` to keep that.
    fn message(&mut self, table: &Table, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        if let Some(whole) = table.whole {
            return self.field(&table.fields[whole], node, path, out);
        }
        let entries = if let Node::Map(entries) = node { entries } else { &[] };
        let (mut extra, mut rest): (Vec<Entry<'_>>, Vec<Entry<'_>>) = Default::default();
        let mut required_read = Vec::new();
        let mut readable = true;
        for &(key, value) in entries {
            let start = out.len();
            let (index, read) = match table.place(key) {
                Place::Field(index) => (index, self.field(&table.fields[index], value, path, out)),
                Place::Entry(index, key) => (index, self.map_entry(&table.fields[index], key, value, path, out)),
                Place::Rest => {
                    rest.push((key, value));
                    continue;
                }
                Place::Extra => {
                    extra.push((key, value));
                    continue;
                }
            };
            if !read {
                readable = false;
                extra.push((key, value));
            }
            if table.fields[index].required && out.len() > start {
                required_read.push(index);
            }
        }
        if let Some(index) = table.rest
            && !self.field(&table.fields[index], Node::Map(&rest), path, out)
        {
            readable = false;
            extra.append(&mut rest);
        }
        if let Some(number) = table.extra.filter(|_| !extra.is_empty()) {
            put_message(out, number, |out| put_struct(&extra, out));
        }
        self.check_required(table, &required_read, path);
        readable || table.extra.is_some()
    }

    /// A required field that is there and cannot be read is missing too: a message without the id that
    /// the upstream gave would look like a success.
    fn check_required(&mut self, table: &Table, read: &[usize], path: &Path<'_>) {
        for (index, field) in table.fields.iter().enumerate() {
            if field.required && !read.contains(&index) {
                self.missing.push(Problem::new(path.field(&field.name).render(), "is not in the reply"));
            }
        }
    }

    /// Reads one field; false if its value cannot be read at all.
    fn field(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        if node.is_empty() {
            return true;
        }
        // Most fields of most replies.
        if let (Shape::One, Kind::Text, Node::Text(text)) = (field.shape, &field.kind, node) {
            put_bytes(out, field.number, text.as_bytes());
            return true;
        }
        match (field.shape, &field.format) {
            (Shape::Map, _) => self.map(field, node, path, out),
            (Shape::Many, Format::Joined { separator, .. }) => self.joined(field, node, separator, path, out),
            (Shape::Many, Format::Array) => self.array(field, node, path, out),
            (Shape::Many, Format::Keyed(key)) => self.keyed(field, node, key, path, out),
            (Shape::Many, _) => self.many(field, node, path, out),
            (Shape::One, _) => {
                let node = if let Node::List([only]) = node { *only } else { node };
                node.is_empty() || self.one(field, node, &path.field(&field.name), out)
            }
        }
    }

    fn many(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let lone = [node];
        let items = if let Node::List(items) = node { items } else { &lone };
        let mut readable = true;
        for (index, item) in items.iter().enumerate() {
            let absent = match field.kind {
                Kind::Text => *item == Node::Null,
                Kind::Message(_) => matches!(item, Node::Null | Node::Text("")),
                _ => item.is_empty(),
            };
            readable &= absent || self.one(field, *item, &path.item(&field.name, index), out);
        }
        readable
    }

    fn one(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let result = match (&field.kind, &field.format) {
            (Kind::Message(table), Format::Parts(separator) | Format::Joined { parts: Some(separator), .. }) => {
                self.parts(field, *table, node, separator, path, out)
            }
            (Kind::Message(table), Format::Json) => {
                self.inner_json(node, |decoder, inner| decoder.nested(field.number, *table, inner, path, out)).flatten()
            }
            (Kind::Message(table), _) => self.nested(field.number, *table, node, path, out),
            (Kind::Struct, Format::Json) => self.inner_json(node, |_, inner| put_structure(field.number, inner, out)),
            (Kind::Element, Format::Xml) => put_element_text(field.number, node, out),
            (Kind::Element, _) => {
                put_message(out, field.number, |out| put_element_node(&field.key, node, out));
                Ok(true)
            }
            _ => put_scalar(field, node, out).map(|()| true),
        };
        result.unwrap_or_else(|why| {
            self.unreadable.push(Problem::new(path.render(), why));
            false
        })
    }

    /// Reads a record inside; `Ok(false)` if something in it is unreadable, which has been reported.
    fn nested(
        &mut self,
        number: u32,
        table: usize,
        node: Node<'_>,
        path: &Path<'_>,
        out: &mut Out,
    ) -> Result<bool, &'static str> {
        if !matches!(node, Node::Map(_)) && !node.is_empty() {
            return Err("is not a record");
        }
        Ok(put_message(out, number, |out| self.message(&self.tables.tables[table], node, path, out)))
    }

    fn inner_json<R>(
        &mut self,
        node: Node<'_>,
        read: impl FnOnce(&mut Self, Node<'_>) -> R,
    ) -> Result<R, &'static str> {
        let Node::Text(text) = node else { return Ok(read(self, node)) };
        let arena = bumpalo::Bump::new();
        let inner = json::parse(text.as_bytes(), &arena).map_err(|_| "is not JSON")?;
        Ok(read(self, inner))
    }

    /// A text with a message's fields in order; a text that is too short leaves the last ones absent.
    fn parts(
        &mut self,
        field: &Field,
        table: usize,
        node: Node<'_>,
        separator: &str,
        path: &Path<'_>,
        out: &mut Out,
    ) -> Result<bool, &'static str> {
        let text = node.scalar().ok_or("is not a text")?;
        let table = &self.tables.tables[table];
        let values: Vec<&str> = text.split(separator).collect();
        if values.len() > table.fields.len() {
            return Err("has more parts than are known");
        }
        Ok(put_message(out, field.number, |out| {
            let parts = table.fields.iter().zip(values);
            parts.fold(true, |readable, (part, value)| self.field(part, Node::Text(value), path, out) && readable)
        }))
    }

    fn joined(&mut self, field: &Field, node: Node<'_>, separator: &str, path: &Path<'_>, out: &mut Out) -> bool {
        let Some(text) = node.scalar() else { return self.many(field, node, path, out) };
        let mut readable = true;
        for (index, item) in text.split(separator).filter(|item| !item.is_empty()).enumerate() {
            readable &= self.one(field, Node::Text(item.trim()), &path.item(&field.name, index), out);
        }
        readable
    }

    /// An array in a text, or a list where the wire has one.
    fn array(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let Some(text) = node.scalar() else { return self.many(field, node, path, out) };
        let Some(items) = array::read(text) else {
            self.unreadable.push(Problem::new(path.field(&field.name).render(), "is not an array"));
            return false;
        };
        let items: Vec<Node<'_>> = items.iter().map(|item| Node::Text(item)).collect();
        self.many(field, Node::List(&items), path, out)
    }

    /// A map keyed by `key`, or a list whose items carry the key themselves.
    fn keyed(&mut self, field: &Field, node: Node<'_>, key: &str, path: &Path<'_>, out: &mut Out) -> bool {
        let (Node::Map(entries), Kind::Message(table)) = (node, &field.kind) else {
            return self.many(field, node, path, out);
        };
        let target = &self.tables.tables[*table];
        if entries.iter().any(|(_, value)| value.scalar().is_some()) {
            return self.many(field, node, path, out);
        }
        let Some(key_field) = target.fields.iter().find(|candidate| *candidate.name == *key) else { return false };
        let mut readable = true;
        for (index, (name, value)) in entries.iter().enumerate() {
            let inner: &[Entry<'_>] = if let Node::Map(inner) = value { inner } else { &[] };
            let carried = inner.iter().any(|(inner_key, _)| **inner_key == *key_field.key);
            let mut all: Vec<Entry<'_>> = inner.to_vec();
            if !carried {
                all.push((&key_field.key, Node::Text(name)));
            }
            readable &= self.one(field, Node::Map(&all), &path.item(&field.name, index), out);
        }
        readable
    }

    fn map(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let Node::Map(entries) = node else {
            self.unreadable.push(Problem::new(path.field(&field.name).render(), "is not a map"));
            return false;
        };
        entries.iter().fold(true, |readable, (key, value)| self.map_entry(field, key, *value, path, out) && readable)
    }

    /// Reads one entry of a map; one whose value is empty stays in the map.
    fn map_entry(&mut self, field: &Field, key: &str, value: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let Some(inner) = &field.entry else { return false };
        let start = out.len();
        let readable = put_message(out, field.number, |out| {
            put_bytes(out, 1, key.as_bytes());
            value.is_empty() || self.one(inner, value, &path.field(&field.name), out)
        });
        if !readable {
            out.truncate(start);
        }
        readable
    }
}

/// Where a key of a reply belongs.
enum Place<'k> {
    Field(usize),
    /// A map whose keys share a prefix, and the key without it.
    Entry(usize, &'k str),
    Rest,
    Extra,
}

impl Table {
    fn place<'k>(&self, key: &'k str) -> Place<'k> {
        if let Some(&index) = self.by_key.get(key) {
            return Place::Field(index);
        }
        let prefixed = self.prefixed.iter().find_map(|(prefix, index)| Some((*index, key.strip_prefix(&**prefix)?)));
        match prefixed {
            Some((index, key)) => Place::Entry(index, key),
            None if self.rest.is_some() => Place::Rest,
            None => Place::Extra,
        }
    }
}

fn put_scalar(field: &Field, node: Node<'_>, out: &mut Out) -> Result<(), &'static str> {
    if let Kind::Struct = field.kind {
        put_structure(field.number, node, out);
        return Ok(());
    }
    let text = node.scalar().ok_or("is not a single value")?;
    let number = field.number;
    match &field.kind {
        Kind::Text => put_bytes(out, number, text.as_bytes()),
        Kind::Bytes => put_bytes(out, number, text.as_bytes()),
        Kind::Bool => put_uint(
            out,
            number,
            read_boolean(text, &field.format).ok_or("is not a known spelling of a boolean")?.into(),
        ),
        Kind::Integer { signed, bits } => {
            put_uint(out, number, read_integer(text, *signed, *bits).ok_or("is not a whole number in range")?)
        }
        Kind::Double => put_double(out, number, text.trim().parse().map_err(|_| "is not a number")?),
        Kind::Float => put_float(out, number, text.trim().parse().map_err(|_| "is not a number")?),
        Kind::Enum(values) => put_uint(out, number, read_enum(text, values).ok_or("is not a known value")?),
        Kind::Date if calendar::is_no_date(text) => {}
        Kind::Date => {
            let Format::Date(order) = field.format else { return Err("has no date order") };
            calendar::put_date(number, calendar::read_date(text.trim(), order).ok_or("is not a date")?, out);
        }
        Kind::DateTime | Kind::Timestamp if calendar::is_no_date(text) => {}
        Kind::DateTime => {
            calendar::read_moment(text.trim()).ok_or("is not a date and time")?.put_date_time(number, out)
        }
        Kind::Timestamp => put_timestamp(field, text.trim(), out)?,
        Kind::Message(_) | Kind::Struct | Kind::Element => return Err("is not a single value"),
    }
    Ok(())
}

fn put_timestamp(field: &Field, text: &str, out: &mut Out) -> Result<(), &'static str> {
    if field.format == Format::Epoch {
        let seconds = text.parse().map_err(|_| "is not a number of seconds")?;
        calendar::put_timestamp(field.number, seconds, 0, out);
        return Ok(());
    }
    let moment = calendar::read_moment(text).ok_or("is not a date and time")?;
    if moment.put_timestamp(field.number, out) { Ok(()) } else { Err("has no offset from UTC") }
}

fn read_boolean(text: &str, format: &Format) -> Option<bool> {
    if let Format::Boolean(yes, no) = format {
        if *text == **yes {
            return Some(true);
        }
        if *text == **no {
            return Some(false);
        }
    }
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Some(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Reads a whole number, also one written as `15.0`.
fn read_integer(text: &str, signed: bool, bits: u8) -> Option<u64> {
    let text = text.trim();
    let whole = text
        .split_once('.')
        .map_or(Some(text), |(whole, zeros)| zeros.bytes().all(|byte| byte == b'0').then_some(whole))?;
    if !signed {
        let value: u64 = whole.parse().ok()?;
        return (bits == 64 || value <= u64::from(u32::MAX)).then_some(value);
    }
    let value: i64 = whole.parse().ok()?;
    (bits == 64 || i32::try_from(value).is_ok()).then_some(value as u64)
}

fn read_enum(text: &str, values: &EnumTable) -> Option<u64> {
    values.values.iter().find(|(_, spelling)| spelling.eq_ignore_ascii_case(text)).map(|(number, _)| *number as u64)
}
