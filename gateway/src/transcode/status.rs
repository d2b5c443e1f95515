//! How a gRPC reply ended.

use http::HeaderMap;
use protocol::told;
use tonic::{Code, Status};

use crate::answer::{Answer, Outcome};

/// The status in the headers of a reply, if it ends with them, or in its trailers.
pub(crate) fn of(headers: &HeaderMap, trailers: &HeaderMap) -> Status {
    told::status(headers).or_else(|| told::status(trailers)).unwrap_or_else(cut_off)
}

/// The status of a reply without one, which the inner layers prevent.
pub(crate) fn cut_off() -> Status {
    let text = "the reply ended without a status";
    Answer::new(Code::Internal, "REPLY_CUT_OFF", text).outcome(Outcome::Unknown).status()
}
