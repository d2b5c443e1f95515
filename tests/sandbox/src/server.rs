//! One accept loop per upstream, on hyper alone: a misbehaving upstream must be able to reach its own socket.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::call::{Call, Reply};
use crate::control;
use crate::host::Host;
use crate::ledger::Kind;

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>\
    <form method=\"post\" action=\"/auth/login\"><input name=\"username\"><input name=\"password\" type=\"password\">\
    </form></body></html>\n";

/// How a connection ends when it does not end with a reply.
enum Ending {
    Reset,
    Cut(Reply),
}

type Lever = Arc<Mutex<Option<oneshot::Sender<Ending>>>>;

/// Accepts connections for ever; the task's end closes them all.
pub(crate) async fn serve(listener: TcpListener, host: Arc<Host>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors: wait for some to come back instead of spinning.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(converse(stream, peer.ip(), Arc::clone(&host)));
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, host: Arc<Host>) {
    let (end, ended) = oneshot::channel();
    let lever: Lever = Arc::new(Mutex::new(Some(end)));
    let service = service_fn(move |request| Box::pin(exchange(request, peer, Arc::clone(&host), Arc::clone(&lever))));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).title_case_headers(true);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let ending = tokio::select! {
        _ = &mut connection => return,
        ending = ended => ending,
    };
    if let Ok(ending) = ending {
        finish(connection.into_parts().io.into_inner(), ending).await;
    }
}

async fn finish(mut stream: TcpStream, ending: Ending) {
    match ending {
        // With no linger the drop sends RST instead of FIN.
        Ending::Reset => {
            let _ = stream.set_zero_linger();
        }
        Ending::Cut(reply) => {
            let _ = stream.write_all(&reply.half()).await;
            let _ = stream.shutdown().await;
        }
    }
}

async fn exchange(
    request: Request<Incoming>,
    peer: IpAddr,
    host: Arc<Host>,
    lever: Lever,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(Reply::empty(400).into_response());
    };
    let call = Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        peer,
        headers: head.headers,
        body: body.to_bytes(),
        as_printed: false,
    };
    // A task of its own: an upstream goes on with its work when the caller has gone away.
    let ending = match tokio::spawn(async move { behave(call, &host).await }).await {
        Ok(Ok(reply)) => return Ok(reply.into_response()),
        Ok(Err(ending)) => ending,
        Err(_) => return Ok(Reply::text(500, "the sandbox itself failed").into_response()),
    };
    if let Some(end) = lever.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = end.send(ending);
    }
    std::future::pending().await
}

async fn behave(mut call: Call, host: &Host) -> Result<Reply, Ending> {
    if let Some(reply) = control::answer(&call, host) {
        return Ok(reply);
    }
    let operation = host.upstream.operation(&call);
    match host.ledger.arrive(&operation, &call.path) {
        None => Ok(host.commit(&call, &operation)),
        Some(kind) => misbehave(kind, &mut call, host, &operation).await,
    }
}

async fn misbehave(kind: Kind, call: &mut Call, host: &Host, operation: &str) -> Result<Reply, Ending> {
    Ok(match kind {
        Kind::Latency { ms, after_commit: true } => {
            let reply = host.commit(call, operation);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            reply
        }
        Kind::Latency { ms, after_commit: false } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            host.commit(call, operation)
        }
        Kind::ResetBeforeCommit => return Err(Ending::Reset),
        Kind::ResetAfterCommit => {
            host.commit(call, operation);
            return Err(Ending::Reset);
        }
        Kind::TruncateAfterCommit => return Err(Ending::Cut(host.commit(call, operation))),
        Kind::WrongContentType => host.commit(call, operation).with(CONTENT_TYPE, "text/plain"),
        Kind::HtmlLoginPage => Reply::html(200, LOGIN_PAGE),
        Kind::RateLimit { retry_after } => {
            Reply::text(429, "Too Many Requests").with(RETRY_AFTER, &retry_after.to_string())
        }
        Kind::Http500 { after_commit } => {
            if after_commit {
                host.commit(call, operation);
            }
            host.upstream.crash(call)
        }
        Kind::ExpireSessions => {
            host.upstream.expire_sessions();
            host.commit(call, operation)
        }
        Kind::WithoutLocation => {
            let mut reply = host.commit(call, operation);
            reply.headers.remove(LOCATION);
            reply
        }
        Kind::AsPrinted => {
            call.as_printed = true;
            host.commit(call, operation)
        }
    })
}
