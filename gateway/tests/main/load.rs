//! Calls at a steady rate while something happens to the services.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use ispbridge_kit::clock::comes;
use tokio::{task::JoinSet, time::sleep};
use tonic::Code;

use crate::{
    KEY,
    backend::{ADD, GET},
    caller::{Suite, call_on},
    payload,
};

/// How a call ended: its code, and the reason if it did not end well.
pub(crate) type End = (Code, String);

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) reads: Vec<End>,
    /// By request id.
    pub(crate) writes: HashMap<String, End>,
}

/// Calls that go on until they are ended.
pub(crate) struct Load {
    goes_on: Arc<AtomicBool>,
    /// How many calls have begun.
    begun: Arc<AtomicUsize>,
    callers: JoinSet<Tally>,
}

impl Load {
    /// Begins so many calls a second, one of five a write.
    pub(crate) fn begin(suite: &Suite, rate: u32) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let number = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&number);
        let mut callers = JoinSet::new();
        let (sender, address) = (suite.sender.clone(), suite.running.grpc_addr());
        let (begun, counter) = (Arc::clone(&goes_on), number);
        callers.spawn(async move {
            let mut tally = Tally::default();
            let mut calls = JoinSet::new();
            let mut pace = tokio::time::interval(Duration::from_secs(1) / rate);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while begun.load(Relaxed) {
                pace.tick().await;
                let id = format!("call-{}", counter.fetch_add(1, Relaxed));
                let path = if calls.len() % 5 == 0 { ADD } else { GET };
                calls.spawn(one(sender.clone(), address, path, id));
            }
            while let Some(ended) = calls.join_next().await {
                let (path, id, end) = ended.unwrap();
                match path {
                    GET => tally.reads.push(end),
                    _ => drop(tally.writes.insert(id, end)),
                }
            }
            tally
        });
        Self { goes_on, begun: count, callers }
    }

    /// Waits until so many more calls have begun.
    pub(crate) async fn more(&self, calls: usize) {
        let end = self.begun.load(Relaxed) + calls;
        let come = async {
            while self.begun.load(Relaxed) < end {
                sleep(Duration::from_millis(5)).await;
            }
        };
        comes(come).await;
    }

    /// Ends it and waits for what is under way.
    pub(crate) async fn end(mut self) -> Tally {
        self.goes_on.store(false, Relaxed);
        self.callers.join_next().await.unwrap().unwrap()
    }
}

async fn one(
    sender: hyper::client::conn::http2::SendRequest<http_body_util::Full<bytes::Bytes>>,
    address: std::net::SocketAddr,
    path: &'static str,
    id: String,
) -> (&'static str, String, End) {
    let headers = [KEY, ("x-request-id", id.as_str())];
    let answer = call_on(sender, address, path, &headers, payload()).await;
    let end = match answer.code() {
        Code::Ok => (Code::Ok, String::new()),
        code => (code, answer.info().0),
    };
    (path, id, end)
}

impl Tally {
    /// Checks that no write took effect twice, that what was answered well took effect, that what is said not to have been
    /// sent did not, and that nothing else failed than those of unknown outcome; how many those are.
    pub(crate) fn check_writes(&self, ledger: &Path) -> usize {
        let text = std::fs::read_to_string(ledger).unwrap_or_default();
        let mut done: HashMap<&str, usize> = HashMap::new();
        for id in text.lines() {
            *done.entry(id).or_default() += 1;
        }
        assert!(done.values().all(|times| *times == 1), "a write took effect twice");
        let mut unknown = 0;
        for (id, (code, reason)) in &self.writes {
            match (code, reason.as_str()) {
                (Code::Ok, _) => assert!(done.contains_key(id.as_str()), "{id} is lost"),
                (Code::Aborted, "OUTCOME_UNKNOWN") => unknown += 1,
                (Code::Unavailable, "SERVICE_UNREACHABLE") => {
                    assert!(!done.contains_key(id.as_str()), "{id} was sent after all");
                }
                other => panic!("{id}: {other:?}"),
            }
        }
        unknown
    }

    /// Reads that did not end well.
    pub(crate) fn failed_reads(&self) -> Vec<&End> {
        self.reads.iter().filter(|(code, _)| *code != Code::Ok).collect()
    }
}
