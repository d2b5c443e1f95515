//! Connect GET: a call whose message is in the query, for methods that only read.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use serving::message::Encoding;
use tonic::Status;

use super::{super::json::Codec, request::wrong};

/// Base64 for addresses, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The parts of an address that the protocol knows.
const KNOWN: [&str; 5] = ["connect", "encoding", "message", "base64", "compression"];

/// The parsed query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// How the message is written.
    pub(crate) codec: Codec,
    /// How it is packed.
    pub(crate) encoding: Encoding,
    /// The message.
    pub(crate) message: Bytes,
}

impl Query {
    /// Parses a query; unknown parameters are ignored, known ones must not repeat.
    ///
    /// # Errors
    /// The part that is missing or wrong.
    pub(crate) fn read(query: &str) -> Result<Self, Status> {
        let (mut message, mut codec, mut encoding) = (None, None, Encoding::Identity);
        let (mut is_base64, mut seen) = (false, [false; KNOWN.len()]);
        for (name, value) in query.split('&').filter_map(|part| part.split_once('=')) {
            let value = plain(value);
            let known = KNOWN.iter().position(|known| *known == name);
            if known.is_some_and(|at| std::mem::replace(&mut seen[at], true)) {
                return Err(wrong(name, &format!("{name} is given twice")));
            }
            match (name, value.as_slice()) {
                ("message", _) => message = Some(value),
                ("encoding", b"json") => codec = Some(Codec::Json),
                ("encoding", b"proto") => codec = Some(Codec::Proto),
                ("encoding", _) => return Err(wrong("encoding", "encoding must be json or proto")),
                ("base64", flag) => is_base64 = flag == b"1",
                ("compression", name) => encoding = Encoding::named(&String::from_utf8_lossy(name))?,
                ("connect", version) if version != b"v1" => return Err(wrong("connect", "connect must be v1")),
                _ => {}
            }
        }
        let codec = codec.ok_or_else(|| wrong("encoding", "encoding must be json or proto"))?;
        let message = message.ok_or_else(|| wrong("message", "message is missing"))?;
        let message = if is_base64 {
            BASE64.decode(message).map_err(|_| wrong("message", "message is not base64 for addresses"))?
        } else {
            message
        };
        Ok(Self { codec, encoding, message: message.into() })
    }
}

/// Resolves `%41`; what is no escape stays as it is.
fn plain(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8);
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                plain.push(high << 4 | low);
                at += 3;
            }
            _ => {
                plain.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_from_the_address() {
        let read = |query: &str| Query::read(query).map(|query| (query.codec, query.message));
        let json = (Codec::Json, Bytes::from_static(b"{\"a\":\"b c\"}"));
        assert_eq!(read("connect=v1&encoding=json&message=%7B%22a%22%3A%22b%20c%22%7d").unwrap(), json);
        assert_eq!(read("message={\"a\":\"b+c\"}&encoding=json&other=1").unwrap(), json);
        for message in ["-_8", "-_8="] {
            let query = format!("encoding=proto&base64=1&message={message}");
            assert_eq!(read(&query).unwrap(), (Codec::Proto, Bytes::from_static(&[0xfb, 0xff])));
        }
        assert_eq!(read("encoding=proto&message=").unwrap().1, "");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let cases = [
            ("message=a", "encoding"),
            ("encoding=xml&message=a", "encoding"),
            ("encoding=json", "message"),
            ("encoding=proto&base64=1&message=%%%", "message"),
            ("connect=v2&encoding=json&message={}", "connect"),
            ("encoding=json&message={}&compression=br", "encoding"),
            ("encoding=json&message={}&message={}", "message is given twice"),
            ("encoding=json&encoding=proto&message={}", "encoding is given twice"),
        ];
        for (query, name) in cases {
            assert!(Query::read(query).unwrap_err().message().contains(name), "{query}");
        }
    }

    #[test]
    fn odd_escapes_stay_as_they_are() {
        for (text, expected) in [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%41%", "A%"), ("%+1", "% 1")] {
            assert_eq!(plain(text), expected.as_bytes(), "{text}");
        }
    }
}
