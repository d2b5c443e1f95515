use config::{ConfigSource, Document, Error, read_rest};
use proptest::prelude::*;
use serde::Deserialize;
use serving::ServiceSet;
use telemetry::{Exporter, LogFormat, Propagator};

use super::*;
use crate::{process::Process, program::Program};

#[derive(Debug)]
struct Plain;

#[derive(Debug)]
struct Door;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Own {
    #[serde(default)]
    accounts: std::collections::BTreeMap<String, Account>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Account {
    url: String,
    #[serde(default)]
    #[allow(dead_code, reason = "read by serde only, to see what a wrong type says")]
    retries: u32,
}

impl Program for Plain {
    const NAME: &'static str = "plain";
    type Config = Own;

    async fn build(_: Own, _: &Process) -> Result<ServiceSet, Error> {
        Ok(ServiceSet::new())
    }
}

impl Program for Door {
    const NAME: &'static str = "door";
    const AUTHENTICATES_CALLERS: bool = true;
    type Config = Own;

    async fn build(_: Own, _: &Process) -> Result<ServiceSet, Error> {
        Ok(ServiceSet::new())
    }
}

fn table(text: &str) -> Table {
    text.parse().unwrap()
}

/// Reads everything, as a start does.
fn taken<P: Program>(document: &Document) -> Result<(Settings, Own), Error> {
    let (mut findings, mut table) = (Findings::default(), Table::clone(document));
    let settings = Settings::take(P::AUTHENTICATES_CALLERS.then_some(P::NAME), &mut table, &mut findings);
    let own = read_rest::<Own>(&SECTIONS, table, &mut findings);
    document.settle(findings)?;
    Ok((settings, own.unwrap()))
}

fn settings<P: Program>(text: &str) -> Result<Settings, Error> {
    taken::<P>(&table(text).into()).map(|(settings, _)| settings)
}

fn complaint<P: Program>(text: &str) -> String {
    let error = settings::<P>(text).unwrap_err();
    assert_eq!(error.exit_code(), 64);
    error.to_string()
}

const OPEN: &str = "[callers]\nmode = \"open\"\n";

#[test]
fn every_wrong_key_is_named() {
    let cases = [
        ("[server]\nlisten_on = 1", "configuration: server.listen_on: unknown key: must be one of listen, threads,"),
        ("[server]\nlisten = 5", "configuration: server.listen: must be an address and a port, such as "),
        ("[server]\ndrain_seconds = -1", "configuration: server.drain_seconds: must be a number of seconds "),
        ("[server]\nmax_in_flight = 0", "configuration: server.max_in_flight: must be at least 1"),
        ("[telemetry]\nsampling_ratio = 2.0", "configuration: telemetry.sampling_ratio: "),
        ("[log]\nlevel = \"inof\"", "configuration: log.level: must be a level (off, error, "),
        ("[log]\nformat = \"xml\"", "configuration: log.format: must be \"json\" or \"text\""),
        ("[acounts.main]\nurl = \"\"", "configuration: acounts: unknown key: must be one of accounts, server,"),
        ("[accounts.main]\nurl = 7", "configuration: accounts.main.url: must be a text"),
        ("[accounts.main]\nretries = 7", "configuration: accounts.main.url: must be given"),
    ];
    for (text, expected) in cases {
        let complaint = complaint::<Plain>(&format!("{OPEN}{text}"));
        assert!(complaint.starts_with(expected), "{text}: {complaint}");
        assert!(!complaint.contains('\n'), "{complaint}");
    }
}

#[test]
fn a_value_at_the_wrong_place_is_not_printed() {
    let complaint = complaint::<Plain>(&format!("{OPEN}[accounts.main]\nurl = \"u\"\nretries = \"hunter2\""));
    assert_eq!(complaint, "configuration: accounts.main.retries: must be a whole number between 0 and 4294967295");
}

#[test]
fn everybody_is_believed_on_a_loopback_listener_only() {
    let outside = format!("{OPEN}[server]\nlisten = \"0.0.0.0:50051\"");
    assert!(complaint::<Plain>(&outside).starts_with("configuration: callers.mode: "));
    assert!(complaint::<Plain>("").starts_with("configuration: callers.keys: "));
    assert!(settings::<Plain>(OPEN).is_ok());
}

#[test]
fn a_program_with_a_door_of_its_own_has_no_callers() {
    assert!(complaint::<Door>(OPEN).starts_with("configuration: callers: "));
    assert!(settings::<Door>("").is_ok());
}

#[test]
fn sections_of_the_chassis_are_taken_and_the_rest_is_left() {
    let table = table(&format!("{OPEN}[log]\nformat = \"text\"\n[accounts.a]\nurl = \"u\""));
    let (settings, own) = taken::<Plain>(&table.into()).unwrap();
    assert_eq!((settings.log.format, own.accounts["a"].url.as_str()), (LogFormat::Text, "u"));
}

#[test]
fn standard_variables_of_telemetry_are_followed() {
    let read = |variables: &[(&str, &str)]| {
        let variables: Vec<_> = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let (_folder, document) = written(&format!("{OPEN}[telemetry]\nsampling_ratio = 0.5"), variables);
        taken::<Plain>(&document).unwrap().0.telemetry
    };
    let usual = read(&[]);
    assert!(!usual.disabled && usual.traces_exporter == Exporter::Otlp);
    assert_eq!((usual.propagators.as_slice(), usual.sampling_ratio), (&[Propagator::TraceContext][..], 0.5));
    let none = [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_PROPAGATORS", "none")];
    let none = read(&none);
    assert!(none.disabled && none.traces_exporter == Exporter::None && none.propagators.is_empty());
    let mixed = read(&[("OTEL_PROPAGATORS", "b3, tracecontext,baggage"), ("OTEL_TRACES_EXPORTER", "zipkin")]);
    assert_eq!(mixed.propagators, [Propagator::TraceContext, Propagator::Baggage]);
    assert_eq!(mixed.traces_exporter, Exporter::Otlp);
    assert!(!read(&[("OTEL_SDK_DISABLED", "1"), ("OTEL_PROPAGATORS", "")]).disabled);
}

fn written(text: &str, variables: Vec<(String, String)>) -> (tempfile::TempDir, Document) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let document = ConfigSource::new(Some(path), variables).read().unwrap();
    (folder, document)
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_line() {
    let text = "\
[callers]
keys = [
  { id = \"a\", secret = { env = \"NOT_SET\" } },
  { id = 7, secret = \"hunter2\" },
  { idd = \"c\", secret = { env = \"PATH\" } },
]
[server]
colour = \"blue\"
listen = \"here\"

drain_seconds = -1

[accounts.\"a.b\"]
retries = \"hunter2\"
[accounts.good]
url = \"u\"
[accounts.other]
[strange]
[telemetry]
sampling_ratio = 7
";
    let (_folder, document) = written(text, vec![("ISPBRIDGE__LOG__FORMAT".to_owned(), "xml".to_owned())]);
    let error = taken::<Plain>(&document).unwrap_err();
    let lines: Vec<String> = error.lines();
    let expected = [
        "ISPBRIDGE__LOG__FORMAT: log.format: must be \"json\" or \"text\"",
        "a.toml:3: callers.keys[0].secret: must be a variable that is set, in UTF-8: NOT_SET",
        "a.toml:4: callers.keys[1].id: must be a text",
        "a.toml:4: callers.keys[1].secret: must be { file = \"...\" } or { env = \"NAME\" }",
        "a.toml:5: callers.keys[2].idd: unknown key: must be one of id, secret",
        "a.toml:5: callers.keys[2].id: must be given",
        "a.toml:8: server.colour: unknown key",
        "a.toml:9: server.listen: must be an address and a port",
        "a.toml:11: server.drain_seconds: must be a number of seconds between 0 and",
        "a.toml:13: accounts.a.b.url: must be given",
        "a.toml:14: accounts.a.b.retries: must be a whole number",
        "a.toml:17: accounts.other.url: must be given",
        "a.toml:18: strange: unknown key: must be one of accounts, server",
        "a.toml:20: telemetry.sampling_ratio: must be between 0 and 1",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line}\n{expected}");
    }
}

/// Lines of which configurations are made; `hunter2` is a secret wherever it stands (the name of a variable is none).
const LINES: [&str; 20] = [
    "[callers]",
    "mode = \"open\"",
    "[[callers.keys]]",
    "id = \"a\"",
    "secret = \"hunter2\"",
    "secret = { env = \"NOT_SET\" }",
    "secret = { file = 7 }",
    "[server]",
    "listen = \"hunter2\"",
    "listen = \"[::1]:0\"",
    "drain_seconds = -1e308",
    "max_in_flight = 99999999999999999999",
    "max_in_flight = -1",
    "[telemetry]",
    "sampling_ratio = nan",
    "[accounts.main]",
    "url = { a = [\"hunter2\"] }",
    "url = \"hunter2\"",
    "retries = 1979-05-27",
    "[accounts]",
];

proptest! {
    #[test]
    fn no_file_is_too_odd(lines in prop::collection::vec(prop::sample::select(&LINES[..]), 0..8), cut in 0..200_usize) {
        let whole = lines.join("\n");
        let text = &whole[..whole.len().saturating_sub(cut / 10)];
        let Ok(table) = text.parse::<Table>() else { return Ok(()) };
        let Err(error) = taken::<Plain>(&table.into()) else { return Ok(()) };
        prop_assert_eq!(error.exit_code(), 64);
        let words = error.to_string();
        prop_assert!(words.starts_with("configuration: ") && !words.contains('\n'), "{}", words);
        prop_assert!(!words.contains("hunter2"), "{}", words);
    }
}
