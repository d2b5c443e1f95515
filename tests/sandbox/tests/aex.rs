//! AEx: the ISP flow of the document, and the framework's manners.

use std::net::SocketAddr;

use ispbridge_sandbox::{Fault, Kind, StandIn};
use serde_json::json;

use crate::wire::{Reply, sandbox, send};

const SIGN_UP: &str = r#"{"customer":{"first_name":"Jane","last_name":"Doe","email":"jane@example.com",
    "password":"secret","mobile_number":"0821234567"}}"#;
const PREDEFINED: &str = "66E9BB4D-E360-4F40-A30E-AF27F52392B6";
const PRODUCT: &str = "C567389A-2D36-4C29-AD46-0EC3D7A7D0EA";

async fn call(address: SocketAddr, line: &str, body: &str) -> Reply {
    let headers = format!(
        "Authorization: Bearer {}\r\nAccept: application/json\r\nContent-Type: application/json\r\n",
        StandIn::of("aex").value("token")
    );
    send(address, line, &headers, body).await.unwrap()
}

fn order(customer: &str, premise: &str, product: &str) -> String {
    json!({
        "customer": { "id": customer, "first_name": "Jane", "last_name": "Doe", "email": "jane@example.com",
            "username": "jane@example.com", "mobile_number": "0821234567" },
        "premise": { "external_reference": premise },
        "service": { "product_id": product },
    })
    .to_string()
}

#[tokio::test]
async fn a_customer_signs_up_once_and_gets_a_service() {
    let sandbox = sandbox().await;
    let aex = sandbox.address("aex");
    let created = call(aex, "POST /customers", SIGN_UP).await;
    assert_eq!((created.status, created.body.as_str()), (201, ""));
    let customer = created.header("location").unwrap().strip_prefix("/customers/").unwrap().to_owned();
    let again = call(aex, "POST /customers", SIGN_UP).await;
    assert_eq!(again.status, 400);
    let taken = json!({ "code": 400, "errors": { "email": ["is already taken"] },
        "full_errors": ["email is already taken"] });
    assert_eq!(again.json(), taken);
    let found = call(aex, "GET /customers?q=JANE%40example.com&count=10&page=1", "").await.json();
    assert_eq!((&found["total"], &found["items"][0]["id"]), (&json!(1), &json!(customer)));

    let ordered = call(aex, "POST /services/full", &order(&customer, PREDEFINED, PRODUCT)).await;
    assert_eq!(ordered.status, 201);
    let service = ordered.json()["service"]["service_id"].as_str().unwrap().to_owned();
    let services = call(aex, &format!("GET /customers/{customer}/services"), "").await.json();
    assert_eq!((&services["total"], &services["items"][0]["id"]), (&json!(1), &json!(service)));
    assert_eq!(services["items"][0]["product_id"], PRODUCT);
    let premise = services["items"][0]["premise_id"].as_str().unwrap();
    let premise = call(aex, &format!("GET /premises/{premise}"), "").await.json();
    assert_eq!(premise["external_reference"], PREDEFINED);
    assert_eq!(
        (&premise["street_name"], &premise["status"]),
        (&json!("David Road (Cottage)"), &json!("Has Existing Service"))
    );
    let orders = call(aex, &format!("GET /work-orders?service={service}"), "").await.json();
    assert_eq!((&orders["total"], &orders["items"][0]["account_id"]), (&json!(1), &json!(service)));
    assert_eq!(sandbox.executed("aex", "POST /customers"), 1);
    assert_eq!(sandbox.received("aex", "POST /customers"), 2);
    assert_eq!(sandbox.executed("aex", "POST /services/full"), 1);
}

