//! Tree -> message: what a reply says, in our words.
//!
//! Reading is lenient: a number may come as text, a lone value or a map of numbers for a list, an empty list for an empty
//! map, and null, an empty text and `0000-00-00` all mean absent (the same record comes with null on
//! one transport and with an empty text on the other). What still cannot be read stays absent, is
//! reported, and its raw form goes to `extra_fields`.

use prost::{Message, Name};

use super::{
    Field, Format, Kind, Path, Shape, Table, Tables, array,
    protobuf::{put_bytes, put_message},
    scalar::put_scalar,
    structure::{Room, memory_of_struct, put_element_text, put_element_tree, put_struct, put_structure},
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
    /// Whether the message would take more memory than it may.
    pub(crate) is_too_large: bool,
}

impl Tables {
    /// Turns an upstream's tree into the reply message.
    ///
    /// # Panics
    /// If `R` is not a reply of the contract that these tables were built from.
    pub fn decode<R: Message + Name + Default>(&self, reply: Node<'_>) -> Decoded<R> {
        self.decode_within(reply, usize::MAX)
    }

    /// The same for a message whose records take at most so many bytes: a short reply can mean many records that are large
    /// and empty.
    pub(crate) fn decode_within<R: Message + Name + Default>(&self, reply: Node<'_>, room: usize) -> Decoded<R> {
        let table = self.replies.get(R::NAME).expect("a reply of this contract");
        let mut decoder = Decoder { tables: self, unreadable: Vec::new(), missing: Vec::new(), room: Room::new(room) };
        let mut bytes = Vec::with_capacity(4096);
        decoder.message(&self.tables[*table], reply, &Path::ROOT, &mut bytes);
        let is_too_large = decoder.room.is_used_up();
        let message = if is_too_large { Ok(R::default()) } else { R::decode(bytes.as_slice()) };
        let message = message.unwrap_or_else(|_| {
            // Only a contract whose messages contain themselves gets here: the rest has its bounds.
            decoder.missing.push(Problem::new("reply", "is nested more deeply than protobuf allows"));
            R::default()
        });
        Decoded { message, unreadable: decoder.unreadable, missing: decoder.missing, is_too_large }
    }
}

struct Decoder<'p> {
    tables: &'p Tables,
    unreadable: Vec<Problem>,
    missing: Vec<Problem>,
    room: Room,
}

type Out = Vec<u8>;

/// What is wrong with a value that the wire could not read.
const UNREADABLE: &str = "has no value that can be read";

