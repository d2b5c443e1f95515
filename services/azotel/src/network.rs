//! `ispbridge.azotel.v1.NetworkService`: IP addresses, interfaces, and RADIUS.

use bridge::{
    Reply, Upstream,
    problem::{Problem, Problems},
};
use tonic::Request;

use crate::{
    contract::{
        AddIpRequest, AddIpResponse, AddRadiusDetailsRequest, AddRadiusDetailsResponse, ChangeCustomerRadiusRequest,
        ChangeCustomerRadiusResponse, DeleteRadiusDetailsRequest, DeleteRadiusDetailsResponse, GenerateIpRequest,
        GenerateIpResponse, GetInterfaceDataRequest, GetInterfaceDataResponse, GetIpDataRequest, GetIpDataResponse,
        ListCustomerRadiusRequest, ListCustomerRadiusResponse, ListRadiusDetailsRequest, ListRadiusDetailsResponse,
        ListRadiusSessionsRequest, ListRadiusSessionsResponse, UpdateWibFilesRequest, UpdateWibFilesResponse,
        network_service_server::NetworkService,
    },
    upstream::scope,
};

/// The service over its upstream.
pub struct Network(pub Upstream);

#[tonic::async_trait]
impl NetworkService for Network {
    /// One upstream function reads and writes by its `action`; here reading is a call of its own, so that
    /// it may be repeated.
    async fn list_customer_radius(
        &self,
        request: Request<ListCustomerRadiusRequest>,
    ) -> Reply<ListCustomerRadiusResponse> {
        self.0.read("customerRadius list", request).await
    }

    async fn change_customer_radius(
        &self,
        request: Request<ChangeCustomerRadiusRequest>,
    ) -> Reply<ChangeCustomerRadiusResponse> {
        self.0.write("customerRadius", request).await
    }

    async fn add_ip(&self, request: Request<AddIpRequest>) -> Reply<AddIpResponse> {
        self.0.write("addIP", request).await
    }

    async fn get_ip_data(&self, request: Request<GetIpDataRequest>) -> Reply<GetIpDataResponse> {
        self.0.read("getIPData", request).await
    }

    /// The presence of an attribute counts and not its value, so that false ones are left out; two of them
    /// need the first (SIMPLer API 2011-2Q, generateIP).
    async fn generate_ip(&self, request: Request<GenerateIpRequest>) -> Reply<GenerateIpResponse> {
        let message = request.get_ref();
        if !message.save() && (message.synchronize_radius() || message.update_wib()) {
            let problem = Problem::new("save", "must be true where synchronize_radius or update_wib is");
            return Err(self.0.invalid(Problems(vec![problem])));
        }
        self.0.write("generateIP", request).await
    }

    async fn get_interface_data(&self, request: Request<GetInterfaceDataRequest>) -> Reply<GetInterfaceDataResponse> {
        self.0.read("getInterfaceData", request).await
    }

    async fn list_radius_details(
        &self,
        request: Request<ListRadiusDetailsRequest>,
    ) -> Reply<ListRadiusDetailsResponse> {
        self.0.read("listRADIUSdetails", request).await
    }

    async fn add_radius_details(&self, request: Request<AddRadiusDetailsRequest>) -> Reply<AddRadiusDetailsResponse> {
        self.0.write("addRADIUSdetails", request).await
    }

    async fn delete_radius_details(
        &self,
        request: Request<DeleteRadiusDetailsRequest>,
    ) -> Reply<DeleteRadiusDetailsResponse> {
        self.0.write("deleteRADIUSdetails", request).await
    }

    async fn list_radius_sessions(
        &self,
        request: Request<ListRadiusSessionsRequest>,
    ) -> Reply<ListRadiusSessionsResponse> {
        self.0.read("listRadiusSessions", request).await
    }

    /// By force the files of every customer are written anew (SIMPLer API 2011-2Q).
    async fn update_wib_files(&self, mut request: Request<UpdateWibFilesRequest>) -> Reply<UpdateWibFilesResponse> {
        let message = request.get_mut();
        let all_customers = message.all_customers.take();
        if message.force() {
            scope(None, all_customers).map_err(|problems| self.0.invalid(problems))?;
        }
        self.0.write("updateWibFiles", request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::{received, sent};

    #[test]
    fn a_flag_is_there_or_not() {
        let request = GenerateIpRequest {
            customer_id: "2".into(),
            quantity: Some(3),
            save: Some(true),
            update_wib: Some(false),
            ..Default::default()
        };
        let (soap, json) = sent("generateIP", &request);
        assert!(json.ends_with(r#""customerid":"2","quantity":"3","saveInDb":"1"}"#), "{json}");
        assert!(soap.contains("<saveInDb xsi:type=\"xsd:string\">1</saveInDb></arguments>"), "{soap}");
    }

    #[test]
    fn both_transports_say_the_same() {
        let xml = "<r><generated>2</generated><interfaceid>20</interfaceid><ip>10.0.0.1</ip><ip>10.0.0.2</ip></r>";
        let json = r#"{"ip":["10.0.0.1","10.0.0.2"],"generated":2,"interfaceid":["20"]}"#;
        let ips: GenerateIpResponse = received("generateIP", xml, json);
        assert_eq!((ips.ip_addresses.len(), ips.generated, &*ips.interface_ids[0]), (2, Some(2), "20"));
        let xml = "<r><radius_usernames id=\"2\" priority=\"5\" exclude_from_auto_group_from_bucket=\"\" />\
                   <results><anon>1</anon></results></r>";
        let json = r#"{"radius_usernames":[{"id":"2","priority":"5","exclude_from_auto_group_from_bucket":null}],
                    "results":[["1"]]}"#;
        let details: ListRadiusDetailsResponse = received("listRADIUSdetails", xml, json);
        assert_eq!((details.results, details.accounts[0].priority()), (Some(1), "5"));
    }

    #[test]
    fn a_session_under_way_has_no_end() {
        let xml = "<r><radius_sessions><acctstarttime>2018-03-03 18:33:24+00</acctstarttime><acctstoptime></acctstoptime>\
                   <acctoutputoctets>116513067944</acctoutputoctets><radacctid>2828389</radacctid></radius_sessions></r>";
        let json = r#"{"radius_sessions":[{"acctoutputoctets":"116513067944","acctstoptime":null,
                    "acctstarttime":"2018-03-03 18:33:24+00","radacctid":"2828389"}]}"#;
        let sessions: ListRadiusSessionsResponse = received("listRadiusSessions", xml, json);
        let session = &sessions.sessions[0];
        assert_eq!((session.output_octets, session.stop_time.is_some()), (Some(116_513_067_944), false));
        assert_eq!(session.start_time.map(|time| time.seconds), Some(1_520_102_004));
    }
}
