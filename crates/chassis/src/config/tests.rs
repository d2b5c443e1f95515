use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{Exporter, LogFormat, Process, Propagator, Surface};

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

    async fn build(_: Own, _: &Process) -> Result<Surface, Error> {
        Ok(Surface::new())
    }
}

impl Program for Door {
    const NAME: &'static str = "door";
    const AUTHENTICATES_CALLERS: bool = true;
    type Config = Own;

    async fn build(_: Own, _: &Process) -> Result<Surface, Error> {
        Ok(Surface::new())
    }
}

fn table(text: &str) -> Table {
    text.parse().unwrap()
}

fn overridden(text: &str, name: &str, value: &str) -> Result<Table, Error> {
    let mut document = Document::from(table(text));
    apply_overrides(&mut document, &[(name.to_owned(), value.to_owned())])?;
    Ok(Table::clone(&document))
}

/// Reads everything, as a start does.
fn taken<P: Program>(document: &Document) -> Result<(Settings, Own), Error> {
    let (mut findings, mut table) = (Findings::default(), Table::clone(document));
    let settings = take_settings::<P>(&mut table, &mut findings);
    let own = program::<Own>(table, &mut findings);
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
fn variables_override_scalars_by_their_type() {
    let server = overridden("", "ISPBRIDGE__SERVER__MAX_IN_FLIGHT", "7").unwrap();
    assert_eq!(server["server"]["max_in_flight"].as_integer(), Some(7));
    let url = overridden("[accounts.main-line]\nurl = \"a\"", "ISPBRIDGE__ACCOUNTS__MAIN_LINE__URL", "http://b/?x=1")
        .unwrap();
    assert_eq!(url["accounts"]["main-line"]["url"].as_str(), Some("http://b/?x=1"));
    let list = overridden("[[routes]]\nprovider = \"a\"", "ISPBRIDGE__ROUTES__0__PROVIDER", "\"7\"").unwrap();
    assert_eq!(list["routes"][0]["provider"].as_str(), Some("7"));
}

#[test]
fn a_value_cannot_bring_further_keys() {
    let server = overridden("", "ISPBRIDGE__SERVER__LISTEN", "1\nother = 2").unwrap();
    assert_eq!(server["server"]["listen"].as_str(), Some("1\nother = 2"));
}

#[test]
fn a_variable_that_leads_nowhere_is_named_and_others_are_left_alone() {
    for name in ["ISPBRIDGE__SERVER__LISTEN__PORT", "ISPBRIDGE__ROUTES__9__PROVIDER", "ISPBRIDGE__"] {
        let error = overridden("routes = []\n[server]\nlisten = \"a\"", name, "1").unwrap_err().to_string();
        assert!(error.starts_with(&format!("configuration: {name}: ")), "{error}");
    }
    assert_eq!(overridden("", "ISPBRIDGE_HOME", "x").unwrap(), Table::new());
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line_and_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.toml");
    std::fs::write(&path, "[server]\n\npassword = hunter2\n").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("broken.toml:3: "), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let missing = read(&directory.path().join("none.toml")).unwrap_err().to_string();
    assert!(missing.contains("none.toml: cannot be read"), "{missing}");
}

#[test]
fn standard_variables_of_telemetry_are_followed() {
    let read = |variables: &[(&str, &str)]| {
        let variables: Vec<_> = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let mut document = Document::from(table(&format!("{OPEN}[telemetry]\nsampling_ratio = 0.5")));
        standard::apply(&mut document, &variables).unwrap();
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

proptest! {
    #[test]
    fn an_override_sets_one_value_or_is_refused_by_name(name in "[A-Za-z0-9_]{0,20}", value in any::<String>()) {
        let name = format!("ISPBRIDGE__{name}");
        let start = "routes = [{ provider = \"a\" }]\n[server]\nlisten = \"a\"";
        match overridden(start, &name, &value) {
            Ok(changed) => {
                let text = toml::to_string(&changed).unwrap();
                prop_assert_eq!(text.parse::<Table>().unwrap(), changed);
            }
            Err(error) => prop_assert!(error.to_string().starts_with(&format!("configuration: {name}: ")), "{}", error),
        }
    }

    #[test]
    fn a_text_without_toml_in_it_arrives_as_it_is(value in "[a-z][a-z :/@.-]{0,30}") {
        prop_assume!(!["true", "false", "inf", "nan"].contains(&value.trim()));
        let table = overridden("", "ISPBRIDGE__ACCOUNTS__MAIN__URL", &value).unwrap();
        prop_assert_eq!(table["accounts"]["main"]["url"].as_str(), Some(value.as_str()));
    }
}

fn written(text: &str) -> (tempfile::TempDir, Document) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let document = read(&path).unwrap();
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
    let (_folder, mut document) = written(text);
    apply_overrides(&mut document, &[("ISPBRIDGE__LOG__FORMAT".to_owned(), "xml".to_owned())]).unwrap();
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

#[test]
fn what_follows_from_a_mistake_is_not_told_as_one_and_indices_are_those_of_the_file() {
    let mut findings = Findings::default();
    let rows: Value =
        toml::from_str::<Table>("rows = [{}, { url = \"a\" }, { url = 1 }, { url = \"b\" }]").unwrap()["rows"].clone();
    let rows: Vec<Account> = form::read("rows", &[], rows, &mut findings).unwrap();
    assert_eq!(rows.iter().map(|row| row.url.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(!findings.is_whole("rows") && findings.is_whole("row"));
    findings.mistake("rows", "must not be empty");
    findings.mistake("rows[1].url", "must be a");
    findings.warning("rows[0].url", "has no effect");
    assert_eq!(findings.warnings[0].key, "rows[1].url");
    let error = findings.into_error().to_string();
    assert_eq!(error, "configuration: rows[0].url: must be given; rows[2].url: must be a text; rows[3].url: must be a");
}

#[test]
fn files_are_relative_to_the_configuration() {
    let text = "[accounts.main]\nurl = { file = \"token\" }\nkeep = { file = \"/run/token\" }\n[audit]\nfile = \"log/audit\"\nmax_bytes = 5";
    let (folder, mut document) = written(text);
    let variables = [("ISPBRIDGE__KEYS__FILE", "keys.toml"), ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem")];
    complete(&mut document, &variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let inside = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(document["accounts"]["main"]["url"]["file"].as_str().unwrap(), inside("token"));
    assert_eq!(document["accounts"]["main"]["keep"]["file"].as_str(), Some("/run/token"));
    assert_eq!(document["audit"]["file"].as_str().unwrap(), inside("log/audit"));
    assert_eq!(document["keys"]["file"].as_str().unwrap(), inside("keys.toml"));
    assert_eq!(document["telemetry"]["ca"]["file"].as_str().unwrap(), inside("ca.pem"));
}

#[test]
fn a_file_with_several_errors_of_form_names_the_line_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "a = hunter2\n[b]\nc = 1\nc = hunter3\n[b]\n").unwrap();
    let error = read(&path).unwrap_err();
    let lines = error.lines();
    let places: Vec<_> =
        lines.iter().map(|line| line.split("a.toml:").nth(1).unwrap().split(':').next().unwrap()).collect();
    assert_eq!(places, ["1", "4", "5"], "{lines:?}");
    assert!(!error.to_string().contains("hunter"), "{error}");
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

#[test]
fn the_corpus_of_variables_is_read_as_it_says() {
    for line in include_str!("../../tests/corpus/overrides.txt").lines() {
        let (variable, expected) = line.split_once(" => ").unwrap();
        let (name, value) = variable.split_once('=').unwrap();
        let read = overridden("[server]\nlisten = \"a\"", name, value).map(|table| toml::to_string(&table).unwrap());
        let read = read.map_or_else(|_| "refused".to_owned(), |text| text.replace('\n', ";"));
        assert_eq!(read, expected, "{variable}");
    }
}
