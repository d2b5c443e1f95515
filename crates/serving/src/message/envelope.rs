//! Messages in envelopes: one byte of flags, four of length, as gRPC, gRPC-Web and Connect's streams have them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::refusal;
use tonic::Status;

/// Length of the head of an envelope.
pub const HEAD: usize = 5;

/// Flag of an envelope whose message is packed, in every protocol that has envelopes.
pub const PACKED: u8 = 1;

/// Takes messages out of a stream of bytes, wherever it is cut.
#[derive(Debug)]
pub struct Splitter {
    buffer: BytesMut,
    max: usize,
}

impl Splitter {
    /// Starts with nothing; no message may be larger than `max`.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), max }
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message with its flags, once it is whole.
    ///
    /// # Errors
    /// A message that is larger than it may be.
    pub fn message(&mut self) -> Result<Option<(u8, Bytes)>, Status> {
        let Some((head, rest)) = self.buffer.split_at_checked(HEAD) else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > self.max {
            return Err(refusal::too_large());
        }
        if rest.len() < length {
            return Ok(None);
        }
        let flags = self.buffer.get_u8();
        self.buffer.advance(HEAD - 1);
        Ok(Some((flags, self.buffer.split_to(length).freeze())))
    }

    /// Whether all that came was whole messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// Puts a message into an envelope.
#[must_use]
pub fn envelope(flags: u8, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEAD + message.len());
    bytes.put_u8(flags);
    // No message of the suite comes near four gigabytes: bodies have limits of megabytes.
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn messages_are_found_wherever_the_stream_is_cut() {
        let stream = [envelope(0, b"one"), envelope(2, b""), envelope(1, b"three")].concat();
        for size in 1..=stream.len() {
            let mut splitter = Splitter::new(5);
            let mut found = Vec::new();
            for part in stream.chunks(size) {
                splitter.push(part);
                while let Some(one) = splitter.message().unwrap() {
                    found.push(one);
                }
            }
            let expected = [(0, "one"), (2, ""), (1, "three")].map(|(flags, text)| (flags, Bytes::from(text)));
            assert_eq!(found, expected, "{size}");
            assert!(splitter.is_empty());
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_at_its_head() {
        let mut splitter = Splitter::new(5);
        splitter.push(&[0, 0, 0, 0, 6]);
        assert_eq!(splitter.message().unwrap_err().code(), Code::ResourceExhausted);
    }
}
