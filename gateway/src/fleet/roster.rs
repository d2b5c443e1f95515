//! Keeps the connections to the instances of one provider and decides which instances may take calls.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use chassis::Workers;
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use crate::fleet::{
    endpoint::Endpoint,
    instance::Instance,
    link::Link,
    ready::{Member, Ready, Standing},
    source::{Endpoints, Source},
    tls::Tls,
};

/// First rest of an instance that failed too often in a row; each one that follows soon is twice as long.
const FIRST_REST: Duration = Duration::from_secs(5);

/// Longest rest.
const LAST_REST: Duration = Duration::from_secs(300);

/// How long it is worth waiting for a source that has not named an instance yet.
const FIRST_WORD: Duration = Duration::from_secs(3);

/// What a roster is to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Who says which instances there are.
    pub(crate) source: Source,
    /// Connections to each of them.
    pub(crate) connections: usize,
    /// How those that speak TLS are spoken to.
    pub(crate) tls: Option<Tls>,
}

/// What a roster shares with the calls.
#[derive(Debug)]
pub(crate) struct Board {
    /// Who may take a call.
    pub(crate) ready: ArcSwap<Ready>,
    /// Hears of every change of it.
    pub(crate) changed: Arc<Notify>,
}

/// The instances of one provider.
pub(crate) struct Roster {
    provider: Arc<str>,
    board: Arc<Board>,
    /// Woken by instances and connections.
    signal: Arc<Notify>,
    /// Wakes the source when an instance cannot be reached.
    trouble: Arc<Notify>,
    entries: BTreeMap<Endpoint, Entry>,
    tasks: JoinSet<()>,
    workers: Workers,
    connections: usize,
    tls: Option<Tls>,
    begun: Instant,
    /// Whether an instance was connected when the log was last told of it.
    was_up: Option<bool>,
}

struct Entry {
    instance: Arc<Instance>,
    links: Vec<Arc<Link>>,
    rest: Rest,
}

/// Whether an instance is kept from calls, and how often it has been.
#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    until: Option<Instant>,
    last: Option<Instant>,
    times: u32,
}

impl Roster {
    pub(crate) fn new(provider: Arc<str>, board: Arc<Board>, workers: Workers) -> Self {
        Self {
            provider,
            board,
            signal: Arc::default(),
            trouble: Arc::default(),
            entries: BTreeMap::new(),
            tasks: JoinSet::new(),
            workers,
            connections: 1,
            tls: None,
            begun: Instant::now(),
            was_up: None,
        }
    }

    /// Follows the plan until nobody can change it any more; then the instances get no more calls.
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

    /// Opens what is new, lets go of what is not there any more, and brings the rest up to date.
    fn adopt(&mut self, endpoints: &[Endpoint]) {
        self.entries.retain(|endpoint, entry| {
            let stays = endpoints.binary_search(endpoint).is_ok();
            if !stays {
                tracing::info!(instance = %endpoint, "instance removed");
                entry.links.drain(..).for_each(|link| link.retire());
            }
            stays
        });
        for endpoint in endpoints {
            if !self.entries.contains_key(endpoint) {
                self.add(endpoint);
            }
        }
        for entry in self.entries.values_mut() {
            let tls = self.tls.as_ref().filter(|_| entry.instance.endpoint.is_tls());
            for surplus in entry.links.drain(self.connections.min(entry.links.len())..) {
                surplus.retire();
            }
            for link in &entry.links {
                link.encrypt(tls);
            }
            while entry.links.len() < self.connections {
                let worker = entry.links.len() % self.workers.count();
                let link = Link::new(Arc::clone(&entry.instance), worker, tls.cloned());
                self.tasks.spawn_on(Arc::clone(&link).keep(), &self.workers.runtime(worker));
                entry.links.push(link);
            }
        }
    }

    fn add(&mut self, endpoint: &Endpoint) {
        let Some(instance) = Instance::new(endpoint.clone(), Arc::clone(&self.signal)) else {
            return tracing::warn!(instance = %endpoint, "this is no address of an instance");
        };
        let entry = Entry { instance: Arc::new(instance), links: Vec::new(), rest: Rest::default() };
        self.entries.insert(endpoint.clone(), entry);
    }

    /// Writes down who may take calls now.
    fn arrange(&mut self, now: Instant) {
        self.end_rests(now);
        self.begin_rests(now);
        let mut members: Vec<_> = self.entries.values().filter(|entry| entry.rest.until.is_none()).collect();
        if !members.iter().any(|entry| entry.is_up()) {
            // A tired instance is better than none.
            members = self.entries.values().collect();
        }
        let members: Box<[_]> = members.into_iter().filter_map(Entry::member).collect();
        let links = || self.entries.values().flat_map(|entry| &entry.links);
        let standings = self.entries.values().map(Entry::standing).collect();
        let ready =
            Ready { members, standings, opening: self.is_unheard(now) || links().any(|link| link.is_connecting()) };
        if links().any(|link| !link.is_up() && !link.is_connecting()) {
            self.trouble.notify_one();
        }
        self.report(&ready);
        self.board.ready.store(Arc::new(ready));
        // Also if it looks the same as before: a connection that was lost and is open again is one that a call may be waiting for.
        self.board.changed.notify_waiters();
    }

