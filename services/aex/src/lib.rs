//! `ispbridge.aex.v1` over AEx's REST API.
//!
//! Four gRPC services, one file each, over the JSON wire with a bearer token:
//! [`customer`], [`premise`], [`product`] and [`order`].

pub mod config;
pub mod customer;
pub mod order;
pub mod premise;
pub mod product;
mod upstream;

use bridge::Upstream;
use provider::{Contract, Definition, Dialect, ServiceSet};

use contract::{
    customer_service_server::CustomerServiceServer, order_service_server::OrderServiceServer,
    premise_service_server::PremiseServiceServer, product_service_server::ProductServiceServer,
};

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// What is AEx's own.
pub struct Aex;

impl Definition for Aex {
    const CONTRACT: Contract = CONTRACT;
    const VOCABULARY: &'static str = include_str!("../vocabulary.toml");
    const DIALECTS: &'static [Dialect] = &[Dialect::ANY];
    type Account = config::Account;

    fn services(upstream: Upstream, surface: ServiceSet) -> ServiceSet {
        surface
            .service(CustomerServiceServer::new(customer::Customers(upstream.clone())))
            .service(OrderServiceServer::new(order::Orders(upstream.clone())))
            .service(PremiseServiceServer::new(premise::Premises(upstream.clone())))
            .service(ProductServiceServer::new(product::Products(upstream)))
    }
}
