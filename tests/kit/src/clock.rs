//! Time that passes without being waited for.
//!
//! A test that begins with `#[tokio::test(start_paused = true)]` never waits, but cannot use sockets: tokio moves a
//! paused clock as soon as nothing else is to be done, and does not know that a peer is about to answer. With real
//! sockets the clock runs, and [`skip`] puts it forward while nothing is on its way.

use std::time::Duration;

/// Puts tokio's clock forward; the test's runtime must have one thread, and no call may be on its way.
pub async fn skip(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
