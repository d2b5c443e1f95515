//! No test compares wall-clock times: what a busy machine makes late would look like a fault.

use std::path::Path;

use crate::tree::{ROOT, files, read};

/// The lines of a file of tests that measure, with their numbers. Lines of an inline module of tests do not count when all
/// clocks of its file stand still.
fn measuring(path: &Path, text: &str) -> Vec<(usize, String)> {
    let is_test = path.components().any(|part| part.as_os_str() == "tests") && !path.starts_with("tests/sandbox/src");
    let begins = if is_test { 0 } else { text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(usize::MAX) };
    if !is_test && text.contains("start_paused = true") {
        return Vec::new();
    }
    let lines = text.lines().enumerate().skip(begins);
    // A loop that goes on for a while compares nothing.
    let measures = |line: &str| line.contains(".elapsed()") && !line.trim_start().starts_with("while ");
    lines.filter(|(_, line)| measures(line)).map(|(number, line)| (number + 1, line.trim().to_owned())).collect()
}

#[test]
fn no_test_compares_wall_clock_times() {
    for path in files(&ROOT).iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
        if path.starts_with("tests/bench") || path.ends_with("clocks.rs") {
            continue;
        }
        let found = measuring(path, &read(path));
        let found: Vec<_> = found.into_iter().filter(|(_, line)| !ALLOWED.contains(&line.as_str())).collect();
        assert!(found.is_empty(), "{} measures time: {found:?}", path.display());
    }
}

/// Lines that ask what time it is for another reason.
const ALLOWED: &[&str] = &[
    // The number of the first round of a fuzz test.
    "let begun = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;",
];

#[test]
fn a_measure_is_found_in_tests_only() {
    let text = "let took = begun.elapsed();\n#[cfg(test)]\nmod tests {\n    assert!(begun.elapsed() < SECOND);\n}\n";
    let found =
        |path: &str, text: &str| measuring(Path::new(path), text).iter().map(|(line, _)| *line).collect::<Vec<_>>();
    assert_eq!(found("gateway/src/forward.rs", text), [4]);
    assert_eq!(found("gateway/tests/main/forward.rs", text), [1, 4]);
    assert!(found("gateway/src/forward.rs", &(text.to_owned() + "#[tokio::test(start_paused = true)]")).is_empty());
}
