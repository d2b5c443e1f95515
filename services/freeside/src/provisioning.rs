//! `ispbridge.freeside.v1.ProvisioningService`: services in the packages of customers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    DidReportRequest, DidReportResponse, ListSvcsRequest, ListSvcsResponse, PartSvcInfoRequest, PartSvcInfoResponse,
    ProvisionAcctRequest, ProvisionAcctResponse, ProvisionExternalRequest, ProvisionExternalResponse,
    ProvisionForwardRequest, ProvisionForwardResponse, ProvisionPbxRequest, ProvisionPbxResponse,
    ProvisionPhoneRequest, ProvisionPhoneResponse, UnprovisionSvcRequest, UnprovisionSvcResponse,
    provisioning_service_server::ProvisioningService,
};

/// The service over its upstream.
pub struct Provisioning(pub Upstream);

#[tonic::async_trait]
impl ProvisioningService for Provisioning {
    async fn list_svcs(&self, request: Request<ListSvcsRequest>) -> Reply<ListSvcsResponse> {
        self.0.read("list_svcs", request).await
    }

    async fn part_svc_info(&self, request: Request<PartSvcInfoRequest>) -> Reply<PartSvcInfoResponse> {
        self.0.read("part_svc_info", request).await
    }

    async fn provision_acct(&self, request: Request<ProvisionAcctRequest>) -> Reply<ProvisionAcctResponse> {
        self.0.write("provision_acct", request).await
    }

    async fn provision_phone(&self, request: Request<ProvisionPhoneRequest>) -> Reply<ProvisionPhoneResponse> {
        self.0.write("provision_phone", request).await
    }

    async fn provision_pbx(&self, request: Request<ProvisionPbxRequest>) -> Reply<ProvisionPbxResponse> {
        self.0.write("provision_pbx", request).await
    }

    async fn provision_external(&self, request: Request<ProvisionExternalRequest>) -> Reply<ProvisionExternalResponse> {
        self.0.write("provision_external", request).await
    }

    /// The accounts at both ends are looked up by their numbers alone, says Freeside's source.
    async fn provision_forward(&self, request: Request<ProvisionForwardRequest>) -> Reply<ProvisionForwardResponse> {
        self.0.write("provision_forward", request).await
    }

    async fn unprovision_svc(&self, request: Request<UnprovisionSvcRequest>) -> Reply<UnprovisionSvcResponse> {
        self.0.write("unprovision_svc", request).await
    }

    /// The format is always `csv`, see the table of additions in `upstream.rs`.
    async fn did_report(&self, request: Request<DidReportRequest>) -> Reply<DidReportResponse> {
        self.0.read("did_report", request).await
    }
}
