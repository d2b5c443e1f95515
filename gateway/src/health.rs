//! `grpc.health.v1` of the gateway: its own state under the empty name, for everybody; a service's under the service's name,
//! for callers of that service; and that of a provider and its accounts (`upstream/<provider>/<account>`) as one of its
//! instances reports it, for callers whose grants reach them.

use std::{pin::Pin, sync::Arc, time::Duration};

use chassis::Process;
use serving::{CallNotes, Draining, Peer};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

use crate::{catalog::Catalog, fleet::routes::Routes, forward::channel::Channel, identity::Identity};

/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a watched service is asked.
const INTERVAL: Duration = Duration::from_secs(2);

/// A health name that begins with `upstream/`.
#[derive(Debug, Clone, Copy)]
struct UpstreamName<'a> {
    provider: &'a str,
    account: Option<&'a str>,
}

/// Answers for the gateway, and asks the services for their health.
#[derive(Debug, Clone)]
pub(crate) struct HealthService {
    routes: Arc<Routes>,
    catalog: Arc<Catalog>,
    identity: Arc<Identity>,
    process: Process,
}

impl HealthService {
    /// The health service of the gateway.
    pub(crate) fn server(
        routes: Arc<Routes>,
        catalog: Arc<Catalog>,
        identity: Arc<Identity>,
        process: Process,
    ) -> HealthServer<Self> {
        HealthServer::new(Self { routes, catalog, identity, process }).max_decoding_message_size(usize::MAX)
    }

    /// The service that is asked for, if the caller may know of it.
    async fn asked(&self, request: Request<HealthCheckRequest>) -> Result<String, Status> {
        let (metadata, extensions, HealthCheckRequest { service }) = request.into_parts();
        let upstream = UpstreamName::of(&service);
        // Names of accounts are no part of the contracts that are open to everybody.
        if service.is_empty() || (upstream.is_none() && self.identity.is_public()) {
            return Ok(service);
        }
        let notes = extensions.get::<CallNotes>().cloned().unwrap_or_default();
        let principal = self.identity.authenticate(metadata.as_ref(), extensions.get::<Peer>(), &notes).await;
        let principal = principal.map_err(|answer| answer.status())?;
        let is_shown = match upstream {
            Some(UpstreamName { provider, account }) => principal.grants.reach_account(provider, account),
            None => self.catalog.shows(&service, &principal.grants),
        };
        if is_shown { Ok(service) } else { Err(no_such_service()) }
    }

    /// The state of a service; `None` if there is no such service.
    async fn state(&self, service: &str) -> Option<ServingStatus> {
        if service.is_empty() {
            let stopping = self.process.is_stopping();
            return Some(if stopping { ServingStatus::NotServing } else { ServingStatus::Serving });
        }
        let (route, known) = match UpstreamName::of(service) {
            Some(upstream) => (self.routes.of_provider(upstream.provider)?, true),
            None => {
                let route = self.routes.find(service)?;
                let known = self.catalog.may_have(&route.provider, service);
                (route, known)
            }
        };
        if !route.is_up() {
            return known.then_some(ServingStatus::NotServing);
        }
        let mut client = HealthClient::with_origin(Channel(Arc::clone(&route)), Channel::origin());
        let request = HealthCheckRequest { service: service.to_owned() };
        match timeout(PATIENCE, client.check(request)).await {
            Ok(Ok(reply)) => Some(reply.into_inner().status()),
            Ok(Err(status)) if status.code() == Code::NotFound => None,
            // An instance without a health service counts as serving.
            Ok(Err(status)) if status.code() == Code::Unimplemented && known => Some(ServingStatus::Serving),
            _ => known.then_some(ServingStatus::NotServing),
        }
    }

    async fn watch_for(self, service: String, states: mpsc::Sender<Result<HealthCheckResponse, Status>>) {
        let mut draining: Draining = self.process.draining();
        let mut told = None;
        while !draining.is_draining() {
            let state = self.state(&service).await.unwrap_or(ServingStatus::ServiceUnknown);
            if told != Some(state) && states.send(Ok(reply(state))).await.is_err() {
                return;
            }
            told = Some(state);
            tokio::select! {
                () = sleep(INTERVAL) => {}
                () = draining.wait() => {}
                () = states.closed() => return,
            }
        }
    }
}

impl<'a> UpstreamName<'a> {
    fn of(service: &'a str) -> Option<Self> {
        let name = service.strip_prefix(protocol::dependency::HEALTH_PREFIX)?;
        let (provider, account) =
            name.split_once('/').map_or((name, None), |(provider, alias)| (provider, Some(alias)));
        Some(Self { provider, account })
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = self.asked(request).await?;
        match self.state(&service).await {
            Some(state) => Ok(Response::new(reply(state))),
            None => Err(no_such_service()),
        }
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let service = self.asked(request).await?;
        let (states, told) = mpsc::channel(1);
        tokio::spawn(self.clone().watch_for(service, states));
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }
}

fn no_such_service() -> Status {
    Status::not_found("there is no such service behind this gateway")
}

fn reply(state: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: state.into() }
}
