//! What stays of a call that changed something.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use chassis::Running;
use ispbridge_kit::http1::get;
use ispbridge_parts::SMALL_DISK;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::probe::{READ, WRITE, connected, send, started};

#[tokio::test]
async fn a_write_is_written_down_with_its_request_and_without_what_is_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let running = started(&format!("[audit]\nfile = {file:?}")).await;
    let channel = connected(running.grpc_addr()).await;
    for (path, text, id) in [(READ, "hunter2", "r1"), (WRITE, "hunter2", "w1"), (WRITE, "panic hunter2", "w2")] {
        let mut request = Request::new(text.to_owned());
        request.metadata_mut().insert("x-request-id", id.parse().unwrap());
        request.metadata_mut().insert("x-ispbridge-account", "main".parse().unwrap());
        let _ = send(channel.clone(), path, request).await;
    }
    running.drain().await;
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [done, failed] = lines.as_slice() else { panic!("{text}") };
    assert_eq!((&done["request_id"], &done["code"], &done["account"]), (&json!("w1"), &json!("OK"), &json!("main")));
    assert_eq!(done["request"], json!({ "extra_fields": "REDACTED" }));
    assert_eq!((&done["request_bytes"], &done["reply_bytes"]), (&json!(14), &json!(14)));
    let how = (&failed["request_id"], &failed["code"], &failed["reason"], &failed["outcome"]);
    assert_eq!(how, (&json!("w2"), &json!("INTERNAL"), &json!("PANIC"), &json!("UNKNOWN")));
}

/// A small file system in memory, which goes with this value.
struct Disk(TempDir);

impl Disk {
    /// Nothing where none can be mounted.
    fn mounted() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        let ran = mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(folder.path()).output();
        ran.is_ok_and(|ran| ran.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last byte, but for what the audit log has of its own last page.
    fn fill(&self) -> PathBuf {
        let full = self.path().join("full");
        assert!(fs::write(&full, vec![b'x'; 1 << 20]).is_err(), "it is full");
        full
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

async fn refusing(file: &Path) -> (Running, Channel) {
    let more = format!("audit = {{ file = {file:?}, on_loss = \"refuse\" }}\nadmin = {{ listen = \"127.0.0.1:0\" }}");
    let running = started(&more).await;
    let channel = connected(running.grpc_addr()).await;
    (running, channel)
}

async fn write(channel: &Channel, id: &str) -> Result<String, Status> {
    let mut request = Request::new("word".to_owned());
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    send(channel.clone(), WRITE, request).await.map(tonic::Response::into_inner)
}

fn assert_refused(status: &Status) {
    let info = status.get_details_error_info().unwrap();
    assert_eq!((status.code(), info.reason.as_str()), (Code::Unavailable, "AUDIT_UNAVAILABLE"), "{status}");
    assert_eq!(info.metadata["outcome"], "NOT_SENT");
    assert!(status.get_details_retry_info().is_some());
}

/// Writes until the log is as full as the disk: what is left of its last page holds a few lines.
async fn until_refused(channel: &Channel) -> u32 {
    for number in 0..200 {
        if let Err(status) = write(channel, &format!("full-{number}")).await {
            assert_refused(&status);
            return number;
        }
    }
    panic!("the disk is full and nothing is refused");
}

/// Writes until it is taken; how often it was refused before.
async fn until_written(channel: &Channel) -> u64 {
    let again = async {
        let mut refused = 0;
        while let Err(status) = write(channel, "again").await {
            assert_refused(&status);
            refused += 1;
            sleep(Duration::from_millis(50)).await;
        }
        refused
    };
    timeout(Duration::from_secs(20), again).await.expect("it recovers by itself")
}

/// Waits until the writer has taken back what it could write of a line.
async fn until_whole(file: &Path) {
    let whole = async {
        loop {
            let text = fs::read_to_string(file).unwrap();
            if text.ends_with('\n') {
                break parsed(&text);
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), whole).await.expect("no torn line stays");
}

/// Every line of the log, each of which is whole.
fn lines(file: &Path) -> Vec<Value> {
    parsed(&fs::read_to_string(file).unwrap())
}

fn parsed(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_leaves_no_torn_line() {
    let disk = Disk::mounted();
    if !SMALL_DISK.found(disk.is_some()) {
        return;
    }
    let disk = disk.unwrap();
    let file = disk.path().join("audit.log");
    let (running, channel) = refusing(&file).await;
    let admin = running.admin_addr().unwrap();
    write(&channel, "before").await.unwrap();
    let full = disk.fill();
    let went_on = until_refused(&channel).await;
    assert_refused(&write(&channel, "refused").await.unwrap_err());
    let read = send(channel.clone(), READ, Request::new("word".to_owned())).await;
    assert!(read.is_ok(), "reads go on");
    let ready = get(admin, "/readyz?verbose").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains("[-]audit cannot be written: writes are refused\nok\n"), "{ready}");
    let metrics = get(admin, "/metrics").await;
    let gauge = metrics.lines().find(|line| line.starts_with("ispbridge_audit_written{")).unwrap();
    assert!(gauge.ends_with(" 0"), "{gauge}");
    until_whole(&file).await;
    fs::remove_file(full).unwrap();
    let refused = 2 + until_written(&channel).await;
    assert!(get(admin, "/readyz?verbose").await.contains("[+]audit ok\nok\n"));
    running.drain().await;
    let lines = lines(&file);
    let of =
        |id: &str, kind: Value| lines.iter().filter(|line| line["request_id"] == id && line["kind"] == kind).count();
    for id in (0..went_on).map(|number| format!("full-{number}")).chain(["before".to_owned()]) {
        assert_eq!((of(&id, json!("begin")), of(&id, Value::Null)), (1, 1), "{id}: it went on and is written down");
    }
    let lost: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
    // The thread that writes may come to the record of a refusal only when there is room again: then it is no loss.
    let written = lines.iter().filter(|line| line["reason"] == "AUDIT_UNAVAILABLE").count() as u64;
    assert_eq!(lost + written, refused, "each refusal is written down or counted: {lost} are lost");
}

#[tokio::test]
async fn a_folder_that_is_gone_refuses_writes_until_it_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("logs");
    fs::create_dir(&inner).unwrap();
    let (_running, channel) = refusing(&inner.join("audit.log")).await;
    write(&channel, "before").await.unwrap();
    fs::remove_dir_all(&inner).unwrap();
    assert_refused(&write(&channel, "refused").await.unwrap_err());
    fs::create_dir(&inner).unwrap();
    until_written(&channel).await;
    lines(&inner.join("audit.log"));
}

#[tokio::test]
async fn a_device_that_is_full_refuses_writes_from_the_first() {
    let (_running, channel) = refusing(Path::new("/dev/full")).await;
    assert_refused(&write(&channel, "refused").await.unwrap_err());
    let read = send(channel.clone(), READ, Request::new("word".to_owned())).await;
    assert!(read.is_ok(), "reads go on");
}

#[tokio::test]
async fn what_a_killed_process_left_is_kept_in_a_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    fs::write(&file, "{\"request_id\":\"whole\"}\n{\"request_id\":\"to").unwrap();
    let running = started(&format!("[audit]\nfile = {file:?}")).await;
    let channel = connected(running.grpc_addr()).await;
    write(&channel, "next").await.unwrap();
    running.drain().await;
    let lines = lines(&file);
    assert_eq!((&lines[0]["request_id"], &lines[1]["torn"]), (&json!("whole"), &json!("{\"request_id\":\"to")));
    assert_eq!((&lines[2]["request_id"], lines.len()), (&json!("next"), 3));
}
