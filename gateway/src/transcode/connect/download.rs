//! A file for callers without envelopes: its bytes are the body of the answer.
//!
//! The answer begins when the first piece has come, so that a refusal keeps its HTTP status. What goes wrong later breaks the
//! connection off: a body that ends like a whole one would be taken for one.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body as _, Frame};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use prost_reflect::{Kind, MethodDescriptor};
use protocol::{Body, told};
use serving::message::Splitter;
use tonic::{Code, Status};

use super::super::{error, metadata, status};
use crate::answer::{Answer, Outcome};

/// The message of field 1 of every message of such a method.
const CHUNK: &str = "ispbridge.type.v1.Chunk";

/// What needs no escape in an extended parameter (RFC 8187, 3.2.1).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One message of a method that downloads.
#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(message, optional, tag = "1")]
    chunk: Option<Chunk>,
}

/// `ispbridge.type.v1.Chunk`.
#[derive(Clone, PartialEq, Message)]
struct Chunk {
    #[prost(string, optional, tag = "1")]
    content_type: Option<String>,
    #[prost(string, optional, tag = "2")]
    file_name: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    size: Option<u64>,
    #[prost(bytes = "bytes", tag = "4")]
    data: Bytes,
}

/// Whether a method answers a file in pieces.
pub(super) fn is_download(method: &MethodDescriptor) -> bool {
    let is_chunk = |kind| matches!(kind, Kind::Message(message) if message.full_name() == CHUNK);
    let answers_chunks = || method.output().get_field(1).is_some_and(|field| is_chunk(field.kind()));
    method.is_server_streaming() && !method.is_client_streaming() && answers_chunks()
}

/// Makes the answer of a reply.
pub(super) async fn answer(reply: Response<Body>) -> Response<Body> {
    let (head, body) = reply.into_parts();
    let headers = metadata(head.headers.clone());
    let mut pieces = Pieces::new(body);
    let first = match told::status(&head.headers) {
        Some(refused) => Err(refused),
        None => pieces.next().await,
    };
    let mut response = match first {
        Ok(Some(first)) => begun(first, pieces),
        Ok(None) => error::response(&unfitting()),
        Err(status) => error::response(&status),
    };
    response.headers_mut().extend(headers);
    response
}

fn begun(first: Chunk, mut pieces: Pieces) -> Response<Body> {
    let mut headers = HeaderMap::new();
    let kind = first.content_type.as_deref().and_then(|kind| HeaderValue::try_from(kind).ok());
    headers.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    // A file of a supplier's is shown by no browser as if it were the gateway's.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_DISPOSITION, disposition(first.file_name.as_deref()));
    headers.extend(first.size.map(|size| (header::CONTENT_LENGTH, size.into())));
    pieces.left = first.size;
    pieces.first = Some(first.data);
    let mut response = Response::new(Body::new(pieces));
    *response.headers_mut() = headers;
    response
}

/// How a browser saves the file (RFC 6266, appendix D: the plain name for who does not know the extended one).
fn disposition(name: Option<&str>) -> HeaderValue {
    let header = name.filter(|name| !name.is_empty()).map(|name| {
        let plain = |c: char| if c.is_ascii_alphanumeric() || " -._()+,=@".contains(c) { c } else { '_' };
        let plain: String = name.chars().map(plain).collect();
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ESCAPED))
    });
    let header = header.and_then(|text| HeaderValue::try_from(text).ok());
    header.unwrap_or(HeaderValue::from_static("attachment"))
}

fn unfitting() -> Status {
    let text = "a message of the reply is no piece of a file";
    Answer::new(Code::Internal, "REPLY_UNREADABLE", text).outcome(Outcome::Unknown).status()
}

/// The bytes of a file out of the messages of a reply.
struct Pieces {
    /// `None` once the end has come.
    inner: Option<Body>,
    splitter: Splitter,
    /// What came with the head.
    first: Option<Bytes>,
    /// Bytes that are still to come, if the head says how many.
    left: Option<u64>,
}

impl Pieces {
    fn new(body: Body) -> Self {
        Self { inner: Some(body), splitter: Splitter::new(usize::MAX), first: None, left: None }
    }

    /// The next piece; nothing at an end that is one.
    async fn next(&mut self) -> Result<Option<Chunk>, Status> {
        std::future::poll_fn(|context| self.poll_piece(context)).await
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Chunk>, Status>> {
        loop {
            if let Some((flags, message)) = self.splitter.message()? {
                let piece = Piece::decode(message).ok().filter(|_| flags == 0);
                return Poll::Ready(piece.and_then(|piece| piece.chunk).ok_or_else(unfitting).map(Some));
            }
            let Some(inner) = &mut self.inner else { return Poll::Ready(Ok(None)) };
            let Some(Ok(frame)) = ready!(Pin::new(inner).poll_frame(context)) else {
                return Poll::Ready(Err(status::cut_off()));
            };
            match frame.into_data() {
                Ok(data) => self.splitter.push(&data),
                Err(frame) => {
                    self.inner = None;
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let status = status::of(&trailers, &trailers);
                    return Poll::Ready(if status.code() == Code::Ok { Ok(None) } else { Err(status) });
                }
            }
        }
    }

    /// Counts what goes out against what was announced.
    fn counted(&mut self, data: Bytes) -> Result<Bytes, Status> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(data.len() as u64).ok_or_else(unfitting)?;
        }
        Ok(data)
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            let data = match self.first.take() {
                Some(first) => first,
                None => match ready!(self.poll_piece(context))? {
                    Some(chunk) => chunk.data,
                    None if self.left.is_some_and(|left| left > 0) => return Poll::Ready(Some(Err(status::cut_off()))),
                    None => return Poll::Ready(None),
                },
            };
            if !data.is_empty() {
                return Poll::Ready(Some(self.counted(data).map(Frame::data)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_for_old_and_new_browsers() {
        for (name, header) in [
            ("b.gz", "attachment; filename=\"b.gz\"; filename*=UTF-8''b.gz"),
            ("Łu \"x\"\r\n.txt", "attachment; filename=\"_u _x___.txt\"; filename*=UTF-8''%C5%81u%20%22x%22%0D%0A.txt"),
            ("", "attachment"),
        ] {
            assert_eq!(disposition(Some(name)), header, "{name}");
        }
        assert_eq!(disposition(None), "attachment");
    }
}
