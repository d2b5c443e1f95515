//! Builds tables from descriptors and a vocabulary.

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor,
    MethodDescriptor, Value,
};
use rustc_hash::FxHashMap;

use super::{
    check,
    error::TableError,
    field::{EnumTable, Field, Kind, Shape, Table, Tables, TextRule, without_package},
    format::{DateOrder, Formats, ListFormat, Named, ValueFormat},
    probe,
    vocabulary::{Direction, FullRule, Sections, Vocabulary},
};
use crate::binary::Alphabet;

/// The field behind which a reply keeps what the contract does not know.
const EXTRA_FIELDS: &str = "extra_fields";
/// The number of `REQUIRED` in `google.api.FieldBehavior`.
const REQUIRED: i32 = 2;

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
        tables(&pool, package, vocabulary, dialect, text)
    }
}

fn tables(
    pool: &DescriptorPool,
    package: &str,
    vocabulary: &Vocabulary,
    dialect: Option<&str>,
    text: TextRule,
) -> Result<Tables, TableError> {
    let sections = vocabulary.sections(dialect);
    for section in &sections {
        check::names(pool, package, section)?;
    }
    let mut builder = Builder { pool, package, sections, text, tables: Vec::new(), done: FxHashMap::default() };
    let mut requests = FxHashMap::default();
    let mut replies = FxHashMap::default();
    let methods = methods(pool, package);
    for (input, output) in methods.iter().map(|method| (method.input(), method.output())) {
        requests.insert(builder.short(&input), builder.message(&input, Direction::Request)?);
        replies.insert(builder.short(&output), builder.message(&output, Direction::Reply)?);
    }
    let false_is_absent = builder.sections.iter().any(|section| section.false_is_absent());
    let names: FxHashMap<_, _> = builder.done.iter().map(|((name, _), index)| (*index, name.clone())).collect();
    let tables: Vec<Table> =
        builder.tables.into_iter().map(|table| table.expect("every table that was begun was finished")).collect();
    check::records(&tables, |index| &names[&index])?;
    let probes = match pool.get_extension_by_name(probe::OPTION) {
        Some(option) => probe::all(&methods, &option)?,
        None => FxHashMap::default(),
    };
    Ok(Tables { package: package.into(), tables, requests, replies, probes, text, false_is_absent })
}

fn methods(pool: &DescriptorPool, package: &str) -> Vec<MethodDescriptor> {
    let ours = pool.services().filter(|service| service.package_name() == package);
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

struct Builder<'b> {
    pool: &'b DescriptorPool,
    package: &'b str,
    sections: Vec<&'b Sections>,
    text: TextRule,
    tables: Vec<Option<Table>>,
    done: FxHashMap<(String, Direction), usize>,
}

