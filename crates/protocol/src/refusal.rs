//! What is said to a caller whose request is malformed.

use std::error::Error;

use http::HeaderValue;
use tonic::{Code, Status};

use crate::{domain::CALLER, headers, outcome::Outcome, status::StatusBuilder};

fn builder(code: Code, reason: &str, message: &str) -> StatusBuilder {
    StatusBuilder::new(CALLER, code, reason, message, Outcome::NotSent)
}

/// A status about the request itself, on which nobody has worked.
#[must_use]
pub fn refused(code: Code, reason: &str, message: &str) -> Status {
    builder(code, reason, message).build()
}

/// A header of the protocol cannot be read; `must` says what it must be.
#[must_use]
pub fn header(name: &str, must: &str) -> Status {
    let text = format!("the header {name} {must}");
    builder(Code::InvalidArgument, "HEADER_INVALID", &text).with("header", name).violation(name, must).build()
}

/// The request is larger than it may be.
#[must_use]
pub fn too_large() -> Status {
    let message = "the request is larger than max_request_bytes allows";
    refused(Code::ResourceExhausted, "REQUEST_TOO_LARGE", message)
}

/// The headers of the request are larger than they may be.
#[must_use]
pub fn headers_too_large() -> Status {
    let message = "the headers of the request are larger than max_header_bytes allows";
    refused(Code::ResourceExhausted, "HEADERS_TOO_LARGE", message)
}

/// The method takes one message, and the request has `how_many`.
#[must_use]
pub fn count(how_many: &str) -> Status {
    let message = format!("the method takes one message, and the request has {how_many}");
    refused(Code::Unimplemented, "MESSAGE_COUNT", &message)
}

/// What ended the body of a request early: our own word if there is one, else that it broke off.
#[must_use]
pub fn unreadable(error: &(dyn Error + 'static)) -> Status {
    status_in(error).unwrap_or_else(broken_off)
}

/// The request ended before it was whole.
#[must_use]
pub fn broken_off() -> Status {
    refused(Code::InvalidArgument, "REQUEST_BROKEN", "the request broke off before it was whole")
}

/// The deadline came before the request was whole.
#[must_use]
pub fn incomplete() -> Status {
    refused(Code::DeadlineExceeded, "REQUEST_INCOMPLETE", "the deadline passed before the request was whole")
}

/// The envelopes of the request break the protocol.
#[must_use]
pub fn framing(message: &str) -> Status {
    refused(Code::Internal, "REQUEST_FRAMING", message)
}

/// A message that claims to be gzip is not.
#[must_use]
pub fn not_gzip() -> Status {
    refused(Code::Internal, "REQUEST_COMPRESSION", "a message of the request says that it is gzip, and is not")
}

/// The message is no protobuf of the method's type.
#[must_use]
pub fn not_protobuf() -> Status {
    let message = "the message of the request cannot be read as protobuf of the method's type";
    refused(Code::InvalidArgument, "REQUEST_UNREADABLE", message)
}

/// The messages are compressed in a way that nobody here reads.
#[must_use]
pub fn unknown_encoding() -> Status {
    let message = "the encoding of the request is none that is taken here: identity, gzip";
    let mut status = refused(Code::Unimplemented, "COMPRESSION_UNKNOWN", message);
    let taken = HeaderValue::from_static("identity,gzip");
    status.metadata_mut().as_mut().insert(headers::GRPC_ACCEPT_ENCODING, taken);
    status
}

/// The messages are not protobuf.
#[must_use]
pub fn unknown_codec(codec: &str) -> Status {
    let codec: String = codec.chars().take(30).collect();
    let message = format!(
        "messages of gRPC are protobuf here, application/grpc or application/grpc+proto, and not {codec:?}; \
         the gateway takes JSON as application/json"
    );
    refused(Code::Unimplemented, "CODEC_UNKNOWN", &message)
}

/// The status that ended a body, if one did.
fn status_in(error: &(dyn Error + 'static)) -> Option<Status> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(status) = error.downcast_ref::<Status>().filter(|status| !status.details().is_empty()) {
            return Some(status.clone());
        }
        cause = error.source();
    }
    None
}
