//! The life of a call at the gateway: authenticate, authorise, limit, route, forward.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use chassis::Process;
use http::{HeaderValue, Method, Request, Response, request::Parts};
use protocol::headers::{ACCOUNT, CONTEXT, REQUEST_ID};
use protocol::{
    Body, CallContext,
    method::{Idempotency, MethodName},
};
use serving::{CallNotes, Peer, message};
use tokio::time::Instant;
use tonic::Code;
use tower::Service;

use crate::{
    answer::{self, Answer, Outcome},
    catalog::{Catalog, MethodInfo},
    fleet::{route::Route, routes::Routes},
    forward, headers,
    identity::Identity,
    limits::Limits,
    policy,
    principal::Principal,
    telemetry::client_span::ClientSpans,
    transcode::{self, document},
};

/// Everything that handles a call.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Authentication.
    pub(crate) identity: Arc<Identity>,
    /// Limits.
    pub(crate) limits: Arc<Limits>,
    /// Routes to the services.
    pub(crate) routes: Arc<Routes>,
    /// Their methods and descriptors.
    pub(crate) catalog: Arc<Catalog>,
    /// Spans and measurements.
    pub(crate) spans: ClientSpans,
    /// Largest message of a request.
    pub(crate) max_request: u64,
    /// Its audit log announces writes before they are forwarded.
    pub(crate) process: Process,
}

impl Edge {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if request.method() != Method::POST {
            return protocol::grpc::not_grpc();
        }
        let (parts, body) = request.into_parts();
        let answered = match parts.uri.path().starts_with("/grpc.reflection.") {
            true => self.reflect(parts, body).await,
            false if parts.extensions.get::<document::Asked>().is_some() => self.describe(&parts).await,
            false => self.call(&parts, body).await,
        };
        answered.unwrap_or_else(Answer::response)
    }

    async fn call(&self, parts: &Parts, body: Body) -> Result<Response<Body>, Box<Answer>> {
        let notes = parts.extensions.get::<CallNotes>().cloned().unwrap_or_default();
        let peer = parts.extensions.get::<Peer>();
        let principal = self.identity.authenticate(&parts.headers, peer, &notes).await?;
        let path = parts.uri.path();
        let method = MethodName::parse(path).ok_or_else(|| unknown_method(path))?;
        let route = self.routes.find(method.service).ok_or_else(|| unknown_service(&method))?;
        let MethodInfo { idempotency, name, takes_one } = self.catalog.know(&route.provider, method.full);
        if name.is_some() {
            notes.set_known_method();
        }
        // Before any refusal: the audit log records attempted writes too.
        if idempotency != Some(Idempotency::Read) {
            notes.set_writes();
        }
        let call = policy::AccessRequest { method, provider: &route.provider, idempotency };
        let account = principal.grants.decide(&call, named_account(parts)?)?;
        notes.set_account(&account);
        let quota_permit = self.limits.enter(&principal.quota)?;
        let body = match takes_one || transcode::is_deferred(&parts.extensions) {
            true => match message::read(&notes, &parts.headers, body, self.max_request).await {
                Ok(whole) => Body::from(whole),
                Err(status) => return Ok(status.into_http()),
            },
            false => body,
        };
        let call_permit = self.limits.admit(quota_permit, &route.provider)?;
        if idempotency != Some(Idempotency::Read) {
            let announced = self.process.announce(path, &parts.headers, &parts.extensions).await;
            announced.map_err(|_| answer::unaudited())?;
        }
        let context = CallContext::of(&parts.extensions);
        let call = forward::Forward {
            notes,
            route: &route,
            path,
            method: name.unwrap_or_else(|| protocol::names::OTHER.into()),
            idempotency: idempotency.unwrap_or(Idempotency::Write),
            deadline: deadline(&context, route.rules.timeout(&method, idempotency)),
            hedge: route.rules.hedge(&method, idempotency),
            headers: onward(parts, &principal, &route, &account, &method),
            parent: context.trace.clone(),
        };
        let response = call.forward(body, call_permit, &self.spans).await?;
        Ok(response.map(Body::new))
    }

    /// The caller that reads contracts; `None` where they are public.
    async fn looks(&self, parts: &Parts) -> Result<Option<Arc<Principal>>, Box<Answer>> {
        if self.identity.is_public() {
            return Ok(None);
        }
        let notes = parts.extensions.get::<CallNotes>().cloned().unwrap_or_default();
        self.identity.authenticate(&parts.headers, parts.extensions.get::<Peer>(), &notes).await.map(Some)
    }

    /// The providers that have not described themselves since the gateway started, as far as the caller may know them.
    fn awaited(&self, principal: Option<&Principal>) -> BTreeSet<String> {
        let routes = self.routes.all();
        let awaited =
            routes.iter().map(|route| &route.provider).filter(|provider| !self.catalog.has_described(provider));
        let shown = |provider: &&Arc<str>| principal.is_none_or(|one| one.grants.reach_account(provider, None));
        awaited.filter(shown).map(|provider| provider.to_string()).collect()
    }

    /// The OpenAPI document of what the caller may call.
    async fn describe(&self, parts: &Parts) -> Result<Response<Body>, Box<Answer>> {
        let (principal, catalog) = (self.looks(parts).await?, Arc::clone(&self.catalog));
        let awaited = self.awaited(principal.as_deref());
        if let Some(provider) = awaited.first().filter(|_| catalog.is_empty()) {
            return Err(answer::not_described(provider));
        }
        let document =
            aside(move || catalog.openapi(principal.as_ref().map(|principal| &principal.grants), awaited)).await;
        Ok(document::reply(&document))
    }

    async fn reflect(&self, parts: Parts, body: Body) -> Result<Response<Body>, Box<Answer>> {
        let (principal, catalog) = (self.looks(&parts).await?, Arc::clone(&self.catalog));
        let awaited = self.awaited(principal.as_deref());
        let reflection = aside(move || catalog.reflection(principal.as_ref().map(|principal| &principal.grants)));
        let reflection = reflection.await.ok_or_else(|| {
            let text = "nothing is known to reflect yet";
            Answer::new(Code::Unavailable, "CATALOG_NOT_READY", text).outcome(Outcome::NotSent)
        })?;
        let request = Request::from_parts(parts, tonic::body::Body::new(body));
        Ok(reflection.awaiting(awaited).answer(request).await.map(Body::new))
    }
}

