//! Upstream accounts that a service leaves alone: what the breakers of its instances are heard to say.
//!
//! The breakers live in the services, one per account and instance. The gateway only hears how calls end: a refusal tells
//! that one is open, an answer of the upstream that it is closed again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use chassis::Ended;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::to_the_second;

/// The reason of a call that a service's breaker has refused.
const REFUSED: &str = "UPSTREAM_BREAKER_OPEN";
/// An open breaker lets one call through after this time: when nothing was heard for so long, nobody knows any more.
const PROBE: Duration = Duration::from_secs(5);
/// Accounts that are remembered of one provider.
const MOST: usize = 100;

/// The accounts of one provider that rest.
#[derive(Debug, Default)]
pub(super) struct Resting {
    /// How many there are, for those who have nothing to say: a call that went well looks no further than here.
    count: AtomicUsize,
    accounts: Mutex<BTreeMap<Place, Rest>>,
}

/// The breaker of one account in one instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    account: String,
    instance: Option<Arc<str>>,
}

#[derive(Debug)]
struct Rest {
    since: Timestamp,
    refused: Timestamp,
    heard: Instant,
}

/// What a call tells of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The breaker is open.
    Refused,
    /// The upstream has answered.
    Answered,
    /// Neither: one that is open stays so.
    Failed,
}

/// One account that rests, as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RestStatus {
    account: String,
    instance: Option<String>,
    /// RFC 3339.
    since: String,
    /// RFC 3339.
    last_refused: String,
}

impl Resting {
    /// Hears how a call has ended.
    pub(super) fn hear(&self, call: &Ended<'_>) {
        let word = Word::of(call);
        if word != Word::Refused && self.count.load(Relaxed) == 0 {
            return;
        }
        if let Some(account) = call.account {
            self.note(Place { account: account.to_owned(), instance: call.instance.clone() }, word);
        }
    }

    /// The accounts that rest now.
    pub(super) fn list(&self) -> Vec<RestStatus> {
        if self.count.load(Relaxed) == 0 {
            return Vec::new();
        }
        let mut accounts = self.lock();
        self.forget_old(&mut accounts);
        accounts.iter().map(|(place, rest)| RestStatus::of(place, rest)).collect()
    }

    fn note(&self, place: Place, word: Word) {
        let (now, heard) = (Timestamp::now(), Instant::now());
        let mut accounts = self.lock();
        self.forget_old(&mut accounts);
        let has_room = accounts.len() < MOST;
        match (word, accounts.get_mut(&place)) {
            (Word::Answered, _) => drop(accounts.remove(&place)),
            (Word::Refused, Some(rest)) => (rest.refused, rest.heard) = (now, heard),
            (Word::Refused, None) if has_room => {
                accounts.insert(place, Rest { since: now, refused: now, heard });
            }
            (Word::Failed, Some(rest)) => rest.heard = heard,
            (Word::Refused | Word::Failed, None) => {}
        }
        self.count.store(accounts.len(), Relaxed);
    }

    fn forget_old(&self, accounts: &mut BTreeMap<Place, Rest>) {
        accounts.retain(|_, rest| rest.heard.elapsed() < PROBE);
        self.count.store(accounts.len(), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Rest>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Word {
    fn of(call: &Ended<'_>) -> Self {
        match &call.reason {
            _ if call.is_answer() => Self::Answered,
            Some(reason) if reason.reason == REFUSED => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl RestStatus {
    /// Its alias.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    fn of(place: &Place, rest: &Rest) -> Self {
        Self {
            account: place.account.clone(),
            instance: place.instance.as_deref().map(str::to_owned),
            since: to_the_second(rest.since),
            last_refused: to_the_second(rest.refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(account: &str, instance: &str) -> Place {
        Place { account: account.to_owned(), instance: Some(instance.into()) }
    }

    fn accounts(resting: &Resting) -> Vec<String> {
        resting.list().into_iter().map(|rest| format!("{}@{}", rest.account, rest.instance.unwrap())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_rests_until_its_upstream_answers() {
        let resting = Resting::default();
        for (account, instance) in [("main", "a"), ("main", "b"), ("other", "a")] {
            resting.note(place(account, instance), Word::Refused);
        }
        assert_eq!(accounts(&resting), ["main@a", "main@b", "other@a"]);
        resting.note(place("main", "a"), Word::Failed);
        resting.note(place("third", "a"), Word::Failed);
        resting.note(place("main", "b"), Word::Answered);
        assert_eq!(accounts(&resting), ["main@a", "other@a"]);
        resting.note(place("main", "a"), Word::Answered);
        resting.note(place("other", "a"), Word::Answered);
        assert_eq!(resting.count.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_forgotten_when_nothing_is_heard() {
        let resting = Resting::default();
        resting.note(place("main", "a"), Word::Refused);
        let since = resting.list()[0].since.clone();
        for _ in 0..3 {
            tokio::time::advance(PROBE / 2 + Duration::from_secs(1)).await;
            // The call that was let through has failed.
            resting.note(place("main", "a"), Word::Failed);
        }
        assert_eq!(resting.list()[0].since, since);
        tokio::time::advance(PROBE).await;
        assert!(resting.list().is_empty() && resting.count.load(Relaxed) == 0);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let resting = Resting::default();
        (0..2 * MOST).for_each(|number| resting.note(place(&number.to_string(), "a"), Word::Refused));
        assert_eq!(resting.list().len(), MOST);
    }
}
