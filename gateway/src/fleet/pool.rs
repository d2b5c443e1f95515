//! The connection pool of one provider: keeps the connections open and decides which instances may take calls.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use serving::Workers;
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use crate::fleet::{
    connection::Connection,
    endpoint::Endpoint,
    instance::Instance,
    ready::{InstanceState, ReadyInstance, ReadySet},
    source::{Endpoints, InstanceSource},
    tls::ServiceTls,
};

/// First ejection of an instance that failed too often in a row; each one that follows soon is twice as long.
const FIRST_EJECTION: Duration = Duration::from_secs(5);

/// Longest ejection.
const LONGEST_EJECTION: Duration = Duration::from_secs(300);

/// How long to wait for a source that has not named an instance yet.
const FIRST_ANSWER: Duration = Duration::from_secs(3);

/// The configuration of a pool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Where the instances come from.
    pub(crate) source: InstanceSource,
    /// Connections to each of them.
    pub(crate) connections: usize,
    /// TLS for the instances that use it.
    pub(crate) tls: Option<ServiceTls>,
}

/// The part of a pool that calls see.
#[derive(Debug)]
pub(crate) struct PoolState {
    /// The instances that may take a call.
    pub(crate) ready: ArcSwap<ReadySet>,
    /// Notified of every change.
    pub(crate) changed: Arc<Notify>,
}

/// The instances of one provider.
pub(crate) struct Pool {
    provider: Arc<str>,
    state: Arc<PoolState>,
    /// Woken by instances and connections.
    signal: Arc<Notify>,
    /// Wakes the source when an instance cannot be reached.
    trouble: Arc<Notify>,
    instances: BTreeMap<Endpoint, PooledInstance>,
    tasks: JoinSet<()>,
    workers: Workers,
    connections: usize,
    tls: Option<ServiceTls>,
    begun: Instant,
    /// Whether an instance was connected when that was last logged.
    was_up: Option<bool>,
}

struct PooledInstance {
    instance: Arc<Instance>,
    connections: Vec<Arc<Connection>>,
    ejection: Ejection,
}

/// Whether an instance is ejected, and how often it has been.
#[derive(Debug, Clone, Copy, Default)]
struct Ejection {
    until: Option<Instant>,
    last: Option<Instant>,
    times: u32,
}

impl Pool {
    pub(crate) fn new(provider: Arc<str>, state: Arc<PoolState>, workers: Workers) -> Self {
        Self {
            provider,
            state,
            signal: Arc::default(),
            trouble: Arc::default(),
            instances: BTreeMap::new(),
            tasks: JoinSet::new(),
            workers,
            connections: 1,
            tls: None,
            begun: Instant::now(),
            was_up: None,
        }
    }

