//! An upstream in this process that counts how often each order was carried out, by the id that its caller chose.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};

use crate::{Failure, stand_in};

/// How long it works on a call: so many are under way that a process never dies alone.
const WORK: Duration = Duration::from_millis(20);

/// What was carried out.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<HashMap<String, u32>>>);

impl Ledger {
    /// Serves for as long as this process.
    pub(super) async fn serve() -> Result<(Self, SocketAddr), Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (ledger, address) = (Self::default(), listener.local_addr()?);
        tokio::spawn(ledger.clone().accept(listener));
        Ok((ledger, address))
    }

    /// How often each order was carried out.
    pub(super) fn executions(&self) -> HashMap<String, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let ledger = self.clone();
            let answer = move |request| ledger.clone().answer(request);
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
        let is_order = request.method() == Method::POST;
        let body = request.into_body().collect().await?.to_bytes();
        let (status, reply) = match is_order {
            true => (StatusCode::CREATED, self.execute(&body)?.into()),
            false => (StatusCode::OK, Bytes::from_static(stand_in::body(stand_in::PREMISE).as_bytes())),
        };
        sleep(WORK).await;
        let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
        Ok(response.body(Full::new(reply))?)
    }

    /// Carries an order out before anything else can go wrong.
    fn execute(&self, body: &[u8]) -> Result<String, Failure> {
        let order: Value = serde_json::from_slice(body)?;
        let id =
            order.pointer("/premise/external_reference").and_then(Value::as_str).ok_or("an order without an id")?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default() += 1;
        let reply = json!({
            "customer": { "id": order["customer"]["id"] }, "premise": { "external_reference": id },
            "service": { "service_id": id },
        });
        Ok(reply.to_string())
    }
}
