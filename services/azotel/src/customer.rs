//! `ispbridge.azotel.v1.CustomerService`: customers, their data, statuses, remarks and subaccounts.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddCustomerNoteRequest, AddCustomerNoteResponse, AddCustomerRequest, AddCustomerResponse, AddSubaccountRequest,
    AddSubaccountResponse, CheckEupLoginRequest, CheckEupLoginResponse, CheckExistingEmailRequest,
    CheckExistingEmailResponse, DeleteCustomerRequest, DeleteCustomerResponse, DeleteSubaccountRequest,
    DeleteSubaccountResponse, GetCustomerDataRequest, GetCustomerDataResponse, GetCustomerStatusesRequest,
    GetCustomerStatusesResponse, ModifyCustomerRequest, ModifyCustomerResponse, SearchCustomerRequest,
    SearchCustomerResponse, UpdateSubaccountRequest, UpdateSubaccountResponse,
    customer_service_server::CustomerService,
};

/// The service over its upstream.
pub struct Customers(pub Upstream);

#[tonic::async_trait]
impl CustomerService for Customers {
    /// Nickname and invoicing id get a number appended when they are taken (SIMPLer API 2011-2Q, addCustomer): what is
    /// stored can differ from what was sent, and only GetCustomerData tells.
    async fn add_customer(&self, request: Request<AddCustomerRequest>) -> Reply<AddCustomerResponse> {
        self.0.write("addCustomer", request).await
    }

    async fn modify_customer(&self, request: Request<ModifyCustomerRequest>) -> Reply<ModifyCustomerResponse> {
        self.0.write("modifyCustomer", request).await
    }

    async fn delete_customer(&self, request: Request<DeleteCustomerRequest>) -> Reply<DeleteCustomerResponse> {
        self.0.write("deleteCustomer", request).await
    }

    async fn search_customer(&self, request: Request<SearchCustomerRequest>) -> Reply<SearchCustomerResponse> {
        self.0.read("searchCustomer", request).await
    }

    async fn get_customer_data(&self, request: Request<GetCustomerDataRequest>) -> Reply<GetCustomerDataResponse> {
        self.0.read("getCustomerData", request).await
    }

    async fn check_existing_email(
        &self,
        request: Request<CheckExistingEmailRequest>,
    ) -> Reply<CheckExistingEmailResponse> {
        self.0.read("checkExistingEmail", request).await
    }

    async fn get_customer_statuses(
        &self,
        request: Request<GetCustomerStatusesRequest>,
    ) -> Reply<GetCustomerStatusesResponse> {
        self.0.read("getCustomerStatuses", request).await
    }

    async fn add_customer_note(&self, request: Request<AddCustomerNoteRequest>) -> Reply<AddCustomerNoteResponse> {
        self.0.write("addCustomerNote", request).await
    }

    async fn add_subaccount(&self, request: Request<AddSubaccountRequest>) -> Reply<AddSubaccountResponse> {
        self.0.write("addSubaccount", request).await
    }

    async fn update_subaccount(&self, request: Request<UpdateSubaccountRequest>) -> Reply<UpdateSubaccountResponse> {
        self.0.write("updateSubaccount", request).await
    }

    async fn delete_subaccount(&self, request: Request<DeleteSubaccountRequest>) -> Reply<DeleteSubaccountResponse> {
        self.0.write("deleteSubaccount", request).await
    }

    async fn check_eup_login(&self, request: Request<CheckEupLoginRequest>) -> Reply<CheckEupLoginResponse> {
        self.0.read("checkEUPLogin", request).await
    }
}
