//! What a vocabulary asks for and cannot have is refused before anything is sent.

use prost_reflect::DescriptorPool;

use super::{
    error::TableError,
    field::{Field, Kind, Shape, Table},
    format::{Formats, ListFormat, ValueFormat},
    vocabulary::{Direction, Sections},
};

/// A word that names nothing is a typing error that would be found in production.
pub(super) fn names(pool: &DescriptorPool, package: &str, sections: &Sections) -> Result<(), TableError> {
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

/// Whether one field can be written and read by its formats.
pub(super) fn field(
    key: &str,
    shape: Shape,
    kind: &Kind,
    formats: &Formats,
    direction: Direction,
) -> Result<(), String> {
    formats.check(shape, kind)?;
    if direction == Direction::Request && matches!(kind, Kind::Element) {
        return Err("an Element can be read and not be sent".into());
    }
    let is_spread = matches!(formats.list, ListFormat::Numbered(_) | ListFormat::Keyed(_));
    match (key.strip_suffix('*'), shape) {
        (Some(_), Shape::Many) if !is_spread => {
            Err(format!("{key:?} names the keys of several values: the list must be numbered or keyed"))
        }
        (Some(prefix), Shape::One) if !prefix.is_empty() || !matches!(kind, Kind::Struct | Kind::Element) => {
            Err(format!("{key:?} names the keys of several values, and the field has one"))
        }
        _ => Ok(()),
    }
}

/// Whether the records that stand in texts, or under a key of their own, have fields that can.
pub(super) fn records<'n>(tables: &[Table], name: impl Fn(usize) -> &'n String) -> Result<(), TableError> {
    for (index, field) in
        tables.iter().enumerate().flat_map(|(index, table)| table.fields.iter().map(move |f| (index, f)))
    {
        let Kind::Message(target) = field.kind else { continue };
        let refusal = match (&field.list, &field.format) {
            (_, ValueFormat::Parts(_)) => {
                let unfit = tables[target].fields.iter().find(|part| !part.is_text());
                unfit.map(|part| format!("{} is no text, so that it cannot be a part of one", part.name))
            }
            (ListFormat::Keyed(key), _) => {
                let unfit = tables[target].fields.iter().find(|part| part.name == *key && !part.is_key());
                unfit.map(|part| format!("{} is no single value, so that it cannot be a key", part.name))
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            return Err(TableError(format!("{}.{}: {refusal}", name(index), field.name)));
        }
    }
    Ok(())
}

impl Field {
    /// Whether the field becomes one text.
    fn is_text(&self) -> bool {
        match self.shape {
            Shape::One => self.format.is_text(&self.kind),
            Shape::Many => matches!(self.list, ListFormat::Joined(_) | ListFormat::Array),
            Shape::Map => false,
        }
    }

    fn is_key(&self) -> bool {
        let is_record = matches!(self.kind, Kind::Message(_) | Kind::Struct | Kind::Element);
        self.shape == Shape::One && !is_record && !matches!(self.format, ValueFormat::Flag(_)) && self.is_text()
    }
}
