//! `ispbridge.azotel.v1.SystemService`: whether the API is there.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{PingApiRequest, PingApiResponse, system_service_server::SystemService};

/// The service over its upstream.
pub struct System(pub Upstream);

#[tonic::async_trait]
impl SystemService for System {
    async fn ping_api(&self, request: Request<PingApiRequest>) -> Reply<PingApiResponse> {
        self.0.read("pingAPI", request).await
    }
}
