//! A connection to a gateway, and calls whose messages are JSON.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, uri::PathAndQuery};
use prost_reflect::{DynamicMessage, MethodDescriptor, SerializeOptions};
use protocol::headers::ACCOUNT;
use serde_json::ser::PrettyFormatter;
use tokio::time::Instant;
use tonic::{
    Code, Request, Response, Status, Streaming, TimeoutExpired, client::Grpc, metadata::MetadataMap, transport::Channel,
};

use crate::{
    dynamic::DynamicCodec,
    error::{Error, root_cause},
    target::Target,
};

/// Largest reply that is read; a gateway lets 4 MiB pass.
const REPLY_BYTES: usize = 16 << 20;

/// A connection with the caller's credentials.
#[derive(Clone)]
pub struct Client {
    address: String,
    channel: Channel,
    headers: HeaderMap,
    timeout: Duration,
}

/// A call that was made.
#[derive(Debug)]
pub struct Called {
    /// The reply in proto JSON, or the status that the call ended with.
    pub reply: Result<String, Status>,
    /// What came before the reply.
    pub headers: HeaderMap,
    /// What came after it.
    pub trailers: HeaderMap,
    /// How long it took.
    pub took: Duration,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// An address that is none, or where nobody answers; certificates that cannot be used.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let unreachable = |error: tonic::transport::Error| Error::Unreachable {
            address: target.address.clone(),
            cause: root_cause(&error),
        };
        let channel = target.endpoint()?.connect().await.map_err(unreachable)?;
        Ok(Self { address: target.address.clone(), channel, headers: target.headers.clone(), timeout: target.timeout })
    }

    /// Calls a method with a message in proto JSON and returns the answer in proto JSON.
    ///
    /// # Errors
    /// A message that is not the method's, or the status that the call ended with.
    pub async fn call(&self, method: &MethodDescriptor, json: &str, account: Option<&str>) -> Result<String, Error> {
        Ok(self.exchange(method, json, account).await?.reply?)
    }

    /// Does the same, and tells all that came back.
    ///
    /// # Errors
    /// A message that is not the method's, or a method that streams: nothing was sent then.
    pub async fn exchange(
        &self,
        method: &MethodDescriptor,
        json: &str,
        account: Option<&str>,
    ) -> Result<Called, Error> {
        if method.is_client_streaming() || method.is_server_streaming() {
            let text = format!("{} streams, and this client does not; use grpcurl for it", method.full_name());
            return Err(Error::Argument(text));
        }
        let mut request = self.request(message(method, json)?);
        if let Some(alias) = account {
            let value = HeaderValue::try_from(alias);
            let value = value.map_err(|_| Error::Argument(format!("{alias:?} is no account alias")))?;
            let mut headers = std::mem::take(request.metadata_mut()).into_headers();
            headers.insert(ACCOUNT, value);
            *request.metadata_mut() = MetadataMap::from_headers(headers);
        }
        let called = self.send(method, request).await?;
        Ok(Called { reply: called.reply.map_err(|status| self.late(status)), ..called })
    }

    async fn send(&self, method: &MethodDescriptor, request: Request<DynamicMessage>) -> Result<Called, Error> {
        let (path, codec) = (path(method)?, DynamicCodec::new(method.output()));
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(REPLY_BYTES);
        grpc.ready().await.map_err(|error| Error::Protocol(root_cause(&error)))?;
        let begun = Instant::now();
        // As a stream, so that headers and trailers stay apart.
        let (headers, trailers, reply) = match grpc.server_streaming(request, path, codec).await {
            Ok(response) => read(response).await,
            Err(status) => (HeaderMap::new(), status.metadata().clone().into_headers(), Err(status)),
        };
        let reply = match reply {
            Ok(message) => Ok(to_json(&message)?),
            Err(status) => Err(status),
        };
        Ok(Called { reply, headers, trailers, took: begun.elapsed() })
    }

    /// Puts credentials and deadline on a message.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        request.set_timeout(self.timeout);
        request
    }

    /// Tells a connection that did not hold until the first answer (by TLS 1.3 a client certificate is refused that late) from
    /// what the other side says.
    pub(crate) fn unreachable(&self, status: Status) -> Error {
        let status = self.late(status);
        match std::error::Error::source(&status) {
            Some(source) => Error::Unreachable { address: self.address.clone(), cause: root_cause(source) },
            None => status.into(),
        }
    }

    /// tonic ends a call that takes too long with CANCELLED.
    fn late(&self, status: Status) -> Status {
        if status.code() != Code::Cancelled || status.message() != TimeoutExpired(()).to_string() {
            return status;
        }
        let seconds = self.timeout.as_secs_f64();
        Status::deadline_exceeded(format!("no answer within {seconds} s; what was to be changed may have been"))
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// Headers, trailers and the one message of a reply.
async fn read(response: Response<Streaming<DynamicMessage>>) -> (HeaderMap, HeaderMap, Result<DynamicMessage, Status>) {
    let (headers, mut stream, _) = response.into_parts();
    let headers = headers.into_headers();
    let message = stream.message().await;
    let end = match &message {
        Ok(_) => stream.trailers().await.map(Option::unwrap_or_default),
        Err(status) => Ok(status.metadata().clone()),
    };
    let (trailers, ended) = match end {
        Ok(trailers) => (trailers, Ok(())),
        Err(status) => (status.metadata().clone(), Err(status)),
    };
    let message = message.and_then(|message| message.ok_or_else(|| Status::internal("the reply holds no message")));
    (headers, trailers.into_headers(), ended.and(message))
}

fn message(method: &MethodDescriptor, json: &str) -> Result<DynamicMessage, Error> {
    let wrong = |error: serde_json::Error| {
        let name = method.input().full_name().to_owned();
        Error::Argument(format!("the JSON is not a {name}: {error}"))
    };
    let mut text = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(method.input(), &mut text).map_err(wrong)?;
    text.end().map_err(wrong)?;
    Ok(message)
}

fn to_json(message: &DynamicMessage) -> Result<String, Error> {
    let mut text = Vec::new();
    let mut json = serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::new());
    message
        .serialize_with_options(&mut json, &SerializeOptions::new())
        .map_err(|error| Error::Protocol(format!("the reply has no JSON form: {error}")))?;
    String::from_utf8(text).map_err(|error| Error::Protocol(error.to_string()))
}

fn path(method: &MethodDescriptor) -> Result<PathAndQuery, Error> {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
        .parse()
        .map_err(|_| Error::Protocol(format!("{} is no path", method.full_name())))
}
