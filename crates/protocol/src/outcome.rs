//! What is known about the effect of a call that failed.

use std::fmt;

/// Whether a call can have had an effect. It decides whether a caller may repeat a write, so nothing is guessed: what is not
/// known to be [`Self::NotSent`] or [`Self::Rejected`] is [`Self::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing reached a place where it could take effect.
    NotSent,
    /// The supplier read it and refused it.
    Rejected,
    /// It may have happened.
    Unknown,
}

impl Outcome {
    /// The key in the metadata of an `ErrorInfo`.
    pub const KEY: &'static str = "outcome";
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NotSent, Self::Rejected, Self::Unknown];

    /// Its spelling in an `ErrorInfo`, in metrics and in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "NOT_SENT",
            Self::Rejected => "REJECTED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Reads [`Self::as_str`].
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_is_written_and_nothing_else_is_one() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::of(outcome.as_str()), Some(outcome));
        }
        for text in ["", "not_sent", "OK", "UNKNOWN "] {
            assert_eq!(Outcome::of(text), None, "{text}");
        }
    }
}
