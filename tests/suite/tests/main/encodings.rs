//! The forms in which a text may turn up.

use std::fmt::Write;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// A text as it is and in every encoding that something on its way may give it, each with the encoding's name.
pub(crate) fn all(text: &str) -> Vec<(&'static str, String)> {
    let bytes = text.as_bytes();
    let mut forms = vec![
        ("raw", text.to_owned()),
        ("json", serde_json::to_string(text).unwrap().trim_matches('"').to_owned()),
        ("debug", format!("{text:?}").trim_matches('"').to_owned()),
        ("xml", xml(text)),
        ("url", url(text, false)),
        ("url in small letters", url(text, true)),
        ("hex", bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))),
        ("large hex", bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))),
        ("list of bytes", format!("{bytes:?}").trim_matches(['[', ']']).to_owned()),
        ("reversed", text.chars().rev().collect()),
        ("base64", STANDARD_NO_PAD.encode(bytes)),
    ];
    // Inside of a longer text base64 begins at any of three places; what depends on the neighbours is left out.
    for (before, cut) in [(1, 2), (2, 3)] {
        let shifted = STANDARD_NO_PAD.encode([&vec![0; before], bytes].concat());
        forms.push(("shifted base64", shifted[cut..shifted.len() - 1].to_owned()));
    }
    let start = STANDARD_NO_PAD.encode(&bytes[..bytes.len() / 3 * 3]);
    forms.push(("start of base64", start));
    forms
}

/// A text as XML holds it.
pub(crate) fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn url(text: &str, small: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let written = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => write!(encoded, "{}", byte as char),
            _ if small => write!(encoded, "%{byte:02x}"),
            _ => write!(encoded, "%{byte:02X}"),
        };
        written.unwrap();
    }
    encoded
}
