//! Keepalive pings.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// Interval of the pings, also without calls in flight.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer may take before the connection is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pings of one connection.
pub(super) struct Keepalive {
    pings: PingPong,
    /// Fires when the next ping is due, or the answer to the last one.
    alarm: Pin<Box<Sleep>>,
    is_asked: bool,
}

impl Keepalive {
    /// Starts with a pause.
    pub(super) fn new(pings: PingPong) -> Self {
        Self { pings, alarm: Box::pin(sleep(INTERVAL)), is_asked: false }
    }

    /// Ready when the peer has not answered in time.
    pub(super) fn poll_dead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.is_asked {
                ready!(self.alarm.as_mut().poll(cx));
                // If no ping can be sent, the connection is ending and reports that itself.
                self.is_asked = self.pings.send_ping(Ping::opaque()).is_ok();
                self.rest(if self.is_asked { PATIENCE } else { INTERVAL });
            } else if self.pings.poll_pong(cx).is_pending() {
                return self.alarm.as_mut().poll(cx);
            } else {
                self.is_asked = false;
                self.rest(INTERVAL);
            }
        }
    }

    fn rest(&mut self, length: Duration) {
        self.alarm.as_mut().reset(Instant::now() + length);
    }
}
