//! Turns a reply's bytes into text.
//!
//! Order of precedence: the charset of the HTTP header, a byte order mark, the XML declaration,
//! UTF-8. Bytes that the charset does not allow are an error, never replacement characters: an
//! identifier must not change on its way.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Why bytes are not text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CharsetError {
    /// The named charset is not one that we know.
    #[error("unknown charset {0:?}")]
    Unknown(String),
    /// The bytes are not valid in the charset.
    #[error("bytes are not valid {0}")]
    Invalid(&'static str),
}

/// Decodes a body whose `content-type` header is `content_type`.
///
/// # Errors
/// [`CharsetError`] when the charset is unknown or the bytes are not valid in it.
pub fn decode<'b>(body: &'b [u8], content_type: &str) -> Result<Cow<'b, str>, CharsetError> {
    let label = header_charset(content_type);
    let (encoding, body) = match (label, Encoding::for_bom(body)) {
        (_, Some((encoding, length))) => (encoding, &body[length..]),
        (Some(label), None) => (named(label)?, body),
        (None, None) => (declared(body)?, body),
    };
    if encoding == UTF_8 {
        return std::str::from_utf8(body).map(Cow::Borrowed).map_err(|_| CharsetError::Invalid("UTF-8"));
    }
    encoding.decode_without_bom_handling_and_without_replacement(body).ok_or(CharsetError::Invalid(encoding.name()))
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

fn header_charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

fn named(label: &str) -> Result<&'static Encoding, CharsetError> {
    Encoding::for_label(label.as_bytes()).ok_or_else(|| CharsetError::Unknown(label.chars().take(40).collect()))
}

/// The charset of an XML declaration; its characters are ASCII in every charset that needs none of
/// the earlier signs.
fn declared(body: &[u8]) -> Result<&'static Encoding, CharsetError> {
    let head = &body[..body.len().min(256)];
    let Some(end) = head.windows(2).position(|pair| pair == b"?>") else { return Ok(UTF_8) };
    let Ok(declaration) = std::str::from_utf8(&head[..end]) else { return Ok(UTF_8) };
    let Some((_, rest)) = declaration.split_once("encoding") else { return Ok(UTF_8) };
    let value = rest.trim_start().trim_start_matches('=').trim_start();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return Ok(UTF_8) };
    named(value[1..].split(quote).next().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_wins_over_declaration_and_mark_over_both() {
        let latin = b"<?xml version='1.0' encoding='utf-8'?><a>\xe9</a>";
        assert!(decode(latin, "text/xml; charset=ISO-8859-1").unwrap().contains('é'));
        assert_eq!(decode(latin, "text/xml"), Err(CharsetError::Invalid("UTF-8")));
        assert_eq!(decode(b"\xef\xbb\xbfcaf\xc3\xa9", "text/xml; charset=iso-8859-1").unwrap(), "café");
    }

    #[test]
    fn declared_charset_is_used_and_unknown_is_refused() {
        let latin2 = b"<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><a>\xa3</a>";
        assert!(decode(latin2, "text/xml").unwrap().contains('Ł'));
        assert_eq!(decode(b"<a/>", "text/xml; charset=klingon"), Err(CharsetError::Unknown("klingon".into())));
    }

    #[test]
    fn base64_text_falls_back_to_windows_1252() {
        assert_eq!(decode_base64_text(b"Caf\xe9".to_vec()), "Café");
        assert_eq!(decode_base64_text("Łucja".into()), "Łucja");
    }
}
