//! The life of a call at the gateway: who, may they, enough, where, and on.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use chassis::{Body, CallNotes};
use http::{HeaderName, HeaderValue, Method, Request, Response, request::Parts};
use opentelemetry::Context;
use tokio::{task::JoinSet, time::Instant};
use tonic::Code;
use tower::Service;

use crate::{
    answer::{self, Answer, Outcome},
    catalog::{self, Catalog, Nature},
    forward, headers,
    hop::Hops,
    limit::Ticket,
    method::MethodName,
    policy::{self, ACCOUNT},
    principal::{Principal, Principals},
    route::{Route, Routes},
};

/// Deadline of a call whose edge set none, which does not happen behind the chassis.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

const CONTEXT: HeaderName = HeaderName::from_static(chassis::names::X_CONTEXT);
const ONWARD_ACCOUNT: HeaderName = HeaderName::from_static(ACCOUNT);

/// Everything that decides about a call.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Who may call.
    pub(crate) principals: Principals,
    /// Where the services are.
    pub(crate) routes: Arc<Routes>,
    /// What is known of them.
    pub(crate) catalog: Arc<Catalog>,
    /// Spans and measurements.
    pub(crate) hops: Hops,
    /// Whether reflection answers without a key.
    pub(crate) public_reflection: bool,
    /// The tasks that learn; they end with the edge.
    pub(crate) _followers: JoinSet<()>,
}

impl Edge {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if request.method() != Method::POST || !headers::is_grpc(request.headers()) {
            return answer::not_grpc();
        }
        let (parts, body) = request.into_parts();
        let answered = match parts.uri.path().starts_with("/grpc.reflection.") {
            true => self.reflect(parts, body).await,
            false => self.call(&parts, body).await,
        };
        answered.unwrap_or_else(Answer::response)
    }

    async fn call(&self, parts: &Parts, body: Body) -> Result<Response<Body>, Box<Answer>> {
        let notes = parts.extensions.get::<CallNotes>().cloned().unwrap_or_default();
        let principal = self.principals.authenticate(&parts.headers)?;
        notes.set_principal(&principal.name);
        let path = parts.uri.path();
        let method = MethodName::parse(path).ok_or_else(|| unknown_method(path))?;
        let route = self.routes.find(method.service).ok_or_else(|| unknown_service(&method))?;
        let known = self.catalog.has(method.full);
        if known {
            notes.set_known_method();
        }
        let nature = self.catalog.nature(&route.provider, method.full);
        let call = policy::Call { method, provider: &route.provider, nature };
        let account = policy::decide(&principal.grants, &call, named_account(parts)?)?;
        notes.set_account(&account);
        let ticket = Ticket::take(principal)?;
        if nature != Some(Nature::Read) {
            notes.set_writes();
        }
        let call = forward::Call {
            route,
            path,
            method: if known { method.full } else { chassis::names::OTHER }.into(),
            nature: nature.unwrap_or(Nature::Write),
            deadline: deadline(parts),
            headers: onward(parts, principal, route, &account, &method),
            parent: parts.extensions.get::<Context>().cloned().unwrap_or_default(),
        };
        let response = call.forward(body, ticket, &self.hops).await?;
        Ok(response.map(Body::new))
    }

    async fn reflect(&self, parts: Parts, body: Body) -> Result<Response<Body>, Box<Answer>> {
        if !self.public_reflection {
            self.principals.authenticate(&parts.headers)?;
        }
        let service = self
            .catalog
            .reflection(parts.uri.path())
            .ok_or_else(|| Answer::new(Code::Unavailable, "CATALOG_NOT_READY", "nothing is known to reflect yet"))?;
        let request = Request::from_parts(parts, tonic::body::Body::new(body));
        Ok(catalog::reflect(service, request).await.map(Body::new))
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

/// The metadata for the service: what passes, the account, and who calls, signed for this one service.
fn onward(
    parts: &Parts,
    principal: &Principal,
    route: &Route,
    account: &str,
    method: &MethodName<'_>,
) -> http::HeaderMap {
    let mut onward = headers::to_service(&parts.headers);
    let request_id = onward.get(chassis::names::X_REQUEST_ID);
    let request_id = request_id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let context = route.signer.sign(&principal.name, account, method.full, request_id);
    onward.insert(CONTEXT, context);
    if let Ok(account) = HeaderValue::from_str(account) {
        onward.insert(ONWARD_ACCOUNT, account);
    }
    onward
}

/// The account that the caller names; two of them are a mistake.
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

fn deadline(parts: &Parts) -> Instant {
    let told = parts.extensions.get::<Instant>().copied();
    told.unwrap_or_else(|| Instant::now() + DEFAULT_DEADLINE)
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
