//! Upstream accounts whose circuit breaker is open, inferred from completed calls.
//!
//! The breakers live in the services, one per account and instance. The gateway only sees how calls end: a refusal means
//! that one is open, an answer of the upstream that it is closed again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use serving::CompletedCall;
use tokio::time::Instant;

use super::to_the_second;

/// The reason of a call that a service's breaker has refused.
const REFUSED: &str = "UPSTREAM_BREAKER_OPEN";
/// An open breaker lets one call through after this time, so after a longer silence its state is unknown.
const PROBE: Duration = Duration::from_secs(5);
/// Accounts that are remembered of one provider.
const MOST: usize = 100;

/// The open breakers of one provider.
#[derive(Debug, Default)]
pub(super) struct OpenBreakers {
    /// Their number: a successful call checks only this.
    count: AtomicUsize,
    accounts: Mutex<BTreeMap<BreakerId, OpenBreaker>>,
}

/// The breaker of one account in one instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct BreakerId {
    account: String,
    instance: Option<Arc<str>>,
}

#[derive(Debug)]
struct OpenBreaker {
    since: Timestamp,
    refused: Timestamp,
    last_seen: Instant,
}

/// What a call says about its account's breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BreakerSignal {
    /// The breaker is open.
    Refused,
    /// The upstream has answered.
    Answered,
    /// Neither; an open breaker stays open.
    Failed,
}

/// One open breaker, as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct BreakerStatus {
    account: String,
    instance: Option<String>,
    /// RFC 3339.
    since: String,
    /// RFC 3339.
    last_refused: String,
}

impl OpenBreakers {
    /// Takes a completed call into account.
    pub(super) fn observe(&self, call: &CompletedCall<'_>) {
        let signal = BreakerSignal::of(call);
        if signal != BreakerSignal::Refused && self.count.load(Relaxed) == 0 {
            return;
        }
        if let Some(account) = call.account {
            self.note(BreakerId { account: account.to_owned(), instance: call.instance.clone() }, signal);
        }
    }

    /// The breakers that are open now.
    pub(super) fn list(&self) -> Vec<BreakerStatus> {
        if self.count.load(Relaxed) == 0 {
            return Vec::new();
        }
        let mut accounts = self.lock();
        self.forget_old(&mut accounts);
        accounts.iter().map(|(id, breaker)| BreakerStatus::of(id, breaker)).collect()
    }

    fn note(&self, id: BreakerId, signal: BreakerSignal) {
        let (now, last_seen) = (Timestamp::now(), Instant::now());
        let mut accounts = self.lock();
        self.forget_old(&mut accounts);
        let has_room = accounts.len() < MOST;
        match (signal, accounts.get_mut(&id)) {
            (BreakerSignal::Answered, _) => drop(accounts.remove(&id)),
            (BreakerSignal::Refused, Some(breaker)) => (breaker.refused, breaker.last_seen) = (now, last_seen),
            (BreakerSignal::Refused, None) if has_room => {
                accounts.insert(id, OpenBreaker { since: now, refused: now, last_seen });
            }
            (BreakerSignal::Failed, Some(breaker)) => breaker.last_seen = last_seen,
            (BreakerSignal::Refused | BreakerSignal::Failed, None) => {}
        }
        self.count.store(accounts.len(), Relaxed);
    }

    fn forget_old(&self, accounts: &mut BTreeMap<BreakerId, OpenBreaker>) {
        accounts.retain(|_, breaker| breaker.last_seen.elapsed() < PROBE);
        self.count.store(accounts.len(), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BreakerId, OpenBreaker>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BreakerSignal {
    fn of(call: &CompletedCall<'_>) -> Self {
        match &call.reason {
            _ if call.is_answer() => Self::Answered,
            Some(reason) if reason.reason == REFUSED => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl BreakerStatus {
    /// Its alias.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    fn of(id: &BreakerId, breaker: &OpenBreaker) -> Self {
        Self {
            account: id.account.clone(),
            instance: id.instance.as_deref().map(str::to_owned),
            since: to_the_second(breaker.since),
            last_refused: to_the_second(breaker.refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(account: &str, instance: &str) -> BreakerId {
        BreakerId { account: account.to_owned(), instance: Some(instance.into()) }
    }

    fn accounts(breakers: &OpenBreakers) -> Vec<String> {
        breakers
            .list()
            .into_iter()
            .map(|breaker| format!("{}@{}", breaker.account, breaker.instance.unwrap()))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_rests_until_its_upstream_answers() {
        let breakers = OpenBreakers::default();
        for (account, instance) in [("main", "a"), ("main", "b"), ("other", "a")] {
            breakers.note(id(account, instance), BreakerSignal::Refused);
        }
        assert_eq!(accounts(&breakers), ["main@a", "main@b", "other@a"]);
        breakers.note(id("main", "a"), BreakerSignal::Failed);
        breakers.note(id("third", "a"), BreakerSignal::Failed);
        breakers.note(id("main", "b"), BreakerSignal::Answered);
        assert_eq!(accounts(&breakers), ["main@a", "other@a"]);
        breakers.note(id("main", "a"), BreakerSignal::Answered);
        breakers.note(id("other", "a"), BreakerSignal::Answered);
        assert_eq!(breakers.count.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_forgotten_when_nothing_is_heard() {
        let breakers = OpenBreakers::default();
        breakers.note(id("main", "a"), BreakerSignal::Refused);
        let since = breakers.list()[0].since.clone();
        for _ in 0..3 {
            tokio::time::advance(PROBE / 2 + Duration::from_secs(1)).await;
            // The call that was let through has failed.
            breakers.note(id("main", "a"), BreakerSignal::Failed);
        }
        assert_eq!(breakers.list()[0].since, since);
        tokio::time::advance(PROBE).await;
        assert!(breakers.list().is_empty() && breakers.count.load(Relaxed) == 0);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let breakers = OpenBreakers::default();
        (0..2 * MOST).for_each(|number| breakers.note(id(&number.to_string(), "a"), BreakerSignal::Refused));
        assert_eq!(breakers.list().len(), MOST);
    }
}
