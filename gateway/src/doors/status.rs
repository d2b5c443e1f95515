//! How a gRPC reply ended.

use http::HeaderMap;
use tonic::{Code, Status};

/// The status in the headers of a reply, if it ends with them, or in its trailers.
pub(crate) fn of(headers: &HeaderMap, trailers: &HeaderMap) -> Status {
    Status::from_header_map(headers)
        .or_else(|| Status::from_header_map(trailers))
        .unwrap_or_else(|| Status::new(Code::Internal, "the reply ended without a status"))
}
