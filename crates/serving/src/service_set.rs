//! What a program serves: generated tonic services, their descriptors and, for a proxy, a fallback.

use std::{convert::Infallible, sync::Arc};

use axum::{Router, response::IntoResponse};
use http::{Request, Response};
use protocol::{
    Body,
    dependency::Dependency,
    redact::{Describe, Described},
};
use tonic::{server::NamedService, service::Routes};
use tower::Service;

use crate::{closing::Closing, completed_call::CallObserver, dependency::Dependencies, transcoder::Transcoder};

/// What a program serves.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ServiceSet {
    routes: Routes,
    /// Names of its services.
    pub names: Vec<&'static str>,
    /// Its descriptor sets.
    pub descriptors: Vec<&'static [u8]>,
    /// Whether it answers paths that no service has.
    pub has_fallback: bool,
    /// What translates for callers that do not speak gRPC.
    pub transcoder: Option<Arc<dyn Transcoder>>,
    /// Who hears of its calls.
    pub observers: Vec<Arc<dyn CallObserver>>,
    /// What it adds to the admin port.
    pub admin: Router,
    /// What stands behind it.
    pub dependencies: Dependencies,
    /// What it does last.
    pub closing: Closing,
    describe: Option<Arc<dyn Describe>>,
}

impl ServiceSet {
    /// Starts with nothing but what the chassis adds: health, and reflection if there are descriptors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an encoded `FileDescriptorSet`: reflection offers it, and method names and idempotency levels are read from it.
    pub fn descriptors(mut self, encoded: &'static [u8]) -> Self {
        self.descriptors.push(encoded);
        self
    }

    /// Adds a generated tonic server; it is reported healthy under its own name. A health or reflection service that is
    /// added here takes the place of the chassis' own.
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<tonic::body::Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Answers every path that no added service has (a proxy does); `CallNotes` in the extensions of the request tell the
    /// chassis what to write into span, metrics and log.
    pub fn fallback<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.into_axum_router().fallback_service(service).into();
        self.has_fallback = true;
        self
    }

    /// Puts a transcoder in front of all layers, for callers that do not speak gRPC; the process then takes HTTP/1.1 as well.
    pub fn transcoder(mut self, transcoder: impl Transcoder) -> Self {
        self.transcoder = Some(Arc::new(transcoder));
        self
    }

    /// Adds one who hears of every call that has ended.
    pub fn observer(mut self, observer: Arc<dyn CallObserver>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Adds routes to the admin port; they only read.
    pub fn admin(mut self, routes: Router) -> Self {
        self.admin = self.admin.merge(routes);
        self
    }

    /// Tells how what stands behind the process is: for `/readyz?verbose`, and for health under the names
    /// `upstream/<name>`. It is asked every second.
    pub fn dependencies(mut self, look: impl Fn() -> Vec<Dependency> + Send + Sync + 'static) -> Self {
        self.dependencies = Dependencies::new(look);
        self
    }

    /// Does something when the process stops and its last call has ended; what takes longer than a few seconds, or than is left
    /// of the time to drain, is left undone.
    pub fn closing<F>(mut self, close: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.closing = Closing::new(close);
        self
    }

    /// Tells how the messages of calls are read for people, if not by [`Self::descriptors`] (a proxy has none).
    pub fn describe(mut self, describe: Arc<dyn Describe>) -> Self {
        self.describe = Some(describe);
        self
    }

    /// How the messages of calls are read.
    #[must_use]
    pub fn described(&self) -> Arc<dyn Describe> {
        self.describe.clone().unwrap_or_else(|| Arc::new(Described::new(self.descriptors.clone())))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// The routes of all its services.
    pub fn into_router(self) -> Router {
        self.routes.prepare().into_axum_router()
    }
}
