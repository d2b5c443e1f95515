//! From a provider to an instance of its service.

use std::{fmt, sync::Arc, time::Duration};

use protocol::{caller::Signer, provider};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tower::retry::budget::TpsBudget;

use crate::fleet::{
    connection::{Connection, StreamPermit},
    pool::PoolState,
    ready::PickError,
    rules::Rules,
};

/// How long a call waits for a connection that is being opened.
const OPENING: Duration = Duration::from_secs(1);

/// The route to one provider's service; a new configuration makes a new route over the same pool.
pub(crate) struct Route {
    /// The provider, e.g. `internet-solutions`.
    pub(crate) provider: Arc<str>,
    /// Signs caller contexts for the service, e.g. `ispbridge-internet-solutions`, and no other.
    pub(crate) signer: Signer,
    /// Notified when an instance comes or goes.
    pub(crate) changed: Arc<Notify>,
    /// Limits how many reads are sent again: a fifth of the calls and ten a second.
    pub(crate) budget: Arc<TpsBudget>,
    /// The instances that may take a call.
    pub(crate) pool: Arc<PoolState>,
    /// Timeouts and hedging by method.
    pub(crate) rules: Arc<Rules>,
}

impl Route {
    /// The provider as in package names, e.g. `internet_solutions`.
    pub(crate) fn segment(&self) -> String {
        provider::segment(&self.provider)
    }

    /// Whether an instance is connected.
    pub(crate) fn is_up(&self) -> bool {
        !self.pool.ready.load().instances.is_empty()
    }

    /// A stream for a call, not at the instance of `avoid` if there is another; waits briefly for a connection that is being
    /// opened.
    pub(crate) async fn acquire(
        &self,
        avoid: Option<&Arc<Connection>>,
        deadline: Instant,
    ) -> Result<StreamPermit, PickError> {
        if let Ok(acquire) = self.pool.ready.load().pick(avoid) {
            return Ok(acquire);
        }
        self.wait(avoid, deadline).await
    }

    /// A stream on another instance, if one is available at once.
    pub(crate) fn another(&self, connection: &Arc<Connection>) -> Option<StreamPermit> {
        let acquire = self.pool.ready.load().pick(Some(connection)).ok()?;
        (!Arc::ptr_eq(acquire.instance(), connection.instance())).then_some(acquire)
    }

    async fn wait(&self, avoid: Option<&Arc<Connection>>, deadline: Instant) -> Result<StreamPermit, PickError> {
        let patience = deadline.min(Instant::now() + OPENING);
        loop {
            let changed = self.changed.notified();
            let (picked, is_hopeful) = {
                let ready = self.pool.ready.load();
                // An instance without an open connection has just lost it, and the pool has not noticed yet.
                (ready.pick(avoid), ready.opening || !ready.instances.is_empty())
            };
            match picked {
                Err(PickError::Unreachable) if is_hopeful => {}
                picked => return picked,
            }
            if timeout_at(patience, changed).await.is_err() {
                return Err(PickError::Unreachable);
            }
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut route = f.debug_struct("Route");
        route.field("provider", &self.provider).field("pool", &self.pool);
        route.finish_non_exhaustive()
    }
}
