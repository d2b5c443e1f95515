//! Turns a reply's bytes into text.
//!
//! A byte order mark decides, then the charset of the HTTP header, the XML declaration, UTF-8 (RFC 7303, 3). A label that
//! is empty, unknown or plainly wrong says nothing. Bytes that the charset does not allow stand in the text as
//! [`ILLEGAL`], so that they cost the field that holds them: an identifier must not change on its way.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// What stands in a decoded text for bytes that are none: a character that no XML document can hold.
pub const ILLEGAL: char = '\u{ffff}';

/// How texts show what [`ILLEGAL`] stands for.
pub const REPLACEMENT: &str = "\u{fffd}";

/// Decodes a body whose `content-type` header is `content_type`.
#[must_use]
pub fn decode<'b>(body: &'b [u8], content_type: &str) -> Cow<'b, str> {
    let unmarked = after_marks(body);
    if unmarked.len() < body.len() {
        return utf_8(unmarked);
    }
    if let Some((encoding, length)) = Encoding::for_bom(body.trim_ascii_start()) {
        return decode_as(encoding, &body.trim_ascii_start()[length..]);
    }
    let encoding = utf_16(body).or_else(|| labelled(content_type)).or_else(|| declared(body)).unwrap_or(UTF_8);
    decode_as(encoding, body)
}

/// What follows the marks of UTF-8: some programs write a newline before theirs, or one for each file that they are made of.
pub(crate) fn after_marks(mut body: &[u8]) -> &[u8] {
    while let Some(rest) = body.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf") {
        body = rest;
    }
    body
}

/// The charset that a `content-type` header names, if it is one that a text of single bytes can have.
#[must_use]
pub fn labelled(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value).and_then(named)
    })
}

/// Decodes bytes of a known charset.
#[must_use]
pub fn decode_as<'b>(encoding: &'static Encoding, body: &'b [u8]) -> Cow<'b, str> {
    if encoding == UTF_8 {
        return utf_8(body);
    }
    if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(body) {
        return text;
    }
    let (text, _) = encoding.decode_without_bom_handling(body);
    Cow::Owned(text.replace(REPLACEMENT, ILLEGAL.encode_utf8(&mut [0; 4])))
}

/// Decodes the bytes of a base64 value: UTF-8, else Windows-1252, the two that Perl servers hold
/// (capture `retLatin1`: `Q2Fm6Q==` is `Caf\xe9`).
#[must_use]
pub fn decode_base64_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let (text, _) = WINDOWS_1252.decode_without_bom_handling(error.as_bytes());
        text.into_owned()
    })
}

/// Bytes that are meant as UTF-8.
pub(crate) fn utf_8(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(ILLEGAL);
        }
    }
    Cow::Owned(text)
}

/// UTF-16 without a mark: a document begins with an ASCII letter, so that one of its first two bytes is zero.
fn utf_16(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [0, letter, ..] if *letter != 0 => Some(UTF_16BE),
        [letter, 0, ..] if *letter != 0 => Some(UTF_16LE),
        _ => None,
    }
}

/// The charset that a label means, unless nobody knows it or it is UTF-16, which would have been seen. What ASCII
/// allows is UTF-8 as well, and bytes beyond it are hardly meant as Windows-1252, for which browsers take this label.
fn named(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().trim_matches(['"', '\'']).trim();
    if ["us-ascii", "ascii", "ansi_x3.4-1968"].iter().any(|ascii| label.eq_ignore_ascii_case(ascii)) {
        return Some(UTF_8);
    }
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    (encoding != UTF_16BE && encoding != UTF_16LE).then_some(encoding)
}

/// The charset of an XML declaration; its characters are ASCII in every charset that needs none of
/// the earlier signs.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(256)];
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let (_, rest) = std::str::from_utf8(&head[..end]).ok()?.split_once("encoding")?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    named(value[1..].split(quote).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_wins_over_declaration_and_mark_over_both() {
        let latin = b"<?xml version='1.0' encoding='utf-8'?><a>\xe9</a>";
        assert!(decode(latin, "text/xml; charset=ISO-8859-1").contains('é'));
        assert_eq!(decode(b"\xef\xbb\xbfcaf\xc3\xa9", "text/xml; charset=iso-8859-1"), "café");
        let latin2 = b"<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><a>\xa3</a>";
        assert!(decode(latin2, "text/xml").contains('Ł'));
    }

    #[test]
    fn a_label_that_says_nothing_is_none() {
        let body = "<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><a>Ł</a>";
        let bytes: Vec<u8> = body.chars().map(|c| if c == 'Ł' { 0xa3 } else { c as u8 }).collect();
        for label in ["", "; charset", "; charset=", "; charset=\"\"", "; charset=klingon", "; charset=utf-16", "; x=y"]
        {
            assert_eq!(decode(&bytes, &format!("text/xml{label}")), body, "{label}");
        }
        let two = "text/xml; charset=klingon; charset=utf-8";
        assert_eq!(decode("é".as_bytes(), two), "é");
        for declared in ["utf-16", "UTF-16LE", "ucs-2", "iso-10646-ucs-2", "klingon", "us-ascii", "ASCII", ""] {
            let body = format!("<?xml version='1.0' encoding='{declared}'?><a>Łódź</a>");
            assert_eq!(decode(body.as_bytes(), "text/xml"), body);
        }
    }

    #[test]
    fn ascii_is_read_as_utf_8() {
        for content_type in ["text/xml; charset=us-ascii", "text/xml;charset=US-ASCII", "text/xml; charset=\"ascii\""] {
            assert_eq!(decode("Łódź".as_bytes(), content_type), "Łódź", "{content_type}");
            assert_eq!(decode(b"a\xe9\xc5\x81", content_type), "a\u{ffff}Ł", "{content_type}");
        }
    }

    #[test]
    fn what_stands_before_a_document_is_passed_over() {
        let utf_16: Vec<u8> = "<a>Ł</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for before in [&b"\xff\xfe"[..], b"\n\xff\xfe", b""] {
            assert_eq!(decode(&[before, &utf_16].concat(), "text/xml; charset=utf-8"), "<a>Ł</a>");
        }
        for before in ["\n\u{feff}", "\r\n \u{feff}", "\u{feff}\u{feff}", "\u{feff}\n\u{feff}"] {
            let body = format!("{before}<a>Ł</a>");
            assert_eq!(decode(body.as_bytes(), "text/xml; charset=iso-8859-1"), "<a>Ł</a>", "{before:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        assert_eq!(decode(b"<a>\xe9</a><b>\xc5\x81</b>", "text/xml"), "<a>\u{ffff}</a><b>Ł</b>");
        assert_eq!(decode(b"\x81\x39", "text/xml; charset=euc-kr"), "\u{ffff}9");
    }

    #[test]
    fn base64_text_falls_back_to_windows_1252() {
        assert_eq!(decode_base64_text(b"Caf\xe9".to_vec()), "Café");
        assert_eq!(decode_base64_text("Łucja".into()), "Łucja");
    }
}
