//! An issuer's keys over time: fetched, refreshed, replaced.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    config::JwksConfig,
    identity::issuer::{KeySet, UnusableKey, VerificationKey},
};

/// How long a call waits for keys that may have its own among them.
const PATIENCE: Duration = Duration::from_secs(2);
/// Calls that may wait for keys; further ones are refused at once.
const WAITING: usize = 32;

/// The keys of an issuer, replaced while calls go on.
#[derive(Debug)]
pub(crate) struct KeyHistory {
    state: Arc<HistoryState>,
    /// Fetches keys until this value is dropped.
    _follower: JoinSet<()>,
}

#[derive(Debug)]
struct HistoryState {
    keys: ArcSwap<Vec<VerificationKey>>,
    generation: AtomicU64,
    /// Whether the last fetch succeeded.
    is_current: AtomicBool,
    phase: watch::Sender<FetchPhase>,
    wanted: Notify,
    places: Semaphore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FetchPhase {
    /// A fetch is allowed.
    Ready,
    /// A fetch is under way.
    Asking,
    /// Pausing after a fetch.
    Resting,
}

impl KeyHistory {
    /// Keys that stay.
    pub(crate) fn fixed(keys: Vec<VerificationKey>) -> Self {
        Self { state: HistoryState::new(keys, FetchPhase::Resting).into(), _follower: JoinSet::new() }
    }

    /// Keys that are asked for again and again.
    pub(crate) fn followed<F>(issuer: &str, config: &JwksConfig, ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<KeySet, String>> + Send + 'static,
    {
        let state = Arc::new(HistoryState::new(Vec::new(), FetchPhase::Asking));
        let mut follower = JoinSet::new();
        let pauses = [config.pause_seconds, config.refresh_seconds, config.stale_seconds].map(|pause| pause.0);
        follower.spawn(Arc::clone(&state).follow(issuer.to_owned(), ask, pauses));
        Self { state, _follower: follower }
    }

    /// How often the keys have changed.
    pub(crate) fn generation(&self) -> u64 {
        self.state.generation.load(Ordering::Acquire)
    }

    /// All keys, and how often they had changed.
    pub(crate) fn keys(&self) -> (Arc<Vec<VerificationKey>>, u64) {
        // Read before the keys: a change in between makes the token unknown, not the other way round.
        let generation = self.generation();
        (self.state.keys.load_full(), generation)
    }

    /// Waits for a fresh fetch, if one is allowed now. Returns whether the last fetch succeeded.
    pub(crate) async fn refreshed(&self) -> bool {
        let state = &self.state;
        let mut phase = state.phase.subscribe();
        let now = *phase.borrow();
        let Ok(_place) = state.places.try_acquire() else {
            return now == FetchPhase::Resting && state.is_current();
        };
        match now {
            FetchPhase::Resting => return state.is_current(),
            FetchPhase::Ready => state.wanted.notify_one(),
            FetchPhase::Asking => {}
        }
        // A late answer serves the next call.
        let answered = timeout(PATIENCE, phase.wait_for(|phase| *phase == FetchPhase::Resting)).await;
        answered.is_ok() && state.is_current()
    }

    /// Puts other keys in.
    #[cfg(test)]
    pub(crate) fn put(&self, keys: Vec<VerificationKey>) {
        self.state.put(keys);
    }
}

impl HistoryState {
    fn new(keys: Vec<VerificationKey>, phase: FetchPhase) -> Self {
        Self {
            keys: ArcSwap::from_pointee(keys),
            generation: AtomicU64::new(0),
            is_current: AtomicBool::new(phase == FetchPhase::Resting),
            phase: watch::Sender::new(phase),
            wanted: Notify::new(),
            places: Semaphore::new(WAITING),
        }
    }

    fn is_current(&self) -> bool {
        self.is_current.load(Ordering::Acquire)
    }

    fn put(&self, keys: Vec<VerificationKey>) {
        self.keys.store(keys.into());
        self.generation.fetch_add(1, Ordering::Release);
    }

