//! What the layers around a handler tell it about its call, as one value in the extensions of the request.
//!
//! Serving puts it in: the layer that opens the span, the one that admits calls, and the one that knows the deadline, each its
//! part. The bridge and the gateway take it out.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Extensions;
use opentelemetry::Context;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

/// How long a call may take that nobody gave a deadline. Serving gives one to every call, so this is for code that calls a
/// handler directly: tests, and the check of an account at the start.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

/// One call, as seen from inside.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// When the reply must be on its way; by default [`DEFAULT_DEADLINE`] after the context was made.
    pub deadline: Instant,
    /// The server span, parent of whatever the call does; by default none.
    pub trace: Context,
    /// Keeps the process from ending while somebody holds a clone; by default nothing does.
    pub permit: Option<DrainPermit>,
    /// Counts the time that the call waits for its upstream; by default nobody wants to know.
    pub upstream_time: Option<UpstreamTime>,
}

impl CallContext {
    /// The context of a call, or the default.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Cow<'_, Self> {
        extensions.get::<Self>().map_or_else(|| Cow::Owned(Self::default()), Cow::Borrowed)
    }

    /// The context of a call, to be filled in.
    pub fn of_mut(extensions: &mut Extensions) -> &mut Self {
        extensions.get_or_insert_default()
    }
}

impl Default for CallContext {
    fn default() -> Self {
        let deadline = Instant::now() + DEFAULT_DEADLINE;
        Self { deadline, trace: Context::new(), permit: None, upstream_time: None }
    }
}

/// A call's place among those in flight. A process that drains waits until every clone is dropped: a write that outlives its
/// caller holds one.
#[derive(Clone, Debug)]
pub struct DrainPermit {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl From<OwnedSemaphorePermit> for DrainPermit {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Arc::new(permit) }
    }
}

/// How long a call has waited for its upstream so far, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct UpstreamTime(Arc<AtomicU64>);

impl UpstreamTime {
    /// Adds the time of one attempt.
    pub fn add(&self, waited: Duration) {
        self.0.fetch_add(waited.as_micros() as u64, Relaxed);
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.0.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_absent_context_is_the_default() {
        let mut extensions = Extensions::new();
        // An instant or a counter of somebody else is no part of it.
        extensions.insert(Instant::now());
        let context = CallContext::of(&extensions).into_owned();
        assert_eq!(context.deadline, Instant::now() + DEFAULT_DEADLINE);
        assert!(context.permit.is_none() && context.upstream_time.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_layer_fills_in_the_next_one_keeps() {
        let mut extensions = Extensions::new();
        let time = UpstreamTime::default();
        CallContext::of_mut(&mut extensions).upstream_time = Some(time.clone());
        CallContext::of_mut(&mut extensions).deadline = Instant::now() + Duration::from_secs(1);
        let context = CallContext::of(&extensions);
        assert_eq!(context.deadline, Instant::now() + Duration::from_secs(1));
        context.upstream_time.iter().for_each(|time| time.add(Duration::from_millis(7)));
        assert_eq!(time.total(), Duration::from_millis(7));
    }
}
