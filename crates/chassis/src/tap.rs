//! `/tap`: calls as they end, live, for a person who looks; while nobody does it costs one load per call.
//!
//! A call that ends puts what is known of it into a ring; whoever looks renders it in a task of their own, messages with
//! their sensitive fields blackened. Who is too slow misses calls and is told how many.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use protocol::redact::{Describe, RedactError, Redactor};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serving::{CallObserver, CompletedCall, Draining, Facts};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
    time::{Instant, sleep},
};

/// Calls that wait for a slow one of those who look.
const WAITING: usize = 256;
/// How many may look at a time.
const MOST: usize = 4;
/// Calls a second that are shown, unless somebody asks for another number.
const RATE: u32 = 50;
/// Most calls a second that can be asked for.
const MOST_RATE: u32 = 1000;
/// Silence after which a sign of life is sent: a reader that has gone is found by it.
const SILENCE: Duration = Duration::from_secs(10);

/// The ring of calls.
#[derive(Debug)]
pub(crate) struct Tap {
    calls: broadcast::Sender<Arc<Seen>>,
    users: Arc<AtomicUsize>,
    describe: OnceLock<Arc<dyn Describe>>,
}

/// A call and what it carried.
#[derive(Debug)]
struct Seen {
    facts: Facts,
    request: Option<Bytes>,
    reply: Option<Bytes>,
}

/// What one wants to see; absent is everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wish {
    provider: Option<String>,
    /// Part of the method's name.
    method: Option<String>,
    principal: Option<String>,
    /// A gRPC code, e.g. `UNAVAILABLE`.
    code: Option<String>,
    /// Calls a second.
    rate: Option<u32>,
}

/// In which form lines are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object per line.
    Lines,
    /// Server-sent events.
    Events,
}

/// One who looks; while it lives calls are kept.
#[derive(Debug)]
pub(crate) struct Look {
    calls: broadcast::Receiver<Arc<Seen>>,
    wish: Wish,
    form: Form,
    describe: Option<Arc<dyn Describe>>,
    budget: Budget,
    _user: User,
}

#[derive(Debug)]
struct User(Arc<AtomicUsize>);

/// So many calls in each second.
#[derive(Debug)]
struct Budget {
    rate: u32,
    left: u32,
    ends: Instant,
    /// Calls that were not shown since the last that was.
    missed: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    facts: &'a Facts,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Json>,
    #[serde(skip_serializing_if = "is_zero")]
    missed: u64,
}

impl Default for Tap {
    fn default() -> Self {
        Self { calls: broadcast::Sender::new(WAITING), users: Arc::default(), describe: OnceLock::new() }
    }
}

impl Tap {
    /// Tells it how messages are read.
    pub(crate) fn describe(&self, describe: Arc<dyn Describe>) {
        let _ = self.describe.set(describe);
    }

    /// Whether somebody looks.
    pub(crate) fn is_used(&self) -> bool {
        self.users.load(Relaxed) > 0
    }

    /// Begins to look; nothing if too many do already.
    pub(crate) fn look(&self, wish: Wish, form: Form) -> Option<Look> {
        let user = User(Arc::clone(&self.users));
        if self.users.fetch_add(1, Relaxed) >= MOST {
            return None;
        }
        let rate = wish.rate.unwrap_or(RATE).clamp(1, MOST_RATE);
        let budget = Budget { rate, left: rate, ends: Instant::now() + Duration::from_secs(1), missed: 0 };
        let describe = self.describe.get().cloned();
        Some(Look { calls: self.calls.subscribe(), wish, form, describe, budget, _user: user })
    }
}

impl CallObserver for Tap {
    fn is_listening(&self) -> bool {
        self.is_used()
    }

    fn wants_messages(&self, _: bool) -> bool {
        self.is_used()
    }

    fn ended(&self, call: &CompletedCall<'_>) {
        if self.is_used() {
            let seen = Seen { facts: call.facts(), request: call.request(), reply: call.reply() };
            // It fails if the last of them has just left.
            let _ = self.calls.send(Arc::new(seen));
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Look {
    /// Sends what is wished until nobody takes it any more or the process drains.
    pub(crate) async fn send(mut self, lines: mpsc::Sender<Bytes>, mut draining: Draining) {
        loop {
            let line = tokio::select! {
                seen = self.calls.recv() => match seen {
                    Ok(seen) => self.show(&seen),
                    Err(RecvError::Lagged(missed)) => {
                        self.budget.missed += missed;
                        None
                    }
                    Err(RecvError::Closed) => return,
                },
                () = sleep(SILENCE) => Some(self.sign_of_life()),
                () = lines.closed() => return,
                () = draining.wait() => return,
            };
            if let Some(line) = line
                && lines.send(line).await.is_err()
            {
                return;
            }
        }
    }

    fn show(&mut self, seen: &Seen) -> Option<Bytes> {
        if !self.wish.is_met(&seen.facts) || !self.budget.take() {
            return None;
        }
        let redactor = self.describe.as_ref().and_then(|describe| describe.redactor(&seen.facts.method));
        let shown = |bytes: &Option<Bytes>, read: fn(&Redactor, &str, &[u8]) -> Result<Json, RedactError>| {
            read(redactor.as_ref()?, &seen.facts.method, bytes.as_ref()?).ok()
        };
        let line = Line {
            facts: &seen.facts,
            request: shown(&seen.request, Redactor::request),
            reply: shown(&seen.reply, Redactor::reply),
            missed: std::mem::take(&mut self.budget.missed),
        };
        let json = serde_json::to_string(&line).ok()?;
        Some(match self.form {
            Form::Lines => format!("{json}\n").into(),
            Form::Events => format!("data: {json}\n\n").into(),
        })
    }

    fn sign_of_life(&self) -> Bytes {
        Bytes::from_static(match self.form {
            Form::Lines => b"\n",
            Form::Events => b":\n\n",
        })
    }
}

impl Wish {
    fn is_met(&self, facts: &Facts) -> bool {
        let is = |wish: &Option<String>, fact: Option<&str>| wish.as_deref().is_none_or(|wish| Some(wish) == fact);
        is(&self.provider, facts.provider.as_deref())
            && is(&self.principal, facts.principal.as_deref())
            && is(&self.code, Some(facts.code))
            && self.method.as_deref().is_none_or(|part| facts.method.contains(part))
    }
}

impl Budget {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.ends {
            (self.left, self.ends) = (self.rate, now + Duration::from_secs(1));
        }
        let has = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.missed += u64::from(!has);
        has
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_rate_is_shown_and_the_rest_is_counted() {
        let mut budget = Budget { rate: 2, left: 2, ends: Instant::now() + Duration::from_secs(1), missed: 0 };
        assert_eq!((0..5).filter(|_| budget.take()).count(), 2);
        assert_eq!(budget.missed, 3);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(budget.take());
    }

    #[test]
    fn only_so_many_look_and_the_last_that_leaves_ends_it() {
        let tap = Tap::default();
        assert!(!tap.is_used());
        let looks: Vec<_> = (0..MOST).map(|_| tap.look(Wish::default(), Form::Lines).unwrap()).collect();
        assert!(tap.is_used() && tap.look(Wish::default(), Form::Lines).is_none());
        drop(looks);
        assert!(!tap.is_used());
    }
}
