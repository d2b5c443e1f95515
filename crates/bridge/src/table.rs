//! Mapping tables: what each field of a message is called and how it is written upstream.
//!
//! A table is built when a service starts from two texts that people read: the contract's descriptors
//! and the provider's `vocabulary.toml`. One interpreter walks messages and trees by it, both ways, so
//! that field mapping is nobody's code.

mod array;
mod build;
mod calendar;
mod decode;
mod encode;
mod probe;
mod protobuf;
mod scalar;
mod structure;
mod vocabulary;

use std::sync::Arc;

use prost::Name;
use prost_reflect::DescriptorPool;
use rustc_hash::FxHashMap;

pub use build::TableError;
pub use decode::Decoded;
pub use vocabulary::Vocabulary;

/// All tables of one provider and dialect.
#[derive(Debug)]
pub struct Tables {
    tables: Vec<Table>,
    requests: FxHashMap<String, usize>,
    replies: FxHashMap<String, usize>,
    /// The probes of writes, by the names of their requests.
    probes: FxHashMap<String, Arc<str>>,
    text: TextRule,
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
struct Table {
    fields: Vec<Field>,
    by_number: FxHashMap<u32, usize>,
    by_key: FxHashMap<Box<str>, usize>,
    /// Map fields whose upstream keys share a prefix, with that prefix.
    prefixed: Vec<(Box<str>, usize)>,
    /// The field that takes every key which no other field has (`name = "*"`).
    rest: Option<usize>,
    /// The field that takes the reply object as a whole.
    whole: Option<usize>,
    /// The number of `extra_fields`.
    extra: Option<u32>,
}

/// The mapping of one field.
#[derive(Debug)]
struct Field {
    number: u32,
    name: Box<str>,
    key: Box<str>,
    kind: Kind,
    shape: Shape,
    format: Format,
    required: bool,
    /// For a map: the field of its values.
    entry: Option<Box<Field>>,
}

/// How often a field's value comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    One,
    Many,
    /// A protobuf map with text keys; kind and format are those of its values.
    Map,
}

/// What a value is in the contract.
#[derive(Debug)]
enum Kind {
    Text,
    Bytes,
    Bool,
    /// Any integer that is a plain varint: int32, int64, uint32, uint64.
    Integer {
        signed: bool,
        bits: u8,
    },
    Float,
    Double,
    Enum(EnumTable),
    /// A message of the contract, by the number of its table.
    Message(usize),
    Date,
    DateTime,
    Timestamp,
    Struct,
    Element,
}

/// The spellings of an enum's values; the zero value means absent and has none.
#[derive(Debug)]
struct EnumTable {
    values: Vec<(i32, Box<str>)>,
}

/// How a value is written upstream. The list is closed: what it cannot say is a quirk of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Format {
    /// As text; numbers and booleans as the wire writes them.
    Text,
    /// A decimal text that is sent as a number where the wire has numbers.
    Number,
    /// A boolean in two spellings, yes first. Reading accepts the usual spellings besides.
    Boolean(Box<str>, Box<str>),
    /// Present as `1` when true, absent when false.
    Flag,
    /// A date in the given order.
    Date(DateOrder),
    /// Seconds since 1970 as a number.
    Epoch,
    /// Several values in one text.
    Joined { separator: Box<str>, parts: Option<Box<str>> },
    /// Several values in one text as PostgreSQL writes an array: `{"a","b c"}`.
    Array,
    /// A map whose keys are whole numbers; any other key is refused, as it could be another argument's.
    Numbered,
    /// A message's fields in order in one text, every place kept.
    Parts(Box<str>),
    /// A map upstream, a list here; the key goes into the named field.
    Keyed(Box<str>),
    /// The reply object as a whole.
    Whole,
    /// JSON inside a text.
    Json,
    /// XML inside a text.
    Xml,
}

/// The order of a written date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DateOrder {
    /// `2018-09-22`
    YearMonthDay,
    /// `09/22/2018`
    MonthDayYear,
    /// `22/09/2018`
    DayMonthYear,
}

impl Tables {
    /// Builds the tables of every message in `package`.
    ///
    /// `descriptors` is an encoded `FileDescriptorSet` that keeps custom options; `dialect` chooses
    /// among the vocabulary's `[dialect.NAME]` sections.
    ///
    /// # Errors
    /// [`TableError`] when the vocabulary names what the contract lacks, a format does not fit, or a probe is no read.
    pub fn build(
        descriptors: &[u8],
        package: &str,
        vocabulary: &Vocabulary,
        dialect: Option<&str>,
        text: TextRule,
    ) -> Result<Self, TableError> {
        let pool = DescriptorPool::decode(descriptors).map_err(|error| TableError(error.to_string()))?;
        build::tables(&pool, package, vocabulary, dialect, text)
    }

    /// The RPC that tells whether the write with this request took effect, where the contract names one.
    #[must_use]
    pub fn probe<Q: Name>(&self) -> Option<Arc<str>> {
        self.probes.get(Q::NAME).cloned()
    }
}

/// Where a value stands in a message; becomes text only when there is a problem to report.
#[derive(Clone, Copy)]
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    name: &'p str,
    index: Option<usize>,
}

impl<'p> Path<'p> {
    const ROOT: Path<'static> = Path { parent: None, name: "", index: None };

    fn field(&'p self, name: &'p str) -> Path<'p> {
        Path { parent: Some(self), name, index: None }
    }

    fn item(&'p self, name: &'p str, index: usize) -> Path<'p> {
        Path { parent: Some(self), name, index: Some(index) }
    }

    fn render(&self) -> String {
        let mut text = self.parent.map_or_else(String::new, Path::render);
        if !text.is_empty() {
            text.push('.');
        }
        // The root has no name either, and nothing is said of it.
        text.push_str(if self.name.is_empty() && self.parent.is_some() { "\"\"" } else { self.name });
        if let Some(index) = self.index {
            text.push_str(&format!("[{index}]"));
        }
        text
    }
}
