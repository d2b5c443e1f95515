//! `ispbridge.azotel.v1` over Azotel's SIMPLer API, by SOAP or by JSON as each account has it.
//!
//! Ten gRPC services, one file each; credentials travel in every call, there are no sessions:
//! [`billing`], [`community_code`], [`custom_table`], [`customer`], [`equipment`], [`maintenance`],
//! [`network`], [`sales`], [`subscription`] and [`system`].

pub mod billing;
pub mod community_code;
pub mod config;
pub mod custom_table;
pub mod customer;
pub mod equipment;
pub mod maintenance;
pub mod network;
pub mod sales;
pub mod subscription;
pub mod system;
mod upstream;

use std::sync::Arc;

use bridge::AccountStatus;
use chassis::{Dependency, DependencyState, Error, Findings, Process, Program, Settings, Surface};

use contract::{
    billing_service_server::BillingServiceServer, community_code_service_server::CommunityCodeServiceServer,
    custom_table_service_server::CustomTableServiceServer, customer_service_server::CustomerServiceServer,
    equipment_service_server::EquipmentServiceServer, maintenance_service_server::MaintenanceServiceServer,
    network_service_server::NetworkServiceServer, sales_service_server::SalesServiceServer,
    subscription_service_server::SubscriptionServiceServer, system_service_server::SystemServiceServer,
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

/// The messages and services of `proto/ispbridge/azotel/v1`.
pub use generated::ispbridge::azotel::v1 as contract;

/// The contract's descriptors, custom options included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The service `ispbridge-azotel`.
pub struct Azotel;

impl Program for Azotel {
    const NAME: &'static str = "ispbridge-azotel";
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
            .service(BillingServiceServer::new(billing::Billing(upstream.clone())))
            .service(CommunityCodeServiceServer::new(community_code::CommunityCodes(upstream.clone())))
            .service(CustomTableServiceServer::new(custom_table::CustomTables(upstream.clone())))
            .service(CustomerServiceServer::new(customer::Customers(upstream.clone())))
            .service(EquipmentServiceServer::new(equipment::Equipment(upstream.clone())))
            .service(MaintenanceServiceServer::new(maintenance::Maintenance(upstream.clone())))
            .service(NetworkServiceServer::new(network::Network(upstream.clone())))
            .service(SalesServiceServer::new(sales::Sales(upstream.clone())))
            .service(SubscriptionServiceServer::new(subscription::Subscriptions(upstream.clone())))
            .service(SystemServiceServer::new(system::System(upstream))))
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
    Dependency::new(format!("azotel/{}", account.alias), state, account)
}
