//! JSON texts <-> trees. Numbers keep their spelling, so that an amount is never rounded.

use std::borrow::Cow;

use bumpalo::Bump;
use http::header;
use jiter::{Jiter, JiterError, Peek};
use memchr::{memchr, memmem};

use super::{LastOfEach, WireError, text_node};
use crate::{
    binary::{self, Alphabet},
    http::HttpReply,
    node::{Entry, Node},
    xml::charset,
};

/// Levels of nesting that are read (dependencies.md A.4).
const MAX_DEPTH: usize = 128;

impl HttpReply {
    /// The body as JSON, which is UTF-8 whatever its header says (RFC 8259, 8.1); only what is not is read by the charset
    /// that the header names.
    ///
    /// # Errors
    /// [`WireError`] when the body is not JSON.
    pub fn json<'t>(&'t self, arena: &'t Bump) -> Result<Node<'t>, WireError> {
        let labelled = charset::labelled(self.header(header::CONTENT_TYPE));
        match labelled.filter(|_| std::str::from_utf8(&self.body).is_err()) {
            Some(encoding) => parse(arena.alloc_str(&charset::decode_as(encoding, &self.body)).as_bytes(), arena),
            None => parse(&self.body, arena),
        }
    }
}

/// Reads one JSON value; anything but blanks after it is an error. Bytes that are not UTF-8 cost the text that holds them,
/// half of a surrogate pair is U+FFFD, and of a key that comes again the last value counts.
///
/// # Errors
/// [`WireError::Json`] with the place, never with the content.
pub fn parse<'t>(body: &'t [u8], arena: &'t Bump) -> Result<Node<'t>, WireError> {
    let body = charset::after_marks(body);
    let (text, is_damaged) = match charset::utf_8(body) {
        Cow::Borrowed(text) => (text, false),
        Cow::Owned(text) => (&*arena.alloc_str(&text), true),
    };
    let text = whole_pairs(text).map_or(text, |text| arena.alloc_str(&text));
    let reader = Jiter::new(text.as_bytes());
    let mut parser = Parser { reader, text, is_damaged, arena, items: Vec::new(), entries: Vec::new() };
    let node = parser.reader.peek().map_err(unreadable).and_then(|peek| parser.value(peek, MAX_DEPTH))?;
    parser.reader.finish().map_err(unreadable)?;
    Ok(node)
}

struct Parser<'t> {
    reader: Jiter<'t>,
    text: &'t str,
    /// Whether bytes of the text were none.
    is_damaged: bool,
    arena: &'t Bump,
    /// The items and entries of all lists and objects that are open, each above those around it.
    items: Vec<Node<'t>>,
    entries: Vec<Entry<'t>>,
}

impl<'t> Parser<'t> {
    fn value(&mut self, peek: Peek, depth: usize) -> Result<Node<'t>, WireError> {
        if depth == 0 {
            return Err(WireError::Limit("levels", MAX_DEPTH));
        }
        match peek {
            Peek::Null => self.reader.known_null().map(|()| Node::Null).map_err(unreadable),
            Peek::True | Peek::False => self.reader.known_bool(peek).map(Node::Bool).map_err(unreadable),
            Peek::String => {
                let found = self.reader.known_str().map_err(unreadable)?;
                let text = lasting(found, self.text, self.arena);
                Ok(if self.is_damaged { text_node(text) } else { Node::Text(text) })
            }
            Peek::Array => self.array(depth),
            Peek::Object => self.object(depth),
            _ => self.number(peek),
        }
    }

    fn number(&mut self, peek: Peek) -> Result<Node<'t>, WireError> {
        let bytes = self.reader.known_number_bytes(peek).map_err(unreadable)?;
        let text = std::str::from_utf8(bytes).map_err(|_| WireError::Json("a number".into()))?;
        Ok(Node::Number(lasting(text, self.text, self.arena)))
    }

    fn array(&mut self, depth: usize) -> Result<Node<'t>, WireError> {
        let start = self.items.len();
        let mut next = self.reader.known_array().map_err(unreadable)?;
        while let Some(peek) = next {
            let item = self.value(peek, depth - 1)?;
            self.items.push(item);
            next = self.reader.array_step().map_err(unreadable)?;
        }
        let items = self.arena.alloc_slice_copy(&self.items[start..]);
        self.items.truncate(start);
        Ok(Node::List(items))
    }

    fn object(&mut self, depth: usize) -> Result<Node<'t>, WireError> {
        let (start, mut names) = (self.entries.len(), LastOfEach::default());
        let mut key = self.reader.known_object().map_err(unreadable)?.map(|key| lasting(key, self.text, self.arena));
        while let Some(name) = key {
            let peek = self.reader.peek().map_err(unreadable)?;
            let value = self.value(peek, depth - 1)?;
            names.add(&mut self.entries, start, name, value);
            key = self.reader.next_key().map_err(unreadable)?.map(|key| lasting(key, self.text, self.arena));
        }
        let entries = self.arena.alloc_slice_copy(&self.entries[start..]);
        self.entries.truncate(start);
        Ok(Node::Map(entries))
    }
}

