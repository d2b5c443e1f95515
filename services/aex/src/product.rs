//! `ispbridge.aex.v1.ProductService`: what can be ordered at a place.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    ListAvailableProductsRequest, ListAvailableProductsResponse, product_service_server::ProductService,
};

/// The service over its upstream.
pub struct Products(pub Upstream);

#[tonic::async_trait]
impl ProductService for Products {
    async fn list_available_products(
        &self,
        request: Request<ListAvailableProductsRequest>,
    ) -> Reply<ListAvailableProductsResponse> {
        self.0.read("GET /products/availability/{latitude}/{longitude}", request).await
    }
}
