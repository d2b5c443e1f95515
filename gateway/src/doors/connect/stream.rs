//! Messages in envelopes, as many as the method has; the status is the last envelope of the reply.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{Bytes, BytesMut};
use chassis::{Body, Inside};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header, request::Parts};
use http_body::Frame;
use prost_reflect::MethodDescriptor;
use serde_json::{Map, Value, json};
use tonic::{Code, Status};

use super::{
    super::{
        Inner, call,
        envelope::{Splitter, envelope},
        json::{self, Codec},
        metadata, packed,
        rewrite::{Rewrite, rewritten},
        status,
        unread::{Unread, made, read},
    },
    error,
    request::{self, Compression, wrong},
};

const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("connect-accept-encoding");
const ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");

/// Flag of the envelope that ends a reply.
const END: u8 = 2;

/// Writes a reply for Connect.
struct Stream {
    /// Splits the reply where its messages must be written anew.
    splitter: Option<Splitter>,
    /// The method whose messages become JSON.
    json: Option<MethodDescriptor>,
    /// Whether the caller takes gzip.
    packs: bool,
}

/// The messages of a request, from Connect's envelopes to gRPC's.
struct Messages {
    inner: Body,
    splitter: Splitter,
    method: Option<MethodDescriptor>,
}

/// Answers a request.
pub(crate) async fn stream(
    doors: &Inner,
    mut parts: Parts,
    body: Body,
    codec: Codec,
    inside: &Inside,
) -> Response<Body> {
    let prepared = request::translate(&mut parts.headers)
        .and_then(|()| request::compression(&parts.headers, ENCODING))
        .and_then(only_plain);
    if let Err(status) = prepared {
        return ended(codec, &status);
    }
    let packs = packed::wanted(&parts.headers, ACCEPT_ENCODING);
    let method = doors.described(parts.uri.path(), codec);
    let reply = method.as_ref().ok().cloned().flatten();
    let splitter = Splitter::new(doors.max_request);
    // One message can be wrong as a whole, before anything of it goes on; of a stream that only ends the stream.
    let request = match method {
        Ok(Some(method)) if method.is_client_streaming() => {
            call(parts, Body::new(Messages { inner: body, splitter, method: Some(method) }))
        }
        Ok(None) => call(parts, Body::new(Messages { inner: body, splitter, method: None })),
        method => {
            let max = doors.max_request;
            let body = made(async move { single(read(body, max).await?, method?) });
            let mut request = call(parts, body);
            request.extensions_mut().insert(Unread);
            request
        }
    };
    let splitter = (packs || reply.is_some()).then(|| Splitter::new(usize::MAX));
    let (headers, body) = rewritten(inside.call(request).await, Stream { splitter, json: reply, packs });
    let mut response = Response::new(body);
    *response.headers_mut() = metadata(headers);
    if packs {
        response.headers_mut().insert(ENCODING, packed::GZIP);
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.stream()));
    response
}

fn only_plain(compression: Compression) -> Result<(), Status> {
    match compression {
        Compression::Identity => Ok(()),
        Compression::Gzip => Err(Status::unimplemented("envelopes are taken uncompressed here: identity")),
    }
}

/// A reply that has nothing but its end.
fn ended(codec: Codec, status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::from(last(status, HeaderMap::new())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.stream()));
    response
}

/// Translates the one message of a request.
fn single(body: Bytes, method: Option<MethodDescriptor>) -> Result<Bytes, Status> {
    let mut splitter = Splitter::new(usize::MAX);
    splitter.push(&body);
    match (splitter.next()?, splitter.is_empty()) {
        (Some((flags, message)), true) => translated(flags, &message, method.as_ref()),
        _ => Err(wrong("body", "the method takes one message, in one envelope")),
    }
}

fn translated(flags: u8, message: &[u8], method: Option<&MethodDescriptor>) -> Result<Bytes, Status> {
    match (flags, method) {
        (0, Some(method)) => Ok(envelope(0, &json::to_proto(method.input(), message)?)),
        (0, None) => Ok(envelope(0, message)),
        _ => Err(wrong("body", "an envelope of the request has flags that are not taken here")),
    }
}

/// The envelope with which a reply ends.
fn last(status: &Status, trailers: HeaderMap) -> Bytes {
    let mut end = Map::new();
    if status.code() != Code::Ok {
        end.insert("error".to_owned(), error::json(status));
    }
    let mut names: Map<String, Value> = Map::new();
    for (name, value) in &metadata(trailers) {
        let text = value.to_str().map_or_else(|_| STANDARD_NO_PAD.encode(value), str::to_owned);
        let values = names.entry(name.as_str()).or_insert_with(|| json!([]));
        values.as_array_mut().into_iter().for_each(|values| values.push(text.clone().into()));
    }
    if !names.is_empty() {
        end.insert("metadata".to_owned(), names.into());
    }
    envelope(END, Value::from(end).to_string().as_bytes())
}

impl Rewrite for Stream {
    fn data(&mut self, data: Bytes) -> Result<Bytes, Status> {
        let Some(splitter) = &mut self.splitter else {
            // Envelopes of both protocols are the same.
            return Ok(data);
        };
        splitter.push(&data);
        let mut written = BytesMut::new();
        while let Some((flags, message)) = splitter.next()? {
            let message = match &self.json {
                _ if flags != 0 => None,
                Some(method) => json::from_proto(method.output(), &message).map(Bytes::from),
                None => Some(message),
            };
            let message =
                message.ok_or_else(|| Status::internal("a message of the reply does not fit its contract"))?;
            let one = if self.packs { packed::in_envelope(&message) } else { envelope(0, &message) };
            written.extend_from_slice(&one);
        }
        Ok(written.freeze())
    }

    fn end(&mut self, trailers: HeaderMap) -> Bytes {
        last(&status::of(&trailers, &trailers), trailers)
    }
}

impl http_body::Body for Messages {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some((flags, message)) = self.splitter.next()? {
                let message = translated(flags, &message, self.method.as_ref())?;
                return Poll::Ready(Some(Ok(Frame::data(message))));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    self.splitter.push(&data);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
                None if self.splitter.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(wrong("body", "the last envelope is not whole")))),
            }
        }
    }
}
