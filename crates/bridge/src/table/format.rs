//! How values and lists are written upstream, and which formats fit which fields.

use super::kind::{Kind, Shape};
use crate::binary::Alphabet;

/// The words that begin a value's format.
pub(super) const VALUES: [&str; 13] = [
    "text", "number", "boolean", "flag", "date", "datetime", "epoch", "base64", "parts", "whole", "json", "form", "xml",
];
/// The words that begin a list's format.
pub(super) const LISTS: [&str; 5] = ["plain", "joined", "array", "numbered", "keyed"];

/// How one value is written. The list is closed: what it cannot say is a quirk of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValueFormat {
    /// As text; numbers, booleans, bytes and records as the wire writes them.
    Text,
    /// A decimal text that is sent as a number where the wire has numbers.
    Number,
    /// A boolean in two spellings, yes first. Reading accepts the usual spellings besides.
    Boolean(Box<str>, Box<str>),
    /// Present as this word when true, absent when false.
    Flag(Box<str>),
    /// A date in the given order.
    Date(DateOrder),
    /// Seconds since 1970 as a number.
    Epoch,
    /// Bytes as a base64 text. Reading accepts both alphabets, line breaks, and texts without padding.
    Base64(Alphabet),
    /// A message's fields in order in one text, every place kept.
    Parts(Box<str>),
    /// The request or reply object as a whole.
    Whole,
    /// JSON inside a text.
    Json,
    /// A url-encoded form inside a text.
    Form,
    /// XML inside a text.
    Xml,
}

/// How the values of a list or of a map stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListFormat {
    /// As the wire writes lists and maps.
    Plain,
    /// Several values in one text, with a separator.
    Joined(Box<str>),
    /// Several values in one text as PostgreSQL writes an array: `{"a","b c"}`.
    Array,
    /// Values under whole numbers from this one on. In a map, any other key is refused, as it could be another argument's.
    Numbered(u32),
    /// A map upstream, a list here; the key goes into the named field.
    Keyed(Box<str>),
}

/// The order of a written date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateOrder {
    /// `2018-09-22`
    YearMonthDay,
    /// `09/22/2018`
    MonthDayYear,
    /// `22/09/2018`
    DayMonthYear,
}

/// The formats of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Formats {
    pub(super) list: ListFormat,
    pub(super) value: ValueFormat,
}

impl ValueFormat {
    /// Whether this is how a value of the kind can be written.
    fn fits(&self, kind: &Kind) -> bool {
        match self {
            Self::Text => !matches!(kind, Kind::Date),
            Self::Number => matches!(kind, Kind::Text),
            Self::Boolean(..) | Self::Flag(_) => matches!(kind, Kind::Bool),
            Self::Date(_) => matches!(kind, Kind::Date),
            Self::Epoch => matches!(kind, Kind::Timestamp),
            Self::Base64(_) => matches!(kind, Kind::Bytes),
            Self::Parts(_) | Self::Whole => matches!(kind, Kind::Message(_)),
            Self::Json | Self::Form => matches!(kind, Kind::Message(_) | Kind::Struct),
            Self::Xml => matches!(kind, Kind::Element),
        }
    }

    /// Whether a value of the kind becomes one text.
    pub(super) fn is_text(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Message(_) | Kind::Struct | Kind::Element | Kind::Bytes => !matches!(self, Self::Text | Self::Whole),
            _ => true,
        }
    }
}

impl Formats {
    /// The formats as they are meant for a field of this shape and kind.
    ///
    /// # Errors
    /// Why the field cannot be written or read like that.
    pub(super) fn check(&self, shape: Shape, kind: &Kind) -> Result<(), String> {
        let Self { list, value } = self;
        if !value.fits(kind) {
            return Err(format!("{value:?} does not fit the field's type"));
        }
        let is_list_fit = match list {
            ListFormat::Plain => true,
            ListFormat::Joined(_) | ListFormat::Array => shape == Shape::Many,
            ListFormat::Numbered(first) => shape == Shape::Many || (shape == Shape::Map && *first == 0),
            ListFormat::Keyed(_) => shape == Shape::Many && matches!(kind, Kind::Message(_)),
        };
        if !is_list_fit {
            return Err(format!("{list:?} does not fit the field's type"));
        }
        if shape == Shape::One { Ok(()) } else { self.check_items(shape, kind) }
    }

    /// Whether every value finds its place among others, and is the same when it is read.
    fn check_items(&self, shape: Shape, kind: &Kind) -> Result<(), String> {
        let Self { list, value } = self;
        let why = match (list, value) {
            (_, ValueFormat::Flag(_)) => "a flag that is off is not sent, so that its place would be lost",
            (_, ValueFormat::Boolean(yes, no)) if yes.is_empty() || (no.is_empty() && shape == Shape::Many) => {
                "an empty spelling reads as absent, so that its place would be lost"
            }
            (_, ValueFormat::Whole) => "only one record can be the whole",
            (ListFormat::Joined(_) | ListFormat::Array, value) if !value.is_text(kind) => {
                "the values are no texts, so that they cannot stand in one"
            }
            (ListFormat::Keyed(_), ValueFormat::Parts(_)) => "a text of parts has no place without its key",
            _ => return Ok(()),
        };
        Err(format!("{list:?} of {value:?}: {why}"))
    }
}

