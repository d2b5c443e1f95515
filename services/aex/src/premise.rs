//! `ispbridge.aex.v1.PremiseService`: addresses where services can be.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    GetPremiseRequest, GetPremiseResponse, ListPredefinedPremisesRequest, ListPredefinedPremisesResponse,
    premise_service_server::PremiseService,
};

/// The service over its upstream.
pub struct Premises(pub Upstream);

#[tonic::async_trait]
impl PremiseService for Premises {
    async fn list_predefined_premises(
        &self,
        request: Request<ListPredefinedPremisesRequest>,
    ) -> Reply<ListPredefinedPremisesResponse> {
        self.0.read("GET /predefined-premises", request).await
    }

    async fn get_premise(&self, request: Request<GetPremiseRequest>) -> Reply<GetPremiseResponse> {
        self.0.read("GET /premises/{premise_id}", request).await
    }
}
