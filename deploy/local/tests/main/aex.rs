//! Every method of AEx with the ids and values that its document prints.

use serde_json::{Value, json};

use crate::caller::{ask, new_customer, started};

const SERVICE: &str = "533EE0A6-7279-415B-9ED1-191BC406AB9D";
const CUSTOMER_WITH_SERVICE: &str = "8DC17240-9312-4EE0-A313-CF519657E2D3";

fn printed_customer() -> Value {
    json!({
        "id": "FC65F24E-AADD-440E-AF96-9CBBDFA50349",
        "parentId": "AEEF38C0-F1E9-4E83-AD4F-3E35AAB8DFCF",
        "portalUserId": "AABDE29F-B2B2-456F-916E-699D0BD28CFC",
        "firstName": "string",
        "lastName": "string",
        "email": "string",
        "username": "string",
        "mobileNumber": "string",
        "homeNumber": "string",
        "serviceProviderFlag": false,
        "createdAt": "2024-10-17T11:42:49Z",
        "updatedAt": "2024-10-17T11:42:49Z",
        "enabled": true,
    })
}

fn printed_service() -> Value {
    json!({
        "id": SERVICE,
        "customerId": CUSTOMER_WITH_SERVICE,
        "productId": "AD0B8EFA-20ED-41E2-BFCF-D48761CA82F8",
        "providerId": "78029096-2916-4773-A281-4F8331A853DB",
        "premiseId": "FA8909FA-2C81-450E-AD9F-62A689623896",
        "preorder": false,
        "portNumber": "1",
        "pppoeUsername": "533EE0A67279415B9ED1191BC406AB9D@bb.example.com",
        "pppoePassword": "LKNY0DE1P",
        "wifiUsername": "RippleFiber_ID3Y",
        "wifiPassword": "30e97e3c78",
        "provisioned": false,
        "provisionedDate": "2024-10-16T11:07:42Z",
        "onNetwork": false,
        "onNetworkDate": "2024-10-16T11:07:42Z",
        "completed": false,
        "completedDate": "2024-10-16T11:07:42Z",
        "cancelled": false,
        "createdAt": "2024-10-16T11:05:30Z",
        "statusId": 2,
        "configInfo": {
            "name": "config_info",
            "children": [{ "name": "enable_band_steering", "text": "true" }],
        },
        "updatedAt": "2024-10-16T11:05:30Z",
        "dhcpEnabled": false,
        "serviceConfigurationId": 1,
    })
}

#[tokio::test]
async fn customers_are_found_and_read_as_they_are_printed() {
    let suite = started().await;
    let found = ask(&suite, "aex.CustomerService/ListCustomers", json!({ "query": "string" })).await;
    assert_eq!(found["customers"], json!([printed_customer()]));
    assert_eq!(found["total"], 1);
    let id = json!({ "customerId": printed_customer()["id"] });
    let read = ask(&suite, "aex.CustomerService/GetCustomer", id).await;
    assert_eq!(read, json!({ "customer": printed_customer() }));
    let id = json!({ "customerId": CUSTOMER_WITH_SERVICE });
    let services = ask(&suite, "aex.CustomerService/ListCustomerServices", id).await;
    assert_eq!(services, json!({ "services": [printed_service()], "total": 1 }));
    suite.stop().await;
}

#[tokio::test]
async fn premises_are_found_and_read_as_they_are_printed() {
    let suite = started().await;
    let found = ask(&suite, "aex.PremiseService/ListPredefinedPremises", json!({ "query": "David Road" })).await;
    let printed = json!({
        "id": "1616056",
        "guid": "66E9BB4D-E360-4F40-A30E-AF27F52392B6",
        "fullText": "38 , David Road (Cottage), Oaktree, Krugersdorp, ZA, 1739, Gauteng",
        "latitude": -26.038965,
        "longitude": 27.738254,
        "operatorId": "AEEF38C0-F1E9-4E83-AD4F-3E35AAB8DFCF",
        "premiseId": "783D71D3-B0A4-4C90-8392-C43294A976DC",
        "updatedAt": "2023-07-05T09:02:23Z",
        "createdAt": "2023-07-05T09:02:23Z",
        "areaId": "9F961EB9-4D8D-4917-A9C5-56EA835E2C74",
    });
    assert_eq!(found["predefinedPremises"], json!([printed]));
    let id = json!({ "premiseId": "B002A6B4-6541-47A5-8438-BE8ACEAA6D82" });
    let read = ask(&suite, "aex.PremiseService/GetPremise", id.clone()).await;
    let printed = json!({
        "id": id["premiseId"],
        "areaId": "548F9777-D0F9-45A3-A2A7-A352583456E6",
        "latitude": -29.785_239_043_8,
        "longitude": 30.982_832_355_2,
        "externalReference": "287C94C4-0196-4999-9348-15ACC0EE7A0A",
        "streetNumber": "9",
        "streetName": "Pompano Place",
        "suburb": "Newlands",
        "city": "Durban",
        "countryCode": "ZA",
        "postalCode": "4037",
        "province": "Kwazulu Natal",
        "customerId": "4348AEF7-AD89-4309-AC29-DCB621C308CF",
        "name": "AutoCreated_ 19653",
        "createdAt": "2024-10-08T11:19:29Z",
        "updatedAt": "2024-10-08T11:19:29Z",
        "status": "Has Existing Service",
    });
    assert_eq!(read, json!({ "premise": printed }));
    suite.stop().await;
}

