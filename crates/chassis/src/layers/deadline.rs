//! The moment by which a reply must be on its way.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use http::{HeaderMap, Response};
use tokio::time::Instant;
use tonic::Code;

use super::{Call, Request, answer, methods::Methods};
use crate::{Body, ServerSettings};

/// Tells handlers the deadline (`tokio::time::Instant` in the extensions) and answers for those that miss it.
#[derive(Debug)]
pub(crate) struct Deadline<S> {
    inner: S,
    default: Duration,
    max: Duration,
    methods: Arc<Methods>,
}

impl<S> Deadline<S> {
    pub(crate) fn new(inner: S, settings: &ServerSettings, methods: Arc<Methods>) -> Self {
        let (default, max) = (settings.default_deadline_seconds.0, settings.max_deadline_seconds.0);
        Self { inner, default, max, methods }
    }

    fn allowed(&self, headers: &HeaderMap) -> Duration {
        // What cannot be read counts as absent, as in other gRPC servers.
        headers.get("grpc-timeout").and_then(|value| parse(value.to_str().ok()?)).unwrap_or(self.default).min(self.max)
    }
}

impl<S: Call<Reply = Body>> Call for Deadline<S> {
    type Reply = Body;

    async fn call(&self, mut request: Request) -> Response<Body> {
        let deadline = Instant::now() + self.allowed(request.headers());
        request.extensions_mut().insert(deadline);
        let path = request.uri().path().to_owned();
        match until(deadline, self.inner.call(request)).await {
            Some(response) => response,
            None => answer::reply(answer::unanswered(
                self.methods.get(&path),
                Code::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                "the deadline passed before the answer was ready",
            )),
        }
    }
}

/// Polls the future first: an answer that is ready at the deadline still counts.
async fn until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    tokio::select! {
        biased;
        output = future.as_mut() => Some(output),
        () = tokio::time::sleep_until(deadline) => None,
    }
}

/// `grpc-timeout` of the gRPC over HTTP/2 protocol: one to eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_protocol() {
        let cases = [("2H", 7_200_000_000_000), ("3M", 180_000_000_000), ("4S", 4_000_000_000), ("5m", 5_000_000)];
        for (text, nanos) in cases.into_iter().chain([("6u", 6_000), ("7n", 7), ("99999999n", 99_999_999)]) {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_the_protocol_does_not_allow_counts_as_absent() {
        for text in ["", "S", "abc", "-1S", "5", "123456789S", "1s", "1 S", "+1S", "1é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_ready_at_the_deadline_counts() {
        let deadline = Instant::now() + Duration::from_secs(1);
        let ready = async {
            tokio::time::sleep_until(deadline).await;
            7
        };
        assert_eq!(until(deadline, ready).await, Some(7));
        assert_eq!(until(deadline, std::future::pending::<()>()).await, None);
    }
}
