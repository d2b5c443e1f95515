//! What stands behind a process and may be ill while the process is well: a supplier's account, a provider of the gateway.
//!
//! It is told where somebody asks for it, `/readyz?verbose` and health under names of their own. It never takes the process
//! out of balance: another instance would have the same supplier.

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
