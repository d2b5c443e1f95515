//! The first bytes of a connection: a PROXY header where one must be, and none where none may be.
//!
//! (HAProxy, "The PROXY protocol, versions 1 & 2".) Whether a header is to be expected is told by the address that connects
//! and by nothing else: who could choose would choose the address that is believed.

use std::net::SocketAddr;

use bytes::Bytes;
use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use tokio::net::TcpStream;

use crate::refusals::Refused;

/// How a header of version 1 begins.
const TEXT: &[u8] = b"PROXY ";
/// How one of version 2 begins.
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest header of version 1, with its end of line.
const LONGEST_TEXT: usize = 107;
/// Bytes of a header of version 2 before its addresses.
const BINARY_HEAD: usize = 16;
/// What is read at a time; most headers and prefaces are shorter.
const CHUNK: usize = 512;

/// What a connection begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// What was read behind the header.
    pub(super) rest: Bytes,
    /// Whose connection the proxy passes on; nothing if it is the proxy's own (a health check) or there is no header.
    pub(super) client: Option<SocketAddr>,
}

/// Why a connection ends before it has begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The peer left without a byte, as checks of balancers do.
    Gone,
    /// It is not served.
    Refused(Refused),
}

/// What the bytes read so far are.
#[derive(Debug, PartialEq, Eq)]
enum Sight {
    /// Too little to tell, or a part of a header.
    Part {
        /// Whether it can only be a header.
        is_header: bool,
    },
    /// A header of so many bytes.
    Header { client: Option<SocketAddr>, length: usize },
    /// What begins like a header and is none.
    Broken,
    /// Something else.
    Other,
}

/// Reads the beginning of a connection; one that is `from_proxy` has a header, any other has none.
pub(super) async fn read(stream: &TcpStream, from_proxy: bool) -> Result<Opening, Failure> {
    let mut bytes = Vec::new();
    loop {
        if !receive(stream, &mut bytes).await {
            return Err(if bytes.is_empty() { Failure::Gone } else { Failure::Refused(cut_off(from_proxy)) });
        }
        match (sight(&bytes), from_proxy) {
            (Sight::Part { is_header: true } | Sight::Header { .. } | Sight::Broken, false) => {
                return Err(Failure::Refused(Refused::ProxyHeaderForbidden));
            }
            (Sight::Part { .. }, _) => {}
            (Sight::Header { client, length }, true) => {
                return Ok(Opening { rest: Bytes::from(bytes).slice(length..), client });
            }
            (Sight::Broken, true) => return Err(Failure::Refused(Refused::ProxyHeaderBroken)),
            (Sight::Other, true) => return Err(Failure::Refused(Refused::ProxyHeaderMissing)),
            (Sight::Other, false) => return Ok(Opening { rest: bytes.into(), client: None }),
        }
    }
}

/// What a peer fails to send that leaves in the middle of its first bytes.
fn cut_off(from_proxy: bool) -> Refused {
    if from_proxy { Refused::ProxyHeaderBroken } else { Refused::Preface }
}

/// Reads what is there; false at the end of the connection.
async fn receive(stream: &TcpStream, bytes: &mut Vec<u8>) -> bool {
    let before = bytes.len();
    bytes.resize(before + CHUNK, 0);
    loop {
        let read = match stream.readable().await {
            Ok(()) => stream.try_read(&mut bytes[before..]),
            Err(error) => Err(error),
        };
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            read => {
                let count = read.unwrap_or_default();
                bytes.truncate(before + count);
                return count > 0;
            }
        }
    }
}

fn sight(bytes: &[u8]) -> Sight {
    if bytes.starts_with(TEXT) {
        return text(bytes);
    }
    if bytes.starts_with(BINARY) {
        return binary(bytes).unwrap_or(Sight::Part { is_header: true });
    }
    match TEXT.starts_with(bytes) || BINARY.starts_with(bytes) {
        true => Sight::Part { is_header: false },
        false => Sight::Other,
    }
}

fn text(bytes: &[u8]) -> Sight {
    let searched = &bytes[..bytes.len().min(LONGEST_TEXT)];
    let Some(end) = searched.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LONGEST_TEXT { Sight::Part { is_header: true } } else { Sight::Broken };
    };
    let length = end + 2;
    match bytes[TEXT.len()..end].strip_prefix(b"UNKNOWN") {
        // What stands behind it is to be ignored.
        Some([] | [b' ', ..]) => Sight::Header { client: None, length },
        Some(_) => Sight::Broken,
        None => parsed(&bytes[..length]),
    }
}

