//! Instances that are the addresses of a name, as those of a headless Kubernetes service are.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    net::lookup_host,
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{Endpoints, jittered, ordered, tell};
use crate::fleet::endpoint::Endpoint;

/// Longest time between two questions; the shortest is half of it.
const INTERVAL: Duration = Duration::from_secs(30);

/// Least time between two questions, whatever happens.
const PAUSE: Duration = Duration::from_secs(1);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most instances that one name may have.
const MOST: usize = 256;

/// A DNS name, with port and TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DnsSource {
    /// The name.
    pub(crate) host: Arc<str>,
    /// The port that all instances have.
    pub(crate) port: u16,
    /// Whether they speak TLS.
    pub(crate) tls: bool,
}

impl DnsSource {
    /// Resolves the name periodically, and soon after an instance could not be reached.
    pub(crate) async fn follow(self, told: &watch::Sender<Endpoints>, trouble: &Notify) {
        let resolve = || async {
            let found = lookup_host((&*self.host, self.port)).await?;
            Ok(found.map(|address| address.ip()).collect())
        };
        self.follow_with(resolve, told, trouble).await;
    }

    async fn follow_with<F>(&self, resolve: impl Fn() -> F, told: &watch::Sender<Endpoints>, trouble: &Notify)
    where
        F: Future<Output = io::Result<Vec<IpAddr>>>,
    {
        loop {
            match timeout(PATIENCE, resolve()).await {
                Ok(Ok(found)) if !found.is_empty() => tell(told, self.endpoints(found)),
                // What was known stays: a resolver that fails does not make services go away.
                Ok(Ok(_)) => tracing::warn!(host = %self.host, "the name has no address; the known ones stay"),
                Ok(Err(error)) => tracing::warn!(host = %self.host, %error, "the name could not be resolved"),
                Err(_) => tracing::warn!(host = %self.host, "resolving the name took too long"),
            }
            sleep(PAUSE).await;
            tokio::select! {
                () = sleep(jittered(INTERVAL).saturating_sub(PAUSE)) => {}
                () = trouble.notified() => {}
            }
        }
    }

    fn endpoints(&self, found: Vec<IpAddr>) -> Endpoints {
        let found = ordered(found.into_iter().map(|ip| Endpoint::new(&ip.to_string(), self.port, self.tls)));
        found.iter().take(MOST).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    type Answers = Mutex<Vec<io::Result<Vec<IpAddr>>>>;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    /// Follows a resolver that gives these answers (the last comes first), and says which instances were told when.
    async fn told(answers: Vec<io::Result<Vec<IpAddr>>>, trouble: &Notify) -> Vec<(Duration, Vec<String>)> {
        let answers: Answers = Mutex::new(answers);
        let resolve = || async { answers.lock().unwrap().pop().unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into())) };
        let dns = DnsSource { host: "aex.internal".into(), port: 5001, tls: false };
        let (sender, mut receiver) = watch::channel(Endpoints::default());
        let begun = Instant::now();
        let mut seen = Vec::new();
        let watched = async {
            while receiver.changed().await.is_ok() {
                let names = receiver.borrow_and_update().iter().map(ToString::to_string).collect();
                seen.push((begun.elapsed(), names));
            }
        };
        tokio::select! {
            () = dns.follow_with(resolve, &sender, trouble) => {}
            () = watched => {}
            () = sleep(Duration::from_secs(300)) => {}
        }
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_address_is_found_and_a_failing_resolver_changes_nothing() {
        let failed = || Err(io::ErrorKind::NotFound.into());
        let answers =
            vec![Ok(vec![address(3)]), Ok(Vec::new()), failed(), Ok(vec![address(2), address(1), address(2)])];
        let seen = told(answers, &Notify::new()).await;
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert_eq!(seen[0].1, ["10.0.0.1:5001", "10.0.0.2:5001"]);
        assert_eq!(seen[1].1, ["10.0.0.3:5001"]);
        let after = seen[1].0.as_secs();
        assert!((45..=90).contains(&after), "three questions later: {after} s");
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_brings_the_next_question_forward() {
        let trouble = Notify::new();
        trouble.notify_one();
        let seen = told(vec![Ok(vec![address(2)]), Ok(vec![address(1)])], &trouble).await;
        assert_eq!(seen[1].0.as_secs(), 1, "{seen:?}");
    }
}
