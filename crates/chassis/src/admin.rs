//! The admin port: for orchestrators, scrapers and the people who look after the process, not for callers.

mod control;
mod names;
mod ready;
mod scrape;
mod spare;

use std::net::SocketAddr;

use axum::{Json, Router, extract::State, middleware, routing::get, serve::ListenerExt};
use serde::Serialize;
use serving::Dependencies;
use tokio::net::TcpListener;

use self::spare::Sparing;
use crate::{config_status::Shown, process::Process};

#[derive(Debug, Serialize)]
struct BuildInfo {
    name: &'static str,
    version: &'static str,
}

/// Serves the admin port until the process is gone.
pub(crate) async fn serve(socket: TcpListener, process: Process, own: Router, dependencies: Dependencies) {
    // The loop of axum ends only with its task.
    let guard = middleware::from_fn_with_state(process.clone(), names::guard);
    let ready = Router::new().route("/readyz", get(ready::answer)).with_state((process.clone(), dependencies));
    let routes = routes(process).merge(ready).merge(own).layer(guard);
    // A small answer waits for nothing; if the option cannot be set it comes a little later.
    let socket = Sparing::new(socket).tap_io(|stream| drop(stream.set_nodelay(true)));
    let _ = axum::serve(socket, routes.into_make_service_with_connect_info::<SocketAddr>()).await;
}

fn routes(process: Process) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/metrics", get(scrape::metrics))
        .route("/buildinfo", get(build_info))
        .route("/config", get(config))
        .merge(control::routes(&process))
        .with_state(process)
}

async fn build_info(State(process): State<Process>) -> Json<BuildInfo> {
    Json(BuildInfo { name: process.name(), version: env!("CARGO_PKG_VERSION") })
}

async fn config(State(process): State<Process>) -> Json<Shown> {
    Json(process.config_status().shown(process.sources()))
}