/// Nothing if it is not all there.
fn binary(bytes: &[u8]) -> Option<Sight> {
    let head = bytes.get(BINARY.len()..BINARY_HEAD)?;
    let length = BINARY_HEAD + usize::from(u16::from_be_bytes([head[2], head[3]]));
    match head[0] {
        // LOCAL: the proxy speaks for itself, and what follows is to be ignored.
        0x20 => bytes.get(..length).map(|_| Sight::Header { client: None, length }),
        0x21 => bytes.get(..length).map(parsed),
        _ => Some(Sight::Broken),
    }
}

/// Reads a whole header.
fn parsed(header: &[u8]) -> Sight {
    let config = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
    match ProxyHeader::parse(header, config) {
        Ok((parsed, length)) => Sight::Header { client: parsed.proxied_address().and_then(client), length },
        Err(_) => Sight::Broken,
    }
}

/// Of what is no TCP (a datagram, a Unix socket) a TCP connection cannot be made: then the proxy speaks for itself.
fn client(proxied: &ProxiedAddress) -> Option<SocketAddr> {
    (proxied.protocol == Protocol::Stream).then_some(proxied.source)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PART: Sight = Sight::Part { is_header: true };

    fn from(client: &str, length: usize) -> Sight {
        Sight::Header { client: Some(client.parse().unwrap()), length }
    }

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [BINARY, &[command, family], &length, block].concat()
    }

    const FOUR: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];

    #[test]
    fn a_text_is_read_whole_and_nothing_behind_it() {
        for (header, client) in [
            ("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n", "192.0.2.1:56324"),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", "[2001:db8::1]:56324"),
        ] {
            let bytes = [header.as_bytes(), b"PRI * HTTP/2.0\r\n"].concat();
            assert_eq!(sight(&bytes), from(client, header.len()));
            for end in 0..header.len() {
                let is_header = end >= TEXT.len();
                assert_eq!(sight(&bytes[..end]), Sight::Part { is_header }, "{end}");
            }
        }
        for own in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 whatever 1 2\r\n"] {
            assert_eq!(sight(own.as_bytes()), Sight::Header { client: None, length: own.len() });
        }
    }

    #[test]
    fn a_text_that_is_none_is_broken() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for text in [
            "PROXY TCP4 192.0.2.1 10.0.0.1 56324\r\n",
            "PROXY TCP4 192.0.2.999 10.0.0.1 1 2\r\n",
            "PROXY TCP4 2001:db8::1 10.0.0.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n",
            "PROXY \r\n\r\n\r\n\r\n\r\n",
            &long,
        ] {
            assert_eq!(sight(text.as_bytes()), Sight::Broken, "{text}");
        }
        for other in ["PRI * HTTP/2.0", "PROPFIND / HTTP/1.1", "\r\n\r\nGET", "\u{16}\u{3}\u{1}", "proxy TCP4"] {
            assert_eq!(sight(other.as_bytes()), Sight::Other, "{other}");
        }
    }

    #[test]
    fn a_binary_header_is_read_with_all_that_it_carries() {
        let mut six = [0; 36];
        six[..16].copy_from_slice(&"2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        six[32..34].copy_from_slice(&[0, 7]);
        let carried = [&FOUR[..], &[0x02, 0, 3, b'a', b'b', b'c'], &[0xea, 1, 0], &[9; 256]].concat();
        let unix = [0; 216];
        for (command, family, block, client) in [
            (0x21, 0x11, &FOUR[..], Some("192.0.2.1:56324")),
            (0x21, 0x21, &six, Some("[2001:db8::1]:7")),
            (0x21, 0x11, &carried, Some("192.0.2.1:56324")),
            (0x20, 0x11, &FOUR, None),
            (0x20, 0x00, &[], None),
            (0x20, 0x11, &[], None),
            (0x20, 0xff, &[1; 3], None),
            (0x21, 0x00, &[1; 30], None),
            (0x21, 0x31, &unix, None),
            (0x21, 0x12, &FOUR, None),
        ] {
            let bytes = [v2(command, family, block), b"more".to_vec()].concat();
            let (length, client) = (bytes.len() - 4, client.map(|client| client.parse().unwrap()));
            assert_eq!(sight(&bytes), Sight::Header { client, length }, "{command} {family}");
            assert_eq!(sight(&bytes[..length - 1]), PART);
        }
        for broken in [v2(0x11, 0x11, &FOUR), v2(0x22, 0x11, &FOUR), v2(0x21, 0x11, &FOUR[..11]), v2(0x21, 0x41, &FOUR)]
        {
            assert_eq!(sight(&broken), Sight::Broken, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..3_usize) {
            let bytes = [[&b""[..], TEXT, BINARY][kind], &bytes].concat();
            if let Sight::Header { length, .. } = sight(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
