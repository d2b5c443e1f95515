//! `ispbridge.demo.v1.CustomerService`: customers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddCustomerRequest, AddCustomerResponse, GetCustomerRequest, GetCustomerResponse,
    customer_service_server::CustomerService,
};

/// The service over its upstream.
pub struct Customers(pub Upstream);

#[tonic::async_trait]
impl CustomerService for Customers {
    async fn get_customer(&self, request: Request<GetCustomerRequest>) -> Reply<GetCustomerResponse> {
        self.0.read("WIRE_READ", request).await
    }

    async fn add_customer(&self, request: Request<AddCustomerRequest>) -> Reply<AddCustomerResponse> {
        self.0.write("WIRE_WRITE", request).await
    }
}