#[tokio::test]
async fn products_come_with_their_prices() {
    let suite = started().await;
    let place = json!({ "latitude": -26.038965, "longitude": 27.738254 });
    let found = ask(&suite, "aex.ProductService/ListAvailableProducts", place).await;
    let printed = json!({
        "id": "C567389A-2D36-4C29-AD46-0EC3D7A7D0EA",
        "providerId": "40B2AAA0-96A7-4856-BA35-90E6B0D1C4B6",
        "parentId": "452C55AD-16F0-4248-A745-E270BB44590C",
        "name": "ips product 10/2 Mbps",
        "description": "ips product 10/2 Mbps",
        "speedUp": 2.0,
        "speedDown": 10.0,
        "minContract": 1,
        "effectiveDate": "2023-09-03T22:00:00Z",
        "status": "Active",
        "typeName": "ISP",
        "provider": "MockIsp",
        "pricing": [{
            "id": "E6A396D4-8C0E-48E2-8008-48AC13F04CFA",
            "priceType": "Monthly",
            "currencyCode": "ZAR",
            "tax": "15.0",
            "value": "477.3913",
            "valueIncl": "549.0",
        }],
        "logo": "/Images/Logos/308FCA5F-3E46-468B-891C-97A986E45677.jpg",
    });
    assert_eq!(found["products"][0], printed);
    assert_eq!(found["products"][1]["name"], "School Service");
    suite.stop().await;
}

#[tokio::test]
async fn a_service_and_its_work_order_are_read_as_they_are_printed() {
    let suite = started().await;
    let id = json!({ "serviceId": SERVICE });
    let read = ask(&suite, "aex.OrderService/GetService", id.clone()).await;
    assert_eq!(read, json!({ "service": printed_service() }));
    let orders = ask(&suite, "aex.OrderService/ListWorkOrders", id).await;
    let printed = json!({
        "guid": "796712E9-36BE-4510-B9BE-607B721AD551",
        "id": "796712E9-36BE-4510-B9BE-607B721AD551",
        "typeId": 1,
        "accountId": SERVICE,
        "reference": "20241016-399307266",
        "onHold": false,
        "deviceSpecified": false,
        "updatedAt": "2024-10-16T11:05:30Z",
        "lastUpdateDate": "2024-10-16T11:05:30Z",
        "createdAt": "2024-10-16T11:05:30Z",
        "startDate": "2024-10-16T11:05:30Z",
        "statusId": "34A8DC44-7B32-40FF-8F95-FA415BB8D82A",
        "createdById": "97E84EDE-39AC-4324-817F-4ADD8623EFC4",
        "disableAutoWoCreation": false,
        "status": "New Order",
        "type": "Installation",
        "serviceId": SERVICE,
        "lastComment": "Work Order created on service creation.",
        "createdBy": "AEx System",
        "clientStatus": "Order in progress",
    });
    assert_eq!(orders["workOrders"], json!([printed]));
    suite.stop().await;
}

/// The whole way that the document describes, from the sign-up to the work order.
#[tokio::test]
async fn a_new_customer_gets_a_service() {
    let suite = started().await;
    let created = ask(&suite, "aex.CustomerService/CreateCustomer", new_customer()).await;
    let id = created["customerId"].as_str().unwrap();
    let customer = ask(&suite, "aex.CustomerService/GetCustomer", json!({ "customerId": id })).await;
    assert_eq!(customer["customer"]["email"], "thandi@example.com");
    let order = json!({
        "customer": {
            "id": id, "firstName": "Thandi", "lastName": "Example", "email": "thandi@example.com",
            "username": "thandi@example.com", "mobileNumber": "1234567890",
        },
        "premise": { "externalReference": "66E9BB4D-E360-4F40-A30E-AF27F52392B6" },
        "service": { "productId": "C567389A-2D36-4C29-AD46-0EC3D7A7D0EA" },
    });
    let ordered = ask(&suite, "aex.OrderService/CreateService", order).await;
    let service = ordered["service"]["serviceId"].clone();
    let services = ask(&suite, "aex.CustomerService/ListCustomerServices", json!({ "customerId": id })).await;
    assert_eq!(services["services"][0]["id"], service);
    let orders = ask(&suite, "aex.OrderService/ListWorkOrders", json!({ "serviceId": service })).await;
    assert_eq!(orders["workOrders"][0]["status"], "New Order");
    for write in ["POST /customers", "POST /services/full"] {
        assert_eq!(suite.sandbox().executed("aex", write), 1, "{write}");
    }
    suite.stop().await;
}
