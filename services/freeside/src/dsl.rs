//! `ispbridge.freeside.v1.DslService`: DSL lines and the devices at them.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddDslDeviceRequest, AddDslDeviceResponse, DeleteDslDeviceRequest, DeleteDslDeviceResponse, ListDslDevicesRequest,
    ListDslDevicesResponse, SvcStatusHtmlRequest, SvcStatusHtmlResponse, dsl_service_server::DslService,
};

/// The service over its upstream.
pub struct DslLines(pub Upstream);

#[tonic::async_trait]
impl DslService for DslLines {
    async fn svc_status_html(&self, request: Request<SvcStatusHtmlRequest>) -> Reply<SvcStatusHtmlResponse> {
        self.0.read("svc_status_html", request).await
    }

    async fn list_dsl_devices(&self, request: Request<ListDslDevicesRequest>) -> Reply<ListDslDevicesResponse> {
        self.0.read("list_dsl_devices", request).await
    }

    async fn add_dsl_device(&self, request: Request<AddDslDeviceRequest>) -> Reply<AddDslDeviceResponse> {
        self.0.write("add_dsl_device", request).await
    }

    async fn delete_dsl_device(&self, request: Request<DeleteDslDeviceRequest>) -> Reply<DeleteDslDeviceResponse> {
        self.0.write("delete_dsl_device", request).await
    }
}
