//! What the agent says of this process' own checks: a failing one takes the process out of balance, and only the agent knows
//! why.

use std::collections::BTreeMap;

use serde::Deserialize;

const PASSING: &str = "passing";

/// Longest output of a check that is repeated.
const OUTPUT_CHARS: usize = 300;

/// One check, as the agent tells of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OwnCheck {
    #[serde(rename = "CheckID")]
    id: String,
    status: String,
    #[serde(default)]
    output: String,
}

/// What the log was told last of each check.
#[derive(Debug, Default)]
pub(crate) struct OwnChecks(BTreeMap<String, String>);

impl OwnChecks {
    /// Writes into the log what has changed.
    pub(crate) fn hear(&mut self, checks: Vec<OwnCheck>) {
        for check in self.changed(checks) {
            let OwnCheck { id, status, output } = check;
            let output: String = output.chars().take(OUTPUT_CHARS).collect();
            match status.as_str() {
                PASSING => tracing::info!(check = id, "the check in Consul passes again"),
                _ => tracing::warn!(check = id, status, output, "a check of this process fails in Consul"),
            }
        }
    }

    fn changed(&mut self, checks: Vec<OwnCheck>) -> Vec<OwnCheck> {
        let was = |check: &OwnCheck| self.0.get(&check.id).map_or(PASSING, String::as_str);
        let changed: Vec<_> = checks.iter().filter(|check| was(check) != check.status).cloned().collect();
        self.0 = checks.into_iter().map(|check| (check.id, check.status)).collect();
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_told() {
        let mut known = OwnChecks::default();
        let mut told = |states: &[(&str, &str)]| {
            let check = |(id, status): &(&str, &str)| OwnCheck {
                id: (*id).to_owned(),
                status: (*status).to_owned(),
                output: String::new(),
            };
            let changed = known.changed(states.iter().map(check).collect());
            changed.into_iter().map(|check| format!("{} {}", check.id, check.status)).collect::<Vec<_>>()
        };
        assert!(told(&[("a", "passing"), ("b", "passing")]).is_empty());
        assert_eq!(told(&[("a", "critical"), ("b", "passing")]), ["a critical"]);
        assert!(told(&[("a", "critical"), ("b", "passing")]).is_empty());
        assert_eq!(told(&[("a", "warning"), ("b", "critical")]), ["a warning", "b critical"]);
        assert_eq!(told(&[("a", "passing")]), ["a passing"]);
        assert!(told(&[]).is_empty());
    }
}
