//! The request of a unary call, read whole and checked before anybody works on it.
//!
//! gRPC puts five bytes before each message: a flag and its length ("gRPC over HTTP/2", Length-Prefixed-Message). Gateway
//! and service judge them by this one code, so that a malformed request gets the same answer at either. Because nothing
//! works on a call before its request is whole, whatever is wrong with the request leaves the outcome NOT_SENT. It is the
//! caller's doing: the domain [`CALLER`] in the `ErrorInfo` says so, and neither an instance nor a failure is counted for it.

mod captured;
mod envelope;
mod gzip;

use std::{future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as HttpBody;
use protocol::{Body, refusal};
use tonic::Status;

use crate::notes::CallNotes;

pub(crate) use self::captured::Capturing;
pub use self::{
    captured::Captured,
    envelope::{HEAD, PACKED, Splitter, envelope},
    gzip::{GZIP, WORTH, in_envelope, pack, unpack, wants_gzip},
};
pub use protocol::{
    domain::CALLER,
    refusal::{broken_off, count as wrong_count, header, too_large, unreadable},
};

/// How the messages of a request are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// Those that have the flag are packed by gzip.
    Gzip,
}

impl Encoding {
    /// Reads a name; an empty one is [`Self::Identity`].
    ///
    /// # Errors
    /// UNIMPLEMENTED with the names that are taken.
    pub fn named(name: &str) -> Result<Self, Status> {
        if name.is_empty() || name.eq_ignore_ascii_case("identity") {
            return Ok(Self::Identity);
        }
        if name.eq_ignore_ascii_case("gzip") { Ok(Self::Gzip) } else { Err(refusal::unknown_encoding()) }
    }

    /// Reads `grpc-encoding`.
    ///
    /// # Errors
    /// As [`Self::named`].
    pub fn of(headers: &HeaderMap) -> Result<Self, Status> {
        let name = headers.get(protocol::headers::GRPC_ENCODING).map_or(Ok(""), |value| value.to_str());
        Self::named(name.unwrap_or("?"))
    }

    /// Checks the flags of a message.
    ///
    /// # Errors
    /// INTERNAL if there is no such flag, or the message is packed though the request says nothing of that.
    pub fn check(self, flags: u8) -> Result<(), Status> {
        match (self, flags) {
            (_, 0) | (Self::Gzip, PACKED) => Ok(()),
            (Self::Identity, PACKED) => {
                Err(refusal::framing("a message is compressed, and the request names no encoding"))
            }
            _ => Err(refusal::framing("a message has flags that do not exist")),
        }
    }
}

/// How far the one message of a request has come in.
#[derive(Debug)]
struct Progress {
    encoding: Encoding,
    max: usize,
    head: [u8; HEAD],
    /// Bytes of the head that are there.
    begun: usize,
    /// Bytes of the message that are not there yet.
    left: usize,
}

impl Progress {
    fn new(encoding: Encoding, max: usize) -> Self {
        Self { encoding, max, head: [0; HEAD], begun: 0, left: 0 }
    }

    /// Takes the next bytes.
    fn take(&mut self, mut data: &[u8]) -> Result<(), Status> {
        if self.begun < HEAD {
            let (now, rest) = data.split_at(data.len().min(HEAD - self.begun));
            self.head[self.begun..][..now.len()].copy_from_slice(now);
            self.begun += now.len();
            data = rest;
            if self.begun == HEAD {
                let [flags, length @ ..] = self.head;
                self.left = u32::from_be_bytes(length) as usize;
                self.encoding.check(flags)?;
                if self.left > self.max {
                    return Err(too_large());
                }
            }
        }
        self.left = self.left.checked_sub(data.len()).ok_or_else(|| wrong_count("more than one"))?;
        Ok(())
    }

    /// The end of the request.
    fn end(&self) -> Result<(), Status> {
        match (self.begun, self.left) {
            (0, _) => Err(wrong_count("none")),
            (HEAD, 0) => Ok(()),
            _ => Err(broken_off()),
        }
    }
}

/// Reads the request of a unary call to its end and checks that it is one message; that is returned with its head, packed if
/// it came so. Until the end the notes say that the request is awaited: no deadline leaves the outcome unknown.
///
/// # Errors
/// What is wrong with the request, or that it broke off.
pub async fn read(notes: &CallNotes, headers: &HeaderMap, mut body: Body, max: u64) -> Result<Bytes, Status> {
    let mut progress = Progress::new(Encoding::of(headers)?, usize::try_from(max).unwrap_or(usize::MAX));
    notes.set_awaits_request(true);
    let mut whole = Whole::None;
    while !body.is_end_stream()
        && let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let frame = frame.map_err(|error| unreadable(&error))?;
        // A request of gRPC has no trailers.
        if let Ok(data) = frame.into_data() {
            progress.take(&data)?;
            whole.add(data);
        }
    }
    progress.end()?;
    notes.set_awaits_request(false);
    Ok(whole.bytes())
}

/// Checks that a body is one message; its flags, and what it is without its head.
///
/// # Errors
/// What is wrong with it.
pub fn single(body: &Bytes, encoding: Encoding, max: usize) -> Result<(u8, Bytes), Status> {
    let mut progress = Progress::new(encoding, max);
    progress.take(body)?;
    progress.end()?;
    Ok((progress.head[0], body.slice(HEAD..)))
}

/// The bytes of a request; those of most come in one piece, which is not copied.
enum Whole {
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Whole {
    fn add(&mut self, data: Bytes) {
        match self {
            Self::None => *self = Self::One(data),
            Self::One(first) => {
                let mut all = BytesMut::with_capacity(2 * (first.len() + data.len()));
                all.extend_from_slice(first);
                all.extend_from_slice(&data);
                *self = Self::Many(all);
            }
            Self::Many(all) => all.extend_from_slice(&data),
        }
    }

    fn bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(all) => all.freeze(),
        }
    }
}

#[cfg(test)]
#[path = "message/tests.rs"]
mod tests;
