use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    url: String,
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

fn written(text: &str) -> (tempfile::TempDir, Document) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, text).unwrap();
    let document = read(&path).unwrap();
    (folder, document)
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
