//! `ispbridge.freeside.v1.MailboxService`: what an account's mailbox does with mail.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::contract::{
    AcctForwardInfoRequest, AcctForwardInfoResponse, ProcessAcctForwardRequest, ProcessAcctForwardResponse,
    SetSvcStatusHashRequest, SetSvcStatusHashResponse, SetSvcStatusListaddRequest, SetSvcStatusListaddResponse,
    SetSvcStatusListdelRequest, SetSvcStatusListdelResponse, SetSvcStatusVacationaddRequest,
    SetSvcStatusVacationaddResponse, SetSvcStatusVacationdelRequest, SetSvcStatusVacationdelResponse,
    SvcStatusHashRequest, SvcStatusHashResponse, mailbox_service_server::MailboxService,
};

/// The service over its upstream.
pub struct Mailboxes(pub Upstream);

#[tonic::async_trait]
impl MailboxService for Mailboxes {
    async fn acct_forward_info(&self, request: Request<AcctForwardInfoRequest>) -> Reply<AcctForwardInfoResponse> {
        self.0.read("acct_forward_info", request).await
    }

    async fn process_acct_forward(
        &self,
        request: Request<ProcessAcctForwardRequest>,
    ) -> Reply<ProcessAcctForwardResponse> {
        self.0.write("process_acct_forward", request).await
    }

    async fn svc_status_hash(&self, request: Request<SvcStatusHashRequest>) -> Reply<SvcStatusHashResponse> {
        self.0.read("svc_status_hash", request).await
    }

    async fn set_svc_status_hash(&self, request: Request<SetSvcStatusHashRequest>) -> Reply<SetSvcStatusHashResponse> {
        self.0.write("set_svc_status_hash", request).await
    }

    async fn set_svc_status_listadd(
        &self,
        request: Request<SetSvcStatusListaddRequest>,
    ) -> Reply<SetSvcStatusListaddResponse> {
        self.0.write("set_svc_status_listadd", request).await
    }

    async fn set_svc_status_listdel(
        &self,
        request: Request<SetSvcStatusListdelRequest>,
    ) -> Reply<SetSvcStatusListdelResponse> {
        self.0.write("set_svc_status_listdel", request).await
    }

    async fn set_svc_status_vacationadd(
        &self,
        request: Request<SetSvcStatusVacationaddRequest>,
    ) -> Reply<SetSvcStatusVacationaddResponse> {
        self.0.write("set_svc_status_vacationadd", request).await
    }

    async fn set_svc_status_vacationdel(
        &self,
        request: Request<SetSvcStatusVacationdelRequest>,
    ) -> Reply<SetSvcStatusVacationdelResponse> {
        self.0.write("set_svc_status_vacationdel", request).await
    }
}
