//! Variables that others have agreed on: those of the OpenTelemetry specification, and Consul's for its agent. Each sets a key,
//! before the variables of the suite's own do.

use percent_encoding::percent_decode_str;
use toml::{Table, Value};

use crate::{document::Document, error::Error, overrides::set};

/// Consul's own variable for the address of its agent, the default of `consul.address` where there is a section `[consul]`.
const CONSUL_ADDRESS: &str = "CONSUL_HTTP_ADDR";

/// Where the variables of one signal stand, and its section.
const SCOPES: [(&str, &[&str]); 3] =
    [("", &["telemetry"]), ("TRACES_", &["telemetry", "traces"]), ("METRICS_", &["telemetry", "metrics"])];

/// What a variable says, for its key; nothing if it says nothing that is known here. The error never holds the value.
type Read = fn(&str, &str) -> Result<Option<Value>, String>;

/// Variables that are about the process, and their keys in `[telemetry]`.
const GENERAL: [(&str, &str, Read); 10] = [
    ("OTEL_SDK_DISABLED", "disabled", |_, text| Ok(Some(text.eq_ignore_ascii_case("true").into()))),
    ("OTEL_SERVICE_NAME", "service_name", |_, text| Ok(Some(text.into()))),
    ("OTEL_TRACES_EXPORTER", "traces_exporter", exporter),
    ("OTEL_METRICS_EXPORTER", "metrics_exporter", exporter),
    ("OTEL_METRIC_EXPORT_INTERVAL", "metrics_interval_seconds", milliseconds),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "metrics_temporality", |_, text| {
        one_of(text, &["cumulative", "delta", "lowmemory"])
    }),
    ("OTEL_PROPAGATORS", "propagators", |_, text| {
        let known = text.split(',').map(str::trim).filter(|form| matches!(*form, "tracecontext" | "baggage"));
        Ok(Some(Value::Array(known.map(Value::from).collect())))
    }),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "queue_spans", whole),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "batch_spans", whole),
    ("OTEL_BSP_SCHEDULE_DELAY", "batch_delay_seconds", milliseconds),
];

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
/// Attributes of the process, each of which is a key of `[telemetry.resource]`.
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// Ends of the variables `OTEL_EXPORTER_OTLP_...`, `..._TRACES_...` and `..._METRICS_...`, and their keys.
const EXPORTER: [(&str, &str, Read); 7] = [
    ("HEADERS", "headers", |name, _| Ok(Some(Table::from_iter([("env".to_owned(), name.into())]).into()))),
    ("CERTIFICATE", "ca", file),
    ("CLIENT_CERTIFICATE", "certificate", file),
    ("CLIENT_KEY", "key", file),
    ("TIMEOUT", "timeout_seconds", milliseconds),
    ("COMPRESSION", "compression", |_, text| one_of(text, &["none", "gzip"])),
    ("PROTOCOL", "", |_, text| match text {
        "grpc" => Ok(None),
        _ => Err("must be \"grpc\": this is the only protocol that is spoken to a collector here".to_owned()),
    }),
];
const ENDPOINT: &str = "ENDPOINT";
const INSECURE: &str = "INSECURE";

/// The variables that are set.
struct Given<'a>(&'a [(String, String)]);

/// Whether a variable of this name can mean anything to [`apply`].
pub(crate) fn is_read(name: &str) -> bool {
    let general = [CONSUL_ADDRESS, RESOURCE, SAMPLER, SAMPLER_ARGUMENT];
    let of_exporter = || {
        let rest = name.strip_prefix("OTEL_EXPORTER_OTLP_")?;
        let rest = SCOPES[1..].iter().find_map(|(scope, _)| rest.strip_prefix(scope)).unwrap_or(rest);
        let ends = EXPORTER.iter().map(|(end, ..)| *end).chain([ENDPOINT, INSECURE]);
        Some(ends.into_iter().any(|end| end == rest))
    };
    general.contains(&name) || GENERAL.iter().any(|(known, ..)| *known == name) || of_exporter().unwrap_or(false)
}

/// Applies what is set of them to a configuration.
///
/// # Errors
/// The variable that is wrong; names of exporters and propagators that are not known here are passed over, as the
/// OpenTelemetry specification asks.
pub(crate) fn apply(document: &mut Document, variables: &[(String, String)]) -> Result<(), Error> {
    let given = Given(variables);
    for (name, key, read) in GENERAL {
        given.apply(document, name, &["telemetry", key], read)?;
    }
    for (scope, section) in SCOPES {
        for (end, key, read) in EXPORTER {
            given.apply(
                document,
                &format!("OTEL_EXPORTER_OTLP_{scope}{end}"),
                &[section, &[key][..]].concat(),
                read,
            )?;
        }
        given.endpoint(document, scope, section)?;
    }
    given.sampler(document)?;
    given.resource(document)?;
    let consul = document.get("consul").and_then(Value::as_table);
    match (given.get(CONSUL_ADDRESS), consul.map(|consul| consul.contains_key("address"))) {
        (Some(address), Some(false)) => put(document, CONSUL_ADDRESS, &["consul", "address"], address.into()),
        _ => Ok(()),
    }
}

