use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use tokio::{
    task::JoinSet,
    time::{advance, sleep},
};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
/// How long a login or a renewal takes.
const ROUND: Duration = Duration::from_millis(50);

/// An upstream whose sessions live as long as it is told.
#[derive(Default)]
struct Upstream {
    life: Option<Duration>,
    idle: Option<Duration>,
    refreshes: bool,
    /// How long a renewal takes, if not [`ROUND`]; the engine ends it after a while.
    renewal: Option<Duration>,
    refuses_renewals: bool,
    /// Whether a renewal's answer has a new refresh token.
    keeps_refresh: bool,
    logins: AtomicU32,
    renewals: AtomicU32,
}

impl Upstream {
    fn living(life: Duration) -> Self {
        Self { life: Some(life), ..Self::default() }
    }

    fn renewing(life: Duration) -> Self {
        Self { refreshes: true, ..Self::living(life) }
    }

    fn session(&self, kind: &str, number: u32, has_refresh: bool) -> Session {
        let mut session = Session::new(format!("{kind}{number}"));
        if has_refresh {
            session = session.with_refresh(format!("refresh-{kind}{number}"));
        }
        if let Some(limit) = self.idle {
            session = session.ending_unused_after(limit);
        }
        self.life.map_or(session.clone(), |life| session.ending_at(Instant::now() + life))
    }

    fn made(&self) -> (u32, u32) {
        (self.logins.load(SeqCst), self.renewals.load(SeqCst))
    }
}

impl Source for Upstream {
    async fn open(&self) -> Result<Session, Fault> {
        sleep(ROUND).await;
        Ok(self.session("key", self.logins.fetch_add(1, SeqCst), self.refreshes))
    }

    fn can_renew(&self, old: &Session) -> bool {
        old.refresh().is_some()
    }

    async fn renew(&self, old: &Session) -> Option<Session> {
        assert!(old.refresh().is_some());
        let number = self.renewals.fetch_add(1, SeqCst);
        sleep(self.renewal.unwrap_or(ROUND)).await;
        (!self.refuses_renewals).then(|| self.session("renewed", number, !self.keeps_refresh))
    }
}

/// A source that always fails.
struct Failing(Fault);

impl Source for Failing {
    async fn open(&self) -> Result<Session, Fault> {
        Err(self.0.clone())
    }

    fn can_renew(&self, _: &Session) -> bool {
        false
    }

    async fn renew(&self, _: &Session) -> Option<Session> {
        None
    }
}

/// One call, as the engine makes it: the key that it used.
async fn call(slot: &Arc<SessionSlot>, upstream: &Arc<Upstream>) -> Result<Lease, Fault> {
    match slot.current() {
        Current::Usable(lease) => Ok(lease),
        Current::Due(lease) => {
            let (slot, upstream, due) = (slot.clone(), upstream.clone(), lease.clone());
            tokio::spawn(async move { slot.renew(due, &*upstream).await });
            Ok(lease)
        }
        Current::Over => slot.get(&**upstream).await,
    }
}

/// A hundred calls at once.
async fn crowd(slot: &Arc<SessionSlot>, upstream: &Arc<Upstream>) -> Vec<Result<Lease, Fault>> {
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (slot, upstream) = (slot.clone(), upstream.clone());
        calls.spawn(async move { call(&slot, &upstream).await });
    }
    calls.join_all().await
}

fn pair(upstream: Upstream) -> (Arc<SessionSlot>, Arc<Upstream>) {
    (Arc::default(), Arc::new(upstream))
}

fn key(lease: &Lease) -> &str {
    lease.session().key()
}

