//! One measured process: started, waited for, killed at the end.

use std::{
    ffi::OsString,
    io::Read,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, time::sleep};
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{Failure, proc};

/// How long a process may take to be ready.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// When a process counts as ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready<'a> {
    /// It takes connections.
    Connects,
    /// Its health service says so of a gRPC service, or of itself under the empty name.
    Serves(&'a str),
}

/// A process that runs until this value is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// From its start until it was ready.
    pub(crate) ready_after: Duration,
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    /// Starts a program and returns when it is ready.
    pub(crate) async fn start(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = OsString>,
        address: SocketAddr,
        ready: Ready<'_>,
    ) -> Result<Self, Failure> {
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}; build it first, with --release", program.display()))?;
        let said = Arc::default();
        let reader = read_away(&mut child, Arc::clone(&said));
        let mut process = Self { name: name.to_owned(), address, ready_after: Duration::ZERO, child, said };
        let waited = tokio::time::timeout(PATIENCE, wait(address, ready)).await;
        if waited.is_err() {
            // Its end ends the reader, which has its last words.
            process.kill();
            let _ = reader.join();
            return Err(format!("{name} is not ready: {}", process.words()).into());
        }
        process.ready_after = begun.elapsed();
        Ok(process)
    }

    /// CPU time used so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        Ok(proc::cpu(self.child.id()).map_err(|error| format!("{}: {error}", self.name))?)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let kib = proc::resident_kib(self.child.id()).map_err(|error| format!("{}: {error}", self.name))?;
        Ok(kib as f64 / 1024.0)
    }

    /// The most memory that it ever had resident, in MiB.
    pub(crate) fn peak(&self) -> Result<f64, Failure> {
        let kib = proc::peak_kib(self.child.id()).map_err(|error| format!("{}: {error}", self.name))?;
        Ok(kib as f64 / 1024.0)
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> Result<usize, Failure> {
        Ok(proc::descriptors(self.child.id()).map_err(|error| format!("{}: {error}", self.name))?)
    }

    /// The first words of its log, and all of its panics.
    pub(crate) fn words(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Asks it to end (SIGTERM) and tells how long that took, if it was not too long.
    pub(crate) async fn terminate(&mut self, patience: Duration) -> Result<Option<Duration>, Failure> {
        let begun = Instant::now();
        let sent = Command::new("kill").arg(self.child.id().to_string()).status()?;
        if !sent.success() {
            return Err(format!("{} is gone already", self.name).into());
        }
        while begun.elapsed() < patience {
            if self.child.try_wait()?.is_some() {
                return Ok(Some(begun.elapsed()));
            }
            sleep(PAUSE * 10).await;
        }
        Ok(None)
    }

    fn kill(&mut self) {
        // One that has ended by itself is gone as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads the log through a pipe, as a container's runtime does, and keeps the first words and pieces that tell of a panic.
fn read_away(child: &mut Child, words: Arc<Mutex<Vec<u8>>>) -> thread::JoinHandle<()> {
    let mut log = child.stderr.take();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Some(Ok(count @ 1..)) = log.as_mut().map(|log| log.read(&mut buffer)) {
            let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
            let is_panic = buffer[..count].windows(8).any(|word| word == b"panicked");
            let room = if is_panic { count } else { 2048usize.saturating_sub(words.len()) };
            words.extend_from_slice(&buffer[..count.min(room)]);
        }
    })
}

async fn wait(address: SocketAddr, ready: Ready<'_>) {
    while TcpStream::connect(address).await.is_err() {
        sleep(PAUSE).await;
    }
    if let Ready::Serves(service) = ready {
        while !serves(address, service).await {
            sleep(PAUSE).await;
        }
    }
}

async fn serves(address: SocketAddr, service: &str) -> bool {
    let Ok(endpoint) = Endpoint::from_shared(format!("http://{address}")) else { return false };
    let Ok(channel) = endpoint.connect().await else { return false };
    let request = HealthCheckRequest { service: service.to_owned() };
    let reply = HealthClient::new(channel).check(request).await;
    reply.is_ok_and(|reply| reply.get_ref().status() == ServingStatus::Serving)
}
