//! What stands behind every proxy: tonic's own server, one method that answers at once.

use std::net::SocketAddr;

use ispbridge_aex::contract::{
    GetPremiseRequest, GetPremiseResponse, ListPredefinedPremisesRequest, ListPredefinedPremisesResponse, Premise,
    premise_service_server::{PremiseService, PremiseServiceServer},
};
use tonic::{Request, Response, Status, transport::Server};

use crate::Failure;

/// Knows every premise by its id, and no more of it.
struct Premises;

/// Serves until it is killed.
pub(crate) async fn serve(listen: SocketAddr) -> Result<(), Failure> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(ispbridge_aex::CONTRACT.descriptors)
        .build_v1()?;
    let server = Server::builder().add_service(PremiseServiceServer::new(Premises)).add_service(reflection);
    Ok(server.serve(listen).await?)
}

#[tonic::async_trait]
impl PremiseService for Premises {
    async fn get_premise(&self, request: Request<GetPremiseRequest>) -> Result<Response<GetPremiseResponse>, Status> {
        let premise = Premise { id: request.into_inner().premise_id, ..Premise::default() };
        Ok(Response::new(GetPremiseResponse { premise: Some(premise) }))
    }

    async fn list_predefined_premises(
        &self,
        _: Request<ListPredefinedPremisesRequest>,
    ) -> Result<Response<ListPredefinedPremisesResponse>, Status> {
        Err(Status::unimplemented("the benchmark calls something else"))
    }
}
