//! `ispbridge.freeside.v1.PaymentMeansService`: cards and bank accounts of customers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    DeletePaybyRequest, DeletePaybyResponse, InsertPaybyRequest, InsertPaybyResponse, ListPaybyRequest,
    ListPaybyResponse, UpdatePaybyRequest, UpdatePaybyResponse, payment_means_service_server::PaymentMeansService,
};

/// The service over its upstream.
pub struct AllPaymentMeans(pub Upstream);

#[tonic::async_trait]
impl PaymentMeansService for AllPaymentMeans {
    async fn list_payby(&self, request: Request<ListPaybyRequest>) -> Reply<ListPaybyResponse> {
        self.0.read("list_payby", request).await
    }

    async fn insert_payby(&self, request: Request<InsertPaybyRequest>) -> Reply<InsertPaybyResponse> {
        self.0.write("insert_payby", request).await
    }

    async fn update_payby(&self, request: Request<UpdatePaybyRequest>) -> Reply<UpdatePaybyResponse> {
        self.0.write("update_payby", request).await
    }

    async fn delete_payby(&self, request: Request<DeletePaybyRequest>) -> Reply<DeletePaybyResponse> {
        self.0.write("delete_payby", request).await
    }
}
