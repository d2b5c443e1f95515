//! Who keeps the catalog up to date: a task for each provider.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::AbortHandle;

use crate::{catalog::Catalog, fleet::route::Route};

/// The tasks that learn; they end with this value.
#[derive(Debug)]
pub(crate) struct Refresher {
    catalog: Arc<Catalog>,
    tasks: Mutex<HashMap<Arc<str>, RefreshTask>>,
}

#[derive(Debug)]
struct RefreshTask {
    route: Arc<Route>,
    handle: AbortHandle,
}

impl Refresher {
    /// Begins with nobody to follow.
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, tasks: Mutex::default() }
    }

    /// Follows these providers from now on, and forgets all others.
    pub(crate) fn follow(&self, routes: Vec<Arc<Route>>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: HashMap<_, _> = routes.iter().map(|route| (&route.provider, route)).collect();
        tasks.retain(|provider, task| {
            let stays = wanted.get(provider).is_some_and(|route| Arc::ptr_eq(&route.pool, &task.route.pool));
            if !stays {
                self.catalog.forget(provider);
            }
            stays
        });
        for route in routes {
            tasks.entry(Arc::clone(&route.provider)).or_insert_with(|| {
                let task = tokio::spawn(Arc::clone(&self.catalog).follow(Arc::clone(&route)));
                RefreshTask { route, handle: task.abort_handle() }
            });
        }
    }
}

impl Drop for RefreshTask {
    fn drop(&mut self) {
        self.handle.abort();
    }
}
