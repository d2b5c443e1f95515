//! Character references and the five predefined entities.

use bumpalo::{Bump, collections::String as BumpString};
use memchr::memchr;

use super::document::XmlError;

/// What a document may name without declaring it.
const ENTITIES: [(&str, char); 5] = [("lt;", '<'), ("gt;", '>'), ("amp;", '&'), ("quot;", '"'), ("apos;", '\'')];

/// Text with its references resolved; text that has none is not copied.
///
/// Whole documents travel escaped inside others, so that this may meet a reference in every eighth byte.
pub(crate) fn unescaped<'t>(raw: &'t str, arena: &'t Bump) -> Result<&'t str, XmlError> {
    let Some(mut at) = memchr(b'&', raw.as_bytes()) else { return Ok(raw) };
    // No reference is shorter than what it stands for.
    let mut text = BumpString::with_capacity_in(raw.len(), arena);
    let mut rest = raw;
    loop {
        text.push_str(&rest[..at]);
        let (letter, after) =
            reference(&rest[at + 1..]).ok_or(XmlError::Malformed("an entity that is not predefined"))?;
        text.push(letter);
        rest = after;
        // The next one is near where there are many.
        let Some(next) = rest.bytes().position(|byte| byte == b'&') else { break };
        at = next;
    }
    text.push_str(rest);
    Ok(text.into_bump_str())
}

/// The character that a reference stands for, and what follows it.
fn reference(text: &str) -> Option<(char, &str)> {
    if let Some(number) = text.strip_prefix('#') {
        let (number, after) = number.split_once(';')?;
        return Some((numbered(number)?, after));
    }
    ENTITIES.iter().find_map(|(name, letter)| Some((*letter, text.strip_prefix(name)?)))
}

fn numbered(number: &str) -> Option<char> {
    let (digits, base) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    // `from_str_radix` would take a sign.
    let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let code = u32::from_str_radix(digits, base).ok().filter(|code| is_number && *code != 0)?;
    char::from_u32(code)
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
        ] {
            assert_eq!(unescaped(raw, &arena), Ok(text), "{raw}");
        }
    }

    #[test]
    fn refuses_all_else() {
        for raw in [
            "&",
            "a & b",
            "&nbsp;",
            "&lt",
            "&LT;",
            "&#;",
            "&#0;",
            "&#x;",
            "&#+1;",
            "&#x110000;",
            "&#xd800;",
            "&#1",
            "&;",
        ] {
            assert!(unescaped(raw, &Bump::new()).is_err(), "{raw}");
        }
    }
}
