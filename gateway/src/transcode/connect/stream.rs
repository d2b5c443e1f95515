//! Messages in envelopes, as many as the method has; the status is the last envelope of the reply.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header, request::Parts};
use http_body::Frame;
use prost_reflect::MethodDescriptor;
use protocol::Body;
use protocol::headers::{CONNECT_ACCEPT_ENCODING, CONNECT_CONTENT_ENCODING, GRPC_ENCODING};
use serde_json::{Map, Value, json};
use serving::{
    Inner,
    message::{self, Encoding, GZIP, HEAD, PACKED, Splitter, envelope},
};
use tonic::{Code, Status};

use super::{
    super::{
        TranscoderState, call,
        deferred::{Deferred, deferred, read},
        error,
        json::{self, Codec},
        metadata,
        rewrite::{Rewrite, rewritten},
        status,
    },
    request::{encoding as encoding_of, translate},
};
use crate::answer::{Answer, Outcome};

/// Flag of the envelope that ends a reply.
const END: u8 = 2;

/// Writes a reply for Connect.
struct StreamRewrite {
    /// Splits the reply where its messages must be written anew.
    splitter: Option<Splitter>,
    /// The method whose messages become JSON.
    json: Option<MethodDescriptor>,
    /// Whether the caller takes gzip.
    packs: bool,
}

/// The messages of a request, from Connect's envelopes to gRPC's.
struct RequestMessages {
    inner: Body,
    splitter: Splitter,
    form: RequestForm,
}

/// How the messages of a request are written.
struct RequestForm {
    encoding: Encoding,
    max: usize,
    method: MethodDescriptor,
}

/// Answers a request.
pub(crate) async fn stream(
    transcoder: &TranscoderState,
    mut parts: Parts,
    body: Body,
    codec: Codec,
    inside: &Inner,
) -> Response<Body> {
    let prepared = translate(&mut parts.headers).and_then(|()| encoding_of(&parts.headers, CONNECT_CONTENT_ENCODING));
    let encoding = match prepared {
        Ok(encoding) => encoding,
        Err(status) => return ended(codec, &status),
    };
    let packs = message::wants_gzip(&parts.headers, &CONNECT_ACCEPT_ENCODING);
    let method = transcoder.described(parts.uri.path(), codec);
    let reply = method.as_ref().ok().cloned().flatten();
    let request = request(parts, body, method.transpose(), (encoding, transcoder.max_request));
    let splitter = (packs || reply.is_some()).then(|| Splitter::new(usize::MAX));
    let (headers, body) = rewritten(inside.call(request).await, StreamRewrite { splitter, json: reply, packs });
    let mut response = Response::new(body);
    *response.headers_mut() = metadata(headers);
    if packs {
        response.headers_mut().insert(CONNECT_CONTENT_ENCODING, GZIP);
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.stream()));
    response
}

/// The gRPC call for a request; `method` is set if its messages are JSON.
fn request(
    mut parts: Parts,
    body: Body,
    method: Option<Result<MethodDescriptor, Status>>,
    (encoding, max): (Encoding, usize),
) -> Request<Body> {
    match method {
        // Envelopes of both protocols are the same.
        None => {
            if encoding == Encoding::Gzip {
                parts.headers.insert(GRPC_ENCODING, GZIP);
            }
            call(parts, body)
        }
        Some(Ok(method)) if method.is_client_streaming() => {
            let form = RequestForm { encoding, max, method };
            call(parts, Body::new(RequestMessages { inner: body, splitter: Splitter::new(max), form }))
        }
        // A single message is rejected before anything is forwarded; an invalid message of a stream only ends the stream.
        Some(method) => {
            let body = deferred(async move {
                let (flags, message) = message::single(&read(body, max + HEAD).await?, encoding, max)?;
                RequestForm { encoding, max, method: method? }.translated(flags, &message)
            });
            let mut request = call(parts, body);
            request.extensions_mut().insert(Deferred);
            request
        }
    }
}

/// A reply that has nothing but its end.
fn ended(codec: Codec, status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::from(last(status, HeaderMap::new())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.stream()));
    response
}

impl RequestForm {
    /// A message as gRPC has it.
    fn translated(&self, flags: u8, message: &Bytes) -> Result<Bytes, Status> {
        self.encoding.check(flags)?;
        let plain = if flags == PACKED { message::unpack(message, self.max)? } else { message.clone() };
        Ok(envelope(0, &json::to_proto(self.method.input(), &plain)?))
    }
}

fn unfitting() -> Status {
    let text = "a message of the reply does not fit its contract";
    Answer::new(Code::Internal, "REPLY_UNREADABLE", text).outcome(Outcome::Unknown).status()
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

impl Rewrite for StreamRewrite {
    fn data(&mut self, data: Bytes) -> Result<Bytes, Status> {
        let Some(splitter) = &mut self.splitter else {
            // Envelopes of both protocols are the same.
            return Ok(data);
        };
        splitter.push(&data);
        let mut written = BytesMut::new();
        while let Some((flags, message)) = splitter.message()? {
            let message = match &self.json {
                _ if flags != 0 => None,
                Some(method) => json::from_proto(method.output(), &message).map(Bytes::from),
                None => Some(message),
            };
            let message = message.ok_or_else(unfitting)?;
            let one = if self.packs { message::in_envelope(&message) } else { envelope(0, &message) };
            written.extend_from_slice(&one);
        }
        Ok(written.freeze())
    }

    fn end(&mut self, trailers: HeaderMap) -> Bytes {
        last(&status::of(&trailers, &trailers), trailers)
    }
}

impl http_body::Body for RequestMessages {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some((flags, message)) = self.splitter.message()? {
                let message = self.form.translated(flags, &message)?;
                return Poll::Ready(Some(Ok(Frame::data(message))));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    self.splitter.push(&data);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(message::unreadable(&error)))),
                None if self.splitter.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(message::broken_off()))),
            }
        }
    }
}
