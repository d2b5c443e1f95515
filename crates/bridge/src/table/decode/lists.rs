//! Several values -> message: lists, maps, and texts that hold several values.

use super::{
    super::{
        array,
        field::{Field, Kind, Place},
        format::{ListFormat, ValueFormat},
        path::Path,
        protobuf::{put_bytes, put_message},
    },
    Decoder, Out,
};
use crate::node::{Entry, Node};

impl Decoder<'_> {
    /// A text with a message's fields in order; a text that is too short leaves the last ones absent.
    pub(super) fn parts(
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

    pub(super) fn many(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        // What takes values of any kind takes a map as it is, because its numbers may be names.
        let are_names = field.keeps_anything() && !matches!(field.list, ListFormat::Numbered(_));
        let numbered = if are_names { None } else { node.numbered() };
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
            let absent = if let Kind::Text | Kind::Bytes = field.kind { *item == Node::Null } else { item.is_empty() };
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

    pub(super) fn joined(
        &mut self,
        field: &Field,
        node: Node<'_>,
        separator: &str,
        path: &Path<'_>,
        out: &mut Out,
    ) -> bool {
        let Some(text) = text_of_list(node) else { return self.many(field, node, path, out) };
        let mut readable = true;
        for (index, item) in text.split(separator).filter(|item| !item.is_empty()).enumerate() {
            readable &= self.one(field, Node::Text(item.trim()), &path.item(&field.name, index), out);
        }
        readable
    }

    /// An array in a text, or a list where the wire has one.
    pub(super) fn array(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        let Some(text) = text_of_list(node) else { return self.many(field, node, path, out) };
        let Some(items) = array::read(text) else {
            self.complain(&path.field(&field.name), "is not an array");
            return false;
        };
        let items: Vec<Node<'_>> = items.iter().map(|item| Node::Text(item)).collect();
        self.many(field, Node::List(&items), path, out)
    }

    /// A map keyed by `key`, or a list whose items carry the key themselves.
    pub(super) fn keyed(&mut self, field: &Field, node: Node<'_>, key: &str, path: &Path<'_>, out: &mut Out) -> bool {
        let (Node::Map(entries), Kind::Message(table)) = (node, &field.kind) else {
            return self.many(field, node, path, out);
        };
        let is_value = |value: &Node<'_>| !matches!(value, Node::Unreadable(_)) && value.scalar().is_some();
        if field.format == ValueFormat::Text && entries.iter().any(|(_, value)| is_value(value)) {
            return self.many(field, node, path, out);
        }
        let target = &self.tables.tables[*table];
        let Some(key_field) = target.fields.iter().find(|candidate| *candidate.name == *key) else { return false };
        let mut readable = true;
        for (index, (name, value)) in entries.iter().enumerate() {
            let path = path.item(&field.name, index);
            let read = self.opened(&field.format, *value, |decoder, inner| {
                let mut all: Vec<Entry<'_>> = match inner {
                    Node::Map(inner) => inner.to_vec(),
                    inner if inner.is_empty() => Vec::new(),
                    _ => return Err("is not a record"),
                };
                if !all.iter().any(|(inner_key, _)| **inner_key == *key_field.key) {
                    all.push((&key_field.key, Node::Text(name)));
                }
                decoder.record(field, Node::Map(&all), &path, out)
            });
            readable &= read.unwrap_or_else(|why| {
                self.complain(&path, why);
                false
            });
        }
        readable
    }

    pub(super) fn map(&mut self, field: &Field, node: Node<'_>, path: &Path<'_>, out: &mut Out) -> bool {
        match node {
            Node::Map(entries) => entries
                .iter()
                .fold(true, |readable, (key, value)| self.map_entry(field, key, *value, path, out) && readable),
            // So PHP writes a map whose keys are 0, 1, 2 and so on.
            Node::List(items) if matches!(field.list, ListFormat::Numbered(_)) => {
                items.iter().enumerate().fold(true, |readable, (number, value)| {
                    self.map_entry(field, &number.to_string(), *value, path, out) && readable
                })
            }
            _ => {
                self.complain(&path.field(&field.name), "is not a map");
                false
            }
        }
    }

    /// Reads one entry of a map; one whose value is empty stays in the map.
    pub(super) fn map_entry(
        &mut self,
        field: &Field,
        key: &str,
        value: Node<'_>,
        path: &Path<'_>,
        out: &mut Out,
    ) -> bool {
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
