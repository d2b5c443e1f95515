//! Keeps the catalog up to date, with one task per provider.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::AbortHandle;

use crate::{catalog::Catalog, fleet::route::Route};

/// The refresh tasks; they stop when this value is dropped.
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
    /// Starts without providers.
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, tasks: Mutex::default() }
    }

    /// Refreshes these providers from now on, and removes all others.
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
