//! A provider's program, and what is ordered of it and counted.

use crate::call::{Answer, Call, Reply};
use crate::ledger::Ledger;

/// A provider's program behind the port.
pub(crate) trait Upstream: Send + Sync + 'static {
    /// Name under which a call is counted and can be spoilt.
    fn operation(&self, call: &Call) -> String;
    /// Does the work and says whether it was done.
    fn answer(&self, call: &Call) -> Answer;
    /// The provider's form of an HTTP 500.
    fn crash(&self, call: &Call) -> Reply;
    /// Makes every session invalid.
    fn expire_sessions(&self);
    /// Goes back to the seed.
    fn reset(&self);
}

/// One upstream with its orders and counts.
pub(crate) struct Host {
    pub(crate) upstream: Box<dyn Upstream>,
    pub(crate) ledger: Ledger,
}

impl Host {
    pub(crate) fn reset(&self) {
        self.ledger.clear();
        self.upstream.reset();
    }

    pub(crate) fn commit(&self, call: &Call, operation: &str) -> Reply {
        let answer = self.upstream.answer(call);
        if answer.executed {
            self.ledger.count_executed(operation);
        }
        answer.reply
    }
}
