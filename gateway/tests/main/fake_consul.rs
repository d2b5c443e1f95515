//! An agent of Consul that does what a test tells it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, time::Instant};

/// What the agent says.
#[derive(Debug, Clone)]
pub(crate) enum Word {
    /// These instances, with this index; a question that has the index already waits.
    Instances(Vec<SocketAddr>, u64),
    /// These instances at once, whatever was asked, and the index one more each time.
    Wild(Vec<SocketAddr>),
    /// An error.
    Status(u16),
    /// So many bytes of an answer.
    Huge(usize),
    /// Something else than an answer.
    Garbage,
    /// Nothing.
    Silence,
}

/// When it was asked, path and query, and the token.
pub(crate) type Question = (Instant, String, Option<String>);

/// The agent.
#[derive(Debug, Clone)]
pub(crate) struct FakeConsul {
    pub(crate) address: SocketAddr,
    word: watch::Sender<Word>,
    questions: Arc<Mutex<Vec<Question>>>,
}

impl FakeConsul {
    pub(crate) async fn start(word: Word) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), word).await
    }

    pub(crate) async fn start_at(address: SocketAddr, word: Word) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Self { address, word: watch::Sender::new(word), questions: Arc::default() };
        tokio::spawn(fake.clone().accept(listener));
        fake
    }

    /// Says something else from now on.
    pub(crate) fn say(&self, word: Word) {
        self.word.send_replace(word);
    }

    /// What was asked: when, path and query, and the token.
    pub(crate) fn questions(&self) -> Vec<Question> {
        self.questions.lock().unwrap().clone()
    }

    /// Waits until so many questions were asked after this moment.
    pub(crate) async fn until_asked(&self, times: usize) {
        let before = self.questions().len();
        let asked = async {
            while self.questions().len() < before + times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), asked).await.expect("it is asked");
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let fake = self.clone();
            let service = service_fn(move |request| fake.clone().answer(request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let target = request.uri().to_string();
        let token = request.headers().get("x-consul-token").map(|token| token.to_str().unwrap().to_owned());
        self.questions.lock().unwrap().push((Instant::now(), target.clone(), token));
        let query = request.uri().query().unwrap_or_default();
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("index=")).and_then(|index| index.parse().ok());
        let asked: u64 = asked.unwrap_or(0);
        let mut words = self.word.subscribe();
        loop {
            let word = words.borrow_and_update().clone();
            match word {
                Word::Instances(_, index) if index == asked => words.changed().await.unwrap(),
                Word::Silence => words.changed().await.unwrap(),
                Word::Instances(instances, index) => return Ok(listed(&instances, index)),
                Word::Wild(instances) => return Ok(listed(&instances, asked + 1)),
                Word::Status(code) => {
                    let mut response = Response::new(Full::new(Bytes::from_static(b"no")));
                    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
                    return Ok(response);
                }
                Word::Huge(bytes) => return Ok(Response::new(Full::new(vec![b' '; bytes].into()))),
                Word::Garbage => return Ok(Response::new(Full::new(Bytes::from_static(b"{\"a\":")))),
            }
        }
    }
}

fn listed(instances: &[SocketAddr], index: u64) -> Response<Full<Bytes>> {
    let entry = |address: &SocketAddr| {
        format!(
            r#"{{"Node":{{"Node":"n","Address":"{}"}},"Service":{{"ID":"a","Address":"","Port":{},"Tags":[]}},
                "Checks":[{{"CheckID":"c","Status":"passing"}}]}}"#,
            address.ip(),
            address.port()
        )
    };
    let entries: Vec<_> = instances.iter().map(entry).collect();
    let mut response = Response::new(Full::new(format!("[{}]", entries.join(",")).into()));
    response.headers_mut().insert("x-consul-index", index.into());
    response
}
