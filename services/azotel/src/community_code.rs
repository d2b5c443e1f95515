//! `ispbridge.azotel.v1.CommunityCodeService`: codes of communities.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AddCommunityCodeRequest, AddCommunityCodeResponse, DeleteCommunityCodeRequest, DeleteCommunityCodeResponse,
    ListCommunityCodeRequest, ListCommunityCodeResponse, ModifyCommunityCodeRequest, ModifyCommunityCodeResponse,
    community_code_service_server::CommunityCodeService,
};

/// The service over its upstream.
pub struct CommunityCodes(pub Upstream);

#[tonic::async_trait]
impl CommunityCodeService for CommunityCodes {
    async fn add_community_code(&self, request: Request<AddCommunityCodeRequest>) -> Reply<AddCommunityCodeResponse> {
        self.0.write("addCommunityCode", request).await
    }

    async fn modify_community_code(
        &self,
        request: Request<ModifyCommunityCodeRequest>,
    ) -> Reply<ModifyCommunityCodeResponse> {
        self.0.write("modifyCommunityCode", request).await
    }

    async fn delete_community_code(
        &self,
        request: Request<DeleteCommunityCodeRequest>,
    ) -> Reply<DeleteCommunityCodeResponse> {
        self.0.write("deleteCommunityCode", request).await
    }

    async fn list_community_code(
        &self,
        request: Request<ListCommunityCodeRequest>,
    ) -> Reply<ListCommunityCodeResponse> {
        self.0.read("listCommunityCode", request).await
    }
}
