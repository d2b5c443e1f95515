//! What a caller is told whose call ends before its answer is complete.

use protocol::{Outcome, answer, refusal};
use tonic::{Code, Status};

/// What ends a call whose answer is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its deadline.
    Late,
    /// The end of the process.
    Over,
}

impl End {
    /// What the caller is told whose request is not whole yet: nobody has begun to work on it.
    pub(crate) fn of_request(self) -> Status {
        match self {
            Self::Late => refusal::incomplete(),
            Self::Over => {
                let message = "the service stopped before the request was whole";
                answer::status(Code::Unavailable, "SHUTTING_DOWN", message, Outcome::NotSent)
            }
        }
    }

    /// What the caller is told; a write may have happened, and says so.
    pub(crate) fn status(self, writes: bool) -> Status {
        let (code, reason, message) = match self {
            Self::Late => {
                (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline passed before the answer was ready")
            }
            Self::Over => (Code::Unavailable, "SHUTTING_DOWN", "the service stopped before the answer was ready"),
        };
        answer::unanswered(writes, code, reason, message)
    }
}
