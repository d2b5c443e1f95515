//! `ispbridge.azotel.v1.SystemService`: whether the API is there, and what runs over all of its data.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::{
    contract::{
        PingApiRequest, PingApiResponse, UpdateGpsDetailsRequest, UpdateGpsDetailsResponse,
        system_service_server::SystemService,
    },
    upstream::scope,
};

/// The service over its upstream.
pub struct System(pub Upstream);

#[tonic::async_trait]
impl SystemService for System {
    async fn ping_api(&self, request: Request<PingApiRequest>) -> Reply<PingApiResponse> {
        self.0.read("pingAPI", request).await
    }

    /// The function has no attributes and works on every account (SIMPLer API 2011-2Q, updateGPSdetails).
    async fn update_gps_details(
        &self,
        mut request: Request<UpdateGpsDetailsRequest>,
    ) -> Reply<UpdateGpsDetailsResponse> {
        let scope = scope(None, request.get_mut().all_customers.take());
        scope.map_err(|problems| self.0.invalid(problems))?;
        self.0.write("updateGPSdetails", request).await
    }
}
