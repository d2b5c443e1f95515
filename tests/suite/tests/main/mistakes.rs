//! The table of mistakes (`mistakes.txt`): each is refused by `--check-config` and by a start, in the same words, with file, line
//! and key; what has no effect is a warning of both; what is right is served.

use std::{
    fs,
    os::unix::process::CommandExt,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use ispbridge_kit::pki::Authority;
use tempfile::TempDir;

use crate::tree::read;

const TABLE: &str = include_str!("mistakes.txt");
const FILE: &str = "config.toml";
/// How long a program may take to serve or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// One configuration and what must be said of it.
struct Row {
    program: String,
    name: &'static str,
    text: String,
    wrong: Vec<Mark>,
    without_effect: Vec<Mark>,
}

/// What must be said of a line, or of the file as a whole.
#[derive(Debug)]
struct Mark {
    line: Option<usize>,
    said: String,
}

fn rows() -> Vec<Row> {
    let (_, rows) = TABLE.split_once("\n=== ").unwrap();
    rows.split("\n=== ").map(Row::of).collect()
}

/// What a row begins with unless it is bare; it takes no section that a row may want.
fn base(program: &str) -> &'static str {
    match program {
        "gateway" => "signing = { id = \"k1\", secret = { file = \"root\" } }\nserver.listen = \"127.0.0.1:0\"\n",
        _ => "callers.mode = \"open\"\nserver.listen = \"127.0.0.1:0\"\n",
    }
}

impl Row {
    fn of(text: &'static str) -> Self {
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let (program, name) = head.split_once(' ').unwrap();
        let base = base(program);
        // A row that has a section of its own writes it whole.
        let base = if name.starts_with("bare") { "" } else { base };
        let base: String =
            base.lines().filter(|line| !body.contains(&section(line))).map(|line| format!("{line}\n")).collect();
        let text = format!("{base}{body}\n");
        let (wrong, without_effect) = (marks(&text, "# WRONG "), marks(&text, "# WARN "));
        Self { program: format!("ispbridge-{program}"), name, text, wrong, without_effect }
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_programs"));
        // Files are relative to the configuration, wherever the program runs.
        command.arg0(&self.program).arg("--config").arg(folder.join(FILE)).current_dir("/");
        if self.name.starts_with("no authority") {
            command.env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
        }
        command
    }

    /// Tells a mark that was not met.
    fn met(&self, marks: &[Mark], said: &str, by: &str) {
        for mark in marks {
            let place = mark.line.map_or_else(|| FILE.to_owned(), |line| format!("{FILE}:{line}"));
            // What stands behind @ is in another file.
            let elsewhere = mark.said.strip_prefix('@').map(|said| format!("/{said}"));
            let expected = elsewhere.unwrap_or_else(|| format!("{place}: {}", mark.said));
            assert!(said.contains(&expected), "{} ({}), {by}: no {expected:?} in\n{said}", self.name, self.program);
        }
    }
}

/// The section that a line of the base sets, as a row would open it.
fn section(line: &str) -> String {
    format!("[{}]", line.split(['.', ' ']).next().unwrap())
}

fn marks(text: &str, sign: &str) -> Vec<Mark> {
    let lines = text.lines().enumerate();
    let found = lines.filter_map(|(index, line)| line.split_once(sign).map(|(before, said)| (index, before, said)));
    let mark = |(index, before, said): (usize, &str, &str)| Mark {
        line: (!before.is_empty()).then_some(index + 1),
        said: said.trim().trim_start_matches("- ").trim_start_matches('-').to_owned(),
    };
    found.map(mark).collect()
}

