//! Why a call to a gateway came to nothing.

use tonic::Status;

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

/// The innermost cause: the outer ones of a transport error only say that there is one.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
