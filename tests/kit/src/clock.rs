//! Time that passes without being waited for.
//!
//! A test that begins with `#[tokio::test(start_paused = true)]` never waits, but cannot use sockets: tokio moves a
//! paused clock as soon as nothing else is to be done, and does not know that a peer is about to answer. With real
//! sockets the clock runs, and [`skip`] puts it forward while nothing is on its way.

use std::{panic::Location, time::Duration};

use tokio::time::timeout;

/// Puts tokio's clock forward; the test's runtime must have one thread, and no call may be on its way.
pub async fn skip(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// How long a test waits for what must come. It is a guard against waiting for ever and measures nothing: a machine that is
/// busy with something else may take many times as long as usual.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what must come.
///
/// # Panics
/// If it does not come within [`PATIENCE`]; the message names the caller's line.
#[track_caller]
pub fn comes<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move { timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{place}: waited for {PATIENCE:?}")) }
}

/// Watches for a while that something goes on.
///
/// # Panics
/// If it ends; the message names the caller's line.
#[track_caller]
pub fn goes_on<F: Future + Unpin>(future: &mut F, time: Duration) -> impl Future<Output = ()> {
    let place = Location::caller();
    async move { assert!(timeout(time, future).await.is_err(), "{place}: it ended within {time:?}") }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_is_returned() {
        assert_eq!(comes(async { 7 }).await, 7);
        goes_on(&mut pending::<()>(), PATIENCE).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "clock.rs")]
    async fn what_never_comes_fails() {
        comes(pending::<()>()).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "it ended within 1s")]
    async fn what_ends_does_not_go_on() {
        goes_on(&mut ready(()), Duration::from_secs(1)).await;
    }
}
