//! `ispbridge.freeside.v1.AccountService`: names of accounts, and their suspension.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    CheckUsernameRequest, CheckUsernameResponse, MyaccountPasswdRequest, MyaccountPasswdResponse,
    SuspendUsernameRequest, SuspendUsernameResponse, UnsuspendUsernameRequest, UnsuspendUsernameResponse,
    ValidatePasswdRequest, ValidatePasswdResponse, account_service_server::AccountService,
};

/// The service over its upstream.
pub struct Accounts(pub Upstream);

#[tonic::async_trait]
impl AccountService for Accounts {
    /// An unknown domain is not reported: the upstream then calls every name available (Freeside's source).
    async fn check_username(&self, request: Request<CheckUsernameRequest>) -> Reply<CheckUsernameResponse> {
        self.0.read("check_username", request).await
    }

    /// A supplemental package answers like a success although nothing is suspended (Freeside's source).
    async fn suspend_username(&self, request: Request<SuspendUsernameRequest>) -> Reply<SuspendUsernameResponse> {
        self.0.write("suspend_username", request).await
    }

    async fn unsuspend_username(&self, request: Request<UnsuspendUsernameRequest>) -> Reply<UnsuspendUsernameResponse> {
        self.0.write("unsuspend_username", request).await
    }

    /// The packages show the password where the operator lets resellers see it; a repeat does no harm.
    async fn myaccount_passwd(&self, request: Request<MyaccountPasswdRequest>) -> Reply<MyaccountPasswdResponse> {
        self.0.write("myaccount_passwd", request).await
    }

    async fn validate_passwd(&self, request: Request<ValidatePasswdRequest>) -> Reply<ValidatePasswdResponse> {
        self.0.read("validate_passwd", request).await
    }
}
