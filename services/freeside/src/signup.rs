//! `ispbridge.freeside.v1.SignupService`: what precedes and makes a customer.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    NewCustomerMinimalRequest, NewCustomerMinimalResponse, NewProspectRequest, NewProspectResponse, SignupInfoRequest,
    SignupInfoResponse, signup_service_server::SignupService,
};

/// The service over its upstream.
pub struct Signups(pub Upstream);

#[tonic::async_trait]
impl SignupService for Signups {
    async fn signup_info(&self, request: Request<SignupInfoRequest>) -> Reply<SignupInfoResponse> {
        self.0.read("signup_info", request).await
    }

    async fn new_customer_minimal(
        &self,
        request: Request<NewCustomerMinimalRequest>,
    ) -> Reply<NewCustomerMinimalResponse> {
        self.0.write("new_customer_minimal", request).await
    }

    /// No method lists prospects, so no probe tells whether one was kept.
    async fn new_prospect(&self, request: Request<NewProspectRequest>) -> Reply<NewProspectResponse> {
        self.0.write("new_prospect", request).await
    }
}
