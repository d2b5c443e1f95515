//! Refused credentials for operators: a metric by kind, and the addresses that sent them.

use std::net::IpAddr;

use chassis::Process;
use opentelemetry::{KeyValue, metrics::Counter};

/// Counter: credentials that were refused, by [`protocol::names::REASON`]; addresses are no label of it.
const CREDENTIALS_REFUSED: &str = "ispbridge.gateway.credentials.refused";

/// Counts refused credentials.
#[derive(Debug)]
pub(crate) struct RefusalRecorder {
    process: Process,
    count: Counter<u64>,
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrongCredential {
    /// An unknown API key.
    Key,
    /// An invalid token.
    Token,
    /// Either, from an address that has sent too many.
    TooMany,
}

impl RefusalRecorder {
    /// Registers the counter.
    pub(crate) fn new(process: &Process) -> Self {
        let count = process.meter().u64_counter(CREDENTIALS_REFUSED);
        let count = count.with_description("API keys and tokens that were refused").build();
        Self { process: process.clone(), count }
    }

    /// Counts a wrong credential.
    pub(super) fn note(&self, wrong: WrongCredential, address: Option<IpAddr>) {
        let reason = match wrong {
            WrongCredential::Key => "wrong_key",
            WrongCredential::Token => "wrong_token",
            WrongCredential::TooMany => "too_many_guesses",
        };
        self.count.add(1, &[KeyValue::new(protocol::names::REASON, reason)]);
        address.into_iter().for_each(|address| self.process.refusals().call(reason, address));
    }
}
