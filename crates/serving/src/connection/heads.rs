//! How long a peer may take to begin: with the preface of HTTP/2, or with the next request over HTTP/1.
//!
//! hyper has one clock for the head of a request and for the silence before it. There must be two: a head that has begun and
//! does not end is an attack, a connection that waits for its client's next request is none.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What is waited for on one connection.
#[derive(Debug)]
pub(crate) struct Heads {
    state: Mutex<State>,
    /// For a head that has begun.
    preface: Duration,
    /// For one that has not.
    idle: Duration,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing: HTTP/2 has its own signs of life.
    Http2,
    /// The end of what began then.
    Head(Instant),
    /// The end of an answer.
    Answer,
    /// The next head, since then.
    Idle(Instant),
}

/// What there is to do about a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing, for ever.
    Endless,
    /// Nothing, but look again then.
    Until(Instant),
    /// Its time is over, in the middle of a head or before one.
    Over {
        /// Whether a head has begun.
        in_head: bool,
    },
}

impl Heads {
    /// Begins with a connection; its first head counts as begun.
    pub(crate) fn new(begun: Instant, preface: Duration, idle: Duration) -> Self {
        Self { state: Mutex::new(State::Head(begun)), preface, idle }
    }

    /// The preface of HTTP/2 is whole.
    pub(crate) fn is_http2(&self) {
        self.set(|_| State::Http2);
    }

    /// Something came in over HTTP/1.
    pub(crate) fn has_read(&self, is_answering: bool) {
        self.set(|state| match state {
            State::Answer | State::Idle(_) if !is_answering => State::Head(Instant::now()),
            state => state,
        });
    }

    /// The head of a request is whole.
    pub(crate) fn is_called(&self) {
        self.set(|state| if matches!(state, State::Http2) { state } else { State::Answer });
    }

    /// Looks at the clock.
    pub(crate) fn look(&self, is_answering: bool) -> Wait {
        let now = Instant::now();
        let state = self.set(|state| match state {
            State::Answer if !is_answering => State::Idle(now),
            state => state,
        });
        let (end, in_head) = match state {
            State::Http2 => return Wait::Endless,
            // Whoever ends the answer may not wake who waits here.
            State::Answer => return Wait::Until(now + self.idle),
            State::Head(since) => (since + self.preface, true),
            State::Idle(since) => (since + self.idle, false),
        };
        if end <= now { Wait::Over { in_head } } else { Wait::Until(end) }
    }

    fn set(&self, change: impl FnOnce(State) -> State) -> State {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = change(*state);
        *state
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn heads() -> Heads {
        Heads::new(Instant::now(), 5 * SECOND, 75 * SECOND)
    }

    #[tokio::test(start_paused = true)]
    async fn silence_between_requests_lasts_longer_than_a_head() {
        let heads = heads();
        assert_eq!(heads.look(false), Wait::Until(Instant::now() + 5 * SECOND));
        advance(4 * SECOND).await;
        heads.is_called();
        advance(100 * SECOND).await;
        assert_eq!(heads.look(true), Wait::Until(Instant::now() + 75 * SECOND), "an answer takes its time");
        assert_eq!(heads.look(false), Wait::Until(Instant::now() + 75 * SECOND));
        advance(74 * SECOND).await;
        heads.has_read(false);
        assert_eq!(heads.look(false), Wait::Until(Instant::now() + 5 * SECOND));
        advance(4 * SECOND).await;
        heads.has_read(false);
        assert_eq!(heads.look(false), Wait::Until(Instant::now() + SECOND), "a drip does not begin anew");
        advance(SECOND).await;
        assert_eq!(heads.look(false), Wait::Over { in_head: true });
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_no_head_and_silence_has_an_end() {
        let heads = heads();
        heads.is_called();
        heads.has_read(true);
        assert_eq!(heads.look(true), Wait::Until(Instant::now() + 75 * SECOND));
        heads.look(false);
        advance(75 * SECOND).await;
        assert_eq!(heads.look(false), Wait::Over { in_head: false });
    }

    #[tokio::test(start_paused = true)]
    async fn http2_is_not_watched_once_it_has_begun() {
        let heads = heads();
        advance(4 * SECOND).await;
        heads.is_http2();
        heads.is_called();
        advance(100 * SECOND).await;
        assert_eq!(heads.look(false), Wait::Endless);
    }
}
