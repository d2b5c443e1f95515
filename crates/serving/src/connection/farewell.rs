//! The end of a connection that is not served, such that its peer can tell it from a failure of the network.

use std::{future::poll_fn, pin::Pin, time::Duration};

use tokio::{
    io::AsyncWrite,
    net::TcpStream,
    sync::Semaphore,
    time::{sleep, timeout},
};

/// How long a peer that is refused has to say what it speaks, and to read why.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long clients of HTTP/2 wait for the word: they take a connection that has begun for a good one, and come again at once.
const PAUSE: Duration = Duration::from_millis(500);
/// Peers that are told at a time; beyond that they are only closed, or a crowd that is refused would take the place of others.
const AT_A_TIME: usize = 64;
/// What is read of it at most: a socket that is closed with bytes unread resets the connection, and the word is lost.
const MOST: usize = 64 << 10;

/// The server's half of the HTTP/2 preface, and GOAWAY with REFUSED_STREAM (RFC 9113, 6.8): no stream was begun, so that a
/// client may send its calls elsewhere. gRPC makes UNAVAILABLE of it.
const GO_AWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x1c\x07\0\0\0\0\0\0\0\0\0\0\0\0\x07too many connections";
/// The same over HTTP/1.1.
const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
                             content-type: text/plain\r\ncontent-length: 21\r\n\r\ntoo many connections\n";

/// What a listener speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    /// Inner of TLS: then nothing can be said before a handshake that costs more than the word is worth.
    pub(crate) tls: bool,
    /// HTTP/1.1 beside HTTP/2.
    pub(crate) http1: bool,
}

/// Sends peers away.
#[derive(Debug)]
pub(crate) struct Farewells {
    spoken: Spoken,
    in_flight: Semaphore,
}

impl Farewells {
    pub(crate) fn new(spoken: Spoken) -> Self {
        Self { spoken, in_flight: Semaphore::new(AT_A_TIME) }
    }

    /// Closes in order, so that the peer does not read of a reset.
    pub(crate) async fn close(&self, mut stream: TcpStream) {
        if let Ok(_place) = self.in_flight.try_acquire() {
            let _ = timeout(PATIENCE, close(&mut stream)).await;
        }
    }

    /// The same, but says first that there are too many connections, if that is cheap.
    pub(crate) async fn say_too_many(&self, mut stream: TcpStream) {
        let Ok(_place) = self.in_flight.try_acquire() else { return };
        let _ = timeout(PATIENCE, async {
            if !self.spoken.tls {
                say_too_many(&stream, self.spoken).await;
            }
            close(&mut stream).await;
        })
        .await;
    }
}

async fn close(stream: &mut TcpStream) {
    let _ = poll_fn(|context| Pin::new(&mut *stream).poll_shutdown(context)).await;
    read_out(stream).await;
}

async fn say_too_many(stream: &TcpStream, spoken: Spoken) {
    let mut first = [0; 256];
    let count = receive(stream, &mut first).await;
    // It may stand behind a PROXY header.
    let is_http2 = first[..count].windows(4).any(|part| part == b"PRI ");
    let word = match (is_http2, spoken.http1) {
        (true, _) => {
            sleep(PAUSE).await;
            GO_AWAY
        }
        (false, true) => UNAVAILABLE,
        (false, false) => return,
    };
    // The buffer of a fresh socket has room for it.
    let _ = stream.try_write(word);
}

async fn read_out(stream: &TcpStream) {
    let (mut buffer, mut left) = ([0; 1024], MOST);
    while left > 0 {
        match receive(stream, &mut buffer).await {
            0 => return,
            count => left = left.saturating_sub(count),
        }
    }
}

/// Reads what is there; 0 at the end.
async fn receive(stream: &TcpStream, buffer: &mut [u8]) -> usize {
    loop {
        if stream.readable().await.is_err() {
            return 0;
        }
        match stream.try_read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            read => return read.unwrap_or_default(),
        }
    }
}
