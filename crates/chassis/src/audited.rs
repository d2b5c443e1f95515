//! A call that may change something stands in the audit log before it goes on, where the configuration asks for that.

use std::sync::Arc;

use http::Response;
use protocol::{Body, answer, method::Idempotency, methods::Methods};
use serving::{Request, Service};

use crate::process::Process;

/// Announces writes to the audit log, and refuses those that cannot be.
#[derive(Debug)]
pub(crate) struct Audited<S> {
    inner: S,
    process: Process,
    methods: Arc<Methods>,
}

impl<S> Audited<S> {
    pub(crate) fn new(inner: S, process: &Process, methods: Arc<Methods>) -> Self {
        Self { inner, process: process.clone(), methods }
    }
}

impl<S: Service<Reply = Body>> Service for Audited<S> {
    type Reply = Body;

    async fn call(&self, request: Request) -> Response<Body> {
        let writes =
            self.methods.get(request.uri().path()).is_some_and(|method| method.idempotency == Idempotency::Write);
        if writes {
            let (path, headers) = (request.uri().path(), request.headers());
            if self.process.announce(path, headers, request.extensions()).await.is_err() {
                return answer::reply(answer::unaudited());
            }
        }
        self.inner.call(request).await
    }
}