#[tokio::test(start_paused = true)]
async fn many_callers_make_one_login() {
    let (slot, upstream) = pair(Upstream::living(HOUR));
    for lease in crowd(&slot, &upstream).await {
        assert_eq!(key(&lease.unwrap()), "key0");
    }
    assert_eq!(upstream.made(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn sessions_expire_absolutely_or_by_rest() {
    let (slot, upstream) = pair(Upstream::living(HOUR));
    for (pause, logins) in [(0, 1), (3500, 1), (101, 2)] {
        advance(Duration::from_secs(pause)).await;
        call(&slot, &upstream).await.unwrap();
        assert_eq!(upstream.made(), (logins, 0));
    }
    let (slot, upstream) = pair(Upstream { idle: Some(Duration::from_secs(60)), ..Upstream::default() });
    for (pause, logins) in [(0, 1), (59, 1), (59, 1), (61, 2)] {
        advance(Duration::from_secs(pause)).await;
        call(&slot, &upstream).await.unwrap();
        assert_eq!(upstream.made(), (logins, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn logins_are_paced_and_only_the_dead_session_is_forgotten() {
    let (slot, upstream) = pair(Upstream::living(HOUR));
    let first = call(&slot, &upstream).await.unwrap();
    slot.died(&first);
    let early = call(&slot, &upstream).await.unwrap_err();
    assert_eq!((early.outcome(), early.kind()), (Outcome::NotSent, Kind::Unavailable));
    assert!(early.retry_after().unwrap() <= PACE);
    advance(PACE).await;
    let second = call(&slot, &upstream).await.unwrap();
    slot.died(&first);
    assert_eq!(key(&call(&slot, &upstream).await.unwrap()), key(&second));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_failed_says_so_until_the_next_one_is_due() {
    let (slot, upstream) = pair(Upstream::living(HOUR));
    let refused = Fault::upstream_auth("Incorrect password.");
    let away = Fault::new(Kind::Unavailable, Outcome::NotSent, "UPSTREAM_UNREACHABLE", "cannot be reached");
    for fault in [refused, away] {
        advance(PACE).await;
        slot.get(&Failing(fault.clone())).await.unwrap_err();
        for seconds in [0, 1, 8] {
            advance(Duration::from_secs(seconds)).await;
            let told = call(&slot, &upstream).await.unwrap_err();
            assert_eq!((told.kind(), told.reason()), (fault.kind(), fault.reason()));
            assert_eq!(told.upstream_message(), fault.upstream_message());
            assert!(told.retry_after().unwrap() <= PACE);
        }
    }
    advance(PACE).await;
    let session = call(&slot, &upstream).await.unwrap();
    slot.died(&session);
    assert_eq!(call(&slot, &upstream).await.unwrap_err().reason(), "UPSTREAM_SESSION");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_renewed_before_its_end_once_and_nobody_waits() {
    let (slot, upstream) = pair(Upstream::renewing(HOUR));
    call(&slot, &upstream).await.unwrap();
    advance(HOUR - EARLIEST - Duration::from_secs(2)).await;
    call(&slot, &upstream).await.unwrap();
    assert_eq!(upstream.made(), (1, 0), "not yet");
    advance(Duration::from_secs(3)).await;
    let before = Instant::now();
    for lease in crowd(&slot, &upstream).await {
        assert_eq!(key(&lease.unwrap()), "key0");
    }
    assert_eq!(Instant::now(), before, "nobody waited");
    sleep(ROUND * 2).await;
    assert_eq!(key(&call(&slot, &upstream).await.unwrap()), "renewed0");
    assert_eq!(upstream.made(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_after_the_end_make_one_renewal() {
    for jump in [HOUR, HOUR * 24 * 365] {
        let (slot, upstream) = pair(Upstream::renewing(HOUR));
        call(&slot, &upstream).await.unwrap();
        // The clock jumps over the time in which a renewal was due.
        advance(jump).await;
        for lease in crowd(&slot, &upstream).await {
            assert_eq!(key(&lease.unwrap()), "renewed0");
        }
        assert_eq!(upstream.made(), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn each_session_has_a_life_of_its_own() {
    let (slot, _) = pair(Upstream::default());
    for (life, key_of) in [(5, "key0"), (600, "key0")] {
        let upstream = Arc::new(Upstream::living(Duration::from_secs(life)));
        advance(PACE).await;
        assert_eq!(key(&call(&slot, &upstream).await.unwrap()), key_of);
        advance(Duration::from_secs(life - 1)).await;
        call(&slot, &upstream).await.unwrap();
        assert_eq!(upstream.made(), (1, 0));
        advance(Duration::from_secs(1)).await;
        assert!(matches!(slot.current(), Current::Over));
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_becomes_a_login() {
    let (slot, upstream) = pair(Upstream { refuses_renewals: true, ..Upstream::renewing(HOUR) });
    call(&slot, &upstream).await.unwrap();
    advance(HOUR).await;
    for lease in crowd(&slot, &upstream).await {
        assert_eq!(key(&lease.unwrap()), "key1");
    }
    assert_eq!(upstream.made(), (2, 1), "and is not tried by each of them");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_holds_nobody_up_while_the_old_session_lives() {
    let hangs = Duration::from_secs(30);
    let (slot, upstream) =
        pair(Upstream { renewal: Some(hangs), refuses_renewals: true, ..Upstream::renewing(Duration::from_secs(600)) });
    call(&slot, &upstream).await.unwrap();
    advance(Duration::from_secs(545)).await;
    for second in 0..25 {
        let before = Instant::now();
        assert_eq!(key(&call(&slot, &upstream).await.unwrap()), "key0");
        tokio::task::yield_now().await;
        assert_eq!((Instant::now(), upstream.made()), (before, (1, 1)), "after {second} s");
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(key(&call(&slot, &upstream).await.unwrap()), "key1");
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_the_end_waits_for_the_renewal_that_is_under_way() {
    let slow = Duration::from_secs(70);
    let (slot, upstream) = pair(Upstream { renewal: Some(slow), ..Upstream::renewing(Duration::from_secs(600)) });
    call(&slot, &upstream).await.unwrap();
    advance(Duration::from_secs(541)).await;
    call(&slot, &upstream).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    for lease in crowd(&slot, &upstream).await {
        assert_eq!(key(&lease.unwrap()), "renewed0");
    }
    assert_eq!(upstream.made(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_pace_counts_logins_and_not_renewals() {
    let (slot, upstream) = pair(Upstream::renewing(HOUR));
    let mut lease = call(&slot, &upstream).await.unwrap();
    // A session that dies right after its login is renewed at once.
    slot.died(&lease);
    lease = call(&slot, &upstream).await.unwrap();
    assert_eq!((key(&lease), upstream.made()), ("renewed0", (1, 1)));
    // One that dies right after its renewal has a login to wait for, or renewals would flood the supplier.
    slot.died(&lease);
    assert_eq!(call(&slot, &upstream).await.unwrap_err().reason(), "UPSTREAM_SESSION");
    advance(PACE).await;
    lease = call(&slot, &upstream).await.unwrap();
    assert_eq!((key(&lease), upstream.made()), ("renewed1", (1, 2)));
    advance(PACE).await;
    slot.died(&lease);
    // The renewals since have not moved the pace: a login is free.
    let refusing = Arc::new(Upstream { refuses_renewals: true, ..Upstream::renewing(HOUR) });
    assert_eq!((key(&call(&slot, &refusing).await.unwrap()), refusing.made()), ("key0", (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn both_tokens_are_replaced_and_an_old_refresh_token_is_kept_if_no_new_one_comes() {
    for (keeps_refresh, after) in [(false, "refresh-renewed0"), (true, "refresh-key0")] {
        let (slot, upstream) = pair(Upstream { keeps_refresh, ..Upstream::renewing(HOUR) });
        call(&slot, &upstream).await.unwrap();
        advance(HOUR).await;
        let lease = call(&slot, &upstream).await.unwrap();
        assert_eq!((key(&lease), lease.session().refresh()), ("renewed0", Some(after)));
        // A login begins anew.
        advance(HOUR).await;
        let forgetful = Arc::new(Upstream { refuses_renewals: true, ..Upstream::living(HOUR) });
        let lease = call(&slot, &forgetful).await.unwrap();
        assert_eq!((key(&lease), lease.session().refresh()), ("key0", None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_found_dead_while_it_is_renewed_takes_the_new_one() {
    let (slot, upstream) = pair(Upstream::renewing(HOUR));
    let old = call(&slot, &upstream).await.unwrap();
    advance(HOUR - EARLIEST).await;
    call(&slot, &upstream).await.unwrap();
    tokio::task::yield_now().await;
    slot.died(&old);
    assert_eq!(key(&call(&slot, &upstream).await.unwrap()), "renewed0");
    // A reply that comes late speaks of a session that is no more.
    slot.died(&old);
    assert_eq!(key(&call(&slot, &upstream).await.unwrap()), "renewed0");
    assert_eq!(upstream.made(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_closed_slot_gives_its_session_once_and_makes_no_other() {
    let (slot, upstream) = pair(Upstream::renewing(HOUR));
    assert!(slot.close(PACE).await.is_none(), "there was none");
    let (slot, _) = pair(Upstream::default());
    call(&slot, &upstream).await.unwrap();
    assert_eq!(slot.close(PACE).await.unwrap().key(), "key0");
    assert!(slot.close(PACE).await.is_none());
    assert_eq!(call(&slot, &upstream).await.unwrap_err().outcome(), Outcome::NotSent);
    assert_eq!(upstream.made(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_a_renewal_with_patience_and_takes_what_is_there() {
    for (renewal, closed) in [(1, "renewed0"), (30, "key0")] {
        let renewal = Some(Duration::from_secs(renewal));
        let (slot, upstream) = pair(Upstream { renewal, ..Upstream::renewing(HOUR) });
        call(&slot, &upstream).await.unwrap();
        advance(HOUR - EARLIEST).await;
        call(&slot, &upstream).await.unwrap();
        tokio::task::yield_now().await;
        let before = Instant::now();
        assert_eq!(slot.close(Duration::from_secs(2)).await.unwrap().key(), closed);
        assert!(Instant::now() - before <= Duration::from_secs(2));
        sleep(Duration::from_secs(60)).await;
        assert!(matches!(slot.current(), Current::Over), "what a renewal brings later is not taken up");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_is_closed_only_for_its_refresh_token() {
    for (refreshes, is_closed) in [(false, false), (true, true)] {
        let (slot, upstream) = pair(Upstream { refreshes, ..Upstream::living(HOUR) });
        call(&slot, &upstream).await.unwrap();
        advance(HOUR).await;
        assert_eq!(slot.end().is_some(), is_closed);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_a_key_or_a_refresh_token() {
    let (slot, upstream) = pair(Upstream::renewing(HOUR));
    let lease = call(&slot, &upstream).await.unwrap();
    let shown = format!("{slot:?} {lease:?} {:?} {:?}", lease.session(), slot.current());
    assert!(!shown.contains("key0") && shown.contains("REDACTED"), "{shown}");
}
