//! By which names the admin port may be asked for.
//!
//! A page of a stranger can give a name of its own to any address that a browser reaches (DNS rebinding) and then reads what
//! it likes, because to the browser it is the page's own server. What such a request cannot have is an address, `localhost`
//! or a name of ours in its `Host`.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serving::Host;

use crate::process::Process;

/// Answers only who asks for this machine.
pub(super) async fn guard(State(process): State<Process>, request: Request, next: Next) -> Response {
    let hosts = &process.settings().admin.hosts;
    match Host::of(request.headers()) {
        Ok(host) if host.is_address() || hosts.iter().any(|name| host.is(name)) => next.run(request).await,
        Ok(_) => {
            let text = "ask for localhost, for the address itself, or for a name that stands in admin.hosts\n";
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
        Err(fault) => (StatusCode::BAD_REQUEST, format!("{fault}\n")).into_response(),
    }
}
