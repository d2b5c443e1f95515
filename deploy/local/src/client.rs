//! A connection to a gateway, and calls whose messages are JSON.

use std::time::Duration;

use http::uri::PathAndQuery;
use prost_reflect::{DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::ser::PrettyFormatter;
use tonic::{
    Request, Status,
    client::Grpc,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::dynamic::DynamicCodec;

/// The header of the caller's key.
pub const KEY: &str = "x-api-key";
/// The header of the upstream account's alias.
pub const ACCOUNT: &str = "x-ispbridge-account";

const CONNECT: Duration = Duration::from_secs(5);
/// Largest reply that is read; a gateway lets 4 MiB pass.
const REPLY_BYTES: usize = 16 << 20;

/// Where the gateway is, who calls, and how long a call may take.
#[derive(Clone)]
pub struct Target {
    /// Address of the gateway, `http://host:port`.
    pub address: String,
    /// API key of the caller.
    pub key: String,
    /// How long a call may take.
    pub timeout: Duration,
}

/// A connection with the caller's key.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    key: MetadataValue<Ascii>,
    timeout: Duration,
}

/// Why something asked for could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody can be reached there.
    #[error("cannot reach {address}: {cause}")]
    Unreachable {
        /// The address as it was given.
        address: String,
        /// What the system said.
        cause: String,
    },
    /// An argument is wrong.
    #[error("{0}")]
    Argument(String),
    /// The gateway or a service said no.
    #[error("{}: {}", .0.code().description(), .0.message())]
    Status(Box<Status>),
    /// The other side does not speak as the protocol asks.
    #[error("{0}")]
    Protocol(String),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// An address that is none, or where nobody answers; a key that cannot be a header.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let mut key: MetadataValue<Ascii> =
            target.key.parse().map_err(|_| Error::Argument("the key holds characters that no key has".to_owned()))?;
        key.set_sensitive(true);
        let unreachable = |error: tonic::transport::Error| Error::Unreachable {
            address: target.address.clone(),
            cause: root_cause(&error),
        };
        let endpoint = Endpoint::from_shared(target.address.clone())
            .ok()
            .filter(|endpoint| endpoint.uri().scheme_str() == Some("http"))
            .ok_or_else(|| Error::Argument(format!("{:?} is no address; write http://host:port", target.address)))?
            .connect_timeout(CONNECT);
        Ok(Self { channel: endpoint.connect().await.map_err(unreachable)?, key, timeout: target.timeout })
    }

    /// Calls a method with a message in proto JSON and returns the answer in proto JSON.
    ///
    /// # Errors
    /// A message that is not the method's, or the status that the call ended with.
    pub async fn call(&self, method: &MethodDescriptor, json: &str, account: Option<&str>) -> Result<String, Error> {
        if method.is_client_streaming() || method.is_server_streaming() {
            let text = format!("{} streams; this client cannot", method.full_name());
            return Err(Error::Argument(text));
        }
        let mut request = self.request(message(method, json)?);
        if let Some(alias) = account {
            let alias = alias.parse().map_err(|_| Error::Argument(format!("{alias:?} is no account alias")))?;
            request.metadata_mut().insert(ACCOUNT, alias);
        }
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(REPLY_BYTES);
        grpc.ready().await.map_err(|error| Error::Protocol(root_cause(&error)))?;
        let codec = DynamicCodec::new(method.output());
        let reply = grpc.unary(request, path(method)?, codec).await?;
        to_json(reply.get_ref())
    }

    /// Puts key and deadline on a message.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(KEY, self.key.clone());
        request.set_timeout(self.timeout);
        request
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }
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

/// The innermost cause: the outer ones of a transport error only say that there is one.
fn root_cause(error: &tonic::transport::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