impl<'a> Given<'a> {
    /// What is set; an empty text is nothing.
    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
    }

    fn apply(&self, document: &mut Document, name: &str, path: &[&str], read: Read) -> Result<(), Error> {
        let Some(text) = self.get(name) else { return Ok(()) };
        match read(name, text).map_err(|problem| Error::config(name, problem))? {
            Some(value) => put(document, name, path, value),
            None => Ok(()),
        }
    }

    /// An endpoint without a scheme is one of TLS unless the variable for it says otherwise.
    fn endpoint(&self, document: &mut Document, scope: &str, section: &[&str]) -> Result<(), Error> {
        let of = |scope: &str, end: &str| self.get(&format!("OTEL_EXPORTER_OTLP_{scope}{end}"));
        let own = of(scope, ENDPOINT).or_else(|| of(scope, INSECURE).and(of("", ENDPOINT)));
        let Some(endpoint) = own else { return Ok(()) };
        let insecure = of(scope, INSECURE).or_else(|| of("", INSECURE));
        let scheme = if insecure.is_some_and(|text| text.eq_ignore_ascii_case("true")) { "http" } else { "https" };
        let full = if endpoint.contains("://") { endpoint.to_owned() } else { format!("{scheme}://{endpoint}") };
        let name = format!("OTEL_EXPORTER_OTLP_{}ENDPOINT", if of(scope, ENDPOINT).is_some() { scope } else { "" });
        put(document, &name, &[section, &["otlp_endpoint"]].concat(), full.into())
    }

    fn sampler(&self, document: &mut Document) -> Result<(), Error> {
        let Some(sampler) = self.get(SAMPLER) else { return Ok(()) };
        let (follows, own) = match sampler.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, sampler),
        };
        let ratio = match own {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self.ratio()?,
            _ => {
                let known = "must be always_on, always_off or traceidratio, or one of them after parentbased_";
                return Err(Error::config(SAMPLER, known));
            }
        };
        put(document, SAMPLER, &["telemetry", "sampling_ratio"], ratio.into())?;
        put(document, SAMPLER, &["telemetry", "follow_callers"], follows.into())
    }

    fn ratio(&self) -> Result<f64, Error> {
        let ratio = self.get(SAMPLER_ARGUMENT).map_or(Ok(1.0), str::parse);
        let ratio = ratio.ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| Error::config(SAMPLER_ARGUMENT, "must be a number between 0 and 1"))
    }

    fn resource(&self, document: &mut Document) -> Result<(), Error> {
        let pairs = self.get(RESOURCE).unwrap_or_default().split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let mut attributes = Table::new();
        for pair in pairs {
            let wrong = || Error::config(RESOURCE, "must be name=value,name=value with percent-encoded values");
            let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
            let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong())?;
            match name.trim() {
                "" => return Err(wrong()),
                // The variable for it alone is stronger.
                "service.name" if self.get("OTEL_SERVICE_NAME").is_some() => {}
                "service.name" => put(document, RESOURCE, &["telemetry", "service_name"], (&*value).into())?,
                name => drop(attributes.insert(name.to_owned(), (&*value).into())),
            }
        }
        if attributes.is_empty() {
            return Ok(());
        }
        // Names of attributes are no keys: they are as they are written.
        if let Some(Value::Table(written)) = document.get("telemetry").and_then(|section| section.get("resource")) {
            attributes = written.clone().into_iter().chain(attributes).collect();
        }
        put(document, RESOURCE, &["telemetry", "resource"], attributes.into())
    }
}

fn put(document: &mut Document, name: &str, path: &[&str], value: Value) -> Result<(), Error> {
    let (_, sections) = path.split_last().unwrap_or((&"", &[]));
    let key = set(document.table_mut(), path, value);
    document.set(key.ok_or_else(|| Error::config(sections.join("."), "must be a table"))?, name);
    Ok(())
}

/// A list of exporters, of which one is known here; the admin port shows metrics to Prometheus in any case.
fn exporter(_: &str, text: &str) -> Result<Option<Value>, String> {
    let names: Vec<_> = text.split(',').map(str::trim).collect();
    let is_known = names.iter().any(|name| matches!(*name, "otlp" | "none" | "prometheus"));
    let chosen = if names.contains(&"otlp") { "otlp" } else { "none" };
    Ok(is_known.then(|| chosen.into()))
}

fn one_of(text: &str, known: &[&str]) -> Result<Option<Value>, String> {
    let text = text.to_ascii_lowercase();
    match known.contains(&&*text) {
        true => Ok(Some(text.into())),
        false => Err(format!("must be one of {}", known.join(", "))),
    }
}

fn whole(_: &str, text: &str) -> Result<Option<Value>, String> {
    let number = text.parse::<u32>().map_err(|_| "must be a whole number".to_owned())?;
    Ok(Some(i64::from(number).into()))
}

fn milliseconds(_: &str, text: &str) -> Result<Option<Value>, String> {
    let number = text.parse::<u32>().map_err(|_| "must be a whole number of milliseconds".to_owned())?;
    Ok(Some((f64::from(number) / 1000.0).into()))
}

/// A file as a key names it.
fn file(_: &str, text: &str) -> Result<Option<Value>, String> {
    Ok(Some(Table::from_iter([("file".to_owned(), text.into())]).into()))
}

#[cfg(test)]
#[path = "standard/tests.rs"]
mod tests;
