//! The two decisions about a call without the call, for the benchmark.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use config::Error;
use http::{HeaderMap, HeaderValue};
use protocol::method::{Idempotency, MethodName};
use serving::CallNotes;

use crate::{config::Config, identity::Identity, policy::AccessRequest};

/// Authenticates and authorises, and nothing else.
#[derive(Debug)]
pub struct Decider(Identity);

impl Decider {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Identity::new(config, &Arc::default(), None).map(Self)
    }

    /// Whether the owner of this key may call this read with this account.
    #[must_use]
    pub fn decide(&self, key: &str, path: &str, provider: &str, account: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.extend(HeaderValue::from_str(key).ok().map(|key| (protocol::headers::API_KEY, key)));
        let notes = CallNotes::default();
        let who = pin!(self.0.authenticate(&headers, None, &notes));
        // Looking up a key never waits.
        let Poll::Ready(Ok(principal)) = who.poll(&mut Context::from_waker(Waker::noop())) else {
            return false;
        };
        let call = |method| AccessRequest { method, provider, idempotency: Some(Idempotency::Read) };
        MethodName::parse(path).is_some_and(|method| principal.grants.decide(&call(method), Some(account)).is_ok())
    }
}
