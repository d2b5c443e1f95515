//! `ispbridge.azotel.v1.SubscriptionService`: products and subscriptions to them.

use bridge::{
    Reply, Upstream,
    problem::{Problem, Problems},
};
use tonic::Request;

use crate::{
    contract::{
        AddSubscriptionRequest, AddSubscriptionResponse, DeleteSubscriptionRequest, DeleteSubscriptionResponse,
        GetActiveSubscriptionDataRequest, GetActiveSubscriptionDataResponse, GetProductsRequest, GetProductsResponse,
        UpdateBucketsFromSubscriptionRequest, UpdateBucketsFromSubscriptionResponse,
        subscription_service_server::SubscriptionService,
    },
    upstream::scope,
};

/// The service over its upstream.
pub struct Subscriptions(pub Upstream);

#[tonic::async_trait]
impl SubscriptionService for Subscriptions {
    async fn add_subscription(&self, request: Request<AddSubscriptionRequest>) -> Reply<AddSubscriptionResponse> {
        self.0.write("addSubscription", request).await
    }

    /// The document calls the id required and offers a product's besides; what has neither could be
    /// anything.
    async fn delete_subscription(
        &self,
        request: Request<DeleteSubscriptionRequest>,
    ) -> Reply<DeleteSubscriptionResponse> {
        let message = request.get_ref();
        if message.subscription_id().is_empty() && message.active_product_id().is_empty() {
            let problem = Problem::new("subscription_id", "or active_product_id is required");
            return Err(self.0.invalid(Problems(vec![problem])));
        }
        self.0.write("deleteSubscription", request).await
    }

    async fn get_active_subscription_data(
        &self,
        request: Request<GetActiveSubscriptionDataRequest>,
    ) -> Reply<GetActiveSubscriptionDataResponse> {
        self.0.read("getActiveSubscriptionData", request).await
    }

    async fn get_products(&self, request: Request<GetProductsRequest>) -> Reply<GetProductsResponse> {
        self.0.read("getProducts", request).await
    }

    /// Without a customer the upstream works on every account, so that the call must say that it means
    /// that.
    async fn update_buckets_from_subscription(
        &self,
        mut request: Request<UpdateBucketsFromSubscriptionRequest>,
    ) -> Reply<UpdateBucketsFromSubscriptionResponse> {
        let message = request.get_mut();
        let scope = scope(message.customer_id.as_deref(), message.all_customers.take());
        scope.map_err(|problems| self.0.invalid(problems))?;
        self.0.write("updateBucketsFromSubscription", request).await
    }
}
