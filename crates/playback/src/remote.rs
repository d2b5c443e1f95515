//! Calls a service by its descriptors, as a client in any language would.

use std::net::SocketAddr;

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use protocol::headers::UNREADABLE_FIELDS;
use protocol::names::code_name;
use serde_json::{Value, json};
use tonic::{
    Request, Response, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Endpoint,
};
use tonic_types::StatusExt;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The reply or the error, as `reply.json` has it.
    pub(crate) json: Value,
    /// The fields that could not be read, separated by commas.
    pub(crate) unreadable: String,
}

/// Makes one call on a connection of its own.
pub(crate) async fn call(
    address: SocketAddr,
    method: &MethodDescriptor,
    message: DynamicMessage,
) -> Result<Answer, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| error.to_string())?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match client.unary(Request::new(message), path, Dynamic(method.output())).await {
        Ok(response) => reply(&response),
        Err(status) => Ok(Answer { json: json!({ "error": error(&status) }), unreadable: String::new() }),
    }
}

fn reply(response: &Response<DynamicMessage>) -> Result<Answer, String> {
    let json = serde_json::to_value(response.get_ref()).map_err(|error| error.to_string())?;
    let unreadable =
        response.metadata().as_ref().get(UNREADABLE_FIELDS).and_then(|value| value.to_str().ok()).unwrap_or("");
    Ok(Answer { json, unreadable: unreadable.to_owned() })
}

/// An error in the form of `reply.json`; what it does not have is left out.
fn error(status: &Status) -> Value {
    let details = status.get_error_details();
    let mut error = json!({ "code": code_name(status.code()), "message": status.message() });
    if let Some(info) = details.error_info() {
        error["reason"] = info.reason.clone().into();
        error["domain"] = info.domain.clone().into();
        error["metadata"] = json!(info.metadata);
    }
    if let Some(request) = details.bad_request() {
        let violations = request.field_violations.iter();
        error["violations"] =
            violations.map(|found| json!({ "field": found.field, "description": found.description })).collect();
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        // What is left of a pause is never the same twice; an upstream's own wish is.
        let is_whole = delay.subsec_nanos() == 0;
        error["retryAfter"] = if is_whole { delay.as_secs().into() } else { "the rest of a pause".into() };
    }
    error
}

/// A codec for messages that are known by their descriptors only.
#[derive(Clone, Debug)]
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(out).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), bytes);
        message.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn an_error_shows_its_details() {
        let mut details =
            ErrorDetails::with_error_info("NO_ROOM", "x.ispbridge", [("outcome".into(), "NOT_SENT".into())]);
        details.add_bad_request_violation("a.b", "is required").set_retry_info(Some(Duration::from_millis(9_200)));
        let status = Status::with_error_details(Code::ResourceExhausted, "full", details);
        let expected = json!({
            "code": "RESOURCE_EXHAUSTED", "message": "full", "reason": "NO_ROOM", "domain": "x.ispbridge",
            "metadata": { "outcome": "NOT_SENT" }, "retryAfter": "the rest of a pause",
            "violations": [{ "field": "a.b", "description": "is required" }],
        });
        assert_eq!(error(&status), expected);
    }
}
