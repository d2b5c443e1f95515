//! Rules by method: timeouts, and hedging of slow reads.

use std::time::Duration;

use protocol::method::Idempotency;
use protocol::method::MethodName;

use crate::config::{HedgeConfig, TimeoutConfig};

/// `[[timeouts]]` and `[[hedging]]`; the first entry that covers a method counts.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    timeouts: Vec<TimeoutConfig>,
    hedging: Vec<HedgeConfig>,
}

impl Rules {
    /// Takes the entries in their order.
    pub(crate) fn new(timeouts: &[TimeoutConfig], hedging: &[HedgeConfig]) -> Self {
        Self { timeouts: timeouts.to_vec(), hedging: hedging.to_vec() }
    }

    /// The longest time that a call may take, if there is a rule.
    pub(crate) fn timeout(&self, method: &MethodName<'_>, idempotency: Option<Idempotency>) -> Option<Duration> {
        let mut entries = self.timeouts.iter();
        let entry = entries.find(|entry| entry.methods.iter().any(|pattern| pattern.covers(method, idempotency)));
        entry.map(|entry| entry.seconds.0)
    }

    /// After what time a read is sent to a second instance as well; never a write.
    pub(crate) fn hedge(&self, method: &MethodName<'_>, idempotency: Option<Idempotency>) -> Option<Duration> {
        if idempotency != Some(Idempotency::Read) {
            return None;
        }
        let mut entries = self.hedging.iter();
        let entry = entries.find(|entry| entry.methods.iter().any(|pattern| pattern.covers(method, idempotency)));
        entry.map(HedgeConfig::after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str = "/ispbridge.aex.v1.S/Get";

    fn rules() -> Rules {
        let table: toml::Table = r#"
            timeouts = [{ methods = ["ispbridge.aex.v1.S/Get"], seconds = 2 }, { methods = ["*"], seconds = 9.5 }]
            hedging = [{ methods = ["*"], after_ms = 50 }]
        "#
        .parse()
        .unwrap();
        let [timeouts, hedging] = ["timeouts", "hedging"].map(|key| table[key].clone());
        Rules::new(&timeouts.try_into::<Vec<_>>().unwrap(), &hedging.try_into::<Vec<_>>().unwrap())
    }

    #[test]
    fn the_first_entry_that_covers_a_method_counts() {
        let (get, put) = (MethodName::parse(METHOD).unwrap(), MethodName::parse("/ispbridge.aex.v1.S/Put").unwrap());
        assert_eq!(rules().timeout(&get, None), Some(Duration::from_secs(2)));
        assert_eq!(rules().timeout(&put, None), Some(Duration::from_millis(9500)));
        assert_eq!(Rules::default().timeout(&get, None), None);
    }

    #[test]
    fn a_write_is_never_hedged_even_if_the_configuration_covers_it() {
        let method = MethodName::parse(METHOD).unwrap();
        assert_eq!(rules().hedge(&method, Some(Idempotency::Read)), Some(Duration::from_millis(50)));
        assert_eq!(rules().hedge(&method, Some(Idempotency::Write)), None);
        assert_eq!(rules().hedge(&method, None), None);
    }
}