    /// Runs until the sender of plans is dropped; then the instances get no more calls.
    pub(crate) async fn run(mut self, mut plans: watch::Receiver<Plan>) {
        let (told, mut endpoints) = watch::channel(Endpoints::default());
        let mut source = None;
        let mut following: Option<AbortHandle> = None;
        loop {
            let plan = plans.borrow_and_update().clone();
            if source.as_ref() != Some(&plan.source) {
                following.inspect(AbortHandle::abort);
                let follow = plan.source.clone().follow(told.clone(), Arc::clone(&self.trouble));
                following = Some(self.tasks.spawn(follow));
                source = Some(plan.source);
            }
            (self.connections, self.tls) = (plan.connections, plan.tls);
            self.adopt(&endpoints.borrow_and_update().clone());
            loop {
                self.arrange(Instant::now());
                let wake = self.next_change();
                tokio::select! {
                    changed = plans.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return self.retire_all(),
                    },
                    _ = endpoints.changed() => break,
                    () = self.signal.notified() => {}
                    () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                    Some(_) = self.tasks.join_next() => {}
                }
            }
        }
    }

    /// Opens new connections, retires those of removed instances, and updates the others.
    fn adopt(&mut self, endpoints: &[Endpoint]) {
        self.instances.retain(|endpoint, pooled| {
            let stays = endpoints.binary_search(endpoint).is_ok();
            if !stays {
                tracing::info!(instance = %endpoint, "instance removed");
                pooled.connections.drain(..).for_each(|connection| connection.retire());
            }
            stays
        });
        for endpoint in endpoints {
            if !self.instances.contains_key(endpoint) {
                self.add(endpoint);
            }
        }
        for pooled in self.instances.values_mut() {
            let tls = self.tls.as_ref().filter(|_| pooled.instance.endpoint.is_tls());
            for surplus in pooled.connections.drain(self.connections.min(pooled.connections.len())..) {
                surplus.retire();
            }
            for connection in &pooled.connections {
                connection.encrypt(tls);
            }
            while pooled.connections.len() < self.connections {
                let worker = pooled.connections.len() % self.workers.count();
                let connection = Connection::new(Arc::clone(&pooled.instance), worker, tls.cloned());
                self.tasks.spawn_on(Arc::clone(&connection).keep(), &self.workers.runtime(worker));
                pooled.connections.push(connection);
            }
        }
    }

    fn add(&mut self, endpoint: &Endpoint) {
        let Some(instance) = Instance::new(endpoint.clone(), Arc::clone(&self.signal)) else {
            return tracing::warn!(instance = %endpoint, "this is no address of an instance");
        };
        let pooled =
            PooledInstance { instance: Arc::new(instance), connections: Vec::new(), ejection: Ejection::default() };
        self.instances.insert(endpoint.clone(), pooled);
    }

    /// Publishes which instances may take calls now.
    fn arrange(&mut self, now: Instant) {
        self.end_ejections(now);
        self.begin_ejections(now);
        let mut instances: Vec<_> = self.instances.values().filter(|pooled| pooled.ejection.until.is_none()).collect();
        if !instances.iter().any(|pooled| pooled.is_up()) {
            // An ejected instance is better than none.
            instances = self.instances.values().collect();
        }
        let instances: Box<[_]> = instances.into_iter().filter_map(PooledInstance::ready_instance).collect();
        let connections = || self.instances.values().flat_map(|pooled| &pooled.connections);
        let states = self.instances.values().map(PooledInstance::snapshot).collect();
        let ready = ReadySet {
            instances,
            states,
            opening: self.is_source_silent(now) || connections().any(|connection| connection.is_connecting()),
        };
        if connections().any(|connection| !connection.is_up() && !connection.is_connecting()) {
            self.trouble.notify_one();
        }
        self.report(&ready);
        self.state.ready.store(Arc::new(ready));
        // Even if nothing seems to have changed: a call may be waiting for a connection that was lost and is open again.
        self.state.changed.notify_waiters();
    }

    /// Logs when the provider loses its last instance and when it has one again; at startup, only once the absence is certain.
    fn report(&mut self, ready: &ReadySet) {
        let (provider, instances) = (&self.provider, self.instances.len());
        let is_up = !ready.instances.is_empty();
        match self.was_up {
            Some(was_up) if was_up == is_up => return,
            None if !is_up && ready.opening => return,
            None if is_up => tracing::info!(%provider, instances, "the provider has an instance"),
            None => tracing::warn!(%provider, instances, "no instance of the provider can be reached"),
            Some(true) => tracing::warn!(%provider, instances, "the provider lost its last instance"),
            Some(false) => tracing::info!(%provider, instances, "the provider has an instance again"),
        }
        self.was_up = Some(is_up);
    }

    fn end_ejections(&mut self, now: Instant) {
        for (endpoint, pooled) in &mut self.instances {
            if pooled.ejection.until.is_some_and(|until| until <= now) {
                pooled.ejection.until = None;
                tracing::info!(instance = %endpoint, "instance takes calls again");
            }
        }
    }

    /// At most half of the instances are ejected: if most of them fail, the cause lies elsewhere.
    fn begin_ejections(&mut self, now: Instant) {
        let most = self.instances.len() / 2;
        let mut ejected = self.instances.values().filter(|pooled| pooled.ejection.until.is_some()).count();
        for (endpoint, pooled) in &mut self.instances {
            if pooled.instance.take_streak() && pooled.ejection.until.is_none() && ejected < most {
                let ejection = pooled.ejection.begin(now);
                ejected += 1;
                let (pending, latency) = (pooled.instance.pending(), pooled.instance.latency());
                tracing::warn!(instance = %endpoint, rest = ?ejection, pending, ?latency, "instance failed too often and rests");
            }
        }
    }

    /// When the state changes by itself.
    fn next_change(&self) -> Option<Instant> {
        let heard = self.is_source_silent(Instant::now()).then(|| self.begun + FIRST_ANSWER);
        self.instances.values().filter_map(|pooled| pooled.ejection.until).chain(heard).min()
    }

    fn is_source_silent(&self, now: Instant) -> bool {
        self.instances.is_empty() && now < self.begun + FIRST_ANSWER
    }

    fn retire_all(self) {
        self.instances.values().flat_map(|pooled| &pooled.connections).for_each(|connection| connection.retire());
        self.state.ready.store(Arc::new(ReadySet { opening: false, ..ReadySet::nobody() }));
        self.state.changed.notify_waiters();
    }
}

