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
};
use crate::{
    node::{Entry, Node},
    problem::Problem,
    wire::json,
    xml::{document::Limits, simple},
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
        let mut bytes = Vec::with_capacity(1024);
        decoder.message(&self.tables[*table], reply, &Path::ROOT, &mut bytes);
        let message = R::decode(bytes.as_slice()).expect("the interpreter writes the message's own fields");
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
    fn message(&mut self, table: &Table, node: Node<'_>, path: &Path<'_>, out: &mut Out) {
        if let Some(whole) = table.whole {
            self.field(&table.fields[whole], node, path, out);
            return;
        }
        let entries = if let Node::Map(entries) = node { entries } else { &[] };
        let mut extra: Vec<Entry<'_>> = Vec::new();
        let mut rest: Vec<Entry<'_>> = Vec::new();
        for &(key, value) in entries {
            if let Some(&index) = table.by_key.get(key) {
                if !self.field(&table.fields[index], value, path, out) {
                    extra.push((key, value));
                }
            } else if let Some((prefix, index)) = table.prefixed.iter().find(|(prefix, _)| key.starts_with(&**prefix)) {
                self.map_entry(&table.fields[*index], &key[prefix.len()..], value, path, out);
            } else if table.rest.is_some() {
                rest.push((key, value));
            } else {
                extra.push((key, value));
            }
        }
        if let Some(index) = table.rest {
            self.field(&table.fields[index], Node::Map(&rest), path, out);
        }
        if let Some(number) = table.extra.filter(|_| !extra.is_empty()) {
            put_message(out, number, |out| put_struct(&extra, out));
        }
        self.check_required(table, entries, path);
    }

    fn check_required(&mut self, table: &Table, entries: &[Entry<'_>], path: &Path<'_>) {
        for field in table.fields.iter().filter(|field| field.required) {
            let present = entries.iter().any(|(key, value)| **key == *field.key && !value.is_empty());
            if !present {
                self.missing.push(Problem::new(path.field(&field.name).render(), "is not in the reply"));
            }
        }
    }

    /// Reads one field; false if its value cannot be read at all.
    fn field(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        if node.is_empty() {
            return true;
        }
        match (field.shape, &field.format) {
            (Shape::Map, _) => self.map(field, node, path, out),
            (Shape::Many, Format::Joined { separator, parts }) => {
                self.joined(field, node, separator, parts.as_deref(), path, out)
            }
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
            readable &= self.one(field, *item, &path.item(&field.name, index), out);
        }
        readable
    }

    fn one(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let result = match (&field.kind, &field.format) {
            (Kind::Message(table), Format::Parts(separator)) => self.parts(field, *table, node, separator, path, out),
            (Kind::Message(table), Format::Json) => self.inner_json(node, |decoder, inner| {
                put_message(out, field.number, |out| decoder.message(&decoder.tables.tables[*table], inner, path, out));
            }),
            (Kind::Message(table), _) => self.nested(field.number, *table, node, path, out),
            (Kind::Struct, Format::Json) => self.inner_json(node, |_, inner| put_structure(field.number, inner, out)),
            (Kind::Element, Format::Xml) => put_element_text(field.number, node, out),
            (Kind::Element, _) => {
                put_message(out, field.number, |out| put_element_node(&field.key, node, out));
                Ok(())
            }
            _ => put_scalar(field, node, out),
        };
        if let Err(why) = result {
            self.unreadable.push(Problem::new(path.render(), why));
        }
        result.is_ok()
    }

    fn nested(
        &mut self,
        number: u32,
        table: usize,
        node: Node<'_>,
        path: &Path<'_>,
        out: &mut Out,
    ) -> Result<(), &'static str> {
        if !matches!(node, Node::Map(_)) && !node.is_empty() {
            return Err("is not a record");
        }
        put_message(out, number, |out| self.message(&self.tables.tables[table], node, path, out));
        Ok(())
    }

    fn inner_json(&mut self, node: Node<'_>, read: impl FnOnce(&mut Self, Node<'_>)) -> Result<(), &'static str> {
        let Node::Text(text) = node else {
            read(self, node);
            return Ok(());
        };
        let arena = bumpalo::Bump::new();
        let inner = json::parse(text.as_bytes(), &arena).map_err(|_| "is not JSON")?;
        read(self, inner);
        Ok(())
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
    ) -> Result<(), &'static str> {
        let text = node.scalar().ok_or("is not a text")?;
        let table = &self.tables.tables[table];
        let values: Vec<&str> = text.split(separator).collect();
        if values.len() > table.fields.len() {
            return Err("has more parts than are known");
        }
        put_message(out, field.number, |out| {
            for (part, value) in table.fields.iter().zip(values) {
                self.field(part, Node::Text(value), path, out);
            }
        });
        Ok(())
    }

    fn joined(
        &mut self,
        field: &Field,
        node: Node<'_>,
        separator: &str,
        parts: Option<&str>,
        path: &Path<'_>,
        out: &mut Out,
    ) -> bool {
        let Some(text) = node.scalar() else { return self.many(field, node, path, out) };
        let mut readable = true;
        for (index, item) in text.split(separator).filter(|item| !item.is_empty()).enumerate() {
            let path = path.item(&field.name, index);
            let item = Node::Text(item.trim());
            readable &= match (parts, &field.kind) {
                (Some(inner), Kind::Message(table)) => self.parts(field, *table, item, inner, &path, out).is_ok(),
                _ => self.one(field, item, &path, out),
            };
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
        for (key, value) in entries {
            self.map_entry(field, key, *value, path, out);
        }
        true
    }

    fn map_entry(&mut self, field: &Field, key: &str, value: Node<'_>, path: &Path<'_>, out: &mut Out) {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, key.as_bytes());
        let inner = Field { number: 2, shape: Shape::One, ..field.alike() };
        if value.is_empty() || self.one(&inner, value, &path.field(&field.name), &mut entry) {
            put_bytes(out, field.number, &entry);
        }
    }
}

