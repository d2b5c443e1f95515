//! The service's yardstick: what somebody writes by hand for three calls with tonic, reqwest, quick-xml and serde_json.
//!
//! It makes the two spans that our service makes, and nothing else: no metrics, no log line, no caller context, no limits
//! on the reply, no breaker.

mod rest;
mod soap;
mod trace;

use std::{net::SocketAddr, time::Duration};

use http::header;
use ispbridge_aex::contract::{
    GetPremiseRequest, GetPremiseResponse, ListPredefinedPremisesRequest, ListPredefinedPremisesResponse,
    premise_service_server::{PremiseService, PremiseServiceServer},
};
use ispbridge_azotel::contract::{
    AddCustomerNoteRequest, AddCustomerNoteResponse, AddCustomerRequest, AddCustomerResponse, AddSubaccountRequest,
    AddSubaccountResponse, CheckEupLoginRequest, CheckEupLoginResponse, CheckExistingEmailRequest,
    CheckExistingEmailResponse, DeleteCustomerRequest, DeleteCustomerResponse, DeleteSubaccountRequest,
    DeleteSubaccountResponse, GetCustomerDataRequest, GetCustomerDataResponse, GetCustomerStatusesRequest,
    GetCustomerStatusesResponse, ModifyCustomerRequest, ModifyCustomerResponse, SearchCustomerRequest,
    SearchCustomerResponse, UpdateSubaccountRequest, UpdateSubaccountResponse,
    customer_service_server::{CustomerService, CustomerServiceServer},
};
use ispbridge_sandbox::StandIn;
use opentelemetry::Context;
use tonic::{Request, Response, Status, transport::Server};

use crate::Failure;
use trace::Trace;

/// Both services in one.
#[derive(Clone)]
struct Yardstick {
    /// Keeps connections, for reads.
    kept: reqwest::Client,
    /// Opens a connection for each call, for writes: the rule of our services.
    fresh: reqwest::Client,
    upstream: String,
    trace: Trace,
}

/// Serves until it is killed.
pub(crate) async fn serve(listen: SocketAddr, upstream: SocketAddr, collector: SocketAddr) -> Result<(), Failure> {
    let client = || reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
    let yardstick = Yardstick {
        kept: client().build()?,
        fresh: client().pool_max_idle_per_host(0).build()?,
        upstream: format!("http://{upstream}"),
        trace: Trace::new(collector, upstream)?,
    };
    let customers = CustomerServiceServer::new(yardstick.clone());
    let server = Server::builder().add_service(customers).add_service(PremiseServiceServer::new(yardstick));
    Ok(server.serve(listen).await?)
}

impl Yardstick {
    async fn soap(
        &self,
        client: &reqwest::Client,
        function: &'static str,
        body: String,
        parent: &Context,
    ) -> Result<String, Status> {
        let call = self.trace.client(parent, "POST", function);
        let request = client
            .post(format!("{}/API/operatorapi.pl", self.upstream))
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("soapaction", format!("\"{}#{function}\"", soap::URI))
            .body(body);
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let text = response.text().await.map_err(lost)?;
        call.end(status.as_u16());
        if status.is_success() { Ok(text) } else { Err(Status::unavailable("the upstream failed")) }
    }
}

#[tonic::async_trait]
impl CustomerService for Yardstick {
    async fn add_customer(
        &self,
        request: Request<AddCustomerRequest>,
    ) -> Result<Response<AddCustomerResponse>, Status> {
        let span = self.trace.server("ispbridge.azotel.v1.CustomerService/AddCustomer", request.metadata());
        let body = soap::add_customer(request.get_ref());
        let reply = self.soap(&self.fresh, "addCustomer", body, span.context()).await?;
        let customer_id = soap::read_id(&reply)?;
        span.end();
        Ok(Response::new(AddCustomerResponse { customer_id, extra_fields: None }))
    }

    async fn search_customer(
        &self,
        request: Request<SearchCustomerRequest>,
    ) -> Result<Response<SearchCustomerResponse>, Status> {
        let span = self.trace.server("ispbridge.azotel.v1.CustomerService/SearchCustomer", request.metadata());
        let body = soap::search_customer(request.get_ref());
        let reply = self.soap(&self.kept, "searchCustomer", body, span.context()).await?;
        let found = soap::read_customers(&reply)?;
        span.end();
        Ok(Response::new(found))
    }

    async fn modify_customer(
        &self,
        _: Request<ModifyCustomerRequest>,
    ) -> Result<Response<ModifyCustomerResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn delete_customer(
        &self,
        _: Request<DeleteCustomerRequest>,
    ) -> Result<Response<DeleteCustomerResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_customer_data(
        &self,
        _: Request<GetCustomerDataRequest>,
    ) -> Result<Response<GetCustomerDataResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn check_existing_email(
        &self,
        _: Request<CheckExistingEmailRequest>,
    ) -> Result<Response<CheckExistingEmailResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_customer_statuses(
        &self,
        _: Request<GetCustomerStatusesRequest>,
    ) -> Result<Response<GetCustomerStatusesResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn add_customer_note(
        &self,
        _: Request<AddCustomerNoteRequest>,
    ) -> Result<Response<AddCustomerNoteResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn add_subaccount(
        &self,
        _: Request<AddSubaccountRequest>,
    ) -> Result<Response<AddSubaccountResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn update_subaccount(
        &self,
        _: Request<UpdateSubaccountRequest>,
    ) -> Result<Response<UpdateSubaccountResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn delete_subaccount(
        &self,
        _: Request<DeleteSubaccountRequest>,
    ) -> Result<Response<DeleteSubaccountResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn check_eup_login(
        &self,
        _: Request<CheckEupLoginRequest>,
    ) -> Result<Response<CheckEupLoginResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tonic::async_trait]
impl PremiseService for Yardstick {
    async fn get_premise(&self, request: Request<GetPremiseRequest>) -> Result<Response<GetPremiseResponse>, Status> {
        let span = self.trace.server("ispbridge.aex.v1.PremiseService/GetPremise", request.metadata());
        let call = self.trace.client(span.context(), "GET", "/premises/{premise_id}");
        let request = self
            .kept
            .get(format!("{}/premises/{}", self.upstream, request.get_ref().premise_id))
            .header(header::ACCEPT, "application/json")
            .bearer_auth(StandIn::of("aex").value("token"));
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?;
        call.end(status.as_u16());
        let premise = rest::read_premise(&body)?;
        span.end();
        Ok(Response::new(GetPremiseResponse { premise: Some(premise) }))
    }

    async fn list_predefined_premises(
        &self,
        _: Request<ListPredefinedPremisesRequest>,
    ) -> Result<Response<ListPredefinedPremisesResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn lost(_: reqwest::Error) -> Status {
    Status::unavailable("the upstream cannot be reached")
}
