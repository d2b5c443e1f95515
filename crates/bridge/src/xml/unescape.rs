//! Character references, the five predefined entities, line ends.

use std::borrow::Cow;

use bumpalo::{Bump, collections::String as BumpString};
use memchr::{memchr, memchr2};

use super::{charset::ILLEGAL, error::XmlError, write::illegal_character};

/// What a document may name without declaring it.
const ENTITIES: [(&str, char); 5] = [("lt;", '<'), ("gt;", '>'), ("amp;", '&'), ("quot;", '"'), ("apos;", '\'')];

/// A document's text with its references resolved and its line ends as line feeds (XML 1.0, 2.11); text that has neither is
/// not copied.
///
/// Whole documents travel escaped inside others, so that this may meet a reference in every eighth byte.
pub(crate) fn unescaped<'t>(raw: &'t str, arena: &'t Bump) -> Result<&'t str, XmlError> {
    resolved(raw, memchr2(b'&', b'\r', raw.as_bytes()), |byte| matches!(byte, b'&' | b'\r'), arena)
}

/// A text with its references resolved, whose line ends are its own.
pub(crate) fn unescaped_in_lines<'t>(raw: &'t str, arena: &'t Bump) -> Result<&'t str, XmlError> {
    resolved(raw, memchr(b'&', raw.as_bytes()), |byte| byte == b'&', arena)
}

/// The text with what begins at `first`, and at each later byte that `is_special`, replaced by what it stands for.
fn resolved<'t>(
    raw: &'t str,
    first: Option<usize>,
    is_special: impl Fn(u8) -> bool,
    arena: &'t Bump,
) -> Result<&'t str, XmlError> {
    let Some(mut at) = first else { return Ok(raw) };
    // No reference is shorter than what it stands for.
    let mut text = BumpString::with_capacity_in(raw.len(), arena);
    let mut rest = raw;
    loop {
        text.push_str(&rest[..at]);
        let (letter, after) = match rest[at..].strip_prefix('&') {
            Some(name) => reference(name).ok_or(XmlError::Malformed("an entity that is not predefined"))?,
            None => ('\n', rest[at + 1..].strip_prefix('\n').unwrap_or(&rest[at + 1..])),
        };
        text.push(letter);
        rest = after;
        // The next one is near where there are many.
        let Some(next) = rest.bytes().position(&is_special) else { break };
        at = next;
    }
    text.push_str(rest);
    Ok(text.into_bump_str())
}

/// A text with its line ends as line feeds.
pub(crate) fn with_line_feeds(raw: &str) -> Cow<'_, str> {
    match memchr(b'\r', raw.as_bytes()) {
        Some(_) => raw.replace("\r\n", "\n").replace('\r', "\n").into(),
        None => raw.into(),
    }
}

/// The character that a reference stands for, and what follows it.
fn reference(text: &str) -> Option<(char, &str)> {
    if let Some(number) = text.strip_prefix('#') {
        let (number, after) = number.split_once(';')?;
        return Some((numbered(number)?, after));
    }
    ENTITIES.iter().find_map(|(name, letter)| Some((*letter, text.strip_prefix(name)?)))
}

/// The character of a number; [`ILLEGAL`] for one that no document can hold, so that it costs the field that holds it.
fn numbered(number: &str) -> Option<char> {
    let (digits, base) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    // `from_str_radix` would take a sign.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let code = u32::from_str_radix(digits, base).ok();
    let letter = code.and_then(char::from_u32).unwrap_or(ILLEGAL);
    Some(if illegal_character(letter.encode_utf8(&mut [0; 4])).is_some() { ILLEGAL } else { letter })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_what_is_predefined() {
        let arena = Bump::new();
        for (raw, text) in [
            ("", ""),
            ("Łódź", "Łódź"),
            ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
            ("a&#13;b&#xd;c&#x141;", "a\rb\rcŁ"),
            ("&amp;lt;", "&lt;"),
            ("x &amp;", "x &"),
            ("a\r\nb\rc\nd\r", "a\nb\nc\nd\n"),
            ("\r\r\n\n", "\n\n\n"),
            ("&lt;\r\n&#13;\n&#13;&#10;", "<\n\r\n\r\n"),
        ] {
            assert_eq!(unescaped(raw, &arena), Ok(text), "{raw}");
        }
    }

    #[test]
    fn a_forbidden_character_is_marked() {
        for number in ["0", "x0", "000", "1", "8", "x0b", "31", "xD800", "xdfff", "xFFFE", "xFFFF", "65535", "x110000"]
        {
            let raw = format!("a&#{number};b");
            assert_eq!(unescaped(&raw, &Bump::new()), Ok("a\u{ffff}b"), "{raw}");
        }
        assert_eq!(unescaped("&#99999999999999999999;", &Bump::new()), Ok("\u{ffff}"));
        assert_eq!(
            unescaped("&#9;&#xA;&#x7f;&#x85;&#xD7FF;&#xE000;&#xFFFD;&#x10FFFF;", &Bump::new()),
            Ok("\t\n\u{7f}\u{85}\u{d7ff}\u{e000}\u{fffd}\u{10ffff}")
        );
    }

    #[test]
    fn refuses_all_else() {
        for raw in [
            "&", "a & b", "&nbsp;", "&lt", "&LT;", "&#;", "&#x;", "&#+1;", "&#xg;", "&#1a;", "&#X41;", "&# 1;", "&#1",
            "&;",
        ] {
            assert!(unescaped(raw, &Bump::new()).is_err(), "{raw}");
        }
    }
}
