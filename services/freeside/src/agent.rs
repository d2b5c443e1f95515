//! `ispbridge.freeside.v1.AgentService`: the reseller itself and its customers.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AccessInfoRequest, AccessInfoResponse, AgentInfoRequest, AgentInfoResponse, AgentListCustomersRequest,
    AgentListCustomersResponse, SkinInfoRequest, SkinInfoResponse, agent_service_server::AgentService,
};

/// The service over its upstream.
pub struct Agents(pub Upstream);

#[tonic::async_trait]
impl AgentService for Agents {
    async fn agent_info(&self, request: Request<AgentInfoRequest>) -> Reply<AgentInfoResponse> {
        self.0.read("agent_info", request).await
    }

    async fn agent_list_customers(
        &self,
        request: Request<AgentListCustomersRequest>,
    ) -> Reply<AgentListCustomersResponse> {
        self.0.read("agent_list_customers", request).await
    }

    async fn skin_info(&self, request: Request<SkinInfoRequest>) -> Reply<SkinInfoResponse> {
        self.0.read("skin_info", request).await
    }

    async fn access_info(&self, request: Request<AccessInfoRequest>) -> Reply<AccessInfoResponse> {
        self.0.read("access_info", request).await
    }
}
