//! Writes text into XML.

/// Appends `text` escaped for element content and for attribute values.
///
/// A carriage return travels as `&#13;`: a parser would turn a bare one into a line feed.
pub fn escape_into(out: &mut String, text: &str) {
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\r' => "&#13;",
            _ => continue,
        };
        out.push_str(&text[clean..at]);
        out.push_str(escaped);
        clean = at + 1;
    }
    out.push_str(&text[clean..]);
}

/// The first character of `text` that XML 1.0 cannot carry, if there is one.
#[must_use]
pub fn illegal_character(text: &str) -> Option<char> {
    let suspicious = |byte: u8| byte < 0x20 || byte == 0xef;
    if !text.bytes().any(suspicious) {
        return None;
    }
    text.chars().find(|character| {
        matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
    })
}

/// Whether `text` can be the name of an element without a prefix: ASCII letters, digits, `_`, `-`,
/// `.`, not starting with a digit, `-` or `.`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_markup_and_carriage_returns() {
        let mut out = String::new();
        escape_into(&mut out, "a<b>&\"\r\nł]]>");
        assert_eq!(out, "a&lt;b&gt;&amp;&quot;&#13;\nł]]&gt;");
    }

    #[test]
    fn finds_what_xml_cannot_carry() {
        assert_eq!(illegal_character("tab\tline\r\nżółć\u{fffd}\u{10ffff}"), None);
        for bad in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            assert_eq!(illegal_character(&format!("ok{bad}")), Some(bad));
        }
    }

    #[test]
    fn knows_a_name() {
        assert!(is_name("custom_field_4") && is_name("_password"));
        assert!(!is_name("39") && !is_name("two words") && !is_name("") && !is_name("a:b"));
    }
}