    /// Writes into the log when the provider loses its last instance and when it has one again. At the start an absence
    /// counts once it is certain.
    fn report(&mut self, ready: &Ready) {
        let (provider, instances) = (&self.provider, self.entries.len());
        let is_up = !ready.members.is_empty();
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

    fn end_rests(&mut self, now: Instant) {
        for (endpoint, entry) in &mut self.entries {
            if entry.rest.until.is_some_and(|until| until <= now) {
                entry.rest.until = None;
                tracing::info!(instance = %endpoint, "instance takes calls again");
            }
        }
    }

    /// Never more than half of the instances rest: if most fail, it is not they that are at fault.
    fn begin_rests(&mut self, now: Instant) {
        let most = self.entries.len() / 2;
        let mut resting = self.entries.values().filter(|entry| entry.rest.until.is_some()).count();
        for (endpoint, entry) in &mut self.entries {
            if entry.instance.take_streak() && entry.rest.until.is_none() && resting < most {
                let rest = entry.rest.begin(now);
                resting += 1;
                let (pending, latency) = (entry.instance.pending(), entry.instance.latency());
                tracing::warn!(instance = %endpoint, ?rest, pending, ?latency, "instance failed too often and rests");
            }
        }
    }

    /// When it will look different without anything happening.
    fn next_change(&self) -> Option<Instant> {
        let heard = self.is_unheard(Instant::now()).then(|| self.begun + FIRST_WORD);
        self.entries.values().filter_map(|entry| entry.rest.until).chain(heard).min()
    }

    fn is_unheard(&self, now: Instant) -> bool {
        self.entries.is_empty() && now < self.begun + FIRST_WORD
    }

    fn retire_all(self) {
        self.entries.values().flat_map(|entry| &entry.links).for_each(|link| link.retire());
        self.board.ready.store(Arc::new(Ready { opening: false, ..Ready::nobody() }));
        self.board.changed.notify_waiters();
    }
}

impl Entry {
    fn is_up(&self) -> bool {
        self.links.iter().any(|link| link.is_up())
    }

    fn standing(&self) -> Standing {
        let links = self.links.iter().cloned().collect();
        Standing { instance: Arc::clone(&self.instance), links, is_resting: self.rest.until.is_some() }
    }

    fn member(&self) -> Option<Member> {
        let links: Box<[_]> = self.links.iter().filter(|link| link.is_up()).cloned().collect();
        (!links.is_empty()).then(|| Member { instance: Arc::clone(&self.instance), links })
    }
}

impl Rest {
    /// Begins a rest: twice as long as the last one if that was not long ago.
    fn begin(&mut self, now: Instant) -> Duration {
        let is_recent = self.last.is_some_and(|last| now.saturating_duration_since(last) < 2 * self.length());
        self.times = if is_recent { (self.times + 1).min(16) } else { 0 };
        let length = self.length();
        let until = now + length.mul_f64(0.8 + 0.4 * fastrand::f64());
        (self.until, self.last) = (Some(until), Some(until));
        length
    }

    fn length(&self) -> Duration {
        (FIRST_REST * 2_u32.pow(self.times)).min(LAST_REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::instance::STREAK;

    /// A roster of so many instances, none of which is connected to.
    fn roster(instances: u16) -> Roster {
        let board = Board { ready: ArcSwap::from_pointee(Ready::nobody()), changed: Arc::default() };
        let mut roster = Roster::new("test".into(), Arc::new(board), Workers::default());
        roster.connections = 0;
        let endpoints: Vec<_> = (1..=instances).map(|port| Endpoint::new("127.0.0.1", port, false)).collect();
        roster.adopt(&endpoints);
        roster
    }

    fn resting(roster: &Roster) -> usize {
        roster.entries.values().filter(|entry| entry.rest.until.is_some()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_half_of_the_instances_rest_and_they_return() {
        for (instances, most) in [(1, 0), (2, 1), (3, 1), (5, 2)] {
            let mut roster = roster(instances);
            for _ in 0..STREAK {
                roster.entries.values().for_each(|entry| entry.instance.failed());
            }
            roster.arrange(Instant::now());
            assert_eq!(resting(&roster), most, "of {instances}");
            tokio::time::advance(FIRST_REST.mul_f64(1.3)).await;
            roster.arrange(Instant::now());
            assert_eq!(resting(&roster), 0, "of {instances}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rests_that_follow_each_other_grow_and_an_old_one_is_forgotten() {
        let mut rest = Rest::default();
        let mut lengths = Vec::new();
        for _ in 0..8 {
            lengths.push(rest.begin(Instant::now()).as_secs());
            tokio::time::advance(rest.until.unwrap() - Instant::now() + Duration::from_secs(1)).await;
        }
        assert_eq!(lengths, [5, 10, 20, 40, 80, 160, 300, 300]);
        tokio::time::advance(Duration::from_secs(700)).await;
        assert_eq!(rest.begin(Instant::now()).as_secs(), 5);
    }
}
