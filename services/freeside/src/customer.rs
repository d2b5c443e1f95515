//! `ispbridge.freeside.v1.CustomerService`: new customers and their records.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    BillingHistoryRequest, BillingHistoryResponse, CustomerInfoRequest, CustomerInfoResponse, CustomerInfoShortRequest,
    CustomerInfoShortResponse, CustomerRecurringRequest, CustomerRecurringResponse, NewCustomerRequest,
    NewCustomerResponse, customer_service_server::CustomerService,
};

/// The service over its upstream.
pub struct Customers(pub Upstream);

#[tonic::async_trait]
impl CustomerService for Customers {
    /// The upstream's own door repeats a call that fails in the middle up to 25 times (Freeside's source), so a
    /// fault says nothing about how often it ran: it is never sent again from here.
    async fn new_customer(&self, request: Request<NewCustomerRequest>) -> Reply<NewCustomerResponse> {
        self.0.write("new_customer", request).await
    }

    async fn customer_info(&self, request: Request<CustomerInfoRequest>) -> Reply<CustomerInfoResponse> {
        self.0.read("customer_info", request).await
    }

    async fn customer_info_short(
        &self,
        request: Request<CustomerInfoShortRequest>,
    ) -> Reply<CustomerInfoShortResponse> {
        self.0.read("customer_info_short", request).await
    }

    async fn customer_recurring(&self, request: Request<CustomerRecurringRequest>) -> Reply<CustomerRecurringResponse> {
        self.0.read("customer_recurring", request).await
    }

    async fn billing_history(&self, request: Request<BillingHistoryRequest>) -> Reply<BillingHistoryResponse> {
        self.0.read("billing_history", request).await
    }
}
