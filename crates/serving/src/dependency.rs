//! The dependencies of a process, looked at when somebody asks for them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use protocol::dependency::{Dependency, DependencyState, HEALTH_PREFIX};
use tonic_health::ServingStatus;

/// Knows the dependencies of a process; none unless it is told how to look.
#[derive(Clone, Default)]
pub struct Dependencies(Option<Arc<dyn Fn() -> Vec<Dependency> + Send + Sync>>);

impl Dependencies {
    /// Tells how to look.
    pub fn new(look: impl Fn() -> Vec<Dependency> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look)))
    }

    /// Whether there can be any.
    pub fn are_known(&self) -> bool {
        self.0.is_some()
    }

    /// All of them as they are now.
    pub fn look(&self) -> Vec<Dependency> {
        self.0.as_ref().map_or_else(Vec::new, |look| look())
    }

    /// What health says of each, and of each provider: it is down when all of its accounts are.
    pub fn health(&self) -> BTreeMap<String, ServingStatus> {
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
