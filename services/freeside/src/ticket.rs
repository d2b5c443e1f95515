//! `ispbridge.freeside.v1.TicketService`: tickets of customers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AdjustTicketPriorityRequest, AdjustTicketPriorityResponse, CreateTicketRequest, CreateTicketResponse,
    GetTicketRequest, GetTicketResponse, ListTicketsRequest, ListTicketsResponse, ReplyTicketRequest,
    ReplyTicketResponse, ticket_service_server::TicketService,
};

/// The service over its upstream.
pub struct Tickets(pub Upstream);

#[tonic::async_trait]
impl TicketService for Tickets {
    async fn list_tickets(&self, request: Request<ListTicketsRequest>) -> Reply<ListTicketsResponse> {
        self.0.read("list_tickets", request).await
    }

    async fn create_ticket(&self, request: Request<CreateTicketRequest>) -> Reply<CreateTicketResponse> {
        self.0.write("create_ticket", request).await
    }

    /// Without a reply and a subject the method only reads, says Freeside's source.
    async fn get_ticket(&self, request: Request<GetTicketRequest>) -> Reply<GetTicketResponse> {
        self.0.read("get_ticket", request).await
    }

    /// The method that reads a ticket also writes into it; a verb of its own keeps it from being repeated.
    async fn reply_ticket(&self, request: Request<ReplyTicketRequest>) -> Reply<ReplyTicketResponse> {
        self.0.write("get_ticket", request).await
    }

    async fn adjust_ticket_priority(
        &self,
        request: Request<AdjustTicketPriorityRequest>,
    ) -> Reply<AdjustTicketPriorityResponse> {
        self.0.write("adjust_ticket_priority", request).await
    }
}
