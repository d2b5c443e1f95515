//! Builds tables from descriptors and a vocabulary.

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor,
    MethodDescriptor, Value,
};
use rustc_hash::FxHashMap;

use super::{
    DateOrder, EnumTable, Field, Format, Kind, Shape, Table, Tables, TextRule, probe,
    vocabulary::{Direction, FullRule, Sections, Vocabulary},
};

/// Why tables cannot be built; the text names the section and the field, or the RPC.
#[derive(Debug, thiserror::Error)]
#[error("vocabulary: {0}")]
pub struct TableError(pub(super) String);

/// The field behind which a reply keeps what the contract does not know.
const EXTRA_FIELDS: &str = "extra_fields";
/// The number of `REQUIRED` in `google.api.FieldBehavior`.
const REQUIRED: i32 = 2;

pub(super) fn tables(
    pool: &DescriptorPool,
    package: &str,
    vocabulary: &Vocabulary,
    dialect: Option<&str>,
    text: TextRule,
) -> Result<Tables, TableError> {
    let sections = vocabulary.sections(dialect);
    for section in &sections {
        check_names(pool, package, section)?;
    }
    let mut builder = Builder { pool, package, sections, tables: Vec::new(), done: FxHashMap::default() };
    let mut requests = FxHashMap::default();
    let mut replies = FxHashMap::default();
    let methods = methods(pool, package);
    for (input, output) in methods.iter().map(|method| (method.input(), method.output())) {
        requests.insert(builder.short(&input), builder.message(&input, Direction::Request)?);
        replies.insert(builder.short(&output), builder.message(&output, Direction::Reply)?);
    }
    let tables =
        builder.tables.into_iter().map(|table| table.expect("every table that was begun was finished")).collect();
    let probes = match pool.get_extension_by_name(probe::OPTION) {
        Some(option) => probe::all(&methods, &option)?,
        None => FxHashMap::default(),
    };
    Ok(Tables { tables, requests, replies, probes, text })
}

fn methods(pool: &DescriptorPool, package: &str) -> Vec<MethodDescriptor> {
    let ours = pool.services().filter(|service| service.package_name() == package);
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// A word that names nothing is a typing error that would be found in production.
fn check_names(pool: &DescriptorPool, package: &str, sections: &Sections) -> Result<(), TableError> {
    for (message, fields) in sections.messages() {
        let descriptor = pool
            .get_message_by_name(&format!("{package}.{message}"))
            .ok_or_else(|| TableError(format!("{message} is not a message of {package}")))?;
        if let Some(unknown) = fields.keys().find(|field| descriptor.get_field_by_name(field).is_none()) {
            return Err(TableError(format!("{message} has no field {unknown}")));
        }
    }
    let ours = || pool.all_messages().filter(|message| message.package_name() == package);
    if let Some(unused) =
        sections.names.keys().find(|name| !ours().any(|message| message.get_field_by_name(name).is_some()))
    {
        return Err(TableError(format!("names: no message of {package} has a field {unused}")));
    }
    for (name, values) in &sections.enums {
        let descriptor = pool
            .get_enum_by_name(&format!("{package}.{name}"))
            .ok_or_else(|| TableError(format!("{name} is not an enum of {package}")))?;
        if let Some(unknown) = values.keys().find(|value| descriptor.get_value_by_name(value).is_none()) {
            return Err(TableError(format!("{name} has no value {unknown}")));
        }
    }
    Ok(())
}

struct Builder<'b> {
    pool: &'b DescriptorPool,
    package: &'b str,
    sections: Vec<&'b Sections>,
    tables: Vec<Option<Table>>,
    done: FxHashMap<(String, Direction), usize>,
}

impl Builder<'_> {
    fn short(&self, message: &MessageDescriptor) -> String {
        let name = message.full_name();
        name.strip_prefix(self.package).map_or(name, |rest| rest.trim_start_matches('.')).to_owned()
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
        let format = match &word.format {
            Some(text) => text.parse().map_err(named)?,
            None => self.default_format(&kind).map_err(named)?,
        };
        check_format(&format, shape, &kind).map_err(named)?;
        if let (Format::Keyed(key), ProtoKind::Message(item)) = (&format, field.kind())
            && item.get_field_by_name(key).is_none()
        {
            return Err(named(format!("{} has no field {key}", item.name())));
        }
        let key: Box<str> = word.name.as_deref().unwrap_or(field.name()).into();
        let entry = match field.kind() {
            ProtoKind::Message(entry) if shape == Shape::Map => {
                let (_, kind) = self.kind(&entry.map_entry_value_field(), direction)?;
                Some(Box::new(map_value(field.name(), key.clone(), kind, format.clone())))
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
            format,
            required: word.required.unwrap_or(behaves),
            entry,
        })
    }

    /// What the vocabulary says of a field: each property from the narrowest section that has it.
    fn word(&self, message: &str, field: &str, direction: Direction) -> FullRule {
        let mut merged = FullRule::default();
        for word in self.sections.iter().flat_map(|section| section.words(message, field, direction)) {
            merged.name = merged.name.or(word.name);
            merged.format = merged.format.or(word.format);
            merged.required = merged.required.or(word.required);
        }
        merged
    }

    fn default_format(&self, kind: &Kind) -> Result<Format, String> {
        let default = |boolean| self.sections.iter().find_map(|section| section.default_format(boolean));
        match kind {
            Kind::Bool => default(true).map_or(Ok(Format::Text), str::parse),
            Kind::Date => default(false).map_or(Ok(Format::Date(DateOrder::YearMonthDay)), str::parse),
            _ => Ok(Format::Text),
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
fn map_value(name: &str, key: Box<str>, kind: Kind, format: Format) -> Field {
    Field { number: 2, name: name.into(), key, kind, shape: Shape::One, format, required: false, entry: None }
}

fn check_format(format: &Format, shape: Shape, kind: &Kind) -> Result<(), String> {
    let fits = match format {
        Format::Text => true,
        Format::Number => matches!(kind, Kind::Text),
        Format::Boolean(..) | Format::Flag => matches!(kind, Kind::Bool),
        Format::Date(_) => matches!(kind, Kind::Date),
        Format::Epoch => matches!(kind, Kind::Timestamp),
        Format::Joined { parts: None, .. } => shape == Shape::Many && !matches!(kind, Kind::Message(_)),
        Format::Joined { parts: Some(_), .. } | Format::Keyed(_) => {
            shape == Shape::Many && matches!(kind, Kind::Message(_))
        }
        Format::Array => shape == Shape::Many && !matches!(kind, Kind::Message(_) | Kind::Element | Kind::Struct),
        Format::Numbered => shape == Shape::Map,
        Format::Parts(_) | Format::Whole => shape == Shape::One && matches!(kind, Kind::Message(_)),
        Format::Json => shape == Shape::One && matches!(kind, Kind::Struct | Kind::Message(_)),
        Format::Xml => shape == Shape::One && matches!(kind, Kind::Element),
    };
    if fits { Ok(()) } else { Err(format!("{format:?} does not fit the field's type")) }
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
            (_, Format::Whole) => table.whole = Some(index),
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
