//! `ispbridge.freeside.v1` over Freeside's self-service XML-RPC API.
//!
//! Eleven gRPC services, one file each, over the XML-RPC wire with a reseller session: [`agent`], [`signup`],
//! [`customer`], [`contact`], [`payment_means`], [`package`], [`provisioning`], [`account`], [`mailbox`], [`dsl`] and
//! [`ticket`].

pub mod account;
pub mod agent;
pub mod config;
pub mod contact;
pub mod customer;
pub mod dsl;
pub mod mailbox;
pub mod package;
pub mod payment_means;
pub mod provisioning;
pub mod signup;
pub mod ticket;
mod upstream;

pub use upstream::UNSCOPED;

use bridge::Upstream;
use provider::{Contract, Definition, Dialect, ServiceSet};

use contract::{
    account_service_server::AccountServiceServer, agent_service_server::AgentServiceServer,
    contact_service_server::ContactServiceServer, customer_service_server::CustomerServiceServer,
    dsl_service_server::DslServiceServer, mailbox_service_server::MailboxServiceServer,
    package_service_server::PackageServiceServer, payment_means_service_server::PaymentMeansServiceServer,
    provisioning_service_server::ProvisioningServiceServer, signup_service_server::SignupServiceServer,
    ticket_service_server::TicketServiceServer,
};

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// What is Freeside's own.
pub struct Freeside;

impl Definition for Freeside {
    const CONTRACT: Contract = CONTRACT;
    const VOCABULARY: &'static str = include_str!("../vocabulary.toml");
    const DIALECTS: &'static [Dialect] = &[Dialect::XML];
    type Account = config::Account;

    fn services(upstream: Upstream, surface: ServiceSet) -> ServiceSet {
        surface
            .service(AccountServiceServer::new(account::Accounts(upstream.clone())))
            .service(AgentServiceServer::new(agent::Agents(upstream.clone())))
            .service(ContactServiceServer::new(contact::Contacts(upstream.clone())))
            .service(CustomerServiceServer::new(customer::Customers(upstream.clone())))
            .service(DslServiceServer::new(dsl::DslLines(upstream.clone())))
            .service(MailboxServiceServer::new(mailbox::Mailboxes(upstream.clone())))
            .service(PackageServiceServer::new(package::Packages(upstream.clone())))
            .service(PaymentMeansServiceServer::new(payment_means::AllPaymentMeans(upstream.clone())))
            .service(ProvisioningServiceServer::new(provisioning::Provisioning(upstream.clone())))
            .service(SignupServiceServer::new(signup::Signups(upstream.clone())))
            .service(TicketServiceServer::new(ticket::Tickets(upstream)))
    }
}
