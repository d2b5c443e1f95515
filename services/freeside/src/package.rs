//! `ispbridge.freeside.v1.PackageService`: what customers have ordered.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    ListPkgsRequest, ListPkgsResponse, OrderPkgRequest, OrderPkgResponse, package_service_server::PackageService,
};

/// The service over its upstream.
pub struct Packages(pub Upstream);

#[tonic::async_trait]
impl PackageService for Packages {
    async fn list_pkgs(&self, request: Request<ListPkgsRequest>) -> Reply<ListPkgsResponse> {
        self.0.read("list_pkgs", request).await
    }

    async fn order_pkg(&self, request: Request<OrderPkgRequest>) -> Reply<OrderPkgResponse> {
        self.0.write("order_pkg", "PackageService/ListPkgs", request).await
    }
}
