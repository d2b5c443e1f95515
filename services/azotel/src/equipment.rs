//! `ispbridge.azotel.v1.EquipmentService`: equipment, and the sites and customers where it stands.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddBasestationRequest, AddBasestationResponse, AddCpeRequest, AddCpeResponse, AddEquipmentLoginDetailsRequest,
    AddEquipmentLoginDetailsResponse, AddEquipmentRequest, AddEquipmentResponse, AddSiteRequest, AddSiteResponse,
    DeleteBasestationRequest, DeleteBasestationResponse, DeleteCpeRequest, DeleteCpeResponse,
    DeleteEquipmentLoginDetailsRequest, DeleteEquipmentLoginDetailsResponse, DeleteSiteRequest, DeleteSiteResponse,
    GetCpeDataRequest, GetCpeDataResponse, ListEquipmentRequest, ListEquipmentResponse, ModifyBasestationRequest,
    ModifyBasestationResponse, ModifyCpeRequest, ModifyCpeResponse, ModifyEquipmentRequest, ModifyEquipmentResponse,
    ModifySiteRequest, ModifySiteResponse, equipment_service_server::EquipmentService,
};

/// The service over its upstream.
pub struct Equipment(pub Upstream);

#[tonic::async_trait]
impl EquipmentService for Equipment {
    async fn list_equipment(&self, request: Request<ListEquipmentRequest>) -> Reply<ListEquipmentResponse> {
        self.0.read("listEquipment", request).await
    }

    async fn add_cpe(&self, request: Request<AddCpeRequest>) -> Reply<AddCpeResponse> {
        self.0.write("addCPE", request).await
    }

    async fn add_equipment(&self, request: Request<AddEquipmentRequest>) -> Reply<AddEquipmentResponse> {
        self.0.write("addEquipment", request).await
    }

    async fn modify_equipment(&self, request: Request<ModifyEquipmentRequest>) -> Reply<ModifyEquipmentResponse> {
        self.0.write("modifyEquipment", request).await
    }

    async fn add_equipment_login_details(
        &self,
        request: Request<AddEquipmentLoginDetailsRequest>,
    ) -> Reply<AddEquipmentLoginDetailsResponse> {
        self.0.write("addEquipmentLoginDetails", request).await
    }

    async fn delete_equipment_login_details(
        &self,
        request: Request<DeleteEquipmentLoginDetailsRequest>,
    ) -> Reply<DeleteEquipmentLoginDetailsResponse> {
        self.0.write("deleteEquipmentLoginDetails", request).await
    }

    async fn modify_cpe(&self, request: Request<ModifyCpeRequest>) -> Reply<ModifyCpeResponse> {
        self.0.write("modifyCPE", request).await
    }

    async fn delete_cpe(&self, request: Request<DeleteCpeRequest>) -> Reply<DeleteCpeResponse> {
        self.0.write("deleteCPE", request).await
    }

    async fn get_cpe_data(&self, request: Request<GetCpeDataRequest>) -> Reply<GetCpeDataResponse> {
        self.0.read("getCPEData", request).await
    }

    async fn add_basestation(&self, request: Request<AddBasestationRequest>) -> Reply<AddBasestationResponse> {
        self.0.write("addBasestation", request).await
    }

    async fn modify_basestation(&self, request: Request<ModifyBasestationRequest>) -> Reply<ModifyBasestationResponse> {
        self.0.write("modifyBasestation", request).await
    }

    async fn delete_basestation(&self, request: Request<DeleteBasestationRequest>) -> Reply<DeleteBasestationResponse> {
        self.0.write("deleteBasestation", request).await
    }

    async fn add_site(&self, request: Request<AddSiteRequest>) -> Reply<AddSiteResponse> {
        self.0.write("addSite", request).await
    }

    async fn modify_site(&self, request: Request<ModifySiteRequest>) -> Reply<ModifySiteResponse> {
        self.0.write("modifySite", request).await
    }

    async fn delete_site(&self, request: Request<DeleteSiteRequest>) -> Reply<DeleteSiteResponse> {
        self.0.write("deleteSite", request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::received;

    #[test]
    fn both_transports_list_the_same() {
        let xml =
            "<Equipment><1><id>1</id><date_added>2016-08-10 05:49:50.297976</date_added><ki></ki></1></Equipment>";
        let json = r#"{"equipment":[{"ki":"","id":"1","date_added":"2016-08-10 05:49:50.297976"}]}"#;
        let list: ListEquipmentResponse = received("listEquipment", xml, json);
        assert_eq!((list.equipment[0].id.as_str(), list.equipment[0].sim_key.is_some()), ("1", false));
    }
}