/// Unreadable fields that are named; a reply of another kind has one in every line.
const MAX_NAMED: usize = 1000;

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
                    self.report(value, &path.field(key));
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
        if let Some(number) = table.extra.filter(|_| !extra.is_empty())
            && self.room.take(memory_of_struct(&extra)).is_ok()
        {
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
        if matches!(node, Node::Unreadable(_)) && !field.keeps_anything() {
            self.complain(&path.field(&field.name), UNREADABLE);
            return false;
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
        // What takes values of any kind takes a map as it is, because its numbers may be names.
        let numbered = if field.keeps_anything() { None } else { node.numbered() };
        let numbered: Option<Vec<_>> = numbered.map(|entries| entries.iter().map(|(_, value)| *value).collect());
        let lone = [node];
        let items = match (node, &numbered) {
            (Node::List(items), _) => items,
            (_, Some(items)) => items,
            _ if self.is_lone_item(&field.kind, node) => &lone,
            _ => {
                self.complain(&path.field(&field.name), "is not a list");
                return false;
            }
        };
        let mut readable = true;
        for (index, item) in items.iter().enumerate() {
            let absent = if let Kind::Text = field.kind { *item == Node::Null } else { item.is_empty() };
            readable &= absent || self.one(field, *item, &path.item(&field.name, index), out);
        }
        readable
    }

    /// Whether a value that is no list is the one item of a list, as XML has it. A record of which nothing is known may be
    /// anything: it would become an empty one.
    fn is_lone_item(&self, kind: &Kind, node: Node<'_>) -> bool {
        match (kind, node) {
            (Kind::Struct | Kind::Element, _) | (Kind::Bool, Node::Bool(_)) => true,
            (Kind::Message(table), Node::Map(entries)) => {
                let table = &self.tables.tables[*table];
                let is_known =
                    |(key, value): &Entry<'_>| !value.is_empty() && !matches!(table.place(key), Place::Extra);
                table.whole.is_some() || entries.iter().any(is_known)
            }
            (Kind::Message(_), _) | (_, Node::Map(_) | Node::Bool(_)) => false,
            _ => true,
        }
    }

    fn one(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let result = match (&field.kind, &field.format) {
            _ if matches!(node, Node::Unreadable(_)) && !field.keeps_anything() => Err(UNREADABLE),
            (Kind::Message(table), Format::Parts(separator) | Format::Joined { parts: Some(separator), .. }) => {
                self.parts(field, *table, node, separator, path, out)
            }
            (Kind::Message(table), Format::Json) => {
                self.inner_json(node, |decoder, inner| decoder.nested(field.number, *table, inner, path, out)).flatten()
            }
            (Kind::Message(table), _) => self.nested(field.number, *table, node, path, out),
            (Kind::Struct, Format::Json) => self
                .inner_json(node, |decoder, inner| put_structure(field.number, inner, &mut decoder.room, out))
                .flatten(),
            (Kind::Struct, _) => put_structure(field.number, node, &mut self.room, out),
            (Kind::Element, Format::Xml) => put_element_text(field.number, node, &mut self.room, out),
            (Kind::Element, _) => put_element_tree(field.number, &field.key, node, &mut self.room, out),
            _ => put_scalar(field, node, out).map(|()| true),
        };
        if field.keeps_anything() {
            self.report(node, path);
        }
        result.unwrap_or_else(|why| {
            self.complain(path, why);
            false
        })
    }

    /// Names a value that is kept as it came and holds something that could not be read.
    fn report(&mut self, node: Node<'_>, path: &Path<'_>) {
        if node.holds_unreadable() {
            self.complain(path, UNREADABLE);
        }
    }

    fn complain(&mut self, path: &Path<'_>, why: &str) {
        if self.unreadable.len() < MAX_NAMED {
            self.unreadable.push(Problem::new(path.render(), why));
        }
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
        let table = &self.tables.tables[table];
        // A message of ours has room for all of its fields.
        self.room.take(table.fields.len() * size_of::<String>())?;
        Ok(put_message(out, number, |out| self.message(table, node, path, out)))
    }

    fn inner_json<R>(
        &mut self,
        node: Node<'_>,
        read: impl FnOnce(&mut Self, Node<'_>) -> R,
    ) -> Result<R, &'static str> {
        let Node::Text(text) = node else { return Ok(read(self, node)) };
        let arena = bumpalo::Bump::new();
        let inner = json::parse(text.as_bytes(), &arena).map_err(|_| "is not JSON")?;
        self.room.take(arena.allocated_bytes())?;
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
        let Some(text) = text_of_list(node) else { return self.many(field, node, path, out) };
        let mut readable = true;
        for (index, item) in text.split(separator).filter(|item| !item.is_empty()).enumerate() {
            readable &= self.one(field, Node::Text(item.trim()), &path.item(&field.name, index), out);
        }
        readable
    }

    /// An array in a text, or a list where the wire has one.
    fn array(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let Some(text) = text_of_list(node) else { return self.many(field, node, path, out) };
        let Some(items) = array::read(text) else {
            self.complain(&path.field(&field.name), "is not an array");
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
        if entries.iter().any(|(_, value)| !matches!(value, Node::Unreadable(_)) && value.scalar().is_some()) {
            return self.many(field, node, path, out);
        }
        let Some(key_field) = target.fields.iter().find(|candidate| *candidate.name == *key) else { return false };
        let mut readable = true;
        for (index, (name, value)) in entries.iter().enumerate() {
            let inner: &[Entry<'_>] = match value {
                Node::Map(inner) => inner,
                value if value.is_empty() => &[],
                _ => {
                    self.complain(&path.item(&field.name, index), "is not a record");
                    readable = false;
                    continue;
                }
            };
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
            self.complain(&path.field(&field.name), "is not a map");
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

/// The text that holds a whole list; `false` and `true` are none.
fn text_of_list(node: Node<'_>) -> Option<&str> {
    if let Node::Bool(_) = node { None } else { node.scalar() }
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

impl Field {
    /// Whether the field takes values of any kind and shows what could not be read.
    fn keeps_anything(&self) -> bool {
        matches!(self.kind, Kind::Struct | Kind::Element)
    }
}