/// The edge as the chassis calls it.
#[derive(Debug, Clone)]
pub(crate) struct Front(pub(crate) Arc<Edge>);

impl Service<Request<Body>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let edge = Arc::clone(&self.0);
        Box::pin(async move { Ok(edge.answer(request).await) })
    }
}

/// Computes something expensive on a blocking thread: a document of many providers takes seconds. A panic propagates to the
/// call.
async fn aside<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(make).await {
        Ok(made) => made,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

/// The metadata for the service: the headers that may pass, the account, and the caller context, signed for this service.
fn onward(
    parts: &Parts,
    principal: &Principal,
    route: &Route,
    account: &str,
    method: &MethodName<'_>,
) -> http::HeaderMap {
    let mut onward = headers::to_service(&parts.headers);
    let request_id = onward.get(REQUEST_ID);
    let request_id = request_id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let context = route.signer.sign(&principal.name, account, method.full, request_id);
    onward.insert(CONTEXT, context);
    if let Ok(account) = HeaderValue::from_str(account) {
        onward.insert(ACCOUNT, account);
    }
    onward
}

/// The account that the caller names; two are an error.
fn named_account(parts: &Parts) -> Result<Option<&str>, Box<Answer>> {
    let mut values = parts.headers.get_all(ACCOUNT).into_iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    match (first.to_str(), values.next()) {
        (Ok(alias), None) => Ok(Some(alias)),
        _ => Err(policy::bad_account("must be given once, as plain text")),
    }
}

/// The caller's deadline, or the method's timeout if that is sooner.
fn deadline(context: &CallContext, longest: Option<Duration>) -> Instant {
    let told = context.deadline;
    longest.map_or(told, |longest| told.min(Instant::now() + longest))
}

fn unknown_method(path: &str) -> Box<Answer> {
    let shown: String = path.chars().take(100).collect();
    let text = format!("{shown:?} names no method: a path is /package.Service/Method");
    Answer::new(Code::Unimplemented, "METHOD_UNKNOWN", text).outcome(Outcome::NotSent)
}

fn unknown_service(method: &MethodName<'_>) -> Box<Answer> {
    let shown: String = method.service.chars().take(100).collect();
    let text = format!("no provider behind this gateway has the service {shown}");
    Answer::new(Code::Unimplemented, "PROVIDER_UNKNOWN", text).with("service", shown).outcome(Outcome::NotSent)
}
