//! The gateway as a process of its own, with a log that can be read.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::caller::ROOT;

/// A gateway in a process of its own, which ends with this value.
pub(crate) struct Apart {
    child: Child,
    log: PathBuf,
    /// Its admin port.
    pub(crate) admin: SocketAddr,
    /// Where it serves.
    pub(crate) grpc: SocketAddr,
}

/// An address that is free now.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Apart {
    /// Starts it with an addition to its configuration.
    pub(crate) fn start(folder: &Path, more: &str) -> Self {
        Self::start_with(folder, more, &[])
    }

    /// Starts it with variables, too.
    pub(crate) fn start_with(folder: &Path, more: &str, variables: &[(&str, &str)]) -> Self {
        let (grpc, admin) = (free(), free());
        let text = format!(
            "server.listen = \"{grpc}\"\nadmin.listen = \"{admin}\"\n\
             signing = {{ id = \"k1\", secret = {{ env = \"ISPBRIDGE_GATEWAY_ROOT\" }} }}\n{more}"
        );
        let (file, log) = (folder.join("gateway.toml"), folder.join("log"));
        fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ispbridge-gateway"));
        command.arg("--config").arg(&file).env("ISPBRIDGE_GATEWAY_ROOT", ROOT).envs(variables.iter().copied());
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(admin).is_err() {
            assert!(std::time::Instant::now() < end, "the gateway does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, log, admin, grpc }
    }

    /// The lines of its log with this message, so far.
    pub(crate) fn said(&self, message: &str) -> Vec<Value> {
        let text = self.log();
        // The last line may not be whole yet.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    /// Waits for the first line with this message that comes after so many others of it.
    pub(crate) async fn says(&self, message: &str, before: usize) -> Value {
        let told = async {
            loop {
                if let Some(line) = self.said(message).into_iter().nth(before) {
                    return line;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), told).await.unwrap_or_else(|_| panic!("the log does not say {message:?}"))
    }

    /// The whole of its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
