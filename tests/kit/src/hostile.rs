//! An upstream that does what a test tells it, on a real socket.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What becomes of one request.
#[derive(Clone, Debug)]
pub enum Act {
    /// The bytes of a whole reply; the connection stays open.
    Answer(Vec<u8>),
    /// The same after a while.
    Late(Duration, Vec<u8>),
    /// Some bytes at once and the rest byte by byte, with a pause before each.
    Drip(Vec<u8>, Duration, Vec<u8>),
    /// Some bytes, then the end of the connection.
    Close(Vec<u8>),
    /// Some bytes, then a reset.
    Reset(Vec<u8>),
    /// Nothing, until the other side goes.
    Mute,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Head and body.
    pub text: &'a str,
    /// How many came before it on its connection.
    pub before: usize,
}

type Acting = dyn Fn(&Asked<'_>) -> Act + Send + Sync;

/// A running upstream; ends with the test's runtime.
#[derive(Clone)]
pub struct Hostile {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    acting: Mutex<Arc<Acting>>,
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    answered: AtomicUsize,
}

/// Counts a connection while it is open.
struct Open(Arc<State>);

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    fn socket(&self) -> &TcpStream;
}

impl Hostile {
    /// Does with each request what `acting` says.
    pub async fn start(acting: impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self::listening(None, Arc::new(acting)).await
    }

    /// The same behind TLS.
    pub async fn encrypted(tls: ServerConfig, acting: impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self::listening(Some(TlsAcceptor::from(Arc::new(tls))), Arc::new(acting)).await
    }

    /// Does with the requests what `acts` say in order, the last one again and again.
    pub async fn script(acts: Vec<Act>) -> Self {
        Self::start(in_order(acts)).await
    }

    /// Says something to whoever connects, whatever it wants, and closes: what is no HTTP, or no TLS.
    pub async fn blurting(said: &'static [u8]) -> Self {
        let (listener, hostile) = Self::bound(Arc::new(|_| Act::Mute)).await;
        let state = hostile.state.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                state.connections.fetch_add(1, Ordering::SeqCst);
                // Who has not said a word first may take the answer for a broken connection.
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(said).await;
                let _ = stream.shutdown().await;
            }
        });
        hostile
    }

    async fn listening(tls: Option<TlsAcceptor>, acting: Arc<Acting>) -> Self {
        let (listener, hostile) = Self::bound(acting).await;
        tokio::spawn(accept(listener, tls, hostile.state.clone()));
        hostile
    }

    async fn bound(acting: Arc<Acting>) -> (TcpListener, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, connections, open, answered) = Default::default();
        let state = State { acting: Mutex::new(acting), requests, connections, open, answered };
        (listener, Self { address, state: Arc::new(state) })
    }

    /// Does something else from now on.
    pub fn act(&self, acting: impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static) {
        *self.state.acting.lock().unwrap() = Arc::new(acting);
    }

    /// The requests that came in whole, heads included.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }

    /// How many of them have this in them.
    #[must_use]
    pub fn count(&self, what: &str) -> usize {
        self.state.requests.lock().unwrap().iter().filter(|request| request.contains(what)).count()
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// How many replies were written to their end.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.state.answered.load(Ordering::SeqCst)
    }

    /// Waits until this many requests came in; panics if they do not.
    pub async fn until(&self, requests: usize) {
        self.wait(&format!("{requests} requests"), |hostile| hostile.requests().len() >= requests).await;
    }

    /// Waits until every connection has ended; panics if one does not.
    pub async fn until_closed(&self) {
        self.wait("the end of all connections", |hostile| hostile.open() == 0).await;
    }

    async fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let seen = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("waited for {what}"));
    }
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Open {
    fn new(state: Arc<State>) -> Self {
        state.connections.fetch_add(1, Ordering::SeqCst);
        state.open.fetch_add(1, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An address at which nobody listens.
pub async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A port that takes nobody: its queue is full, and the kernel leaves whoever wants to connect without an answer.
pub struct Deaf {
    /// Where it listens.
    pub address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Deaf {
    /// Listens and fills the queue.
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(1).unwrap();
        let (address, mut queue) = (listener.local_addr().unwrap(), Vec::new());
        while let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            queue.push(stream.unwrap());
        }
        Self { address, _listener: listener, _queue: queue }
    }
}

/// One act for each request, the last one again and again.
pub fn in_order(acts: Vec<Act>) -> impl Fn(&Asked<'_>) -> Act + Send + Sync + 'static {
    let at = AtomicUsize::new(0);
    move |_| acts[at.fetch_add(1, Ordering::SeqCst).min(acts.len() - 1)].clone()
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, open) = (tls.clone(), Open::new(state.clone()));
        tokio::spawn(async move {
            match tls {
                None => serve(stream, &open.0).await,
                Some(tls) => serve(tls.accept(stream).await.ok()?, &open.0).await,
            }
        });
    }
}

async fn serve(mut stream: impl Stream, state: &State) -> Option<()> {
    let mut buffer = Vec::new();
    for before in 0.. {
        let request = request(&mut stream, &mut buffer).await?;
        let acting = state.acting.lock().unwrap().clone();
        let act = acting(&Asked { text: &request, before });
        state.requests.lock().unwrap().push(request);
        perform(&mut stream, act).await?;
        state.answered.fetch_add(1, Ordering::SeqCst);
    }
    None
}

/// Nothing means that the connection is to end.
async fn perform(stream: &mut impl Stream, act: Act) -> Option<()> {
    match act {
        Act::Answer(bytes) => stream.write_all(&bytes).await.ok(),
        Act::Late(wait, bytes) => {
            tokio::time::sleep(wait).await;
            stream.write_all(&bytes).await.ok()
        }
        Act::Drip(bytes, pause, rest) => {
            stream.write_all(&bytes).await.ok()?;
            drip(stream, pause, &rest).await
        }
        Act::Close(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            let _ = stream.shutdown().await;
            None
        }
        Act::Reset(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            // The other side has read what came so far, or the reset would take it back.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = stream.socket().set_zero_linger();
            None
        }
        Act::Mute => {
            while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
            None
        }
    }
}

/// Ends when the other side has gone, which a write alone would not show in time.
async fn drip(stream: &mut impl Stream, pause: Duration, bytes: &[u8]) -> Option<()> {
    let mut more = [0; 4096];
    for byte in bytes {
        tokio::select! {
            () = tokio::time::sleep(pause) => stream.write_all(&[*byte]).await.ok()?,
            _ = stream.read(&mut more) => return None,
        }
        stream.flush().await.ok()?;
    }
    Some(())
}

/// One whole request.
async fn request(stream: &mut impl Stream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(length) = whole(buffer) {
            return Some(String::from_utf8_lossy(&buffer.drain(..length).collect::<Vec<_>>()).into_owned());
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn whole(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    (buffer.len() >= head + length).then_some(head + length)
}