impl PooledInstance {
    fn is_up(&self) -> bool {
        self.connections.iter().any(|connection| connection.is_up())
    }

    fn snapshot(&self) -> InstanceState {
        let connections = self.connections.iter().cloned().collect();
        InstanceState { instance: Arc::clone(&self.instance), connections, is_ejected: self.ejection.until.is_some() }
    }

    fn ready_instance(&self) -> Option<ReadyInstance> {
        let connections: Box<[_]> = self.connections.iter().filter(|connection| connection.is_up()).cloned().collect();
        (!connections.is_empty()).then(|| ReadyInstance { instance: Arc::clone(&self.instance), connections })
    }
}

impl Ejection {
    /// Begins an ejection, twice as long as the last one if that was recent.
    fn begin(&mut self, now: Instant) -> Duration {
        let is_recent = self.last.is_some_and(|last| now.saturating_duration_since(last) < 2 * self.length());
        self.times = if is_recent { (self.times + 1).min(16) } else { 0 };
        let length = self.length();
        let until = now + length.mul_f64(0.8 + 0.4 * fastrand::f64());
        (self.until, self.last) = (Some(until), Some(until));
        length
    }

    fn length(&self) -> Duration {
        (FIRST_EJECTION * 2_u32.pow(self.times)).min(LONGEST_EJECTION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::instance::STREAK;

    /// A pool of so many instances without connections.
    fn pool(instances: u16) -> Pool {
        let state = PoolState { ready: ArcSwap::from_pointee(ReadySet::nobody()), changed: Arc::default() };
        let mut pool = Pool::new("test".into(), Arc::new(state), Workers::default());
        pool.connections = 0;
        let endpoints: Vec<_> = (1..=instances).map(|port| Endpoint::new("127.0.0.1", port, false)).collect();
        pool.adopt(&endpoints);
        pool
    }

    fn ejected(pool: &Pool) -> usize {
        pool.instances.values().filter(|pooled| pooled.ejection.until.is_some()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_half_of_the_instances_rest_and_they_return() {
        for (instances, most) in [(1, 0), (2, 1), (3, 1), (5, 2)] {
            let mut pool = pool(instances);
            for _ in 0..STREAK {
                pool.instances.values().for_each(|pooled| pooled.instance.failed());
            }
            pool.arrange(Instant::now());
            assert_eq!(ejected(&pool), most, "of {instances}");
            tokio::time::advance(FIRST_EJECTION.mul_f64(1.3)).await;
            pool.arrange(Instant::now());
            assert_eq!(ejected(&pool), 0, "of {instances}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rests_that_follow_each_other_grow_and_an_old_one_is_forgotten() {
        let mut ejection = Ejection::default();
        let mut lengths = Vec::new();
        for _ in 0..8 {
            lengths.push(ejection.begin(Instant::now()).as_secs());
            tokio::time::advance(ejection.until.unwrap() - Instant::now() + Duration::from_secs(1)).await;
        }
        assert_eq!(lengths, [5, 10, 20, 40, 80, 160, 300, 300]);
        tokio::time::advance(Duration::from_secs(700)).await;
        assert_eq!(ejection.begin(Instant::now()).as_secs(), 5);
    }
}
