//! A stand-in upstream that speaks bytes: it keeps what comes and answers what was recorded.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

use crate::text::{body_length, head_end};

/// One exchange's answer and how long it takes.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The bytes, headers and all; nothing closes the connection.
    pub(crate) bytes: Vec<u8>,
    /// Whether it waits first.
    pub(crate) is_delayed: bool,
}

/// A listener on a port of its own.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Opens the listener; the answers are given in order, and a request too many gets none.
    pub(crate) async fn open(answers: Vec<Answer>, delay: Duration) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(answers);
        let kept = received.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(exchange(stream, kept.clone(), answers.clone(), delay));
            }
        });
        Ok(Upstream { address, received, task })
    }

    /// The address for a configuration.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was sent, with the name of the fixtures in place of the address.
    pub(crate) fn close(&self) -> Vec<Vec<u8>> {
        self.task.abort();
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.iter().map(|bytes| with_name(bytes, self.address)).collect()
    }
}

async fn exchange(
    mut stream: TcpStream,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    answers: Arc<Vec<Answer>>,
    delay: Duration,
) {
    let Ok(request) = read_request(&mut stream).await else { return };
    let index = {
        let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
        received.push(request);
        received.len() - 1
    };
    let Some(answer) = answers.get(index) else { return };
    if answer.is_delayed {
        sleep(delay).await;
    }
    // A caller that went away is the service's business, and shows in what it says.
    let _ = stream.write_all(&answer.bytes).await;
    let _ = stream.shutdown().await;
}

/// Reads one request; an error is a connection that brought none.
async fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = head_end(&bytes)
            && bytes.len() >= end + body_length(&bytes[..end])
        {
            return Ok(bytes);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The address differs in each run, so the fixtures have a name in its place.
fn with_name(bytes: &[u8], address: SocketAddr) -> Vec<u8> {
    let address = address.to_string().into_bytes();
    let mut named = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(address.len()).position(|window| window == address) {
        named.extend_from_slice(&rest[..at]);
        named.extend_from_slice(b"upstream.example");
        rest = &rest[at + address.len()..];
    }
    named.extend_from_slice(rest);
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_what_comes_and_answers_in_order() {
        let answers = ["one", ""].map(|text| Answer { bytes: text.into(), is_delayed: false });
        let upstream = Upstream::open(answers.into(), Duration::ZERO).await.unwrap();
        for (body, expected) in [("ab", "one"), ("", ""), ("", "")] {
            let mut stream = TcpStream::connect(upstream.address).await.unwrap();
            let head =
                format!("POST / HTTP/1.1\r\nHost: {}\r\ncontent-length: {}\r\n\r\n", upstream.address, body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, expected);
        }
        let sent = upstream.close();
        assert_eq!(sent.len(), 3);
        assert_eq!(sent[0], b"POST / HTTP/1.1\r\nHost: upstream.example\r\ncontent-length: 2\r\n\r\nab");
    }
}
