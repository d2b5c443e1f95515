//! `ispbridge.azotel.v1.SalesService`: tasks of sales people.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddSalesmanTaskRequest, AddSalesmanTaskResponse, DeleteSalesmanTaskRequest, DeleteSalesmanTaskResponse,
    ModifySalesmanTaskRequest, ModifySalesmanTaskResponse, sales_service_server::SalesService,
};

/// The service over its upstream.
pub struct Sales(pub Upstream);

#[tonic::async_trait]
impl SalesService for Sales {
    async fn add_salesman_task(&self, request: Request<AddSalesmanTaskRequest>) -> Reply<AddSalesmanTaskResponse> {
        self.0.write("addSalesmanTask", request).await
    }

    async fn modify_salesman_task(
        &self,
        request: Request<ModifySalesmanTaskRequest>,
    ) -> Reply<ModifySalesmanTaskResponse> {
        self.0.write("modifySalesmanTask", request).await
    }

    async fn delete_salesman_task(
        &self,
        request: Request<DeleteSalesmanTaskRequest>,
    ) -> Reply<DeleteSalesmanTaskResponse> {
        self.0.write("deleteSalesmanTask", request).await
    }
}