impl Field {
    /// A field of the same kind for the value side of a map entry; only scalars and messages occur there.
    fn alike(&self) -> Field {
        Field {
            number: self.number,
            name: self.name.clone(),
            key: self.key.clone(),
            kind: match &self.kind {
                Kind::Message(table) => Kind::Message(*table),
                Kind::Bool => Kind::Bool,
                Kind::Integer { signed, bits } => Kind::Integer { signed: *signed, bits: *bits },
                Kind::Double => Kind::Double,
                Kind::Struct => Kind::Struct,
                _ => Kind::Text,
            },
            shape: self.shape,
            format: Format::Text,
            required: false,
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

fn put_structure(number: u32, node: Node<'_>, out: &mut Out) {
    let entries = if let Node::Map(entries) = node { entries } else { &[("value", node)] };
    put_message(out, number, |out| put_struct(entries, out));
}

/// The fields of a `google.protobuf.Struct`.
fn put_struct(entries: &[Entry<'_>], out: &mut Out) {
    for (key, value) in entries {
        put_message(out, 1, |out| {
            put_bytes(out, 1, key.as_bytes());
            put_message(out, 2, |out| put_value(*value, out));
        });
    }
}

/// A `google.protobuf.Value`; a number goes as its text, because a double would change it.
fn put_value(node: Node<'_>, out: &mut Out) {
    match node {
        Node::Null => put_uint(out, 1, 0),
        Node::Text(text) | Node::Number(text) => put_bytes(out, 3, text.as_bytes()),
        Node::Bool(flag) => put_uint(out, 4, flag.into()),
        Node::Map(entries) => put_message(out, 5, |out| put_struct(entries, out)),
        Node::List(items) => put_message(out, 6, |out| {
            for item in items {
                put_message(out, 1, |out| put_value(*item, out));
            }
        }),
    }
}

/// An `ispbridge.type.v1.Element` from XML inside a text, or from a tree that the wire has read.
fn put_element_text(number: u32, node: Node<'_>, out: &mut Out) -> Result<(), &'static str> {
    let Node::Text(text) = node else {
        put_message(out, number, |out| put_element_node("", node, out));
        return Ok(());
    };
    let arena = bumpalo::Bump::new();
    let root = simple::parse(text, &Limits::default(), &arena).map_err(|_| "is not XML")?;
    put_message(out, number, |out| put_element(&root, out));
    Ok(())
}

fn put_element(element: &crate::xml::document::Element<'_>, out: &mut Out) {
    put_bytes(out, 1, element.name.as_bytes());
    for (name, value) in &element.attributes {
        put_message(out, 2, |out| {
            put_bytes(out, 1, name.as_bytes());
            put_bytes(out, 2, value.as_bytes());
        });
    }
    put_bytes(out, 3, element.text.as_bytes());
    for child in &element.children {
        put_message(out, 4, |out| put_element(child, out));
    }
}

fn put_element_node(name: &str, node: Node<'_>, out: &mut Out) {
    put_bytes(out, 1, name.as_bytes());
    match node {
        Node::Map(entries) => entries.iter().for_each(|(key, value)| put_element_children(key, *value, out)),
        Node::List(items) => items.iter().for_each(|item| put_element_children("item", *item, out)),
        scalar => put_bytes(out, 3, scalar.scalar().unwrap_or("").as_bytes()),
    }
}

fn put_element_children(key: &str, value: Node<'_>, out: &mut Out) {
    let lone = [value];
    let items = if let Node::List(items) = value { items } else { &lone };
    for item in items {
        put_message(out, 4, |out| put_element_node(key, *item, out));
    }
}
