//! `ispbridge.aex.v1.OrderService`: services and the work orders that bring them.

use bridge::{
    Call, Fault, Reply, Upstream,
    fault::{Kind, Outcome},
};
use tonic::Request;

use crate::{
    contract::{
        CreateServiceRequest, CreateServiceResponse, GetServiceRequest, GetServiceResponse, ListCustomersRequest,
        ListCustomersResponse, ListWorkOrdersRequest, ListWorkOrdersResponse, order_service_server::OrderService,
    },
    upstream::CREATE_SERVICE,
};

/// The service over its upstream.
pub struct Orders(pub Upstream);

#[tonic::async_trait]
impl OrderService for Orders {
    /// AEx answers 401 for bad data too (AEx ISP Flow, step 5), so a harmless read tells whether it is the token
    /// before the account is called bad.
    async fn create_service(&self, request: Request<CreateServiceRequest>) -> Reply<CreateServiceResponse> {
        let call = self.0.call(&request)?;
        match call.write(CREATE_SERVICE, request.into_inner()).await {
            Err(fault) if fault.http_status() == Some(401) && fault.outcome() == Outcome::Rejected => {
                Err(explained(&call, fault).await.into())
            }
            result => Ok(result?),
        }
    }

    async fn get_service(&self, request: Request<GetServiceRequest>) -> Reply<GetServiceResponse> {
        self.0.read("GET /services/{service_id}", request).await
    }

    async fn list_work_orders(&self, request: Request<ListWorkOrdersRequest>) -> Reply<ListWorkOrdersResponse> {
        self.0.read("GET /work-orders", request).await
    }
}

/// What a 401 to the order means: the token if a read is refused as well, else the order's data.
async fn explained(call: &Call, fault: Fault) -> Fault {
    let probe =
        ListCustomersRequest { query: "ispbridge-account-check".into(), page_size: Some(1), ..Default::default() };
    let read = call.read::<_, ListCustomersResponse>("GET /customers", &probe).await;
    match read {
        Err(refused) if refused.kind() == Kind::UpstreamAuth => {
            fault.reclassified(Kind::UpstreamAuth, "UPSTREAM_AUTH", refused.message().to_owned())
        }
        Ok(_) => fault.reclassified(
            Kind::InvalidArgument,
            "UPSTREAM_VALIDATION",
            "the upstream refused the order's data; it answers 401 for bad data, and the token is valid",
        ),
        Err(_) => fault,
    }
}
