//! `ispbridge.freeside.v1.PackageService`: what customers have ordered.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    ChangePkgRequest, ChangePkgResponse, ListPkgsRequest, ListPkgsResponse, OrderPkgRequest, OrderPkgResponse,
    OrderRechargeRequest, OrderRechargeResponse, OrderRenewRequest, OrderRenewResponse, PkgInfoRequest,
    PkgInfoResponse, RenewInfoRequest, RenewInfoResponse, package_service_server::PackageService,
};

/// The service over its upstream.
pub struct Packages(pub Upstream);

#[tonic::async_trait]
impl PackageService for Packages {
    async fn list_pkgs(&self, request: Request<ListPkgsRequest>) -> Reply<ListPkgsResponse> {
        self.0.read("list_pkgs", request).await
    }

    async fn order_pkg(&self, request: Request<OrderPkgRequest>) -> Reply<OrderPkgResponse> {
        self.0.write("order_pkg", request).await
    }

    async fn pkg_info(&self, request: Request<PkgInfoRequest>) -> Reply<PkgInfoResponse> {
        self.0.read("pkg_info", request).await
    }

    /// The number of the package is not checked against the customer or the reseller (Freeside's source).
    async fn change_pkg(&self, request: Request<ChangePkgRequest>) -> Reply<ChangePkgResponse> {
        self.0.write("change_pkg", request).await
    }

    /// The customer is checked, the service is not: Freeside's source looks it up by its number alone.
    async fn order_recharge(&self, request: Request<OrderRechargeRequest>) -> Reply<OrderRechargeResponse> {
        self.0.write("order_recharge", request).await
    }

    async fn renew_info(&self, request: Request<RenewInfoRequest>) -> Reply<RenewInfoResponse> {
        self.0.read("renew_info", request).await
    }

    async fn order_renew(&self, request: Request<OrderRenewRequest>) -> Reply<OrderRenewResponse> {
        self.0.write("order_renew", request).await
    }
}
