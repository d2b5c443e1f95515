//! How a session ends.

use std::{sync::Arc, time::Duration};

use bumpalo::Bump;
use opentelemetry::Context;
use tokio::time::Instant;

use crate::{
    fault::Fault,
    http::Client,
    provider::{Outgoing, Provider},
    session::{Exchange, Session},
    telemetry::{Attempt, Telemetry},
};

/// How long each call may take that ends a session.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Ends a session at its upstream; the account that it was of may be gone by then.
pub(crate) struct Farewell {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) client: Client,
    pub(crate) telemetry: Telemetry,
}

impl Farewell {
    /// Makes the calls that the login has for it. None is repeated: a session ends by itself in the end.
    pub(crate) async fn say(self, session: Arc<Session>) {
        let arena = Bump::new();
        let exchanges = self.provider.login().map(|login| login.close(&session, &arena)).unwrap_or_default();
        for exchange in exchanges {
            if let Err(fault) = self.call(&exchange, &session).await {
                tracing::debug!(reason = fault.reason(), "a session could not be closed");
            }
        }
    }

    async fn call(&self, exchange: &Exchange<'_>, session: &Session) -> Result<(), Fault> {
        let operation = exchange.operation;
        let request = {
            let arena = Bump::new();
            let call = Outgoing { operation, arguments: exchange.arguments, session: Some(session), arena: &arena };
            self.provider.request(&call)?
        };
        let span = self.telemetry.begin(operation, &request, 1, &Context::new());
        let reply = self.client.send(&request, false, Instant::now() + CLOSE_LIMIT).await;
        let status = Attempt::status(&reply);
        let result = reply.and_then(|reply| self.provider.reply(operation, &reply, &Bump::new()).map(|_| ()));
        self.telemetry.end(span, status, result.as_ref().map(|_| ()));
        result
    }
}
