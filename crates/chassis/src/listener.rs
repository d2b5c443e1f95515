//! The accept loop: who may connect, and how it ends.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::{Id, JoinError, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    Error, Process,
    connection::Connections,
    layers::{Call, entrance::Outgoing},
    tls,
};

/// How long the loop rests when the system has no descriptor left for a connection.
const BACKOFF: Duration = Duration::from_millis(50);
/// How long the last bytes of the last reply may take, once no call is being worked on.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// How long the statuses of calls that ran out of time may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A listener with its open connections.
#[derive(Debug)]
pub(crate) struct Listener<S> {
    connections: Arc<Connections<S>>,
    process: Process,
    open: JoinSet<()>,
    peers: HashMap<Id, IpAddr>,
    per_ip: HashMap<IpAddr, usize>,
    max: usize,
    max_per_ip: usize,
}

/// Opens a listener.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let refused = |source| Error::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    Ok((socket, address))
}

impl<S: Call<Reply = Outgoing>> Listener<S> {
    pub(crate) fn new(stack: S, process: &Process, tls: Option<tls::Current>, has_door: bool) -> Self {
        let settings = &process.settings().server;
        Self {
            connections: Arc::new(Connections::new(stack, process, tls, has_door)),
            process: process.clone(),
            open: JoinSet::new(),
            peers: HashMap::new(),
            per_ip: HashMap::new(),
            max: settings.max_connections,
            max_per_ip: settings.max_connections_per_ip,
        }
    }

    /// Accepts until the process drains, then waits for the open connections, and returns in any case.
    pub(crate) async fn run(mut self, socket: TcpListener) {
        let mut draining = self.process.draining();
        loop {
            tokio::select! {
                () = draining.wait() => break,
                Some(ended) = self.open.join_next_with_id() => self.forget(&ended),
                accepted = socket.accept(), if self.open.len() < self.max => match accepted {
                    Ok((stream, peer)) => self.take(stream, peer),
                    // Out of descriptors, or a peer that left while it waited: both pass.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(BACKOFF).await;
                    }
                },
            }
        }
        drop(socket);
        self.drain().await;
    }

    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        let count = self.per_ip.entry(peer.ip()).or_default();
        if *count >= self.max_per_ip {
            return;
        }
        *count += 1;
        let connections = self.connections.clone();
        // Instances that started together would otherwise all lose their connections together.
        let age_factor = 0.9 + 0.2 * fastrand::f64();
        let task = self.open.spawn(async move { connections.serve(stream, peer, age_factor).await });
        self.peers.insert(task.id(), peer.ip());
    }

    fn forget(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(ip) = self.peers.remove(&id) else {
            return;
        };
        if let Some(count) = self.per_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&ip);
            }
        }
    }

    /// Waits for connections to end by themselves and for work that outlives them; connections that only hold streams that
    /// no call needs are cut as soon as no call is left. At the limit every open call is answered, and all are cut.
    async fn drain(mut self) {
        let limit = self.process.settings().server.drain_seconds.0;
        if timeout(limit, self.end()).await.is_err() {
            tracing::warn!(
                connections = self.open.len(),
                "the time to drain is over; what is left is answered and cut"
            );
            self.process.switch().cut();
            let _ = timeout(LAST_WORDS, async { while self.open.join_next().await.is_some() {} }).await;
        }
        self.open.shutdown().await;
    }

    async fn end(&mut self) {
        let places = self.process.places().clone();
        let gone = async {
            while self.open.join_next().await.is_some() {}
            places.all_free().await;
        };
        let quiet = async {
            // A call may still arrive until its peer has read that it should not; it gets its time as well.
            loop {
                places.all_free().await;
                sleep(LAST_BYTES).await;
                if places.are_free() {
                    break;
                }
            }
        };
        tokio::select! {
            () = gone => {}
            () = quiet => {}
        }
    }
}
