//! The instances that may take a call now, and the choice between them.

use std::sync::Arc;

use tokio::time::Instant;

use crate::fleet::{
    connection::{Connection, StreamPermit},
    instance::Instance,
};

/// Why no instance can take a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PickError {
    /// None is connected.
    Unreachable,
    /// All connections are at their limit.
    Full,
}

/// An instance with its open connections.
#[derive(Debug)]
pub(crate) struct ReadyInstance {
    /// The instance.
    pub(crate) instance: Arc<Instance>,
    /// At least one.
    pub(crate) connections: Box<[Arc<Connection>]>,
}

/// An instance, whether it takes calls or not.
#[derive(Debug)]
pub(crate) struct InstanceState {
    /// The instance.
    pub(crate) instance: Arc<Instance>,
    /// Its connections, open or not.
    pub(crate) connections: Box<[Arc<Connection>]>,
    /// Whether it is ejected for failing too often.
    pub(crate) is_ejected: bool,
}

/// A snapshot of a provider's instances, rebuilt when one is added, removed, ejected or readmitted.
#[derive(Debug)]
pub(crate) struct ReadySet {
    /// Those that may be picked.
    pub(crate) instances: Box<[ReadyInstance]>,
    /// All instances in order.
    pub(crate) states: Box<[InstanceState]>,
    /// Whether a connection is being opened that is worth waiting for.
    pub(crate) opening: bool,
}

impl ReadySet {
    /// None yet, but it is worth waiting.
    pub(crate) fn nobody() -> Self {
        Self { instances: Box::default(), states: Box::default(), opening: true }
    }

    /// Picks the less loaded of two random instances, avoiding `avoid` if there is another; if it is full, any other one.
    pub(crate) fn pick(&self, avoid: Option<&Arc<Connection>>) -> Result<StreamPermit, PickError> {
        let all = &*self.instances;
        let Some(first) = self.choose(avoid) else {
            return Err(PickError::Unreachable);
        };
        if let Some(acquire) = all[first].acquire(avoid) {
            return Ok(acquire);
        }
        let rest = all[first..].iter().chain(&all[..first]);
        if let Some(acquire) = rest.clone().find_map(|instance| instance.acquire(None)) {
            return Ok(acquire);
        }
        let mut connections = rest.flat_map(|instance| &instance.connections);
        Err(if connections.any(|connection| connection.is_up()) { PickError::Full } else { PickError::Unreachable })
    }

    fn choose(&self, avoid: Option<&Arc<Connection>>) -> Option<usize> {
        let all = &*self.instances;
        let (one, other) = match all.len() {
            0 => return None,
            1 => return Some(0),
            2 => (0, 1),
            count => two_of(count),
        };
        let avoided =
            |index: usize| avoid.is_some_and(|connection| Arc::ptr_eq(connection.instance(), &all[index].instance));
        let takes_one = match (avoided(one), avoided(other)) {
            (true, _) => false,
            (_, true) => true,
            _ => all[one].instance.is_lighter_than(&all[other].instance, Instant::now()),
        };
        Some(if takes_one { one } else { other })
    }
}

impl InstanceState {
    /// `resting`, `up`, `connecting` or `down`.
    pub(crate) fn state(&self) -> &'static str {
        match &self.connections {
            _ if self.is_ejected => "resting",
            connections if connections.iter().any(|connection| connection.is_up()) => "up",
            connections if connections.iter().any(|connection| connection.is_connecting()) => "connecting",
            _ => "down",
        }
    }
}

impl ReadyInstance {
    /// A stream on the least loaded connection of the calling thread, avoiding `avoid` if there is another; if it is full, on any
    /// other.
    fn acquire(&self, avoid: Option<&Arc<Connection>>) -> Option<StreamPermit> {
        let avoided = |connection: &Arc<Connection>| avoid.is_some_and(|avoid| Arc::ptr_eq(connection, avoid));
        let best = self
            .connections
            .iter()
            .min_by_key(|connection| (avoided(connection), !connection.is_local(), connection.load()))?;
        best.acquire().or_else(|| self.connections.iter().find_map(Connection::acquire))
    }
}

/// Two different numbers below a count of at least two.
fn two_of(count: usize) -> (usize, usize) {
    let one = fastrand::usize(..count);
    let other = fastrand::usize(..count - 1);
    (one, if other >= one { other + 1 } else { other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_always_two() {
        for count in 2..6 {
            let mut met = vec![0; count];
            for _ in 0..1000 {
                let (one, other) = two_of(count);
                assert_ne!(one, other);
                met[one] += 1;
                met[other] += 1;
            }
            assert!(met.iter().all(|times| *times > 0), "{met:?}");
        }
    }
}
