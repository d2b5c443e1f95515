//! What stands behind a process and may be ill while the process is well: a supplier's account, a provider of the gateway.
//!
//! It is told where somebody asks for it, `/readyz?verbose` and health under names of their own. It never takes the process
//! out of balance: another instance would have the same supplier.

use std::{collections::BTreeMap, fmt, sync::Arc};

use tonic_health::ServingStatus;

/// What the names begin with by which health knows dependencies.
pub const HEALTH_PREFIX: &str = "upstream/";

/// One thing that a process depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its name, `<provider>` or `<provider>/<account>`; health knows it as `upstream/<name>`.
    pub name: String,
    /// How it is.
    pub state: DependencyState,
    /// What people are told of it, in one line without secrets.
    pub detail: String,
}

/// How a dependency is, as far as its last calls tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyState {
    /// Nothing is known against it.
    Up,
    /// Some of its calls fail.
    Degraded,
    /// All of its calls fail.
    Down,
}

/// Knows the dependencies of a process; none unless it is told how to look.
#[derive(Clone, Default)]
pub(crate) struct Dependencies(Option<Arc<dyn Fn() -> Vec<Dependency> + Send + Sync>>);

impl Dependency {
    /// Describes a dependency.
    pub fn new(name: String, state: DependencyState, detail: impl ToString) -> Self {
        Self { name, state, detail: detail.to_string() }
    }
}

impl DependencyState {
    /// The state of what is down, or else degraded, or neither.
    #[must_use]
    pub fn of(is_down: bool, is_degraded: bool) -> Self {
        match (is_down, is_degraded) {
            (true, _) => Self::Down,
            (false, true) => Self::Degraded,
            (false, false) => Self::Up,
        }
    }

    /// `up`, `degraded` or `down`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

impl Dependencies {
    pub(crate) fn new(look: impl Fn() -> Vec<Dependency> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look)))
    }

    /// Whether there can be any.
    pub(crate) fn are_known(&self) -> bool {
        self.0.is_some()
    }

    /// All of them as they are now.
    pub(crate) fn look(&self) -> Vec<Dependency> {
        self.0.as_ref().map_or_else(Vec::new, |look| look())
    }

    /// What health says of each, and of each provider: it is down when all of its accounts are.
    pub(crate) fn health(&self) -> BTreeMap<String, ServingStatus> {
        let mut states = BTreeMap::new();
        for Dependency { name, state, .. } in self.look() {
            if let Some((provider, _)) = name.split_once('/') {
                let of_provider = states.entry(provider.to_owned()).or_insert(state);
                *of_provider = state.min(*of_provider);
            }
            states.insert(name, state);
        }
        let serving =
            |state| if state == DependencyState::Down { ServingStatus::NotServing } else { ServingStatus::Serving };
        states.into_iter().map(|(name, state)| (format!("{HEALTH_PREFIX}{name}"), serving(state))).collect()
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Dependencies").finish_non_exhaustive()
    }
}

/// `[+]aex/main up: ...`, one a line.
impl fmt::Display for Dependencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Dependency { name, state, detail } in self.look() {
            let sign = match state {
                DependencyState::Up => '+',
                DependencyState::Degraded => '!',
                DependencyState::Down => '-',
            };
            writeln!(formatter, "[{sign}]{name} {}: {detail}", state.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_down_when_all_of_its_accounts_are() {
        use DependencyState::{Degraded, Down, Up};
        let health = |states: &'static [(&str, DependencyState)]| {
            let one = |(name, state): &(&str, DependencyState)| Dependency::new((*name).to_owned(), *state, "");
            Dependencies::new(move || states.iter().map(one).collect()).health()
        };
        let half = health(&[("a/x", Down), ("a/y", Degraded), ("b", Up)]);
        let serving = |status| (ServingStatus::Serving == status).then_some(());
        assert_eq!(half.len(), 4);
        for (name, is_serving) in
            [("upstream/a", true), ("upstream/a/x", false), ("upstream/a/y", true), ("upstream/b", true)]
        {
            assert_eq!(serving(half[name]).is_some(), is_serving, "{name}");
        }
        assert_eq!(health(&[("a/x", Down), ("a/y", Down)])["upstream/a"], ServingStatus::NotServing);
        let shown = Dependencies::new(|| vec![Dependency::new("a/x".to_owned(), Down, "why")]).to_string();
        assert_eq!(shown, "[-]a/x down: why\n");
    }
}
