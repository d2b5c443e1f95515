//! The instances that may take a call now, and the choice between them.

use std::sync::Arc;

use tokio::time::Instant;

use crate::fleet::{
    instance::Instance,
    link::{Link, Seat},
};

/// Why no instance takes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vacancy {
    /// None is connected.
    Unreachable,
    /// All connections carry as many calls as they may.
    Full,
}

/// An instance with its open connections.
#[derive(Debug)]
pub(crate) struct Member {
    /// The instance.
    pub(crate) instance: Arc<Instance>,
    /// At least one.
    pub(crate) links: Box<[Arc<Link>]>,
}

/// Any instance, whether it takes calls or not.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The instance.
    pub(crate) instance: Arc<Instance>,
    /// Its connections, open or not.
    pub(crate) links: Box<[Arc<Link>]>,
    /// Whether it failed too often and rests.
    pub(crate) is_resting: bool,
}

/// One state of a provider's instances; made anew when one comes, goes, rests or returns.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Who may be chosen.
    pub(crate) members: Box<[Member]>,
    /// All instances in order.
    pub(crate) standings: Box<[Standing]>,
    /// Whether a connection is being opened that is worth waiting for.
    pub(crate) opening: bool,
}

impl Ready {
    /// Nobody yet, but it is worth waiting.
    pub(crate) fn nobody() -> Self {
        Self { members: Box::default(), standings: Box::default(), opening: true }
    }

    /// The lighter of two instances taken by chance, not at `avoid` if there is another; if it has no place, any other one.
    pub(crate) fn pick(&self, avoid: Option<&Arc<Link>>) -> Result<Seat, Vacancy> {
        let all = &*self.members;
        let Some(first) = self.choose(avoid) else {
            return Err(Vacancy::Unreachable);
        };
        if let Some(seat) = all[first].seat(avoid) {
            return Ok(seat);
        }
        let rest = all[first..].iter().chain(&all[..first]);
        if let Some(seat) = rest.clone().find_map(|member| member.seat(None)) {
            return Ok(seat);
        }
        let mut links = rest.flat_map(|member| &member.links);
        Err(if links.any(|link| link.is_up()) { Vacancy::Full } else { Vacancy::Unreachable })
    }

    fn choose(&self, avoid: Option<&Arc<Link>>) -> Option<usize> {
        let all = &*self.members;
        let (one, other) = match all.len() {
            0 => return None,
            1 => return Some(0),
            2 => (0, 1),
            count => two_of(count),
        };
        let avoided = |index: usize| avoid.is_some_and(|link| Arc::ptr_eq(link.instance(), &all[index].instance));
        let takes_one = match (avoided(one), avoided(other)) {
            (true, _) => false,
            (_, true) => true,
            _ => all[one].instance.is_lighter_than(&all[other].instance, Instant::now()),
        };
        Some(if takes_one { one } else { other })
    }
}

impl Standing {
    /// `resting`, `up`, `connecting` or `down`.
    pub(crate) fn state(&self) -> &'static str {
        match &self.links {
            _ if self.is_resting => "resting",
            links if links.iter().any(|link| link.is_up()) => "up",
            links if links.iter().any(|link| link.is_connecting()) => "connecting",
            _ => "down",
        }
    }
}

impl Member {
    /// The lightest connection of those that the calling thread keeps, not `avoid` if there is another; if it has no place, any
    /// other one.
    fn seat(&self, avoid: Option<&Arc<Link>>) -> Option<Seat> {
        let avoided = |link: &Arc<Link>| avoid.is_some_and(|avoid| Arc::ptr_eq(link, avoid));
        let best = self.links.iter().min_by_key(|link| (avoided(link), !link.is_near(), link.load()))?;
        best.seat().or_else(|| self.links.iter().find_map(Link::seat))
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
