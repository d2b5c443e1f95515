//! Spans of time in a configuration.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Ten years: a longer time is a mistake, and the clock cannot add just any.
const MOST_SECONDS: f64 = 315_360_000.0;

/// A span of time, written as a number of seconds (`30` or `0.5`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// A whole number of seconds.
    #[must_use]
    pub const fn whole(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_secs_f64().serialize(serializer)
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "format": "seconds" })
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer).ok().filter(|seconds| (0.0..=MOST_SECONDS).contains(seconds));
        let seconds = seconds.map(|seconds| Self(Duration::from_secs_f64(seconds)));
        seconds.ok_or_else(|| de::Error::custom(format!("must be a number of seconds between 0 and {MOST_SECONDS}")))
    }
}
