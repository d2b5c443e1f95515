//! The client: h2load of nghttp2, which speaks gRPC when it is given a frame as its body.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{Failure, work::Work};

/// What the calls look like; the files go with this value.
pub(super) struct Client {
    folder: TempDir,
    body: PathBuf,
    bearer: String,
}

impl Client {
    /// Writes the body of the calls down.
    pub(super) fn new(token: &str) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("ispbridge-h2load-").tempdir()?;
        let body = folder.path().join("body");
        fs::write(&body, Work::Read.request())?;
        Ok(Self { folder, body, bearer: format!("authorization: Bearer {token}") })
    }

    /// Makes calls over some connections, and says how long each took.
    pub(super) async fn call(
        &self,
        to: SocketAddr,
        connections: usize,
        calls: usize,
    ) -> Result<Vec<Duration>, Failure> {
        let log = self.folder.path().join("log");
        // h2load appends.
        let _ = fs::remove_file(&log);
        let output = Command::new("h2load")
            .args(["-n", &calls.to_string(), "-c", &connections.to_string(), "-m", "1"])
            .args(["-H", "content-type: application/grpc", "-H", "te: trailers", "-H", &self.bearer])
            .arg("-d")
            .arg(&self.body)
            .arg(format!("--log-file={}", log.display()))
            .arg(format!("http://{to}{}", Work::Read.path()))
            .output()
            .await
            .map_err(|error| format!("h2load: {error}; it is in Debian's package nghttp2-client"))?;
        if !output.status.success() {
            return Err(format!("h2load: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let times: Vec<Duration> = fs::read_to_string(&log)?.lines().filter_map(time).collect();
        match times.len() == calls {
            true => Ok(times),
            false => Err(format!("{} of {calls} calls to {to} were answered", times.len()).into()),
        }
    }
}

/// The third field of a line whose second is 200: microseconds.
fn time(line: &str) -> Option<Duration> {
    let mut fields = line.split('\t').skip(1);
    let answered = fields.next()? == "200";
    let micros = fields.next()?.parse().ok()?;
    answered.then_some(Duration::from_micros(micros))
}