#[tokio::test]
async fn the_documents_own_requests_are_answered_with_its_samples() {
    let sandbox = sandbox().await;
    let aex = sandbox.address("aex");
    let premise = call(aex, "GET /premises/4BF2A897-A38C-4D24-82C6-F2184C8832E4", "").await.json();
    let service = call(aex, "GET /services/34A39B28-8547-4853-9CAC-56F168EDE9D2", "").await.json();
    assert_eq!(premise["id"], "B002A6B4-6541-47A5-8438-BE8ACEAA6D82");
    assert_eq!(service, premise);
    let customer = call(aex, "GET /customers/FC65F24E-AADD-440E-AF96-9CBBDFA50349", "").await.json();
    assert_eq!(customer["created_at"], "2024-10-17 13:42:49 +0200");
    let q = "38%20(Cottage),%20Railway%20Street,%20Hectorton,%20Randfontein,%20ZA,%201765,%20Gauteng";
    let near = call(aex, &format!("GET /predefined-premises?count=100&page=1&q={q}"), "").await.json();
    assert_eq!(near["total"], 2);
    assert_eq!(near["items"][1]["updated_at"], "2024-06-04T12:39:12+02:00");
    let products = call(aex, "GET /products/availability/-29.7872215658/30.9834343322", "").await.json();
    assert_eq!(products["items"][0]["pricing"][0]["value"], 477.3913);
    assert_eq!(products["items"].as_array().unwrap().len(), 2);
    let services = call(aex, "GET /customers/8DC17240-9312-4EE0-A313-CF519657E2D3/services", "").await.json();
    assert_eq!(services["items"][0]["pppoe_password"], "LKNY0DE1P");
    let orders = call(aex, "GET /work-orders?service=533EE0A6-7279-415B-9ED1-191BC406AB9D", "").await.json();
    assert_eq!((&orders["count"], &orders["items"][0]["reference"]), (&json!(1), &json!("20241016-399307266")));
    let body = order(
        "4348AEF7-AD89-4309-AC29-DCB621C308CF",
        "287C94C4-0196-4999-9348-15ACC0EE7A0A",
        "50726131-B525-4732-A2D5-0B3736CDFB69",
    );
    assert_eq!(call(aex, "POST /services/full", &body).await.status, 201);
}

#[tokio::test]
async fn errors_come_in_three_shapes() {
    let sandbox = sandbox().await;
    let aex = sandbox.address("aex");
    let unknown = call(aex, "GET /premises/00000000-0000-0000-0000-000000000000", "").await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({ "code": 404, "errors": ["not found"] })));
    let page = call(aex, "GET /customers?q=x&page=zero", "").await;
    assert_eq!((page.status, page.json()["errors"]["page"].clone()), (400, json!("'zero' is not a valid Integer")));
    let count = call(aex, "GET /predefined-premises?q=x&count=101", "").await;
    assert_eq!(count.json()["errors"]["count"], "Parameter cannot be greater than 100");
    let empty = call(aex, "POST /customers", r#"{"customer":{"first_name":"J"}}"#).await;
    assert_eq!(empty.json()["errors"]["email"], json!(["is not present"]));
    let refused = call(aex, "POST /services/full", &order("nobody", PREDEFINED, PRODUCT)).await;
    assert_eq!((refused.status, refused.json()), (401, json!({ "code": 401, "errors": ["Not Authenticated"] })));
    assert_eq!(sandbox.executed("aex", "POST /services/full"), 0);
}

#[tokio::test]
async fn a_wrong_token_is_refused_in_the_language_asked_for() {
    let sandbox = sandbox().await;
    let json = send(sandbox.address("aex"), "GET /customers?q=x", "Accept: application/json\r\n", "").await.unwrap();
    assert_eq!((json.status, json.json()["code"].clone()), (401, json!(401)));
    let wrong = "Authorization: Bearer wrong\r\nAccept: text/html\r\n";
    let html = send(sandbox.address("aex"), "GET /customers?q=x", wrong, "").await.unwrap();
    assert_eq!((html.status, html.header("location")), (302, Some("/auth/login")));
}

#[tokio::test]
async fn the_printed_replies_and_a_missing_location_can_be_ordered() {
    let sandbox = sandbox().await;
    let aex = sandbox.address("aex");
    sandbox.fault("aex", Fault::once("/customers", Kind::WithoutLocation));
    let created = call(aex, "POST /customers", SIGN_UP).await;
    assert_eq!((created.status, created.header("location")), (201, None));
    sandbox.fault("aex", Fault::once("GET /customers", Kind::AsPrinted));
    let bare = call(aex, "GET /customers?q=jane@example.com", "").await.json();
    assert_eq!(bare["email"], "jane@example.com");
    sandbox.fault("aex", Fault::once("POST /services/full", Kind::AsPrinted));
    let customer = bare["id"].as_str().unwrap();
    let ordered = call(aex, "POST /services/full", &order(customer, PREDEFINED, PRODUCT)).await.json();
    assert_eq!(ordered["service"]["service_id"], PRODUCT);
}