    async fn follow<F>(self: Arc<Self>, issuer: String, ask: impl Fn() -> F, [rest, refresh, stale]: [Duration; 3])
    where
        F: Future<Output = Result<KeySet, String>>,
    {
        let (mut good, mut unusable): (_, Vec<UnusableKey>) = (Instant::now(), Vec::new());
        loop {
            let begun = Instant::now();
            self.phase.send_replace(FetchPhase::Asking);
            let answer = ask().await;
            self.is_current.store(answer.is_ok(), Ordering::Release);
            let again = match answer {
                Ok(KeySet { keys, unusable: left_out }) => {
                    good = Instant::now();
                    if keys != **self.keys.load() {
                        self.put(keys);
                    }
                    // Once, and not with every refresh.
                    for key in left_out.iter().filter(|key| !unusable.contains(key)) {
                        tracing::warn!(%issuer, %key, "a key of an issuer cannot be used");
                    }
                    unusable = left_out;
                    refresh
                }
                Err(error) => {
                    tracing::warn!(%issuer, %error, "the keys of an issuer cannot be had; the old ones stay");
                    if good.elapsed() > stale && !self.keys.load().is_empty() {
                        self.put(Vec::new());
                    }
                    rest
                }
            };
            self.phase.send_replace(FetchPhase::Resting);
            sleep_until(begun + rest).await;
            self.phase.send_replace(FetchPhase::Ready);
            tokio::select! {
                () = self.wanted.notified() => {}
                () = sleep(again) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use config::Seconds;

    use super::*;
    use crate::identity::issuer::keys;

    const CONFIG: JwksConfig = JwksConfig {
        file: None,
        url: None,
        refresh_seconds: Seconds::whole(600),
        pause_seconds: Seconds::whole(10),
        stale_seconds: Seconds::whole(7200),
    };

    fn set(id: &str) -> KeySet {
        let text = format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{id}",
            "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}]}}"#
        );
        keys(text.as_bytes(), &[jsonwebtoken::Algorithm::ES256]).unwrap()
    }

    fn has(history: &KeyHistory, id: &str) -> bool {
        history.keys().0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// A ring over an issuer that counts, and answers as it is told at each time.
    fn history(
        answer: impl Fn(usize) -> Result<KeySet, String> + Send + Sync + 'static,
    ) -> (KeyHistory, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let history = KeyHistory::followed("corp", &CONFIG, move || {
            let answer = answer(counter.fetch_add(1, Ordering::SeqCst));
            async move {
                sleep(Duration::from_millis(100)).await;
                answer
            }
        });
        (history, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_unknown_keys_ask_once_in_ten_seconds() {
        let (history, asked) = history(|_| Ok(set("a")));
        history.refreshed().await;
        assert!(has(&history, "a") && asked.load(Ordering::SeqCst) == 1);
        for second in 0..40 {
            for _ in 0..250 {
                history.refreshed().await;
            }
            sleep(Duration::from_secs(1)).await;
            assert!(asked.load(Ordering::SeqCst) <= 2 + second / 10, "{second}");
        }
        assert_eq!(history.generation(), 1, "the same keys are no change");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_is_found_by_the_call_that_needs_it() {
        let (history, _) = history(|time| Ok(set(if time == 0 { "a" } else { "b" })));
        history.refreshed().await;
        let (_, generation) = history.keys();
        sleep(Duration::from_secs(11)).await;
        assert!(!has(&history, "b"));
        history.refreshed().await;
        assert!(has(&history, "b") && !has(&history, "a"));
        assert!(history.generation() > generation);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_stay_while_the_issuer_is_away_but_not_for_ever() {
        let (history, _) = history(|time| if time == 0 { Ok(set("a")) } else { Err("away".to_owned()) });
        assert!(history.refreshed().await);
        sleep(Duration::from_secs(3600)).await;
        assert!(has(&history, "a") && !history.refreshed().await);
        sleep(Duration::from_secs(3700)).await;
        assert!(!has(&history, "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_calls_only_some_wait() {
        let (history, _) = history(|_| Ok(set("a")));
        let history = Arc::new(history);
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            let history = Arc::clone(&history);
            calls.spawn(async move {
                let begun = Instant::now();
                let is_current = history.refreshed().await;
                // Who does not wait knows nothing.
                assert_eq!(is_current, begun.elapsed() > Duration::from_millis(50));
                begun.elapsed() > Duration::from_millis(50)
            });
        }
        let waited = calls.join_all().await.into_iter().filter(|waited| *waited).count();
        assert_eq!(waited, WAITING);
    }
}
