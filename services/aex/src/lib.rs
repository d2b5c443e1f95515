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

use std::sync::Arc;

use bridge::AccountStatus;
use chassis::{Dependency, DependencyState, Error, Findings, Process, Program, Settings, Surface};

use contract::{
    customer_service_server::CustomerServiceServer, order_service_server::OrderServiceServer,
    premise_service_server::PremiseServiceServer, product_service_server::ProductServiceServer,
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

/// The messages and services of `proto/ispbridge/aex/v1`.
pub use generated::ispbridge::aex::v1 as contract;

/// The contract's descriptors, custom options included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The service `ispbridge-aex`.
pub struct Aex;

impl Program for Aex {
    const NAME: &'static str = "ispbridge-aex";
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
            .service(CustomerServiceServer::new(customer::Customers(upstream.clone())))
            .service(OrderServiceServer::new(order::Orders(upstream.clone())))
            .service(PremiseServiceServer::new(premise::Premises(upstream.clone())))
            .service(ProductServiceServer::new(product::Products(upstream))))
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
    Dependency::new(format!("aex/{}", account.alias), state, account)
}
