//! Which parts of a configuration count at the start only: those that the settings' schemas mark with `x-restart`, of which
//! the reference tells the same.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value as Schema;
use toml::{Table, Value};

use crate::{
    schema::{RESTART, given, properties, schema_of},
    settings::Settings,
};

/// The keys of one program's configuration by what a change of them needs.
#[derive(Debug)]
pub(crate) struct Restarts {
    /// Whether a change needs a restart.
    is_fixed: bool,
    /// Keys that have something else to say, about themselves or within.
    keys: BTreeMap<String, Restarts>,
    /// The same of each item of a list, or of each table under a name that the operator chooses.
    each: Option<Box<Restarts>>,
}

impl Restarts {
    /// Those of a program: its own and the chassis'.
    pub(crate) fn of<C: JsonSchema>() -> Self {
        let mut all = Self::shared();
        all.keys.extend(Self::read(&schema_of::<C>(), false).keys);
        all
    }

    /// Those of every process.
    pub(crate) fn shared() -> Self {
        Self::read(&schema_of::<Settings>(), false)
    }

    fn read(schema: &Schema, outer: bool) -> Self {
        let is_fixed = schema.get(RESTART).and_then(Schema::as_bool).unwrap_or(outer);
        let schema = given(schema);
        let inner = |schema| Some(Self::read(schema, is_fixed)).filter(|inner| !inner.is_plain(is_fixed));
        let keys = properties(schema).into_iter().flatten();
        let keys = keys.filter_map(|(key, schema)| Some((key.clone(), inner(schema)?))).collect();
        let mut each = ["items", "additionalProperties"].into_iter().filter_map(|word| schema.get(word));
        let each = each.find(|each| each.is_object()).and_then(inner).map(Box::new);
        Self { is_fixed, keys, each }
    }

    /// Whether it says only what stands around it.
    fn is_plain(&self, outer: bool) -> bool {
        self.is_fixed == outer && self.keys.is_empty() && self.each.is_none()
    }

    /// What of a configuration counts at the start only.
    pub(crate) fn fixed(&self, table: &Table) -> Table {
        let fixed = |(key, value): (&String, &Value)| Some((key.clone(), self.inner(key, value)?));
        table.iter().filter_map(fixed).collect()
    }

    fn inner(&self, key: &str, value: &Value) -> Option<Value> {
        match self.keys.get(key).or(self.each.as_deref()) {
            Some(inner) => inner.of_value(value),
            None => self.is_fixed.then(|| value.clone()),
        }
    }

    fn of_value(&self, value: &Value) -> Option<Value> {
        match (value, &self.each) {
            (Value::Table(table), _) => {
                let fixed = self.fixed(table);
                (self.is_fixed || !fixed.is_empty()).then_some(Value::Table(fixed))
            }
            (Value::Array(items), Some(each)) => {
                Some(Value::Array(items.iter().filter_map(|item| each.of_value(item)).collect()))
            }
            _ => self.is_fixed.then(|| value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{process::Process, program::Program, settings_reference};
    use config::Error;
    use serving::ServiceSet;

    struct Probe;

    /// A part with all ways in which keys can stand.
    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "its schema is what counts")]
    struct Own {
        /// Taken while the process runs.
        word: String,
        /// Counts at the start.
        #[schemars(extend("x-restart" = true))]
        fixed: Option<Inner>,
        /// Under names.
        named: BTreeMap<String, Inner>,
        /// One after the other.
        list: Vec<Inner>,
    }

    /// A table.
    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "its schema is what counts")]
    struct Inner {
        /// As what stands around it.
        plain: u32,
        /// Never.
        #[schemars(extend("x-restart" = false))]
        free: u32,
        /// Always.
        #[schemars(extend("x-restart" = true))]
        bound: u32,
    }

    impl Program for Probe {
        const NAME: &'static str = "probe";
        type Config = Own;

        async fn build(_: Own, _: &Process) -> Result<ServiceSet, Error> {
            Ok(ServiceSet::new())
        }
    }

    /// A configuration that has one key, as a heading of the reference names its table.
    fn with(heading: &str, key: &str, number: i64) -> Table {
        let is_list = heading.starts_with("[[");
        let path = heading.trim_matches(['[', ']']);
        let mut value = Value::Table(Table::from_iter([(key.to_owned(), number.into())]));
        let parts: Vec<_> = path.split('.').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate().rev() {
            if is_list && index + 1 == parts.len() {
                value = Value::Array(vec![value]);
            }
            value = Value::Table(Table::from_iter([((*part).to_owned(), value)]));
        }
        value.try_into().unwrap()
    }

    #[test]
    fn every_key_needs_what_the_reference_says() {
        let restarts = Restarts::of::<Own>();
        let (text, mut heading) = (settings_reference::of_program::<Probe>(), String::new());
        let mut seen = [0, 0];
        for line in text.lines() {
            if line.starts_with('#') {
                heading = line.strip_prefix("### ").unwrap_or_default().trim_matches('`').to_owned();
            }
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [key, _, _, needs @ ("restart" | "nothing"), ..] = cells[..] else { continue };
            let key = key.trim_matches('`');
            let [one, other] = [1, 2].map(|number| restarts.fixed(&with(&heading, key, number)));
            assert_eq!(one != other, needs == "restart", "{heading} {key}");
            seen[usize::from(needs == "restart")] += 1;
        }
        assert!(seen[0] > 10 && seen[1] > 50, "{seen:?}");
    }
}
