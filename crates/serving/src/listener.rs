//! The accept loop: who may connect, and how it ends.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use config::{Error, said_of_file};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    connection::Connections,
    context::ServingContext,
    descriptors,
    layers::{Service, entrance::Outgoing},
    refusals::Refused,
    tls,
};

/// How long the loop rests when the system has no descriptor left for a connection.
const BACKOFF: Duration = Duration::from_millis(50);
/// Connections that wait to be accepted, as many as the standard library lets.
const BACKLOG: u32 = 128;
/// How long the last bytes of the last reply may take, once no call is being worked on.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// How long the statuses of calls that ran out of time may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A listener with its open connections.
#[derive(Debug)]
pub(crate) struct Listener<S> {
    connections: Arc<Connections<S>>,
    serving: ServingContext,
    open: JoinSet<()>,
    refused: JoinSet<()>,
    max: usize,
}

/// Opens a listener, beside that of another process if `shared`.
pub fn bind(address: SocketAddr, shared: bool) -> Result<(TcpListener, SocketAddr), Error> {
    let refused = |source| Error::Listen { address, source };
    let socket = bound(address, shared).and_then(|socket| socket.listen(BACKLOG)).map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    Ok((socket, address))
}

/// Says whether this process could listen at an address; one at which another process listens is right all the same.
pub fn check(key: &str, address: SocketAddr, shared: bool) -> Result<(), Error> {
    let refused = match bound(address, shared) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    match refused.kind() {
        io::ErrorKind::AddrInUse => Ok(()),
        io::ErrorKind::AddrNotAvailable => Err(Error::config(key, "must be an address of this machine")),
        io::ErrorKind::PermissionDenied => Err(Error::config(key, "must be a port that this process may open")),
        _ => Err(Error::config(key, format!("must be an address that can be listened at: {}", said_of_file(&refused)))),
    }
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(shared)?;
    socket.bind(address)?;
    Ok(socket)
}

impl<S: Service<Reply = Outgoing>> Listener<S> {
    pub(crate) fn new(stack: S, serving: &ServingContext, tls: Option<tls::Current>, has_transcoder: bool) -> Self {
        let settings = &serving.settings();
        Self {
            connections: Arc::new(Connections::new(stack, serving, tls, has_transcoder)),
            serving: serving.clone(),
            open: JoinSet::new(),
            refused: JoinSet::new(),
            max: settings.max_connections,
        }
    }

    /// Accepts until the process drains, then waits for the open connections, and returns in any case: the number of calls
    /// that had to be cut.
    pub(crate) async fn run(mut self, socket: TcpListener) -> usize {
        let mut draining = self.serving.draining();
        loop {
            tokio::select! {
                () = draining.wait() => break,
                Some(_) = self.open.join_next() => {}
                Some(_) = self.refused.join_next() => {}
                accepted = socket.accept() => match accepted {
                    Ok((stream, peer)) => self.take(stream, peer),
                    // Out of descriptors, or a peer that left while it waited: both pass.
                    Err(error) => {
                        self.serving.refusals().connection(Refused::Descriptors, None, Some(&error.to_string()));
                        sleep(BACKOFF).await;
                    }
                },
            }
        }
        self.take_waiting(socket);
        self.drain().await
    }

    /// Who has connected has found this process, and no other will answer: what waits to be accepted is not let down.
    fn take_waiting(&mut self, socket: TcpListener) {
        let Ok(socket) = socket.into_std() else { return };
        while let Ok((stream, peer)) = socket.accept()
            && stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            self.take(stream, peer);
        }
    }

    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.open.len() >= self.max {
            return self.refuse(stream, peer, Refused::TooMany);
        }
        if descriptors::is_one_of_the_last(&stream) {
            return self.refuse(stream, peer, Refused::Descriptors);
        }
        let connections = self.connections.clone();
        let place = self.serving.workers().place();
        let runtime = place.runtime();
        // Instances that started together would otherwise all lose their connections together.
        let age_factor = 0.9 + 0.2 * fastrand::f64();
        let serve = async move {
            let _place = place;
            // It was accepted by another thread, whose poller must forget it first.
            if let Ok(stream) = stream.into_std().and_then(TcpStream::from_std) {
                connections.serve(stream, peer, age_factor).await;
            }
        };
        self.open.spawn_on(serve, &runtime);
    }

    fn refuse(&mut self, stream: TcpStream, peer: SocketAddr, why: Refused) {
        self.serving.refusals().connection(why, Some(peer.ip()), None);
        // With no descriptors left none is kept for a farewell.
        if why != Refused::Descriptors {
            let connections = self.connections.clone();
            self.refused.spawn(async move { connections.say_too_many(stream).await });
        }
    }

    /// Waits for connections to end by themselves and for work that outlives them; connections that only hold streams that
    /// no call needs are cut as soon as no call is left. At the limit every open call is answered, and all are cut.
    async fn drain(mut self) -> usize {
        let limit = self.serving.settings().drain_seconds.0;
        let mut cut = 0;
        if timeout(limit, self.end()).await.is_err() {
            cut = self.serving.in_flight().taken();
            self.serving.switch().cut();
            let _ = timeout(LAST_WORDS, async { while self.open.join_next().await.is_some() {} }).await;
        }
        self.open.shutdown().await;
        cut
    }

    async fn end(&mut self) {
        let in_flight = self.serving.in_flight().clone();
        let gone = async {
            while self.open.join_next().await.is_some() {}
            in_flight.all_free().await;
        };
        let quiet = async {
            // A call may still arrive until its peer has read that it should not; it gets its time as well.
            loop {
                in_flight.all_free().await;
                sleep(LAST_BYTES).await;
                if in_flight.are_free() {
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