/// A folder with the files that rows name.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let authority = Authority::default();
    let ((certificate, key), (_, other)) = (authority.client(), authority.client());
    let ca = authority.pem();
    for (name, text) in [
        ("root", "0123456789abcdef0123456789abcdef"),
        ("short", "0123456789"),
        ("empty", ""),
        ("token", "s3cret"),
        ("two lines", "s3cret\nhunter2"),
        ("ca.pem", &ca),
        ("cert.pem", &certificate),
        ("key.pem", &key),
        ("other.pem", &other),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::create_dir(folder.path().join("folder")).unwrap();
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Starts a program and waits until it has ended, or serves; then it is ended. What it wrote, and its exit code if it ended
/// by itself.
fn started(command: &mut Command, log: &Path) -> (Option<i32>, String) {
    let mut child: Child = command.stdout(Stdio::null()).stderr(fs::File::create(log).unwrap()).spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if fs::read_to_string(log).unwrap().contains("\"serving\"") {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        assert!(Instant::now() < until, "neither ended nor serves: {}", fs::read_to_string(log).unwrap());
        thread::sleep(Duration::from_millis(10));
    };
    (code, fs::read_to_string(log).unwrap())
}

/// A complaint as it stands in a line, without what stands before it.
fn complaints(said: &str) -> Vec<String> {
    let mut complaints: Vec<_> =
        said.lines().filter(|line| line.contains(": configuration: ")).map(str::to_owned).collect();
    complaints.sort();
    complaints
}

fn check(row: &Row) {
    let folder = folder();
    fs::write(folder.path().join(FILE), &row.text).unwrap();
    let Output { status, stdout, stderr } = row.command(folder.path()).arg("--check-config").output().unwrap();
    let (said, right) = (text(&stderr), text(&stdout));
    let log: PathBuf = folder.path().join("log");
    let (code, logged) = started(&mut row.command(folder.path()), &log);
    let what = format!("{} ({})\n{}\n{said}{logged}", row.name, row.program, row.text);
    assert!(!said.contains("hunter2") && !said.contains("s3cret") && !said.contains("ispb_secret"), "{what}");
    assert!(
        !said.contains("os error") && !said.contains("entity not found") && !said.contains("invalid type"),
        "{what}"
    );
    if row.wrong.is_empty() {
        assert_eq!((status.code(), code), (Some(0), None), "{what}");
        assert!(right.contains("the configuration is right"), "{what}");
        row.met(&row.without_effect, &said, "--check-config");
        // Quotes are escaped in the log.
        row.met(&row.without_effect, &logged.replace("\\\"", "\""), "the log");
        assert_eq!(said.matches(": warning: ").count(), row.without_effect.len(), "{what}");
        return;
    }
    assert_eq!((status.code(), code), (Some(64), Some(64)), "{what}");
    row.met(&row.wrong, &said, "--check-config");
    assert_eq!(complaints(&said).len(), row.wrong.len(), "{what}");
    // Of a key it is told what it must be; of a line that is no TOML, what the reader says.
    let keyed = row.wrong.iter().filter(|mark| mark.said.contains(": ") && !mark.said.starts_with('@')).count();
    assert!(complaints(&said).iter().filter(|said| said.contains(": must ")).count() >= keyed, "{what}");
    assert_eq!(complaints(&said), complaints(&logged), "a start says something else: {what}");
}

#[test]
fn each_is_refused_before_the_start_with_file_line_and_key_or_warned_of() {
    let rows = rows();
    assert!(rows.len() >= 80, "only {} rows", rows.len());
    let chunk = rows.len().div_ceil(4);
    let failed = |rows: &[Row]| -> Vec<&str> {
        rows.iter().filter(|row| catch_unwind(|| check(row)).is_err()).map(|row| row.name).collect()
    };
    let failed: Vec<&str> = thread::scope(|scope| {
        let running: Vec<_> = rows.chunks(chunk).map(|rows| scope.spawn(move || failed(rows))).collect();
        running.into_iter().flat_map(|rows| rows.join().unwrap()).collect()
    });
    assert_eq!(failed, [""; 0]);
}

#[test]
fn that_there_is_no_file_is_said_first_and_a_variable_is_named() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_programs"));
    command.arg0("ispbridge-gateway").current_dir(folder.path()).env("ISPBRIDGE__LOG__FORMAT", "xml");
    let start = command.output().unwrap();
    let check = command.arg("--check-config").output().unwrap();
    assert_eq!((start.status.code(), check.status.code()), (Some(64), Some(64)));
    assert_eq!(text(&start.stderr), text(&check.stderr));
    let said = text(&check.stderr);
    let expected = [
        format!(
            "no configuration file: ispbridge-gateway.toml is not in {}, and --config names none",
            folder.path().canonicalize().unwrap().display()
        ),
        "ISPBRIDGE__LOG__FORMAT: log.format: must be \"json\" or \"text\"".to_owned(),
        "signing: must be given".to_owned(),
    ];
    let lines: Vec<_> =
        said.lines().map(|line| line.trim_start_matches("ispbridge-gateway: configuration: ")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_example_of_telemetry_is_right() {
    let (folder, document) = (folder(), read("docs/telemetry.md"));
    let example = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let files = [("collector-ca.pem", "ca.pem"), ("otlp.pem", "cert.pem"), ("otlp.key", "key.pem")];
    let example = files
        .into_iter()
        .fold(example.to_owned(), |text, (named, file)| text.replace(&format!("/etc/ispbridge/{named}"), file));
    fs::write(folder.path().join(FILE), format!("{}{example}", base("gateway"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_programs"));
    command.arg0("ispbridge-gateway").args(["--check-config", "--config"]).arg(folder.path().join(FILE));
    let output = command.env("OTLP_AUTHORIZATION", "Bearer s3cret").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}
