//! `ispbridge.azotel.v1.BillingService`: invoices, and how customers pay them.

use bridge::{Reply, Upstream};
use tonic::Request;

use crate::{
    contract::{
        AddCreditCardTokenRequest, AddCreditCardTokenResponse, AddEftRequest, AddEftResponse, AddEftTokenRequest,
        AddEftTokenResponse, GenerateInvoicesRequest, GenerateInvoicesResponse, GetCreditCardDataRequest,
        GetCreditCardDataResponse, GetEftDataRequest, GetEftDataResponse, GetInvoicesDataRequest,
        GetInvoicesDataResponse, GetOverageAllowancesRequest, GetOverageAllowancesResponse, PayInvoiceRequest,
        PayInvoiceResponse, billing_service_server::BillingService,
    },
    upstream::scope,
};

/// The service over its upstream.
pub struct Billing(pub Upstream);

#[tonic::async_trait]
impl BillingService for Billing {
    /// Without a customer the upstream invoices every account, so that the call must say that it means
    /// that.
    async fn generate_invoices(
        &self,
        mut request: Request<GenerateInvoicesRequest>,
    ) -> Reply<GenerateInvoicesResponse> {
        let message = request.get_mut();
        let scope = scope(message.customer_id.as_deref(), message.all_customers.take());
        scope.map_err(|problems| self.0.invalid(problems))?;
        self.0.write("generateInvoices", request).await
    }

    async fn pay_invoice(&self, request: Request<PayInvoiceRequest>) -> Reply<PayInvoiceResponse> {
        self.0.write("payInvoice", request).await
    }

    async fn get_invoices_data(&self, request: Request<GetInvoicesDataRequest>) -> Reply<GetInvoicesDataResponse> {
        self.0.read("getInvoicesData", request).await
    }

    async fn add_credit_card_token(
        &self,
        request: Request<AddCreditCardTokenRequest>,
    ) -> Reply<AddCreditCardTokenResponse> {
        self.0.write("addCreditCardToken", request).await
    }

    async fn get_credit_card_data(
        &self,
        request: Request<GetCreditCardDataRequest>,
    ) -> Reply<GetCreditCardDataResponse> {
        self.0.read("getCreditCardData", request).await
    }

    async fn add_eft(&self, request: Request<AddEftRequest>) -> Reply<AddEftResponse> {
        self.0.write("addEFT", request).await
    }

    async fn add_eft_token(&self, request: Request<AddEftTokenRequest>) -> Reply<AddEftTokenResponse> {
        self.0.write("addEFTToken", request).await
    }

    async fn get_eft_data(&self, request: Request<GetEftDataRequest>) -> Reply<GetEftDataResponse> {
        self.0.read("getEFTData", request).await
    }

    async fn get_overage_allowances(
        &self,
        request: Request<GetOverageAllowancesRequest>,
    ) -> Reply<GetOverageAllowancesResponse> {
        self.0.read("getOverageAllowances", request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::{received, refused, sent};

    #[test]
    fn the_misspelt_key_is_sent_both_ways() {
        let request = GetOverageAllowancesRequest { customer_id: Some("7".into()), ..Default::default() };
        let (_, json) = sent("getOverageAllowances", &request);
        assert!(json.ends_with(r#""cutomerid":"7","customerid":"7"}"#), "{json}");
    }

    #[test]
    fn allowances_come_under_any_key() {
        let xml =
            "<r><allowances id=\"7174\" traffic_limit=\"6\" used=\"\" timestamp=\"2018-07-21 02:05:39.637192\" /></r>";
        let json =
            r#"{"interfaces":[{"id":"7174","traffic_limit":"6","used":"","timestamp":"2018-07-21 02:05:39.637192"}]}"#;
        let reply: GetOverageAllowancesResponse = received("getOverageAllowances", xml, json);
        assert_eq!((&*reply.allowances[0].id, reply.allowances[0].traffic_limit()), ("7174", "6"));
    }

    #[test]
    fn leading_zeros_stay_and_amounts_are_numbers() {
        let card = AddCreditCardTokenRequest {
            customer_id: "2".into(),
            last_four: "0042".into(),
            module_id: "3".into(),
            token: "t".into(),
            preferred: Some(false),
            ..Default::default()
        };
        let (soap, json) = sent("addCreditCardToken", &card);
        assert!(soap.contains("<cc_last4 xsi:type=\"xsd:string\">0042</cc_last4>"), "{soap}");
        assert!(json.ends_with(r#""cc_last4":"0042","module_id":"3","cc_token":"t","cc_preferred":"f"}"#), "{json}");
        for amount in
            ["12,50", "1e400", "1E5", "-1e-5", "NaN", "inf", "-Infinity", "0x10", "1,000", " 1", "1.", ".5", "+1"]
        {
            let payment = PayInvoiceRequest { invoice_number: "1".into(), amount: amount.into(), ..Default::default() };
            assert_eq!(refused(&payment), ["amount", "payment_method"], "{amount}");
        }
    }

    /// Nobody documents these data, so they come as they are.
    #[test]
    fn undocumented_data_stay_a_tree() {
        let xml = "<r><invoice id=\"5\"><total>1.00</total></invoice></r>";
        let reply: GetInvoicesDataResponse = received("getInvoicesData", xml, &format!("{xml:?}"));
        let data = reply.data.unwrap();
        assert_eq!((data.name.as_str(), data.children[0].attributes[0].value.as_str()), ("r", "5"));
        assert_eq!(data.children[0].children[0].text, "1.00");
    }
}
