//! What a program does when its last call has ended.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use tokio::time::timeout;

type Close = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The last thing that a program does; nothing, unless it is told what.
#[derive(Clone, Default)]
pub struct Closing(Option<Arc<Close>>);

impl Closing {
    /// Tells what.
    pub fn new<F>(close: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Some(Arc::new(move || Box::pin(close()))))
    }

    /// Does it, for as long as it may take.
    pub async fn run(&self, limit: Duration) {
        if let Some(close) = &self.0
            && timeout(limit, close()).await.is_err()
        {
            tracing::warn!(seconds = limit.as_secs_f64(), "what the program does last took too long");
        }
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Closing").finish_non_exhaustive()
    }
}
