//! `ispbridge.azotel.v1.NetworkService`: RADIUS entries of customers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    ChangeCustomerRadiusRequest, ChangeCustomerRadiusResponse, ListCustomerRadiusRequest, ListCustomerRadiusResponse,
    network_service_server::NetworkService,
};

/// The service over its upstream.
pub struct Network(pub Upstream);

#[tonic::async_trait]
impl NetworkService for Network {
    /// One upstream function reads and writes by its `action`; here reading is a call of its own, so that
    /// it may be repeated.
    async fn list_customer_radius(
        &self,
        request: Request<ListCustomerRadiusRequest>,
    ) -> Reply<ListCustomerRadiusResponse> {
        self.0.read("customerRadius list", request).await
    }

    async fn change_customer_radius(
        &self,
        request: Request<ChangeCustomerRadiusRequest>,
    ) -> Reply<ChangeCustomerRadiusResponse> {
        self.0.write("customerRadius", "NetworkService/ListCustomerRadius", request).await
    }
}
