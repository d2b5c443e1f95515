//! An upstream that keeps what it is asked and refuses everything but a login.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What Freeside answers to a login; a refusal would keep every call from being sent.
const SESSION: &str = "<methodResponse><params><param><value><struct><member><name>session_id</name><value><string>s\
    </string></value></member><member><name>error</name><value><string></string></value></member></struct></value></param>\
    </params></methodResponse>";

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) body: String,
    /// Whether the body is a url-encoded form.
    pub(crate) is_form: bool,
}

/// A running upstream; ends with the test's runtime.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::default());
        let all = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&all)));
            }
        });
        Self { address, requests }
    }

    /// What came since this was asked the last time.
    pub(crate) fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

async fn serve(mut stream: TcpStream, requests: Arc<Mutex<Vec<Recorded>>>) {
    let mut bytes = Vec::new();
    loop {
        if let Some((request, length)) = whole(&bytes) {
            bytes.drain(..length);
            let is_login = request.body.contains("agent_login");
            let (status, body) = if is_login { ("200 OK", SESSION) } else { ("400 Bad Request", "refused") };
            if !is_login {
                requests.lock().unwrap().push(request);
            }
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        } else if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return;
        }
    }
}

/// The first request, if all of it has come, and its length.
fn whole(bytes: &[u8]) -> Option<(Recorded, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let body = bytes.get(end..end + length.unwrap_or(0))?;
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let is_form = head.contains("application/x-www-form-urlencoded");
    Some((Recorded { line, body: String::from_utf8(body.to_vec()).unwrap(), is_form }, end + body.len()))
}
