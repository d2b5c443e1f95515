//! Single values of a reply -> fields of a message.

use super::{
    calendar,
    field::{EnumTable, Field, Kind},
    format::ValueFormat,
    protobuf::{put_bytes, put_double, put_float, put_uint},
};
use crate::{binary, node::Node};

type Out = Vec<u8>;

/// Puts one value, or says what is wrong with it.
pub(super) fn put_scalar(field: &Field, node: Node<'_>, out: &mut Out) -> Result<(), &'static str> {
    let number = field.number;
    if let (Node::Bytes(bytes), Kind::Bytes) = (node, &field.kind) {
        put_bytes(out, number, bytes);
        return Ok(());
    }
    let text = node.scalar().ok_or("is not a single value")?;
    match &field.kind {
        Kind::Text => put_bytes(out, number, text.as_bytes()),
        Kind::Bytes if field.format == ValueFormat::Text => put_bytes(out, number, text.as_bytes()),
        Kind::Bytes => put_bytes(out, number, &binary::decode(text).ok_or("is not base64")?),
        Kind::Bool => put_uint(
            out,
            number,
            read_boolean(text, &field.format).ok_or("is not a known spelling of a boolean")?.into(),
        ),
        Kind::Integer { signed, bits } => {
            put_uint(out, number, read_integer(text, *signed, *bits).ok_or("is not a whole number in range")?)
        }
        Kind::Double => put_double(out, number, text.trim().parse().map_err(|_| "is not a number")?),
        Kind::Float => put_float(out, number, text.trim().parse().map_err(|_| "is not a number")?),
        Kind::Enum(values) => put_uint(out, number, read_enum(text, values).ok_or("is not a known value")?),
        Kind::Date if calendar::is_no_date(text) => {}
        Kind::Date => {
            let ValueFormat::Date(order) = field.format else { return Err("has no date order") };
            calendar::put_date(number, calendar::read_date(text.trim(), order).ok_or("is not a date")?, out);
        }
        Kind::DateTime | Kind::Timestamp if calendar::is_no_date(text) => {}
        Kind::DateTime => {
            calendar::read_moment(text.trim()).ok_or("is not a date and time")?.put_date_time(number, out)
        }
        Kind::Timestamp => put_timestamp(field, text.trim(), out)?,
        Kind::Message(_) | Kind::Struct | Kind::Element => return Err("is not a single value"),
    }
    Ok(())
}

fn put_timestamp(field: &Field, text: &str, out: &mut Out) -> Result<(), &'static str> {
    if field.format == ValueFormat::Epoch {
        let seconds = text.parse().map_err(|_| "is not a number of seconds")?;
        calendar::put_timestamp(field.number, seconds, 0, out);
        return Ok(());
    }
    let moment = calendar::read_moment(text).ok_or("is not a date and time")?;
    if moment.put_timestamp(field.number, out) { Ok(()) } else { Err("has no offset from UTC") }
}

fn read_boolean(text: &str, format: &ValueFormat) -> Option<bool> {
    match format {
        ValueFormat::Boolean(yes, _) | ValueFormat::Flag(yes) if *text == **yes => return Some(true),
        ValueFormat::Boolean(_, no) if *text == **no => return Some(false),
        _ => {}
    }
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Some(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Reads a whole number, also one written as `15.0`.
fn read_integer(text: &str, signed: bool, bits: u8) -> Option<u64> {
    let text = text.trim();
    let whole = text
        .split_once('.')
        .map_or(Some(text), |(whole, zeros)| zeros.bytes().all(|byte| byte == b'0').then_some(whole))?;
    if !signed {
        let value: u64 = whole.parse().ok()?;
        return (bits == 64 || value <= u64::from(u32::MAX)).then_some(value);
    }
    let value: i64 = whole.parse().ok()?;
    (bits == 64 || i32::try_from(value).is_ok()).then_some(value as u64)
}

fn read_enum(text: &str, values: &EnumTable) -> Option<u64> {
    values.values.iter().find(|(_, spelling)| spelling.eq_ignore_ascii_case(text)).map(|(number, _)| *number as u64)
}
