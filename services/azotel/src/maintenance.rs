//! `ispbridge.azotel.v1.MaintenanceService`: the tracking of installers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddInstallerTrackingRequest, AddInstallerTrackingResponse, maintenance_service_server::MaintenanceService,
};

/// The service over its upstream.
pub struct Maintenance(pub Upstream);

#[tonic::async_trait]
impl MaintenanceService for Maintenance {
    async fn add_installer_tracking(
        &self,
        request: Request<AddInstallerTrackingRequest>,
    ) -> Reply<AddInstallerTrackingResponse> {
        self.0.write("addInstallerTracking", "CustomerService/GetCustomerData", request).await
    }
}
