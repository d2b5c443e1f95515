//! Tree -> message: what a reply says, in our words.
//!
//! Reading is lenient: a number may come as text, a lone value or a map of numbers for a list, an empty list for an empty
//! map, and null, an empty text and `0000-00-00` all mean absent (the same record comes with null on
//! one transport and with an empty text on the other). What still cannot be read stays absent, is
//! reported, and its raw form goes to `extra_fields`.

mod lists;

use bumpalo::Bump;
use prost::{Message, Name};

use super::{
    field::{Field, Kind, Place, Shape, Table, Tables},
    format::{ListFormat, ValueFormat},
    path::Path,
    protobuf::{put_bytes, put_message},
    scalar::put_scalar,
    structure::{Room, memory_of_struct, put_element_text, put_element_tree, put_struct, put_structure},
};
use crate::{
    node::{Entry, Node},
    problem::Problem,
    wire::{
        form::{self, Entities},
        json,
    },
    xml::charset::decode_base64_text,
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
        let decoded = self.decode_bytes_within(R::NAME, reply, room);
        decoded.map(|bytes| R::decode(bytes.as_slice()).ok())
    }

    /// The same for a reply that no type of this program describes: the name of its message without the package. What comes is
    /// its bytes.
    ///
    /// # Panics
    /// If `name` is not a reply of the contract that these tables were built from.
    pub fn decode_bytes(&self, name: &str, reply: Node<'_>) -> Decoded<Vec<u8>> {
        self.decode_bytes_within(name, reply, usize::MAX)
    }

    pub(crate) fn decode_bytes_within(&self, name: &str, reply: Node<'_>, room: usize) -> Decoded<Vec<u8>> {
        let table = self.replies.get(name).expect("a reply of this contract");
        let mut decoder = Decoder { tables: self, unreadable: Vec::new(), missing: Vec::new(), room: Room::new(room) };
        let mut message = Vec::with_capacity(4096);
        decoder.message(&self.tables[*table], reply, &Path::ROOT, &mut message);
        let is_too_large = decoder.room.is_used_up();
        if is_too_large {
            message.clear();
        }
        Decoded { message, unreadable: decoder.unreadable, missing: decoder.missing, is_too_large }
    }
}

impl Decoded<Vec<u8>> {
    /// What `read` makes of the bytes; only a contract whose messages contain themselves is nested too deeply for it, the rest
    /// has its bounds.
    pub(crate) fn map<R: Default>(mut self, read: impl FnOnce(Vec<u8>) -> Option<R>) -> Decoded<R> {
        let message = read(self.message).unwrap_or_else(|| {
            self.missing.push(Problem::new("reply", "is nested more deeply than protobuf allows"));
            R::default()
        });
        Decoded { message, unreadable: self.unreadable, missing: self.missing, is_too_large: self.is_too_large }
    }
}

struct Decoder<'p> {
    tables: &'p Tables,
    unreadable: Vec<Problem>,
    missing: Vec<Problem>,
    room: Room,
}

type Out = Vec<u8>;

/// What is known of a record while it is read.
#[derive(Default)]
struct Read<'n> {
    has_unreadable: bool,
    /// What no field took, or could read.
    extra: Vec<Entry<'n>>,
    /// The required fields that have a value.
    required: Vec<usize>,
    /// What fields with several keys take: the field, the key without its prefix, the entry.
    spread: Vec<(usize, &'n str, Entry<'n>)>,
}

