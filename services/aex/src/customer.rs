//! `ispbridge.aex.v1.CustomerService`: customers and the services they have.

use bridge::{Call, Fault, Reply, Upstream};
use tonic::Request;

use crate::contract::{
    CreateCustomerRequest, CreateCustomerResponse, GetCustomerRequest, GetCustomerResponse,
    ListCustomerServicesRequest, ListCustomerServicesResponse, ListCustomersRequest, ListCustomersResponse,
    customer_service_server::CustomerService,
};

/// The service over its upstream.
pub struct Customers(pub Upstream);

#[tonic::async_trait]
impl CustomerService for Customers {
    /// AEx answers 201 without a body. The id is in `Location`; where that is missing, the customer is
    /// looked up by the e-mail address, which is unique (AEx ISP Flow, steps 1 and 2).
    async fn create_customer(&self, request: Request<CreateCustomerRequest>) -> Reply<CreateCustomerResponse> {
        let call = self.0.call(&request)?;
        let request = request.into_inner();
        let email = request.customer.as_ref().map(|customer| customer.email.clone()).unwrap_or_default();
        let mut response: tonic::Response<CreateCustomerResponse> = call.write("POST /customers", request).await?;
        if response.get_ref().customer_id.is_none() {
            response.get_mut().customer_id = find_by_email(&call, email).await.unwrap_or(None);
        }
        Ok(response)
    }

    async fn list_customers(&self, request: Request<ListCustomersRequest>) -> Reply<ListCustomersResponse> {
        self.0.read("GET /customers", request).await
    }

    async fn get_customer(&self, request: Request<GetCustomerRequest>) -> Reply<GetCustomerResponse> {
        self.0.read("GET /customers/{customer_id}", request).await
    }

    async fn list_customer_services(
        &self,
        request: Request<ListCustomerServicesRequest>,
    ) -> Reply<ListCustomerServicesResponse> {
        self.0.read("GET /customers/{customer_id}/services", request).await
    }
}

/// The upstream searches for parts of words in several columns, so the address is compared here.
async fn find_by_email(call: &Call, email: String) -> Result<Option<String>, Fault> {
    let search = ListCustomersRequest { query: email.clone(), ..Default::default() };
    let found: tonic::Response<ListCustomersResponse> = call.read("GET /customers", &search).await?;
    let same = |address: &Option<String>| address.as_ref().is_some_and(|address| address.eq_ignore_ascii_case(&email));
    Ok(found.into_inner().customers.into_iter().find(|customer| same(&customer.email)).map(|customer| customer.id))
}
