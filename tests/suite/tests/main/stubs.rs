//! docs/stubs.md to the letter: stubs in four languages, compiled, and called with.

use std::{fs, path::PathBuf, process::Command};

use ispbridge::suite::{Options, Suite};
use ispbridge_parts::STUBS;

use crate::{
    script::run,
    tree::{ROOT, read},
};

/// What a language's section tells to write and to type.
#[derive(Default)]
struct Section {
    files: Vec<(String, String)>,
    script: String,
}

impl Section {
    fn of(language: &str) -> Self {
        let document = read("docs/stubs.md");
        let text = document.split_once(&format!("\n## {language}\n")).unwrap().1.split("\n## ").next().unwrap();
        let mut section = Self::default();
        // Text and blocks take turns; the first line of a block says what it is.
        for block in text.split("```").skip(1).step_by(2) {
            let (info, lines) = block.split_once('\n').unwrap();
            match info.split_once(' ') {
                None => section.script += lines,
                Some((_, file)) => section.files.push((file.to_owned(), lines.to_owned())),
            }
        }
        section
    }
}

/// A folder of `ISPBRIDGE_STUBS`, made anew.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let stubs = STUBS.place();
    let folder = STUBS.found(stubs.is_some()).then_some(stubs).flatten()?;
    let folder = ROOT.join(folder).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    Some(folder)
}

/// Follows a section, whose program runs so many times.
async fn follow(language: &str, times: usize) {
    let Some(folder) = folder(language) else { return };
    let (section, suite) = (Section::of(language), Suite::start(Options::default()).await.unwrap());
    for (name, text) in section.files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let here = text.replace("127.0.0.1:50051", &suite.address().to_string());
        fs::write(path, here).unwrap();
    }
    let mut shell = Command::new("sh");
    shell.args(["-euc", &section.script]).current_dir(folder).env("ISPBRIDGE", *ROOT);
    let printed = run(shell).await;
    let found = printed.lines().filter(|line| line.ends_with("AEEF38C0-F1E9-4E83-AD4F-3E35AAB8DFCF")).count();
    let refused = printed.lines().filter(|line| line.ends_with(" NOT_FOUND REJECTED")).count();
    assert_eq!((found, refused), (times, times), "{printed}");
    suite.stop().await;
}

#[tokio::test]
async fn python_calls_with_its_stubs() {
    follow("Python", 1).await;
}

#[tokio::test]
async fn go_calls_with_its_stubs_of_protoc_and_of_buf() {
    follow("Go", 2).await;
}

#[tokio::test]
async fn typescript_calls_with_its_stubs() {
    follow("TypeScript", 1).await;
}

#[tokio::test]
async fn java_calls_with_its_stubs() {
    follow("Java", 1).await;
}
