//! One message each way, plain in the bodies; the status is the HTTP status.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header, request::Parts, response};
use http_body_util::BodyExt;
use prost_reflect::MethodDescriptor;
use protocol::{
    Body,
    answer::OUTCOME_UNKNOWN,
    method::{Idempotency, MethodName},
};
use serving::{
    Inner,
    message::{self, Encoding, envelope},
};
use tonic::{Code, Status};

use super::{
    super::{
        TranscoderState, call,
        deferred::{Deferred, deferred, read},
        error::{self, not_allowed},
        gzip,
        json::{self, Codec},
        metadata, status,
    },
    download,
    query::Query,
    request,
};
use crate::answer::{Answer, Outcome};

/// Answers a POST.
pub(crate) async fn unary(
    transcoder: &TranscoderState,
    parts: Parts,
    body: Body,
    codec: Codec,
    inside: &Inner,
) -> Response<Body> {
    let max = transcoder.max_request;
    let encoding = match request::encoding(&parts.headers, header::CONTENT_ENCODING) {
        Ok(encoding) => encoding,
        Err(status) => return error::response(&status),
    };
    let message = async move { request::unpacked(encoding, read(body, max).await?, max) };
    answer(transcoder, parts, message, codec, inside).await
}

/// Answers a GET, which only reads may use.
pub(crate) async fn get(transcoder: &TranscoderState, parts: Parts, inside: &Inner) -> Response<Body> {
    let mut response = got(transcoder, parts, inside).await;
    // Caches do not know the header with the API key, and would also keep some refusals.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn got(transcoder: &TranscoderState, parts: Parts, inside: &Inner) -> Response<Body> {
    let full = parts.uri.path().trim_start_matches('/');
    if let Some(Err(status)) = MethodName::of(full).map(|name| transcoder.catalog.is_ready(&name)) {
        // Whether it reads is not known. The call goes inside only so that an authorised caller gets that answer.
        let message = async move { Err(status.status()) };
        return answer(transcoder, parts, message, Codec::Proto, inside).await;
    }
    if transcoder.catalog.of_method(full) != Some(Idempotency::Read) {
        let text = "only a method that changes nothing is called with GET; this one is called with POST";
        return *not_allowed(text, "POST");
    }
    let query = match Query::read(parts.uri.query().unwrap_or_default()) {
        Ok(query) => query,
        Err(status) => return error::response(&status),
    };
    let (codec, max) = (query.codec, transcoder.max_request);
    let message = async move { request::unpacked(query.encoding, query.message, max) };
    answer(transcoder, parts, message, codec, inside).await
}

async fn answer(
    transcoder: &TranscoderState,
    mut parts: Parts,
    message: impl Future<Output = Result<Bytes, Status>> + Send + 'static,
    codec: Codec,
    inside: &Inner,
) -> Response<Body> {
    if let Err(status) = request::translate(&mut parts.headers) {
        return error::response(&status);
    }
    let packs = message::wants_gzip(&parts.headers, &header::ACCEPT_ENCODING);
    let method = transcoder.described(parts.uri.path(), codec).and_then(only_unary);
    let reply = method.as_ref().ok().cloned().flatten();
    let downloads = reply.as_ref().is_some_and(download::is_download);
    let full = parts.uri.path().trim_start_matches('/').to_owned();
    let body = deferred(async move {
        let message = message.await?;
        Ok(match method? {
            Some(method) => envelope(0, &json::to_proto(method.input(), &message)?),
            None => envelope(0, &message),
        })
    });
    let mut request: Request<Body> = call(parts, body);
    request.extensions_mut().insert(Deferred);
    let response = inside.call(request).await;
    if downloads {
        return download::answer(response).await;
    }
    let (head, body) = response.into_parts();
    finished(head, body, ReplyForm { codec, packs }, reply, || transcoder.catalog.of_method(&full)).await
}

/// JSON without envelopes has room for one message each way, or for the bytes of a file.
fn only_unary(method: Option<MethodDescriptor>) -> Result<Option<MethodDescriptor>, Status> {
    match method {
        Some(method) if download::is_download(&method) => Ok(Some(method)),
        Some(method) if method.is_client_streaming() || method.is_server_streaming() => {
            let text = "the method has streams of messages: application/connect+json";
            Err(Answer::new(Code::Unimplemented, "METHOD_STREAMS", text).outcome(Outcome::NotSent).status())
        }
        method => Ok(method),
    }
}

impl TranscoderState {
    /// The descriptor that JSON needs, or why there is none; protobuf needs none.
    pub(crate) fn described(&self, path: &str, codec: Codec) -> Result<Option<MethodDescriptor>, Status> {
        match (codec, MethodName::parse(path)) {
            (Codec::Json, Some(name)) => self.catalog.described(&name).map(Some).map_err(|answer| answer.status()),
            _ => Ok(None),
        }
    }
}

/// How the caller wants its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyForm {
    pub(crate) codec: Codec,
    /// Whether it takes gzip.
    pub(crate) packs: bool,
}

/// Makes the answer of a reply.
pub(crate) async fn finished(
    head: response::Parts,
    body: Body,
    form: ReplyForm,
    method: Option<MethodDescriptor>,
    idempotency: impl FnOnce() -> Option<Idempotency>,
) -> Response<Body> {
    let Ok(body) = body.collect().await else {
        return error::response(&unwritable(idempotency(), "the reply was cut off"));
    };
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = status::of(&head.headers, &trailers);
    let written = match status.code() {
        Code::Ok => written(&body.to_bytes(), method, idempotency),
        _ => Err(status),
    };
    let mut response = match written {
        Ok(message) => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.codec.unary()));
            let mut response = Response::new(Body::from(gzip::body(message, form.packs, &mut headers).await));
            *response.headers_mut() = headers;
            response
        }
        Err(status) => error::response(&status),
    };
    add_metadata(response.headers_mut(), head.headers, trailers);
    response
}

fn written(
    body: &Bytes,
    method: Option<MethodDescriptor>,
    idempotency: impl FnOnce() -> Option<Idempotency>,
) -> Result<Bytes, Status> {
    let message = match message::single(body, Encoding::Identity, usize::MAX) {
        Ok((_, message)) => message,
        Err(_) => return Err(unwritable(idempotency(), "the reply is not one uncompressed message")),
    };
    let Some(method) = method else {
        return Ok(message);
    };
    let text = "the reply does not fit the contract that its service has shown";
    json::from_proto(method.output(), &message).map(Into::into).ok_or_else(|| unwritable(idempotency(), text))
}

/// The service answered, but its reply cannot be converted; its effect stands.
fn unwritable(idempotency: Option<Idempotency>, text: &str) -> Status {
    let answer = match idempotency {
        Some(Idempotency::Read) => Answer::new(Code::Internal, "REPLY_UNREADABLE", text),
        _ => Answer::new(Code::Aborted, OUTCOME_UNKNOWN, format!("{text}; look before repeating the call")),
    };
    answer.outcome(Outcome::Unknown).status()
}

/// Trailers become headers with a prefix.
fn add_metadata(to: &mut HeaderMap, leading: HeaderMap, trailing: HeaderMap) {
    to.extend(metadata(leading));
    for (name, value) in &metadata(trailing) {
        let prefixed = HeaderName::try_from(format!("trailer-{name}"));
        prefixed.into_iter().for_each(|name| {
            to.append(name, value.clone());
        });
    }
}
