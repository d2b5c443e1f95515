//! `ispbridge.azotel.v1.EquipmentService`: equipment, and what of it stands at customers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddCpeRequest, AddCpeResponse, ListEquipmentRequest, ListEquipmentResponse,
    equipment_service_server::EquipmentService,
};

/// The service over its upstream.
pub struct Equipment(pub Upstream);

#[tonic::async_trait]
impl EquipmentService for Equipment {
    async fn list_equipment(&self, request: Request<ListEquipmentRequest>) -> Reply<ListEquipmentResponse> {
        self.0.read("listEquipment", request).await
    }

    async fn add_cpe(&self, request: Request<AddCpeRequest>) -> Reply<AddCpeResponse> {
        self.0.write("addCPE", "CustomerService/GetCustomerData", request).await
    }
}
