//! What the end of an attempt says of the upstream: one rule for the breaker and for what operators are told.

use std::time::Duration;

use crate::fault::{Fault, Kind, Outcome};

/// Least time without an answer that is held against an upstream: a caller in a hurry says nothing about it.
const MUTE: Duration = Duration::from_secs(1);

/// How an attempt ended, as far as it tells of the upstream and not of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The caller's deadline was too short for an answer.
    Nothing,
    /// It answered, if only to say no, whatever the status; also that one function failed, or what nobody can read.
    Answered,
    /// It refused our own credentials.
    Refused,
    /// It was silent, broke the connection off or answered with a 5xx.
    Broken,
    /// Nothing could be sent to it.
    Unreachable,
}

impl Sign {
    /// Reads the end of an attempt that took so long.
    pub(crate) fn of<T>(result: &Result<T, Fault>, took: Duration) -> Self {
        match result {
            Err(fault) if fault.kind() == Kind::DeadlineExceeded && took < MUTE => Self::Nothing,
            Err(fault) if fault.kind() == Kind::UpstreamAuth => Self::Refused,
            Err(fault) if !is_failure(fault) => Self::Answered,
            Err(fault) if fault.outcome() == Outcome::NotSent => Self::Unreachable,
            Err(_) => Self::Broken,
            Ok(_) => Self::Answered,
        }
    }

    /// Whether it speaks against the account.
    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::Refused | Self::Broken | Self::Unreachable)
    }
}

/// No answer, or a 5xx, of whatever the body is; not what the upstream refused, nor the fault of one function.
fn is_failure(fault: &Fault) -> bool {
    let is_silent = matches!(fault.kind(), Kind::Unavailable | Kind::DeadlineExceeded);
    let is_answer = fault.outcome() == Outcome::Rejected || fault.is_of_function();
    let is_broken = fault.http_status().is_some_and(|status| status >= 500);
    (is_silent || is_broken) && !is_answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_an_attempt_is_told() {
        let late = || Fault::new(Kind::DeadlineExceeded, Outcome::Unknown, "UPSTREAM_TIMEOUT", "late");
        let refused = || Fault::rejected(Kind::NotFound, "NOT_FOUND", "no");
        let died = || Fault::server("died").with_upstream_code("Server").of_function();
        let large = || Fault::new(Kind::TooLarge, Outcome::Unknown, "X", "x");
        let unreachable = || Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_UNREACHABLE", "x");
        let (soon, late_enough) = (MUTE / 2, MUTE);
        for (fault, took, sign) in [
            (Fault::not_in_time(), Duration::ZERO, Sign::Nothing),
            (late(), soon, Sign::Nothing),
            (late(), late_enough, Sign::Broken),
            (Fault::not_in_time(), late_enough, Sign::Unreachable),
            (refused(), soon, Sign::Answered),
            (refused().with_http_status(500), soon, Sign::Answered),
            (died(), soon, Sign::Answered),
            (died().with_http_status(500), soon, Sign::Answered),
            (Fault::session_dead("over"), soon, Sign::Answered),
            (Fault::unreadable("a page").with_http_status(200), soon, Sign::Answered),
            (Fault::upstream_auth("no").with_http_status(401), soon, Sign::Refused),
            (Fault::server("down").with_upstream_code("500").with_http_status(503), soon, Sign::Broken),
            (Fault::unreadable("a page").with_http_status(503), soon, Sign::Broken),
            (large().with_http_status(503), soon, Sign::Broken),
            (unreachable(), soon, Sign::Unreachable),
        ] {
            assert_eq!(Sign::of::<()>(&Err(fault.clone()), took), sign, "{fault} {took:?}");
        }
        assert_eq!(Sign::of(&Ok(()), soon), Sign::Answered);
    }
}
