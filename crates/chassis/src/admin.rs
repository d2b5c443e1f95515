//! The admin port: for orchestrators, scrapers and the people who look after the process, not for callers.

mod control;
mod ready;
mod scrape;

use std::net::SocketAddr;

use axum::{Json, Router, extract::State, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::{Process, record::Shown};

#[derive(Debug, Serialize)]
struct BuildInfo {
    name: &'static str,
    version: &'static str,
}

/// Serves the admin port until the process is gone.
pub(crate) async fn serve(socket: TcpListener, process: Process, own: Router) {
    // The loop of axum ends only with its task.
    let routes = routes(process).merge(own).into_make_service_with_connect_info::<SocketAddr>();
    let _ = axum::serve(socket, routes).await;
}

fn routes(process: Process) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::answer))
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
    Json(process.record().shown(process.sources()))
}
