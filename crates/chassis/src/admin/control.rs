//! What changes a process or shows its calls: only for who is on the machine, unless the configuration says otherwise.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{ConnectInfo, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http_body::Frame;
use protocol::Body;
use serde::Deserialize;
use telemetry::log;
use tokio::sync::mpsc;

use crate::{
    audit::Change,
    process::Process,
    tap::{Form, Wish},
};

/// Lines on their way to one who looks; the task that makes them waits when there are more.
const LINES: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: String,
}

/// A body that is sent as it is made.
struct Lines(mpsc::Receiver<Bytes>);

/// The routes, closed to everybody who should not have them.
pub(super) fn routes(process: &Process) -> Router<Process> {
    Router::new()
        .route("/log", get(level).put(set_level).delete(reset_level))
        .route("/tap", get(tap))
        .layer(middleware::from_fn_with_state(process.clone(), guard))
}

/// Lets in who is on the machine, by the listener's address.
async fn guard(State(process): State<Process>, request: Request, next: Next) -> Response {
    let admin = &process.settings().admin;
    let is_local = admin.listen.is_some_and(|address| address.ip().is_loopback());
    if admin.control.unwrap_or(is_local) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "admin.control is off: this listener is not on loopback\n").into_response()
}

async fn level() -> Response {
    match log::level() {
        Some(level) => format!("{level}\n").into_response(),
        None => no_log(),
    }
}

async fn set_level(State(process): State<Process>, client: Client, Query(Level { level }): Query<Level>) -> Response {
    let before = log::level();
    match log::set_level(&level) {
        Some(Ok(())) => {
            write_down(&process, &client, before);
            format!("{level}\n").into_response()
        }
        Some(Err(error)) => (StatusCode::BAD_REQUEST, format!("level {level:?}: {error}\n")).into_response(),
        None => no_log(),
    }
}

async fn reset_level(State(process): State<Process>, client: Client) -> Response {
    let before = log::level();
    match log::reset_level() {
        Some(level) => {
            write_down(&process, &client, before);
            format!("{level}\n").into_response()
        }
        None => no_log(),
    }
}

/// Who asks, as far as a connection says it.
type Client = ConnectInfo<SocketAddr>;

fn write_down(process: &Process, ConnectInfo(client): &Client, before: Option<String>) {
    let (actor, after) = (format!("admin {client}"), log::level());
    process.write_down(Change { kind: "log", actor, before: before.into(), after: after.into() });
}

/// Somebody who runs several programs in one process has a log of his own.
fn no_log() -> Response {
    (StatusCode::NOT_FOUND, "the log of this process is not ours\n").into_response()
}

async fn tap(State(process): State<Process>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (form, kind) = match accepts.contains("text/event-stream") {
        true => (Form::Events, "text/event-stream"),
        false => (Form::Lines, "application/jsonl"),
    };
    let Some(look) = process.tap().look(wish, form) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "as many people are looking as may\n").into_response();
    };
    let (lines, sent) = mpsc::channel(LINES);
    tokio::spawn(look.send(lines, process.draining()));
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::new(Lines(sent))).into_response()
}

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
