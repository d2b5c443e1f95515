//! The admin port's own descriptors: it is needed most when there are none.

use std::{io, net::SocketAddr, time::Duration};

use axum::serve::Listener;
use serving::descriptors::Spares;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// How long it rests when not even a spare descriptor helps.
const BACKOFF: Duration = Duration::from_millis(50);

/// A listener that gives up a spare descriptor when it has none for a connection.
#[derive(Debug)]
pub(super) struct Sparing {
    socket: TcpListener,
    spares: Spares,
}

impl Sparing {
    pub(super) fn new(socket: TcpListener) -> Self {
        Self { socket, spares: Spares::take() }
    }
}

impl Listener for Sparing {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(accepted) => {
                    self.spares.refill();
                    return accepted;
                }
                Err(_) if self.spares.give_up() => {}
                Err(_) => sleep(BACKOFF).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}
