//! The commands of the gateway's README, typed in its folder.

use std::{
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use ispbridge_parts::CURL;
use tempfile::TempDir;

use crate::apart::Apart;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// A folder with the files that the commands name.
fn desk() -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    let sample = Path::new(FOLDER).join("gateway.sample.toml");
    for name in ["gateway.toml", "gateway.sample.toml"] {
        std::fs::create_dir_all(desk.path().join("gateway")).unwrap();
        std::fs::copy(&sample, desk.path().join("gateway").join(name)).unwrap();
    }
    std::fs::create_dir(desk.path().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_ispbridge-gateway"), desk.path().join("bin/ispbridge-gateway")).unwrap();
    symlink(Path::new(FOLDER).join("../proto"), desk.path().join("proto")).unwrap();
    desk
}

/// Types a line and returns what it printed.
fn typed(desk: &TempDir, line: &str) -> String {
    let path = format!("{}:/usr/bin:/bin", desk.path().join("bin").display());
    let keys = desk.path().join("keys.toml");
    // Nobody serves on that port, whoever may serve on the sample's.
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(desk.path().join("gateway"))
        .env("PATH", path)
        .env("ISPBRIDGE__KEYS__FILE", keys)
        .env("ISPBRIDGE__ADMIN__LISTEN", "127.0.0.1:1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The blocks of commands, with lines that go on joined.
fn blocks() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("README.md")).unwrap().replace("\\\n", " ");
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.map(|block| block.lines().map(str::to_owned).collect()).collect()
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let desk = desk();
    let block = blocks().into_iter().find(|block| block[0].contains(" keys add ")).unwrap();
    let [add, list, revoke] = &block[..] else { panic!("{block:?}") };
    let made = typed(&desk, add);
    let id = made.lines().find_map(|line| line.strip_prefix("id:")).unwrap().trim();
    let listed = typed(&desk, list);
    assert!(listed.contains(id) && listed.contains("reads,ispbridge.aex.v1.OrderService/*@aex/main"), "{listed}");
    assert_eq!(typed(&desk, &revoke.replace("1f3a9c07", id)), "1 revoked\n");
}

#[test]
fn the_question_has_the_answer_that_is_shown() {
    let desk = desk();
    let block = blocks().into_iter().find(|block| block[0].starts_with("$ ")).unwrap();
    let (line, shown) = block.split_first().unwrap();
    let answer = typed(&desk, line.trim_start_matches("$ "));
    // The sample grows, so the line's number is another than the one that is shown.
    let parted = |text: &str| {
        let (before, rest) = text.trim_end().rsplit_once(':').unwrap();
        (before.to_owned(), rest.trim_end_matches(')').parse::<usize>().unwrap())
    };
    let ((said, number), (expected, _)) = (parted(&answer), parted(&shown.join("\n")));
    assert_eq!(said, expected);
    let sample = std::fs::read_to_string(Path::new(FOLDER).join("gateway.sample.toml")).unwrap();
    assert_eq!(sample.lines().nth(number - 1), Some("[[grants]]"));
}

#[test]
fn the_command_for_the_live_view_watches() {
    if !CURL.is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let gateway = Apart::start(folder.path(), "");
    let block = blocks().into_iter().find(|block| block[0].starts_with("curl ")).unwrap();
    let line = block[0].replace("127.0.0.1:9901", &gateway.admin.to_string());
    // It watches until it is stopped, which is curl's code 28.
    let line = line.replace("curl -N", "curl -N -sS --fail --max-time 1");
    let output = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(28), "{line}: {output:?}");
}
