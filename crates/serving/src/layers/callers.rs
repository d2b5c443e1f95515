//! Whom the process believes: the gateway's signed word, or (on a loopback listener only) everybody.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderValue, Response};
use protocol::headers::{ACCOUNT, CONTEXT};
use protocol::{
    Body, Outcome, answer,
    caller::{Caller, Verifier},
};
use tonic::Code;

use super::{Request, Service, exempt, request_id};
use crate::notes::CallNotes;

/// Lets in who is believed; without a verifier everybody is.
#[derive(Debug)]
pub(crate) struct Callers<S> {
    inner: S,
    verifier: Option<Arc<ArcSwap<Verifier>>>,
}

impl<S> Callers<S> {
    pub(crate) fn new(inner: S, verifier: Option<Arc<ArcSwap<Verifier>>>) -> Self {
        Self { inner, verifier }
    }
}

impl<S: Service<Reply = Body>> Service for Callers<S> {
    type Reply = Body;

    async fn call(&self, mut request: Request) -> Response<Body> {
        match &self.verifier {
            Some(verifier) if !exempt(request.uri().path()) => {
                let method = request.uri().path().trim_start_matches('/');
                let request_id = request_id::of(request.headers());
                match verifier.load().verify(request.headers().get(CONTEXT), method, request_id) {
                    Ok(caller) => introduce(&mut request, caller),
                    Err(distrust) => return refusal(&distrust.to_string()),
                }
            }
            _ => note_account(&request),
        }
        self.inner.call(request).await
    }
}

/// Replaces what the request says of itself by what the gateway says of it.
fn introduce(request: &mut Request, caller: Caller) {
    let headers = request.headers_mut();
    headers.remove(CONTEXT);
    headers.remove(ACCOUNT);
    if let Ok(account) = HeaderValue::from_str(&caller.account)
        && !account.is_empty()
    {
        headers.insert(ACCOUNT, account);
    }
    if let Some(notes) = request.extensions().get::<CallNotes>() {
        notes.set_principal(&caller.principal);
        notes.set_authentication("gateway");
        notes.set_account(&caller.account);
    }
    request.extensions_mut().insert(caller);
}

fn note_account(request: &Request) {
    let account = request.headers().get(ACCOUNT).and_then(|account| account.to_str().ok());
    if let (Some(notes), Some(account)) = (request.extensions().get::<CallNotes>(), account) {
        notes.set_account(account);
    }
}

fn refusal(why: &str) -> Response<Body> {
    answer::reply(answer::status(Code::Unauthenticated, "CALLER_CONTEXT", why, Outcome::NotSent))
}