/// What a text of the vocabulary under `format` means: the format of a value, of a list, or of both (`joined SEP parts SEP`).
pub(super) struct Named {
    pub(super) list: Option<ListFormat>,
    pub(super) value: Option<ValueFormat>,
}

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((list, parts)) = text.strip_prefix("joined ").and_then(|rest| rest.split_once(" parts ")) {
            return Ok(Named {
                list: Some(ListFormat::Joined(filled(list)?)),
                value: Some(ValueFormat::Parts(filled(parts)?)),
            });
        }
        match text.parse() {
            Ok(list) => Ok(Named { list: Some(list), value: None }),
            Err(()) => Ok(Named { list: None, value: Some(text.parse()?) }),
        }
    }
}

impl std::str::FromStr for ListFormat {
    type Err = ();

    /// The first word names the format, the rest is its parameter.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, parameter) = text.split_once(' ').unwrap_or((text, ""));
        match (word, parameter) {
            ("plain", "") => Ok(Self::Plain),
            ("array", "") => Ok(Self::Array),
            ("numbered", "") => Ok(Self::Numbered(0)),
            ("numbered", first) => first.parse().map(Self::Numbered).map_err(|_| ()),
            ("keyed", field) if !field.is_empty() => Ok(Self::Keyed(field.into())),
            ("joined", separator) if !separator.is_empty() => Ok(Self::Joined(separator.into())),
            _ => Err(()),
        }
    }
}

impl std::str::FromStr for ValueFormat {
    type Err = String;

    /// The first word names the format, the rest is its parameter.
    fn from_str(text: &str) -> Result<Self, String> {
        let (word, parameter) = text.split_once(' ').unwrap_or((text, ""));
        match (word, parameter) {
            ("text" | "datetime", "") => Ok(Self::Text),
            ("number", "") => Ok(Self::Number),
            ("flag", "") => Ok(Self::Flag("1".into())),
            ("flag", word) => Ok(Self::Flag(word.into())),
            ("epoch", "") => Ok(Self::Epoch),
            ("whole", "") => Ok(Self::Whole),
            ("json", "") => Ok(Self::Json),
            ("form", "") => Ok(Self::Form),
            ("xml", "") => Ok(Self::Xml),
            ("base64", "") => Ok(Self::Base64(Alphabet::Standard)),
            ("base64", "url") => Ok(Self::Base64(Alphabet::Url)),
            ("boolean", spellings) => boolean(spellings),
            ("date", order) => date_order(order).map(Self::Date),
            ("parts", separator) if !separator.is_empty() => Ok(Self::Parts(separator.into())),
            _ => Err(format!("{text:?} is not a format: {}, {}", VALUES.join(", "), LISTS.join(", "))),
        }
    }
}

fn filled(separator: &str) -> Result<Box<str>, String> {
    if separator.is_empty() { Err("an empty separator separates nothing".into()) } else { Ok(separator.into()) }
}

fn boolean(spellings: &str) -> Result<ValueFormat, String> {
    match spellings.split_once('/') {
        Some((yes, no)) if yes != no => Ok(ValueFormat::Boolean(yes.into(), no.into())),
        _ => Err(format!("boolean {spellings:?} is not YES/NO")),
    }
}

fn date_order(order: &str) -> Result<DateOrder, String> {
    match order {
        "YYYY-MM-DD" => Ok(DateOrder::YearMonthDay),
        "MM/DD/YYYY" => Ok(DateOrder::MonthDayYear),
        "DD/MM/YYYY" => Ok(DateOrder::DayMonthYear),
        _ => Err(format!("date {order:?} is not YYYY-MM-DD, MM/DD/YYYY or DD/MM/YYYY")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Option<ListFormat> {
        text.parse::<Named>().ok()?.list
    }

    fn value(text: &str) -> Option<ValueFormat> {
        text.parse::<Named>().ok()?.value
    }

    #[test]
    fn reads_formats() {
        assert_eq!(value("boolean t/f"), Some(ValueFormat::Boolean("t".into(), "f".into())));
        assert_eq!(value("date MM/DD/YYYY"), Some(ValueFormat::Date(DateOrder::MonthDayYear)));
        assert_eq!(
            (value("flag"), value("flag ON")),
            (Some(ValueFormat::Flag("1".into())), Some(ValueFormat::Flag("ON".into())))
        );
        let text = "joined /// parts :::";
        assert_eq!(
            (list(text), value(text)),
            (Some(ListFormat::Joined("///".into())), Some(ValueFormat::Parts(":::".into())))
        );
        assert_eq!((list("array"), list("numbered")), (Some(ListFormat::Array), Some(ListFormat::Numbered(0))));
        assert_eq!((list("numbered 1"), value("array")), (Some(ListFormat::Numbered(1)), None));
        for bad in [
            "",
            "txt",
            "boolean yes",
            "boolean y/y",
            "date DD-MM",
            "parts ",
            "text x",
            "joined ",
            "numbered x",
            "base64 x",
        ] {
            assert!(bad.parse::<Named>().is_err(), "{bad:?}");
        }
    }
}
