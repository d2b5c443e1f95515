//! `ispbridge.freeside.v1.ContactService`: people at a customer.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    DeleteContactRequest, DeleteContactResponse, EditContactRequest, EditContactResponse, ListContactsRequest,
    ListContactsResponse, NewContactRequest, NewContactResponse, contact_service_server::ContactService,
};

/// The service over its upstream.
pub struct Contacts(pub Upstream);

#[tonic::async_trait]
impl ContactService for Contacts {
    async fn list_contacts(&self, request: Request<ListContactsRequest>) -> Reply<ListContactsResponse> {
        self.0.read("list_contacts", request).await
    }

    async fn new_contact(&self, request: Request<NewContactRequest>) -> Reply<NewContactResponse> {
        self.0.write("new_contact", request).await
    }

    async fn edit_contact(&self, request: Request<EditContactRequest>) -> Reply<EditContactResponse> {
        self.0.write("edit_contact", request).await
    }

    async fn delete_contact(&self, request: Request<DeleteContactRequest>) -> Reply<DeleteContactResponse> {
        self.0.write("delete_contact", request).await
    }
}