/// The text with `\ufffd` for every escape that is half of a surrogate pair without the other half, as JSON allows and PHP and
/// JavaScript write when they cut a text (RFC 8259, 8.2); none for a text without any.
fn whole_pairs(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut at = [r"\ud", r"\uD"].iter().filter_map(|escape| memmem::find(bytes, escape.as_bytes())).min()?;
    // What stands before may escape this backslash.
    at -= bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
    let (mut whole, mut clean) = (String::new(), 0);
    while let Some(next) = memchr(b'\\', &bytes[at..]) {
        at += next;
        at += match surrogate(&bytes[at..]) {
            Some(Half::High) if surrogate(&bytes[at + ESCAPE..]) == Some(Half::Low) => 2 * ESCAPE,
            Some(_) => {
                whole.push_str(&text[clean..at]);
                whole.push_str(r"\ufffd");
                clean = at + ESCAPE;
                ESCAPE
            }
            None => bytes[at..].len().min(r"\\".len()),
        };
    }
    whole.push_str(&text[clean..]);
    (clean > 0).then_some(whole)
}

/// Bytes of an escape such as `\ud83d`.
const ESCAPE: usize = 6;

/// Which half of a surrogate pair an escape is.
#[derive(PartialEq)]
enum Half {
    High,
    Low,
}

/// The half that `text` begins with.
fn surrogate(text: &[u8]) -> Option<Half> {
    let [b'\\', b'u', b'd' | b'D', kind, rest @ ..] = text else { return None };
    let is_whole = rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit);
    match kind.to_ascii_lowercase() {
        b'8'..=b'9' | b'a'..=b'b' if is_whole => Some(Half::High),
        b'c'..=b'f' if is_whole => Some(Half::Low),
        _ => None,
    }
}

/// A text that lives as long as the tree: one without escapes lies in the body itself, others are kept
/// in the arena.
fn lasting<'t>(found: &str, body: &'t str, arena: &'t Bump) -> &'t str {
    let start = (found.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    let inside = body.get(start..start.wrapping_add(found.len()));
    inside.unwrap_or_else(|| arena.alloc_str(found))
}

fn unreadable(error: JiterError) -> WireError {
    WireError::Json(format!("malformed at byte {}", error.index))
}

/// Whether `text` is exactly one JSON number.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // The reader allows blanks around a value; a number that goes upstream as it stands has none.
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || !digits.ends_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut reader = Jiter::new(text.as_bytes());
    reader.next_number_bytes().is_ok() && reader.finish().is_ok()
}

/// Appends the JSON text of `node`.
pub fn write(node: Node<'_>, out: &mut String) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Text(text) | Node::Unreadable(text) => write_text(text, out),
        Node::Number(text) => out.push_str(text),
        Node::Bytes(bytes) => write_text(&binary::encode(bytes, Alphabet::Standard), out),
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
        for text in ["", "{", "{}x", "[1,]", "{\"a\":}", "nan", "'a'", "\"\\ud80\"", "{\"a\" 1}", "01"] {
            assert!(parse(text.as_bytes(), &Bump::new()).is_err(), "{text}");
        }
        assert!(parse(b"\xff", &Bump::new()).is_err() && parse(b"[1\xff]", &Bump::new()).is_err());
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(parse(deep.as_bytes(), &Bump::new()).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_cost_their_text() {
        let arena = Bump::new();
        let read = parse(b"\n\xef\xbb\xbf[\"\xe9\", \"\xc5\x81\"]", &arena).unwrap();
        assert_eq!(read, Node::List(&[Node::Unreadable("\u{ffff}"), Node::Text("Ł")]));
        assert_eq!(parse("\"\u{ffff}\"".as_bytes(), &arena).unwrap(), Node::Text("\u{ffff}"));
    }

    #[test]
    fn half_a_pair_costs_one_character() {
        for (escapes, text) in [
            (r"\ud83d", "\u{fffd}"),
            (r"\uDE00", "\u{fffd}"),
            (r"a\uD83Dz", "a\u{fffd}z"),
            (r"\ud83d\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\ude00\ude00", "😀\u{fffd}"),
            (r"\ud83d\n\ude00", "\u{fffd}\n\u{fffd}"),
            (r"\ud83d\u0142", "\u{fffd}ł"),
            (r"\ud83d\ude00", "😀"),
            (r"\uD83D\uDE00 \ud7ff\ue000", "😀 \u{d7ff}\u{e000}"),
            (r"\\ud83d", r"\ud83d"),
            (r"\\\ud83d", "\\\u{fffd}"),
            (r"\\\\ud83d\ud83d", "\\\\ud83d\u{fffd}"),
            (r"\ud83d\\ude00", "\u{fffd}\\ude00"),
            (r"\ud83d\\\ude00", "\u{fffd}\\\u{fffd}"),
        ] {
            let arena = Bump::new();
            let read = parse(format!("{{\"{escapes}\":[\"{escapes}\"]}}").into_bytes().leak(), &arena);
            assert_eq!(read, Ok(Node::Map(&[(text, Node::List(&[Node::Text(text)]))])), "{escapes}");
        }
        for cut in
            [r#""\ud83d"#, r#""\ud83""#, r#""\ud83d\"#, r#""\ud83d\u"#, r#""\ud83d\ude0""#, r"\ud83d", r"\", r#""\"#]
        {
            assert!(parse(cut.as_bytes(), &Bump::new()).is_err(), "{cut}");
        }
    }

    #[test]
    fn of_a_key_that_comes_again_the_last_counts() {
        for (text, meant) in [
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"b":2,"a":null}"#, r#"{"a":null,"b":2}"#),
            (r#"{"a":{"b":1,"b":2},"a":{"c":3,"c":4}}"#, r#"{"a":{"c":4}}"#),
            (r#"[{"a":1,"\u0061":2},{"a":3}]"#, r#"[{"a":2},{"a":3}]"#),
            (r#"{"\ud83d":1,"\ude00":2}"#, "{\"\u{fffd}\":2}"),
        ] {
            assert_eq!(round_trip(text), meant, "{text}");
        }
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
