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

use std::sync::Arc;

use bridge::AccountStatus;
use chassis::{Dependency, DependencyState, Error, Findings, Process, Program, Settings, Surface};

use contract::{
    account_service_server::AccountServiceServer, agent_service_server::AgentServiceServer,
    contact_service_server::ContactServiceServer, customer_service_server::CustomerServiceServer,
    dsl_service_server::DslServiceServer, mailbox_service_server::MailboxServiceServer,
    package_service_server::PackageServiceServer, payment_means_service_server::PaymentMeansServiceServer,
    provisioning_service_server::ProvisioningServiceServer, signup_service_server::SignupServiceServer,
    ticket_service_server::TicketServiceServer,
};

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "generated from proto/, documented there"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

/// The messages and services of `proto/ispbridge/freeside/v1`.
pub use generated::ispbridge::freeside::v1 as contract;

/// The contract's descriptors, custom options included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The service `ispbridge-freeside`.
pub struct Freeside;

impl Program for Freeside {
    const NAME: &'static str = "ispbridge-freeside";
    type Config = config::Config;

    fn check(config: &config::Config, _: &Settings, findings: &mut Findings) {
        let accounts = config.accounts.iter().map(|(alias, account)| (alias, account.check()));
        for problem in bridge::account_problems(accounts).0 {
            findings.mistake(problem.field, problem.text);
        }
    }

    async fn build(config: config::Config, process: &Process) -> Result<Surface, Error> {
        let upstream = upstream::connect(config, process)?;
        process.keep(Arc::new(upstream.clone()));
        let (watched, closed) = (upstream.clone(), upstream.clone());
        Ok(Surface::new()
            .descriptors(DESCRIPTORS)
            .closing(move || closed.clone().close())
            .dependencies(move || watched.accounts().iter().map(dependency).collect())
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
            .service(TicketServiceServer::new(ticket::Tickets(upstream))))
    }

    fn reload(config: config::Config, process: &Process) -> Result<(), Error> {
        upstream::replace(config, process)
    }

    async fn check_account(config: config::Config, process: &Process, alias: &str) -> Result<String, String> {
        let upstream = upstream::connect(config, process).map_err(|error| error.to_string())?;
        let checked = upstream.check(alias).await;
        upstream.close().await;
        checked
    }
}

/// An account as health and `/readyz?verbose` tell of it.
fn dependency(account: &AccountStatus) -> Dependency {
    let state = DependencyState::of(account.is_down(), account.is_degraded());
    Dependency::new(format!("freeside/{}", account.alias), state, account)
}
