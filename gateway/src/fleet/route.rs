//! From a provider to an instance of its service.

use std::{fmt, sync::Arc, time::Duration};

use chassis::caller::Signer;
use protocol::provider;
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

/// How long a call waits for a connection that is just being opened.
const OPENING: Duration = Duration::from_secs(1);

/// The way to one provider's service; a change of configuration makes another one over the same connections.
pub(crate) struct Route {
    /// The provider, e.g. `internet-solutions`.
    pub(crate) provider: Arc<str>,
    /// Signs caller contexts for the service, e.g. `ispbridge-internet-solutions`, and no other.
    pub(crate) signer: Signer,
    /// Hears of every instance that comes or goes.
    pub(crate) changed: Arc<Notify>,
    /// Limits how many reads are sent again: a fifth of the calls and ten a second.
    pub(crate) budget: Arc<TpsBudget>,
    /// Who may take a call.
    pub(crate) pool: Arc<PoolState>,
    /// What the configuration says of single methods.
    pub(crate) rules: Arc<Rules>,
}

impl Route {
    /// The provider as it stands in package names, e.g. `internet_solutions`.
    pub(crate) fn segment(&self) -> String {
        provider::segment(&self.provider)
    }

    /// Whether an instance is connected.
    pub(crate) fn is_up(&self) -> bool {
        !self.pool.ready.load().instances.is_empty()
    }

    /// Finds a place for a call, not at the instance of `avoid` if there is another; waits shortly for a connection that is
    /// being opened.
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

    /// A place at another instance, if there is one at once.
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
                // Members without an open connection have just lost it: the roster has not looked yet.
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
        route.field("provider", &self.provider).field("board", &self.pool);
        route.finish_non_exhaustive()
    }
}
