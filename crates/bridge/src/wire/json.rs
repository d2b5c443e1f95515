//! JSON texts <-> trees. Numbers keep their spelling, so that an amount is never rounded.

use bumpalo::{Bump, collections::Vec as BumpVec};
use jiter::{Jiter, JiterError, NumberInt, Peek};

use super::WireError;
use crate::node::{Entry, Node};

/// Levels of nesting that are read (dependencies.md A.4).
const MAX_DEPTH: usize = 128;

/// Reads one JSON value; anything but blanks after it is an error.
///
/// # Errors
/// [`WireError::Json`] with the place, never with the content.
pub fn parse<'t>(body: &'t [u8], arena: &'t Bump) -> Result<Node<'t>, WireError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).map_err(|_| WireError::Json("not UTF-8".into()))?;
    let mut reader = Jiter::new(body);
    let node = reader.peek().map_err(unreadable).and_then(|peek| value(&mut reader, peek, arena, MAX_DEPTH))?;
    reader.finish().map_err(unreadable)?;
    Ok(node)
}

fn value<'t>(reader: &mut Jiter<'t>, peek: Peek, arena: &'t Bump, depth: usize) -> Result<Node<'t>, WireError> {
    if depth == 0 {
        return Err(WireError::Json(format!("more than {MAX_DEPTH} levels")));
    }
    match peek {
        Peek::Null => reader.known_null().map(|()| Node::Null).map_err(unreadable),
        Peek::True | Peek::False => reader.known_bool(peek).map(Node::Bool).map_err(unreadable),
        Peek::String => reader.known_str().map(|text| Node::Text(arena.alloc_str(text))).map_err(unreadable),
        Peek::Array => array(reader, arena, depth),
        Peek::Object => object(reader, arena, depth),
        _ => number(reader, peek, arena),
    }
}

fn number<'t>(reader: &mut Jiter<'t>, peek: Peek, arena: &'t Bump) -> Result<Node<'t>, WireError> {
    let bytes = reader.known_number_bytes(peek).map_err(unreadable)?;
    let text = std::str::from_utf8(bytes).map_err(|_| WireError::Json("a number".into()))?;
    Ok(Node::Number(arena.alloc_str(text)))
}

fn array<'t>(reader: &mut Jiter<'t>, arena: &'t Bump, depth: usize) -> Result<Node<'t>, WireError> {
    let mut items = BumpVec::new_in(arena);
    let mut next = reader.known_array().map_err(unreadable)?;
    while let Some(peek) = next {
        items.push(value(reader, peek, arena, depth - 1)?);
        next = reader.array_step().map_err(unreadable)?;
    }
    Ok(Node::List(items.into_bump_slice()))
}

fn object<'t>(reader: &mut Jiter<'t>, arena: &'t Bump, depth: usize) -> Result<Node<'t>, WireError> {
    let mut entries: BumpVec<'t, Entry<'t>> = BumpVec::new_in(arena);
    let mut key = reader.known_object().map_err(unreadable)?.map(|key| &*arena.alloc_str(key));
    while let Some(name) = key {
        let peek = reader.peek().map_err(unreadable)?;
        entries.push((name, value(reader, peek, arena, depth - 1)?));
        key = reader.next_key().map_err(unreadable)?.map(|key| &*arena.alloc_str(key));
    }
    Ok(Node::Map(entries.into_bump_slice()))
}

fn unreadable(error: JiterError) -> WireError {
    WireError::Json(format!("malformed at byte {}", error.index))
}

/// Whether `text` is exactly one JSON number.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut reader = Jiter::new(text.as_bytes());
    reader.next_number_bytes().is_ok() && reader.finish().is_ok() || NumberInt::try_from(text.as_bytes()).is_ok()
}

/// Appends the JSON text of `node`.
pub fn write(node: Node<'_>, out: &mut String) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Text(text) => write_text(text, out),
        Node::Number(text) => out.push_str(text),
        Node::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
        Node::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                separate(at, out);
                write(*item, out);
            }
            out.push(']');
        }
        Node::Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                separate(at, out);
                write_text(key, out);
                out.push(':');
                write(*value, out);
            }
            out.push('}');
        }
    }
}

fn separate(at: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[clean..at]);
        clean = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
    }
    out.push_str(&text[clean..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(text: &str) -> String {
        let arena = Bump::new();
        let mut out = String::new();
        write(parse(text.as_bytes(), &arena).expect(text), &mut out);
        out
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let text = r#"{"a":477.3913,"b":549.0,"c":123456789012345678901234567890,"d":-0,"e":1E+2}"#;
        assert_eq!(round_trip(text), text);
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in ["", "{", "{}x", "[1,]", "{\"a\":}", "nan", "'a'", "\"\\ud800\"", "{\"a\" 1}", "01"] {
            assert!(parse(text.as_bytes(), &Bump::new()).is_err(), "{text}");
        }
        assert!(parse(b"\"\xff\"", &Bump::new()).is_err());
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(parse(deep.as_bytes(), &Bump::new()).is_err());
    }

    #[test]
    fn knows_a_number() {
        assert!(is_number("12.50") && is_number("-3") && is_number("0"));
        assert!(!is_number("") && !is_number("1,5") && !is_number("NaN") && !is_number("0x1") && !is_number("1 2"));
    }

    proptest! {
        #[test]
        fn any_text_survives(text in ".*") {
            let mut out = String::new();
            write(Node::Text(&text), &mut out);
            let oracle: String = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(&oracle, &text);
            let arena = Bump::new();
            prop_assert_eq!(parse(out.as_bytes(), &arena).unwrap(), Node::Text(&text));
        }
    }
}
