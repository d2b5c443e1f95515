//! What clients should do by themselves, as a gRPC service config
//! (<https://github.com/grpc/grpc/blob/master/doc/service_config.md>): the gateway's contract in the form that every gRPC
//! client reads.

use std::{collections::HashSet, fs, path::Path};

use protocol::method::MethodName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{TimeoutConfig, pattern::MethodPattern};

/// The part of the gateway's file that clients should know; the rest, with its secrets, is not read.
#[derive(Debug, Default, Deserialize)]
struct TimeoutSection {
    #[serde(default)]
    timeouts: Vec<TimeoutConfig>,
}

/// The service config, by what the file of a gateway says of methods if there is one.
pub(crate) fn of_file(file: Option<&Path>) -> Result<String, String> {
    let section = file.map_or_else(|| Ok(TimeoutSection::default()), read)?;
    serde_json::to_string_pretty(&config(&section.timeouts)).map_err(|error| error.to_string())
}

fn read(file: &Path) -> Result<TimeoutSection, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {}", file.display(), error.kind()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

fn config(timeouts: &[TimeoutConfig]) -> Value {
    let mut seen = HashSet::new();
    let patterns = timeouts.iter().flat_map(|entry| &entry.methods);
    let named = patterns.filter_map(Name::of).filter(|name| seen.insert(name.0.clone()));
    let named = named.map(|name| name.entry(timeouts));
    let methods: Vec<_> = named.chain([entry(json!({}), seconds(timeouts, &everything()))]).collect();
    json!({
        "loadBalancingConfig": [{ "round_robin": {} }],
        "healthCheckConfig": { "serviceName": "" },
        "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.1 },
        "methodConfig": methods,
    })
}

/// The path of a method (`package.Service/Method`) or of a service (`package.Service/`): what a service config can name.
/// Packages and "reads" are patterns of the gateway, which applies them although clients cannot.
struct Name(String);

impl Name {
    fn of(pattern: &MethodPattern) -> Option<Self> {
        match pattern {
            MethodPattern::Service(path) | MethodPattern::Exact(path) => Some(Self(path.clone())),
            MethodPattern::All | MethodPattern::Reads | MethodPattern::Package(_) => None,
        }
    }

    fn entry(&self, timeouts: &[TimeoutConfig]) -> Value {
        let (service, method) = self.0.split_once('/').unwrap_or((&self.0, ""));
        let name = match method {
            "" => json!({ "service": service }),
            method => json!({ "service": service, "method": method }),
        };
        entry(name, seconds(timeouts, &MethodName { full: &self.0, service }))
    }
}

/// A method that only "*" covers.
fn everything() -> MethodName<'static> {
    MethodName { full: "/", service: "" }
}

/// The timeout of the first entry that covers all of a name.
fn seconds(timeouts: &[TimeoutConfig], name: &MethodName<'_>) -> Option<f64> {
    let covers = |entry: &&TimeoutConfig| entry.methods.iter().any(|pattern| pattern.covers(name, None));
    timeouts.iter().find(covers).map(|entry| entry.seconds.0.as_secs_f64())
}

/// A call may be made twice if it ends with UNAVAILABLE, a write as well: the suite says that only where a repeat cannot
/// duplicate an effect.
fn entry(name: Value, seconds: Option<f64>) -> Value {
    let mut entry = json!({
        "name": [name],
        "retryPolicy": {
            "maxAttempts": 2,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    });
    if let Some(seconds) = seconds {
        entry["timeout"] = json!(format!("{seconds}s"));
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeouts(text: &str) -> Vec<TimeoutConfig> {
        let section: TimeoutSection = text.parse::<toml::Table>().unwrap().try_into().unwrap();
        section.timeouts
    }

    #[test]
    fn a_method_has_the_timeout_that_the_gateway_gives_it() {
        let config = config(&timeouts(
            r#"timeouts = [
                { methods = ["ispbridge.aex.v1.S/Get", "ispbridge.aex.v1.*"], seconds = 2 },
                { methods = ["ispbridge.aex.v1.S/Put", "ispbridge.azotel.v1.T/*", "ispbridge.aex.v1.S/Get"], seconds = 7.5 },
                { methods = ["*"], seconds = 30 },
            ]"#,
        ));
        let told: Vec<_> = config["methodConfig"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (entry["name"][0].to_string(), entry["timeout"].as_str().unwrap().to_owned()))
            .collect();
        let expected = [
            (r#"{"method":"Get","service":"ispbridge.aex.v1.S"}"#, "2s"),
            (r#"{"method":"Put","service":"ispbridge.aex.v1.S"}"#, "2s"),
            (r#"{"service":"ispbridge.azotel.v1.T"}"#, "7.5s"),
            ("{}", "30s"),
        ];
        assert_eq!(told, expected.map(|(name, timeout)| (name.to_owned(), timeout.to_owned())));
    }

    #[test]
    fn two_attempts_and_only_where_nothing_can_happen_twice() {
        let config = config(&[]);
        let policy = &config["methodConfig"][0]["retryPolicy"];
        assert_eq!(policy["retryableStatusCodes"], json!(["UNAVAILABLE"]));
        assert_eq!(policy["maxAttempts"], 2);
        assert!(config["methodConfig"][0].get("timeout").is_none());
    }
}
