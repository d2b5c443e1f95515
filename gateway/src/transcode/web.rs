//! gRPC-Web (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>): gRPC's envelopes over any HTTP, the trailers
//! as the last of them, and all of it in base64 for browsers that read nothing else.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header, request::Parts};
use http_body::Frame;
use protocol::Body;
use serving::{
    Inner,
    message::{self, envelope},
};
use tonic::Status;

use super::{
    call,
    connect::wrong,
    rewrite::{Rewrite, rewritten},
};

/// Flag of the envelope that holds the trailers.
const TRAILERS: u8 = 0x80;

/// Names of the form in bytes.
const BYTES: [&str; 2] = ["application/grpc-web+proto", "application/grpc-web"];
/// Names of the form in base64.
const TEXT: [&str; 2] = ["application/grpc-web-text+proto", "application/grpc-web-text"];

/// Writes a reply for gRPC-Web.
struct WebRewrite {
    text: bool,
}

/// A request in base64: a sequence of texts, each padded or not.
struct Base64Body {
    inner: Body,
    /// Less than four characters that are not decoded yet.
    rest: BytesMut,
}

/// Answers a request, whose body is base64 if `text`.
pub(crate) async fn answer(parts: Parts, body: Body, text: bool, inside: &Inner) -> Response<Body> {
    let reply_in_text = accepts_text(&parts.headers).unwrap_or(text);
    let body = if text { Body::new(Base64Body { inner: body, rest: BytesMut::new() }) } else { body };
    let (mut headers, body) = rewritten(inside.call(call(parts, body)).await, WebRewrite { text: reply_in_text });
    let [protocol, _] = if reply_in_text { TEXT } else { BYTES };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(protocol));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// Whether the caller likes its reply better in base64 than in bytes, if it likes either better.
fn accepts_text(headers: &HeaderMap) -> Option<bool> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<_> = accepted.flat_map(|value| value.split(',')).filter_map(media_range).collect();
    let weight = |names: [&str; 2]| {
        let of = |name: &str| {
            accepted.iter().filter(|(media_range, _)| media_range == name).map(|(_, weight)| *weight).reduce(f32::max)
        };
        let named = names.into_iter().filter_map(of).reduce(f32::max);
        named.or_else(|| of("application/*")).or_else(|| of("*/*")).unwrap_or_default()
    };
    let [bytes, text] = [BYTES, TEXT].map(weight);
    (bytes != text).then_some(text > bytes)
}

/// A media range in small letters, and its weight.
fn media_range(text: &str) -> Option<(String, f32)> {
    let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
    let weight = parameters.split(';').find_map(|one| one.trim().strip_prefix("q=")).map_or(Ok(1.0), str::parse);
    Some((name.trim().to_ascii_lowercase(), weight.ok()?))
}

impl WebRewrite {
    fn form(&self, bytes: Bytes) -> Bytes {
        if self.text { STANDARD.encode(bytes).into() } else { bytes }
    }
}

impl Rewrite for WebRewrite {
    fn data(&mut self, data: Bytes) -> Result<Bytes, Status> {
        Ok(self.form(data))
    }

    fn end(&mut self, trailers: HeaderMap) -> Bytes {
        let mut lines = Vec::new();
        for (name, value) in &trailers {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
        self.form(envelope(TRAILERS, &lines))
    }
}

impl Base64Body {
    fn decode(&mut self, text: &[u8]) -> Result<Bytes, Status> {
        self.rest.extend_from_slice(text);
        let whole = self.rest.len() / 4 * 4;
        let quads = self.rest.split_to(whole);
        let mut decoded = Vec::with_capacity(whole / 4 * 3);
        // Padding ends a text, and another may follow.
        for text in quads.chunks(4).collect::<Vec<_>>().chunk_by(|quad, _| !quad.ends_with(b"=")) {
            let text = text.concat();
            STANDARD.decode_vec(text, &mut decoded).map_err(|_| not_base64())?;
        }
        Ok(decoded.into())
    }
}

fn not_base64() -> Status {
    wrong("body", "the body of the request is not base64")
}

impl http_body::Body for Base64Body {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            let polled = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(text) => self.decode(&text),
                    Err(_) => continue,
                },
                Some(Err(error)) => Err(message::unreadable(&error)),
                None if self.rest.is_empty() => return Poll::Ready(None),
                None => {
                    self.rest.clear();
                    Err(not_base64())
                }
            };
            match polled {
                Ok(bytes) if bytes.is_empty() => {}
                polled => return Poll::Ready(Some(polled.map(Frame::data))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn decoded(parts: Vec<Bytes>) -> Result<Bytes, ()> {
        let body = Body::from_stream(tokio_stream::iter(parts.into_iter().map(Ok::<_, Status>)));
        let texts = Base64Body { inner: body, rest: BytesMut::new() };
        texts.collect().await.map(|body| body.to_bytes()).map_err(|_| ())
    }

    #[tokio::test]
    async fn padded_texts_follow_one_another_however_they_are_cut() {
        let text = [STANDARD.encode("a"), STANDARD.encode("bcd"), STANDARD.encode("ef"), STANDARD.encode("g")].concat();
        for size in 1..=text.len() {
            let parts = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            assert_eq!(decoded(parts).await.unwrap(), "abcdefg", "{size}");
        }
    }

    #[tokio::test]
    async fn what_is_not_base64_ends_the_body() {
        for text in ["YQ", "YQ=", "!!!!", "Y===", "YQ==YQ="] {
            assert!(decoded(vec![Bytes::from(text)]).await.is_err(), "{text}");
        }
    }

    #[test]
    fn a_reply_has_the_form_that_is_accepted() {
        let accepts = |lines: &[&'static str]| {
            let lines = lines.iter().map(|line| (header::ACCEPT, HeaderValue::from_static(line)));
            accepts_text(&lines.collect())
        };
        for text in
            ["application/grpc-web-text", "Application/gRPC-Web-Text+proto; q=0.5", "application/grpc-web;q=0, */*"]
        {
            assert_eq!(accepts(&[text]), Some(true), "{text}");
        }
        for bytes in [
            "application/grpc-web",
            "application/grpc-web-text;q=0.5, application/grpc-web+proto",
            "application/grpc-web-text;q=0,*/*",
        ] {
            assert_eq!(accepts(&[bytes]), Some(false), "{bytes}");
        }
        assert_eq!(accepts(&["text/html", "application/grpc-web-text"]), Some(true));
        for either in [
            "",
            "*/*",
            "application/*",
            "text/html",
            "application/grpc-web, application/grpc-web-text",
            "application/grpc-web-text;q=x",
        ] {
            assert_eq!(accepts(&[either]), None, "{either}");
        }
    }

    #[test]
    fn trailers_are_the_last_envelope() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let end = |text: bool| WebRewrite { text }.end(trailers.clone());
        assert_eq!(end(false), &b"\x80\0\0\0\x10grpc-status: 0\r\n"[..]);
        assert_eq!(end(true), STANDARD.encode(b"\x80\0\0\0\x10grpc-status: 0\r\n"));
    }
}