impl<'n> Read<'n> {
    fn note(&mut self, index: usize, field: &Field, readable: bool, has_value: bool, entries: &[Entry<'n>]) {
        if !readable {
            self.has_unreadable = true;
            self.extra.extend(entries);
        }
        if field.required && has_value {
            self.required.push(index);
        }
    }
}

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
        let mut read = Read::default();
        for &entry in entries {
            let (key, value) = entry;
            let start = out.len();
            match table.place(key) {
                Place::Field(index) => {
                    let field = &table.fields[index];
                    let readable = self.field(field, value, path, out);
                    read.note(index, field, readable, out.len() > start, &[entry]);
                }
                Place::Entry(index, key) => {
                    let field = &table.fields[index];
                    let readable = self.map_entry(field, key, value, path, out);
                    read.note(index, field, readable, out.len() > start, &[entry]);
                }
                Place::Spread(index, short) => read.spread.push((index, short, entry)),
                Place::Extra => {
                    self.report(value, &path.field(key));
                    read.extra.push(entry);
                }
            }
        }
        if !read.spread.is_empty() {
            self.spread(table, &mut read, path, out);
        }
        if let Some(number) = table.extra.filter(|_| !read.extra.is_empty())
            && self.room.take(memory_of_struct(&read.extra)).is_ok()
        {
            put_message(out, number, |out| put_struct(&read.extra, out));
        }
        self.check_required(table, &read.required, path);
        !read.has_unreadable || table.extra.is_some()
    }

    /// Reads the fields that take several keys as one value.
    fn spread<'n>(&mut self, table: &Table, read: &mut Read<'n>, path: &Path<'_>, out: &mut Out) {
        let spread = std::mem::take(&mut read.spread);
        for (index, field) in table.fields.iter().enumerate().filter(|(_, field)| field.is_spread()) {
            let of_field = || spread.iter().filter(|(at, ..)| *at == index);
            let value: Vec<Entry<'n>> = of_field().map(|(_, short, (_, value))| (*short, *value)).collect();
            let (start, all) = (out.len(), of_field().map(|(.., entry)| *entry).collect::<Vec<_>>());
            let readable = self.field(field, Node::Map(&value), path, out);
            read.note(index, field, readable, out.len() > start, &all);
        }
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
        let text = text_of_bytes(field, node);
        let node = text.as_deref().map_or(node, Node::Text);
        if self.tables.false_is_absent && node == Node::Bool(false) && !field.has_booleans() {
            return true;
        }
        match (field.shape, &field.list) {
            (Shape::Map, _) => self.map(field, node, path, out),
            (Shape::Many, ListFormat::Joined(separator)) => self.joined(field, node, separator, path, out),
            (Shape::Many, ListFormat::Array) => self.array(field, node, path, out),
            (Shape::Many, ListFormat::Keyed(key)) => self.keyed(field, node, key, path, out),
            (Shape::Many, _) => self.many(field, node, path, out),
            (Shape::One, _) => {
                let node = if let Node::List([only]) = node { *only } else { node };
                node.is_empty() || self.one(field, node, &path.field(&field.name), out)
            }
        }
    }

    fn one(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let text = text_of_bytes(field, node);
        let node = text.as_deref().map_or(node, Node::Text);
        let result = match (&field.kind, &field.format) {
            _ if matches!(node, Node::Unreadable(_)) && !field.keeps_anything() => Err(UNREADABLE),
            (Kind::Message(table), ValueFormat::Parts(separator)) => {
                self.parts(field, *table, node, separator, path, out)
            }
            (Kind::Message(_) | Kind::Struct, _) => {
                self.opened(&field.format, node, |decoder, inner| decoder.record(field, inner, path, out))
            }
            (Kind::Element, ValueFormat::Xml) => put_element_text(field.number, node, &mut self.room, out),
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

    fn record(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> Result<bool, &'static str> {
        match field.kind {
            Kind::Message(table) => self.nested(field.number, table, node, path, out),
            _ => put_structure(field.number, node, &mut self.room, out),
        }
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

    /// Reads what stands inside a text, or the value itself where it is in none.
    fn opened<R>(
        &mut self,
        format: &ValueFormat,
        node: Node<'_>,
        read: impl FnOnce(&mut Self, Node<'_>) -> Result<R, &'static str>,
    ) -> Result<R, &'static str> {
        let (Node::Text(text), ValueFormat::Json | ValueFormat::Form) = (node, format) else { return read(self, node) };
        let arena = Bump::new();
        let inner = match format {
            ValueFormat::Json => json::parse(text.as_bytes(), &arena).map_err(|_| "is not JSON")?,
            _ => form::parse(text, Entities::Kept, &arena).map_err(|_| "is not a form")?,
        };
        self.room.take(arena.allocated_bytes())?;
        read(self, inner)
    }
}

/// The text of bytes where the contract has a text: Perl writes base64 for what is not ASCII.
fn text_of_bytes(field: &Field, node: Node<'_>) -> Option<String> {
    let Node::Bytes(bytes) = node else { return None };
    (!field.has_bytes()).then(|| decode_base64_text(bytes.to_vec()))
}
