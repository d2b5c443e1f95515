//! Base64 as it is written, and as it is met.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

/// The alphabet in which base64 is written (RFC 4648).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// With `+` and `/`, padded.
    Standard,
    /// With `-` and `_`, without padding.
    Url,
}

/// Base64 whether or not it is padded.
const ANY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Writes bytes in one line.
pub(crate) fn encode(bytes: &[u8], alphabet: Alphabet) -> String {
    match alphabet {
        Alphabet::Standard => general_purpose::STANDARD.encode(bytes),
        Alphabet::Url => general_purpose::URL_SAFE_NO_PAD.encode(bytes),
    }
}

/// Decodes base64 as it is met in replies: in lines, without padding, in the alphabet for addresses (RFC 4648, 5). `None` if it
/// is none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let standard = |byte: u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(standard).collect();
    let unpadded = compact.iter().rposition(|byte| *byte != b'=').map_or(&[][..], |last| &compact[..=last]);
    ANY.decode(unpadded).ok()
}
