//! An upstream that does what a test tells it, on a real socket.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What becomes of one request.
#[derive(Clone)]
pub(super) enum Act {
    /// The bytes of a whole reply; the connection stays open.
    Answer(Vec<u8>),
    /// The same after a while.
    Late(Duration, Vec<u8>),
    /// Some bytes, then the end of the connection.
    Close(Vec<u8>),
    /// Some bytes, then a reset.
    Reset(Vec<u8>),
}

/// A running upstream; ends with the test's runtime.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    act: Box<dyn Fn(&str) -> Act + Send + Sync>,
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    answered: AtomicUsize,
}

impl Server {
    /// Answers each request by `act`.
    pub(super) async fn start(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (connections, answered) = Default::default();
        let state = Arc::new(State { act: Box::new(act), requests: Mutex::default(), connections, answered });
        tokio::spawn(accept(listener, state.clone()));
        Server { address, state }
    }

    /// Answers the requests by `acts` in order, the last one again and again.
    pub(super) async fn script(acts: Vec<Act>) -> Self {
        let at = AtomicUsize::new(0);
        Server::start(move |_| acts[at.fetch_add(1, Ordering::SeqCst).min(acts.len() - 1)].clone()).await
    }

    /// The requests that came in whole, heads included.
    pub(super) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().expect("no test panics here").clone()
    }

    /// How many of them were for `operation`.
    pub(super) fn count(&self, operation: &str) -> usize {
        let head = format!("POST /{operation}?");
        self.requests().iter().filter(|request| request.starts_with(&head)).count()
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many replies were written to their end.
    pub(super) fn answered(&self) -> usize {
        self.state.answered.load(Ordering::SeqCst)
    }

    /// Waits until this many requests came in.
    pub(super) async fn until(&self, requests: usize) {
        while self.requests().len() < requests {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// A reply with a JSON body.
pub(super) fn json(status: u16, body: &str) -> Vec<u8> {
    reply(status, "content-type: application/json\r\n", body.as_bytes())
}

/// A reply with headers of its own.
pub(super) fn reply(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut reply = format!("HTTP/1.1 {status} Any\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    reply.extend_from_slice(body);
    reply
}

/// The first bytes of a reply that claims to be longer.
pub(super) fn half() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"id\":\"7\"}".to_vec()
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(stream, state.clone()));
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let request = request(&mut stream, &mut buffer).await?;
        let act = (state.act)(&request);
        state.requests.lock().ok()?.push(request);
        match act {
            Act::Answer(bytes) => stream.write_all(&bytes).await.ok()?,
            Act::Late(wait, bytes) => {
                tokio::time::sleep(wait).await;
                stream.write_all(&bytes).await.ok()?;
            }
            Act::Close(bytes) => return stream.write_all(&bytes).await.ok(),
            Act::Reset(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                // The other side has read what came so far, or the reset would take it back.
                tokio::time::sleep(Duration::from_millis(20)).await;
                return stream.set_zero_linger().ok();
            }
        }
        state.answered.fetch_add(1, Ordering::SeqCst);
    }
}

/// One whole request.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(length) = whole(buffer) {
            return String::from_utf8(buffer.drain(..length).collect()).ok();
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn whole(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
    (buffer.len() >= head + length).then_some(head + length)
}
