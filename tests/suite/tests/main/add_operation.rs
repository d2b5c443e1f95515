//! The README's way to add an operation, gone in a copy of the workspace.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::tree::{ROOT, files, read, recorded};

const HEADING: &str = "## Add an operation\n";
const ORDER: &str = "796712E9-36BE-4510-B9BE-607B721AD551";

/// One fenced block with the step that it stands in.
#[derive(Debug)]
struct Block {
    /// The file that the step names first.
    path: String,
    /// The other names in the step's first line.
    names: Vec<String>,
    /// The words behind the fence.
    info: Vec<String>,
    text: String,
}

fn blocks(section: &str) -> Vec<Block> {
    let (mut found, mut quoted, mut open): (Vec<Block>, Vec<String>, bool) = (Vec::new(), Vec::new(), false);
    for line in section.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                open = true;
                let info = info.split_whitespace().map(str::to_owned).collect();
                let names = quoted[1..].to_vec();
                found.push(Block { path: quoted[0].clone(), names, info, text: String::new() });
            }
            None if open => found.last_mut().unwrap().text += &format!("{line}\n"),
            None if line.starts_with(|first: char| first.is_ascii_digit()) => {
                quoted = line.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            }
            None => {}
        }
    }
    found
}

impl Block {
    /// The braces that the block belongs into, or `None` for the end of the file.
    fn braces(&self) -> Option<String> {
        let info: Vec<&str> = self.info.iter().map(String::as_str).collect();
        match info.as_slice() {
            ["proto", "rpc", service] => Some(format!("service {service} {{")),
            ["rust"] => Some(format!("{} for ", self.names[0])),
            _ => None,
        }
    }

    fn apply(&self, root: &Path) {
        let path = root.join(&self.path);
        let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        let at = match self.braces() {
            None => text.len(),
            Some(braces) => end_of(&text, &braces).unwrap_or_else(|| panic!("no {braces:?} in {}", self.path)),
        };
        text.insert_str(at, &format!("\n{}", self.text));
        fs::write(path, text).unwrap();
    }
}

/// Where the closing brace of the first block that begins so stands.
fn end_of(text: &str, begins: &str) -> Option<usize> {
    let from = text.find(begins)?;
    let mut depth = 0;
    text[from..].char_indices().find_map(|(at, letter)| {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => return None,
        };
        (depth == 0).then_some(from + at)
    })
}

/// Makes `to` the same as the workspace; what is the same already keeps its time, so that cargo need not build it again.
pub(crate) fn copy(to: &Path) {
    let wanted = files(&ROOT);
    fs::create_dir_all(to).unwrap();
    for stale in files(to).into_iter().filter(|path| wanted.binary_search(path).is_err()) {
        let stale = to.join(stale);
        fs::remove_file(&stale).unwrap();
        // Refused while something else is in it.
        let _ = stale.ancestors().skip(1).try_for_each(fs::remove_dir);
    }
    for path in wanted {
        let (source, copy) = (fs::read(ROOT.join(&path)).unwrap(), to.join(path));
        if fs::read(&copy).is_ok_and(|old| old == source) {
            continue;
        }
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(copy, source).unwrap();
    }
}

/// Runs a provider's own tests in the copy.
pub(crate) fn test(root: &Path, package: &str, update: bool) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet", "--offline", "--package", package]).current_dir(root);
    // The dependencies are built already, in the folder that this test was built in.
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    if update {
        cargo.env("UPDATE", "1");
    }
    let output = cargo.output().unwrap();
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{error}");
}

/// One work order as AEx prints it in a list (AEx ISP Flow, step 7).
fn reply() -> String {
    let listed = String::from_utf8(recorded("services/aex/fixtures", "ListWorkOrders", "received")).unwrap();
    let (_, body) = listed.split_once("\n\n").unwrap();
    let list: Value = serde_json::from_str(body).unwrap();
    format!("HTTP/1.1 200 OK\nContent-Type: application/json\n\n{:#}\n", list["items"][0])
}

#[test]
fn an_operation_that_is_added_as_the_readme_says_answers() {
    let readme = read("README.md");
    let section = readme.split_once(HEADING).unwrap().1.split("\n## ").next().unwrap();
    let blocks = blocks(section);
    assert_eq!(blocks.len(), 4, "{blocks:#?}");
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("add-operation");
    copy(&root);
    blocks.iter().for_each(|block| block.apply(&root));
    let fixture = root.join("services/aex/fixtures/GetWorkOrder.http");
    fs::write(&fixture, format!("=== request\n{{ \"guid\": \"{ORDER}\" }}\n=== received\n{}", reply())).unwrap();
    test(&root, "ispbridge-aex", true);
    let sent = String::from_utf8(playback::section(&fixture, "sent")).unwrap();
    assert!(sent.starts_with(&format!("GET /work-orders/{ORDER} HTTP/1.1")), "{sent}");
    let reply: Value = serde_json::from_slice(&playback::section(&fixture, "reply")).unwrap();
    assert_eq!((&reply["workOrder"]["id"], &reply["workOrder"]["status"]), (&ORDER.into(), &"New Order".into()));
    test(&root, "ispbridge-aex", false);
}
