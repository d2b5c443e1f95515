//! Several values -> tree: lists, maps, and texts that hold several values.

use bumpalo::collections::Vec as BumpVec;

use super::{
    super::{
        array,
        field::{Field, Kind, Shape, Table},
        format::ListFormat,
        path::Path,
        protobuf::{Fields, Raw, take_varint},
    },
    Encoder, Run,
};
use crate::node::{Entry, Node};

impl<'t> Encoder<'t> {
    pub(super) fn add_to_run(&mut self, field: &'t Field, raw: Raw<'t>, path: &Path<'_>, run: &mut Run<'t>) {
        if let Some(value) = &field.entry {
            return self.map_entry(value, raw, path, &mut run.entries);
        }
        if let ListFormat::Keyed(key) = &field.list {
            let path = path.item(&field.name, run.entries.len());
            return self.keyed_item(field, key, raw, &path, &mut run.entries);
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
        if matches!(field.list, ListFormat::Numbered(_)) && !key.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problem(&path, "has a key that is not a whole number");
        }
        let key = self.prefixed(field, key);
        entries.extend(self.node(field, value, &path).map(|node| (key, node)));
    }

    /// A key with the prefix that it has upstream.
    fn prefixed(&self, field: &Field, key: &'t str) -> &'t str {
        match field.prefix() {
            None | Some("") => key,
            Some(prefix) => bumpalo::format!(in self.arena, "{}{}", prefix, key).into_bump_str(),
        }
    }

    /// Adds a record under the key that is one of its fields.
    fn keyed_item(
        &mut self,
        field: &'t Field,
        key: &str,
        raw: Raw<'t>,
        path: &Path<'_>,
        entries: &mut BumpVec<'t, Entry<'t>>,
    ) {
        let (Kind::Message(table), Raw::Bytes(bytes)) = (&field.kind, raw) else { return };
        let table = &self.tables.tables[*table];
        let Node::Map(all) = self.message(table, bytes, path) else { return };
        let upstream = table.fields.iter().find(|part| *part.name == *key).map_or(key, |part| &part.key);
        let named = all.iter().find(|(name, _)| *name == upstream).and_then(|(_, value)| value.scalar());
        let named = self.prefixed(field, named.unwrap_or(""));
        if named.len() == field.prefix().unwrap_or("").len() {
            return self.problem(&path.field(key), "is required, the record stands under it upstream");
        }
        if entries.iter().any(|(name, _)| *name == named) {
            return self.problem(&path.field(key), "comes twice, and the record stands under it upstream");
        }
        // A record of nothing but its key keeps it: not every wire has a word for an empty record.
        let rest = all.iter().filter(|(name, _)| all.len() == 1 || *name != upstream).copied();
        let rest = Node::Map(BumpVec::from_iter_in(rest, self.arena).into_bump_slice());
        let record = self.record(&field.format, rest, path);
        entries.push((named, record));
    }

    pub(super) fn finish_run(
        &mut self,
        table: &'t Table,
        run: Option<Run<'t>>,
        path: &Path<'_>,
        entries: &mut BumpVec<'t, Entry<'t>>,
    ) {
        let Some(run) = run else { return };
        let field = &table.fields[run.index];
        let inner = match (&field.list, field.shape) {
            (_, Shape::Map) | (ListFormat::Keyed(_), _) => run.entries,
            (ListFormat::Numbered(first), _) => self.numbered(field, *first, &run.items),
            (ListFormat::Joined(separator), _) => {
                let text = self.join(&run.items, separator, &path.field(&field.name));
                return entries.push((&field.key, Node::Text(text)));
            }
            (ListFormat::Array, _) => {
                return entries.push((&field.key, Node::Text(array::write(&run.items, self.arena))));
            }
            (ListFormat::Plain, _) => return entries.push((&field.key, Node::List(run.items.into_bump_slice()))),
        };
        if !field.is_spread() {
            return entries.push((&field.key, Node::Map(inner.into_bump_slice())));
        }
        for (key, _) in inner.iter().filter(|(key, _)| !table.has_place(run.index, key)) {
            self.problem(&path.field(&field.name), &format!("has the key {key:?}, which is another argument's"));
        }
        entries.extend(inner);
    }

    fn numbered(&self, field: &Field, first: u32, items: &[Node<'t>]) -> BumpVec<'t, Entry<'t>> {
        let prefix = field.prefix().unwrap_or("");
        let key =
            |at: usize| bumpalo::format!(in self.arena, "{}{}", prefix, u64::from(first) + at as u64).into_bump_str();
        BumpVec::from_iter_in(items.iter().enumerate().map(|(at, item)| (key(at), *item)), self.arena)
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
    pub(super) fn parts(&mut self, table: &'t Table, separator: &str, bytes: &'t [u8], path: &Path<'_>) -> &'t str {
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
