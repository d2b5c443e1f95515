//! What tables hold: for each message and direction its fields, and how each is called and written upstream.

use std::sync::Arc;

use rustc_hash::FxHashMap;

pub(super) use super::kind::{EnumTable, Kind, Shape};

use super::format::{ListFormat, ValueFormat};

/// All tables of one provider and dialect.
#[derive(Debug)]
pub struct Tables {
    pub(super) tables: Vec<Table>,
    /// The package of the contract.
    pub(super) package: Box<str>,
    pub(super) requests: FxHashMap<String, usize>,
    pub(super) replies: FxHashMap<String, usize>,
    /// The probes of writes, by the names of their requests.
    pub(super) probes: FxHashMap<String, Arc<str>>,
    pub(super) text: TextRule,
    /// Whether `false` means absent where the contract has no boolean, as PHP writes it.
    pub(super) false_is_absent: bool,
}

impl Tables {
    /// The name of a message without the package of the contract.
    pub(super) fn short<'n>(&self, full: &'n str) -> &'n str {
        without_package(full, &self.package)
    }

    /// The name by which [`Tables::encode_bytes`] knows a request of this full name.
    pub(crate) fn request_named<'n>(&self, full: &'n str) -> Option<&'n str> {
        Some(self.short(full)).filter(|name| self.requests.contains_key(*name))
    }

    /// The name by which [`Tables::decode_bytes`] knows a reply of this full name.
    pub(crate) fn reply_named<'n>(&self, full: &'n str) -> Option<&'n str> {
        Some(self.short(full)).filter(|name| self.replies.contains_key(*name))
    }
}

pub(super) fn without_package<'n>(full: &'n str, package: &str) -> &'n str {
    full.strip_prefix(package).map_or(full, |rest| rest.trim_start_matches('.'))
}

/// Which characters a wire can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRule {
    /// Any character, as in JSON.
    Any,
    /// The characters of XML 1.0.
    Xml,
}

/// The mapping of one message in one direction.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) fields: Vec<Field>,
    pub(super) by_number: FxHashMap<u32, usize>,
    pub(super) by_key: FxHashMap<Box<str>, usize>,
    /// Maps and lists whose upstream keys share a prefix, with that prefix.
    pub(super) prefixed: Vec<(Box<str>, usize)>,
    /// The field that takes every key which no other field has (`name = "*"`).
    pub(super) rest: Option<usize>,
    /// The field that takes the reply object as a whole.
    pub(super) whole: Option<usize>,
    /// The number of `extra_fields`.
    pub(super) extra: Option<u32>,
}

/// The mapping of one field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: Box<str>,
    pub(super) key: Box<str>,
    pub(super) kind: Kind,
    pub(super) shape: Shape,
    pub(super) list: ListFormat,
    pub(super) format: ValueFormat,
    pub(super) required: bool,
    /// For a map: the field of its values.
    pub(super) entry: Option<Box<Field>>,
}

/// Where a key of a reply belongs.
pub(super) enum Place<'k> {
    Field(usize),
    /// A map whose keys share a prefix, and the key without it.
    Entry(usize, &'k str),
    /// A field that takes several keys as one value, and the key without the prefix.
    Spread(usize, &'k str),
    Extra,
}

impl Table {
    pub(super) fn place<'k>(&self, key: &'k str) -> Place<'k> {
        if let Some(&index) = self.by_key.get(key) {
            return Place::Field(index);
        }
        let prefixed = self.prefixed.iter().find_map(|(prefix, index)| {
            let key = key.strip_prefix(&**prefix)?;
            self.fields[*index].takes(key).then_some((*index, key))
        });
        match (prefixed, self.rest) {
            (Some((index, key)), _) if self.fields[index].shape == Shape::Map => Place::Entry(index, key),
            (Some((index, key)), _) => Place::Spread(index, key),
            (None, Some(rest)) => Place::Spread(rest, key),
            (None, None) => Place::Extra,
        }
    }

    /// Whether a key of the field at `index` is read as such.
    pub(super) fn has_place(&self, index: usize, key: &str) -> bool {
        matches!(self.place(key), Place::Entry(at, _) | Place::Spread(at, _) if at == index)
    }
}

impl Field {
    /// What stands before its keys upstream, if it has several.
    pub(super) fn prefix(&self) -> Option<&str> {
        self.key.strip_suffix('*')
    }

    /// Whether its keys stand beside those of other fields.
    pub(super) fn is_spread(&self) -> bool {
        self.key.ends_with('*') || matches!(self.format, ValueFormat::Whole)
    }

    /// Whether a key without the prefix is one of its own.
    fn takes(&self, key: &str) -> bool {
        let is_list = self.shape == Shape::Many && matches!(self.list, ListFormat::Numbered(_));
        !is_list || (matches!(key.len(), 1..=18) && key.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// Whether the field takes values of any kind and shows what could not be read.
    pub(super) fn keeps_anything(&self) -> bool {
        matches!(self.kind, Kind::Struct | Kind::Element)
    }

    /// Whether a boolean among its values means one.
    pub(super) fn has_booleans(&self) -> bool {
        let kind = self.entry.as_ref().map_or(&self.kind, |entry| &entry.kind);
        matches!(kind, Kind::Bool | Kind::Struct | Kind::Element)
    }

    /// Whether bytes among its values mean bytes.
    pub(super) fn has_bytes(&self) -> bool {
        matches!(self.kind, Kind::Bytes | Kind::Struct | Kind::Element)
    }
}
