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

use bridge::Upstream;
use provider::{Contract, Definition, Dialect, ServiceSet};

use contract::{
    billing_service_server::BillingServiceServer, community_code_service_server::CommunityCodeServiceServer,
    custom_table_service_server::CustomTableServiceServer, customer_service_server::CustomerServiceServer,
    equipment_service_server::EquipmentServiceServer, maintenance_service_server::MaintenanceServiceServer,
    network_service_server::NetworkServiceServer, sales_service_server::SalesServiceServer,
    subscription_service_server::SubscriptionServiceServer, system_service_server::SystemServiceServer,
};

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// What is Azotel's own.
pub struct Azotel;

impl Definition for Azotel {
    const CONTRACT: Contract = CONTRACT;
    const VOCABULARY: &'static str = include_str!("../vocabulary.toml");
    const DIALECTS: &'static [Dialect] = &[Dialect::XML, Dialect { name: Some(config::REST), ..Dialect::ANY }];
    type Account = config::Account;

    fn services(upstream: Upstream, surface: ServiceSet) -> ServiceSet {
        surface
            .service(BillingServiceServer::new(billing::Billing(upstream.clone())))
            .service(CommunityCodeServiceServer::new(community_code::CommunityCodes(upstream.clone())))
            .service(CustomTableServiceServer::new(custom_table::CustomTables(upstream.clone())))
            .service(CustomerServiceServer::new(customer::Customers(upstream.clone())))
            .service(EquipmentServiceServer::new(equipment::Equipment(upstream.clone())))
            .service(MaintenanceServiceServer::new(maintenance::Maintenance(upstream.clone())))
            .service(NetworkServiceServer::new(network::Network(upstream.clone())))
            .service(SalesServiceServer::new(sales::Sales(upstream.clone())))
            .service(SubscriptionServiceServer::new(subscription::Subscriptions(upstream.clone())))
            .service(SystemServiceServer::new(system::System(upstream)))
    }
}