impl Builder<'_> {
    fn short(&self, message: &MessageDescriptor) -> String {
        without_package(message.full_name(), self.package).to_owned()
    }

    /// Builds the table of a message, or finds it; its place is taken first, because messages may
    /// contain themselves.
    fn message(&mut self, message: &MessageDescriptor, direction: Direction) -> Result<usize, TableError> {
        let key = (message.full_name().to_owned(), direction);
        if let Some(index) = self.done.get(&key) {
            return Ok(*index);
        }
        let index = self.tables.len();
        self.tables.push(None);
        self.done.insert(key, index);
        let short = self.short(message);
        let mut fields = Vec::new();
        let mut extra = None;
        for field in message.fields() {
            if field.name() == EXTRA_FIELDS {
                extra = Some(field.number());
            } else {
                fields.push(self.field(&short, &field, direction)?);
            }
        }
        self.tables[index] = Some(table(fields, extra));
        Ok(index)
    }

    fn field(&mut self, message: &str, field: &FieldDescriptor, direction: Direction) -> Result<Field, TableError> {
        let word = self.word(message, field.name(), direction);
        let named = |error: String| TableError(format!("{message}.{}: {error}", field.name()));
        let (shape, kind) = self.kind(field, direction)?;
        let Formats { list, value } = self.formats(&word, shape, &kind).map_err(named)?;
        let key: Box<str> = word.name.as_deref().unwrap_or(field.name()).into();
        check::field(&key, shape, &kind, &Formats { list: list.clone(), value: value.clone() }, direction)
            .map_err(named)?;
        if let (ListFormat::Keyed(key), ProtoKind::Message(item)) = (&list, field.kind())
            && item.get_field_by_name(key).is_none()
        {
            return Err(named(format!("{} has no field {key}", item.name())));
        }
        let entry = match field.kind() {
            ProtoKind::Message(entry) if shape == Shape::Map => {
                if !matches!(entry.map_entry_key_field().kind(), ProtoKind::String) {
                    return Err(named("the keys of a map must be texts".into()));
                }
                let (_, kind) = self.kind(&entry.map_entry_value_field(), direction)?;
                Some(Box::new(map_value(field.name(), key.clone(), kind, &list, value.clone())))
            }
            _ => None,
        };
        let behaves = direction == Direction::Request && self.is_required(field);
        Ok(Field {
            number: field.number(),
            name: field.name().into(),
            key,
            kind,
            shape,
            list,
            format: value,
            required: word.required.unwrap_or(behaves),
            entry,
        })
    }

    /// The formats that the vocabulary names; a word for a list may stand under `format`, and then says nothing of its values.
    fn formats(&self, word: &FullRule, shape: Shape, kind: &Kind) -> Result<Formats, String> {
        let read = |text: &Option<String>| text.as_deref().map(str::parse::<Named>).transpose();
        let (format, list) = (read(&word.format)?, read(&word.list)?);
        if list.as_ref().is_some_and(|named| named.list.is_none()) {
            return Err(format!("list = {:?} is no list's format", word.list.as_deref().unwrap_or("")));
        }
        let (mut lists, mut values) = (Vec::new(), Vec::new());
        for named in [format, list].into_iter().flatten() {
            lists.extend(named.list);
            values.extend(named.value);
        }
        if lists.len() > 1 || values.len() > 1 {
            return Err("list and format both say how a list is written".into());
        }
        let value = values.pop().map_or_else(|| self.default_format(kind), Ok)?;
        if matches!((kind, &value), (Kind::Bytes, ValueFormat::Text)) && self.text == TextRule::Any {
            return Err("JSON and forms have no bytes of their own: the format must be base64".into());
        }
        let list = lists.pop();
        if list.is_none() && shape == Shape::Many && matches!(value, ValueFormat::Parts(_)) {
            return Err(
                "list must say whether several texts of parts stand in a list (plain) or in one text (joined SEP)"
                    .into(),
            );
        }
        Ok(Formats { list: list.unwrap_or(ListFormat::Plain), value })
    }

    /// What the vocabulary says of a field: each property from the narrowest section that has it.
    fn word(&self, message: &str, field: &str, direction: Direction) -> FullRule {
        let mut merged = FullRule::default();
        for word in self.sections.iter().flat_map(|section| section.words(message, field, direction)) {
            merged.name = merged.name.or(word.name);
            merged.format = merged.format.or(word.format);
            merged.list = merged.list.or(word.list);
            merged.required = merged.required.or(word.required);
        }
        merged
    }

    /// How a value is written of which the vocabulary says nothing. JSON and forms have no bytes of their own.
    fn default_format(&self, kind: &Kind) -> Result<ValueFormat, String> {
        let default = |boolean| self.sections.iter().find_map(|section| section.default_format(boolean));
        match kind {
            Kind::Bool => default(true).map_or(Ok(ValueFormat::Text), str::parse),
            Kind::Date => default(false).map_or(Ok(ValueFormat::Date(DateOrder::YearMonthDay)), str::parse),
            Kind::Bytes if self.text == TextRule::Any => Ok(ValueFormat::Base64(Alphabet::Standard)),
            _ => Ok(ValueFormat::Text),
        }
    }

    fn kind(&mut self, field: &FieldDescriptor, direction: Direction) -> Result<(Shape, Kind), TableError> {
        if field.is_map() {
            let ProtoKind::Message(entry) = field.kind() else {
                return Err(TableError("a map without entries".into()));
            };
            return Ok((Shape::Map, self.single(&entry.map_entry_value_field(), direction)?));
        }
        let shape = if field.cardinality() == Cardinality::Repeated { Shape::Many } else { Shape::One };
        Ok((shape, self.single(field, direction)?))
    }

    fn single(&mut self, field: &FieldDescriptor, direction: Direction) -> Result<Kind, TableError> {
        Ok(match field.kind() {
            ProtoKind::String => Kind::Text,
            ProtoKind::Bytes => Kind::Bytes,
            ProtoKind::Bool => Kind::Bool,
            ProtoKind::Int32 => Kind::Integer { signed: true, bits: 32 },
            ProtoKind::Int64 => Kind::Integer { signed: true, bits: 64 },
            ProtoKind::Uint32 => Kind::Integer { signed: false, bits: 32 },
            ProtoKind::Uint64 => Kind::Integer { signed: false, bits: 64 },
            ProtoKind::Float => Kind::Float,
            ProtoKind::Double => Kind::Double,
            ProtoKind::Enum(descriptor) => Kind::Enum(self.spellings(&descriptor)),
            ProtoKind::Message(message) => match message.full_name() {
                "google.type.Date" => Kind::Date,
                "google.type.DateTime" => Kind::DateTime,
                "google.protobuf.Timestamp" => Kind::Timestamp,
                "google.protobuf.Struct" => Kind::Struct,
                "ispbridge.type.v1.Element" => Kind::Element,
                _ => Kind::Message(self.message(&message, direction)?),
            },
            other => {
                return Err(TableError(format!("{}: {other:?} is not a kind that contracts use", field.full_name())));
            }
        })
    }

    fn spellings(&self, descriptor: &EnumDescriptor) -> EnumTable {
        let short = descriptor.full_name().strip_prefix(self.package).unwrap_or("").trim_start_matches('.');
        let prefix = descriptor.values().next().map_or(String::new(), |zero| zero.name().replace("UNSPECIFIED", ""));
        let spelling = |name: &str| {
            let word = self.sections.iter().find_map(|section| section.enums.get(short)?.get(name));
            word.cloned().unwrap_or_else(|| name.strip_prefix(&prefix).unwrap_or(name).to_lowercase())
        };
        let values = descriptor.values().filter(|value| value.number() != 0);
        EnumTable { values: values.map(|value| (value.number(), spelling(value.name()).into())).collect() }
    }

    fn is_required(&self, field: &FieldDescriptor) -> bool {
        let Some(extension) = self.pool.get_extension_by_name("google.api.field_behavior") else { return false };
        let options = field.options();
        let Value::List(behaviors) = &*options.get_extension(&extension) else { return false };
        behaviors.iter().any(|behavior| behavior.as_enum_number() == Some(REQUIRED))
    }
}

/// The second field of a map's entries.
fn map_value(name: &str, key: Box<str>, kind: Kind, list: &ListFormat, format: ValueFormat) -> Field {
    let (shape, list) = (Shape::One, list.clone());
    Field { number: 2, name: name.into(), key, kind, shape, list, format, required: false, entry: None }
}

fn table(fields: Vec<Field>, extra: Option<u32>) -> Table {
    let mut table = Table {
        by_number: fields.iter().enumerate().map(|(index, field)| (field.number, index)).collect(),
        by_key: FxHashMap::default(),
        prefixed: Vec::new(),
        rest: None,
        whole: None,
        extra,
        fields: Vec::new(),
    };
    for (index, field) in fields.iter().enumerate() {
        match (&*field.key, &field.format) {
            (_, ValueFormat::Whole) => table.whole = Some(index),
            ("*", _) => table.rest = Some(index),
            (key, _) => match key.strip_suffix('*') {
                Some(prefix) => table.prefixed.push((prefix.into(), index)),
                None => drop(table.by_key.insert(key.into(), index)),
            },
        }
    }
    table.fields = fields;
    table
}
