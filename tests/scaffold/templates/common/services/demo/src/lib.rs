//! `ispbridge.demo.v1` over Demo's API (WIRE_TITLE).
//!
//! One gRPC service: [`customer`].

pub mod config;
pub mod customer;
mod upstream;

use bridge::Upstream;
use provider::{Contract, Definition, Dialect, ServiceSet};

use contract::customer_service_server::CustomerServiceServer;

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// What is Demo's own.
pub struct Demo;

impl Definition for Demo {
    const CONTRACT: Contract = CONTRACT;
    const VOCABULARY: &'static str = include_str!("../vocabulary.toml");
    const DIALECTS: &'static [Dialect] = &[Dialect::WIRE_DIALECT];
    type Account = config::Account;

    fn services(upstream: Upstream, surface: ServiceSet) -> ServiceSet {
        surface.service(CustomerServiceServer::new(customer::Customers(upstream)))
    }
}
