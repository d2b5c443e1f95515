//! `ispbridge.azotel.v1.MaintenanceService`: maintenance tickets, the work on them, and attachments.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddInstallerTrackingRequest, AddInstallerTrackingResponse, AddMaintenanceRequest, AddMaintenanceResponse,
    DeleteInstallerTrackingRequest, DeleteInstallerTrackingResponse, GetMaintenanceDataRequest,
    GetMaintenanceDataResponse, ModifyInstallerTrackingRequest, ModifyInstallerTrackingResponse,
    ModifyMaintenanceRequest, ModifyMaintenanceResponse, SynchronizeCustomerAttachmentsRequest,
    SynchronizeCustomerAttachmentsResponse, SynchronizeMaintenanceAttachmentsRequest,
    SynchronizeMaintenanceAttachmentsResponse, maintenance_service_server::MaintenanceService,
};

/// The service over its upstream.
pub struct Maintenance(pub Upstream);

#[tonic::async_trait]
impl MaintenanceService for Maintenance {
    async fn add_installer_tracking(
        &self,
        request: Request<AddInstallerTrackingRequest>,
    ) -> Reply<AddInstallerTrackingResponse> {
        self.0.write("addInstallerTracking", request).await
    }

    async fn modify_installer_tracking(
        &self,
        request: Request<ModifyInstallerTrackingRequest>,
    ) -> Reply<ModifyInstallerTrackingResponse> {
        self.0.write("modifyInstallerTracking", request).await
    }

    async fn delete_installer_tracking(
        &self,
        request: Request<DeleteInstallerTrackingRequest>,
    ) -> Reply<DeleteInstallerTrackingResponse> {
        self.0.write("deleteInstallerTracking", request).await
    }

    async fn add_maintenance(&self, request: Request<AddMaintenanceRequest>) -> Reply<AddMaintenanceResponse> {
        self.0.write("addMaintenance", request).await
    }

    async fn modify_maintenance(&self, request: Request<ModifyMaintenanceRequest>) -> Reply<ModifyMaintenanceResponse> {
        self.0.write("modifyMaintenance", request).await
    }

    async fn get_maintenance_data(
        &self,
        request: Request<GetMaintenanceDataRequest>,
    ) -> Reply<GetMaintenanceDataResponse> {
        self.0.read("getMaintenanceData", request).await
    }

    async fn synchronize_customer_attachments(
        &self,
        request: Request<SynchronizeCustomerAttachmentsRequest>,
    ) -> Reply<SynchronizeCustomerAttachmentsResponse> {
        self.0.write("synchronizeCustomerAttachments", request).await
    }

    async fn synchronize_maintenance_attachments(
        &self,
        request: Request<SynchronizeMaintenanceAttachmentsRequest>,
    ) -> Reply<SynchronizeMaintenanceAttachmentsResponse> {
        self.0.write("synchronizeMaintenanceAttachments", request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::AttachmentRight,
        upstream::tests::{refused, sent},
    };

    #[test]
    fn rights_are_an_array_of_the_database() {
        let rights = vec![AttachmentRight::BillingInformation.into(), AttachmentRight::Maintenance.into()];
        let nothing = SynchronizeCustomerAttachmentsRequest::default();
        assert_eq!(refused(&nothing), ["customer_id", "filename_pattern", "description", "rights"]);
        let text = || "x".to_owned();
        let files = SynchronizeCustomerAttachmentsRequest {
            customer_id: text(),
            filename_pattern: text(),
            description: text(),
            rights,
            mode: None,
        };
        let (_, json) = sent("synchronizeCustomerAttachments", &files);
        assert!(json.ends_with(r#""rights":"{\"billing information\",\"maintenance\"}"}"#), "{json}");
    }
}
