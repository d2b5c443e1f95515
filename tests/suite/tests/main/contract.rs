//! The contract as other tools see it.

use ispbridge_parts::PROTOC;
use tempfile::TempDir;

use crate::tree::{ROOT, files};

/// `protoc` as distributions ship it must read the contract too, not only the compiler that builds it here.
#[test]
fn protoc_compiles_the_contract() {
    let Some(mut protoc) = PROTOC.command() else { return };
    let proto = ROOT.join("proto");
    let own: Vec<_> = files(&proto).into_iter().filter(|path| path.starts_with("ispbridge")).collect();
    assert!(own.len() > 10, "{own:?}");
    let folder = TempDir::new().unwrap();
    let output = protoc
        .args(["-I", ".", "-I", "third_party", "--include_imports", "--fatal_warnings"])
        .arg("--descriptor_set_out")
        .arg(folder.path().join("set"))
        .args(own)
        .current_dir(proto)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
