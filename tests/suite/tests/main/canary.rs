//! No secret is ever shown: marked ones are sent every way, good and bad, and looked for wherever a person may look.

use std::{collections::BTreeMap, net::SocketAddr};

use ispbridge::programs::names;
use ispbridge_kit::http1::{exchange, get};
use ispbridge_sandbox::{ALL, Config, Credentials, Fault, Kind, Sandbox, StandIn};
use protocol::caller::Root;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tonic::Status;

use crate::{
    caller::Call,
    encodings,
    harness::{Harness, Secrets, WRONG},
    log::LOG,
    outcome::order,
    wires::{VERBS, WIRES, Wire},
};

/// A harmless word that travels beside the secrets and must be found, or the search proves nothing.
const CONTROL: &str = "control-word-of-the-canaries";

/// A card number that the sandbox takes.
const CARD: &str = "4111111111111111";

/// Passwords in the replies of the sandbox: a service's (AEx ISP Flow, step 6) and a RADIUS entry's.
const SEEDED: [&str; 3] = ["LKNY0DE1P", "30e97e3c78", "0ac5ae06a2ec2"];

fn secrets() -> Secrets {
    let secrets = secret_keys();
    let upstream = secrets.fold(Credentials::default(), |known, (provider, key)| {
        known.with(provider, key, mark(&format!("{provider}-{key}")))
    });
    Secrets {
        upstream,
        wrong: mark("wrong"),
        root: mark("root-of-the-caller-context"),
        key: mark("key"),
        stranger: mark("stranger"),
    }
}

/// The keys of accounts that are secret, with their providers.
fn secret_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let keys = |upstream: &'static StandIn| upstream.account.iter().map(|key| (upstream.provider, key));
    ALL.iter().flat_map(keys).filter(|(_, key)| key.is_secret).map(|(provider, key)| (provider, key.name))
}

/// A secret that changes in every encoding and is no part of any other text.
fn mark(name: &str) -> String {
    format!("kanarie+{name}/&<{}>=", name.len() * 7919)
}

/// What callers send in sensitive fields.
fn sent(name: &str) -> String {
    mark(&format!("sent-{name}"))
}

/// Calls with as many secrets as there is room for.
fn calls() -> Vec<(&'static str, &'static str, Value)> {
    let new = json!({ "customer": {
        "firstName": "Thandi", "lastName": "Example", "email": "thandi@example.com",
        "password": sent("aex"), "mobileNumber": "1234567890",
    } });
    let subscriber = json!({
        "firstName": "John", "lastName": "Smith", "addressLine1": "1 Main St", "city": "San Francisco", "state": "CA",
        "postalCode": "94105", "country": "US", "packageDefinitionNumber": "1", "username": "lucja",
        "paymentMethod": "PAYMENT_METHOD_CARD", "paymentNumber": CARD, "paymentExpiry": "11/2012",
        "password": sent("freeside"), "securityPhrase": sent("phrase"), "pin": sent("pin"),
        "sipPassword": sent("sip"), "socialSecurityNumber": sent("ssn"),
    });
    let customer = json!({ "name": "Jane", "nickname": "Jane", "invoicingId": "J1", "portalPassword": sent("azotel") });
    let change = json!({ "customerId": "27939", "portalPassword": sent("azotel-change") });
    let list = json!({ "table": "RADIUS_TABLE_RADCHECK", "customerId": "27939" });
    let radius = json!({
        "table": "RADIUS_TABLE_RADCHECK", "action": "RADIUS_ACTION_ADD", "customerId": "27939", "username": "user",
        "attribute": "Cleartext-Password", "value": sent("radius"),
    });
    let mut calls = vec![
        ("aex", "aex.CustomerService/CreateCustomer", new),
        ("aex", "aex.OrderService/GetService", json!({ "serviceId": "533EE0A6-7279-415B-9ED1-191BC406AB9D" })),
        ("aex", "aex.OrderService/CreateService", order()),
        ("freeside", "freeside.AgentService/AgentInfo", json!({})),
        ("freeside", "freeside.CustomerService/NewCustomer", subscriber),
        ("azotel", "azotel.CustomerService/AddCustomer", customer),
        ("azotel", "azotel.CustomerService/ModifyCustomer", change),
        ("azotel", "azotel.NetworkService/ListCustomerRadius", list),
        ("azotel", "azotel.NetworkService/ChangeCustomerRadius", radius),
    ];
    let others = WIRES.iter().filter(|wire| !["aex", "azotel", "freeside"].contains(&wire.provider));
    let both = |wire: &Wire| VERBS.map(|verb| (wire.provider, wire.method(verb), wire.request(verb)));
    calls.extend(others.flat_map(both));
    calls
}

/// Whether calls with secrets go to the provider that a place is of. The gateway knows no messages.
fn has_secrets(place: &str) -> bool {
    let with_secrets = calls().into_iter().filter(|(_, _, request)| request.to_string().contains("kanarie"));
    with_secrets.map(|(provider, ..)| provider).any(|provider| place.ends_with(provider))
}

/// The same with a character that no XML can carry, in the field that must not be quoted.
fn illegal() -> [(&'static str, Value); 2] {
    let password = format!("{}\u{1}", sent("illegal"));
    let subscriber = json!({ "firstName": "John", "password": password });
    let customer = json!({ "name": "Jane", "portalPassword": password });
    [("freeside.CustomerService/NewCustomer", subscriber), ("azotel.CustomerService/AddCustomer", customer)]
}

fn faults() -> Vec<Kind> {
    vec![
        Kind::ResetAfterCommit,
        Kind::TruncateAfterCommit,
        Kind::WrongContentType,
        Kind::HtmlLoginPage,
        Kind::RateLimit { retry_after: 600 },
        Kind::Http500 { after_commit: true },
    ]
}

/// Makes every call in every way; returns the statuses of those that failed and the number of those that did not.
async fn exercise(harness: &Harness) -> (Vec<Status>, usize) {
    let (mut failed, mut good) = (Vec::new(), 0);
    for (provider, method, request) in calls() {
        match send(harness, method, &request, &[]).await {
            Ok(_) => good += 1,
            Err(status) => failed.push(status),
        }
        for kind in faults() {
            harness.sandbox.fault(provider, Fault::once("*", kind));
            failed.extend(send(harness, method, &request, &[]).await.err());
            harness.sandbox.clear_faults(provider);
        }
        let unknown = sent("unknown-key");
        for header in
            [("x-ispbridge-account", WRONG), ("x-api-key", &unknown), ("x-api-key", &harness.secrets.stranger)]
        {
            failed.push(send(harness, method, &request, &[header]).await.unwrap_err());
        }
    }
    for (method, request) in illegal() {
        failed.push(send(harness, method, &request, &[]).await.unwrap_err());
    }
    for (provider, method, request) in calls() {
        harness.sandbox.fault(provider, Fault::once("*", Kind::ExpireSessions));
        failed.extend(send(harness, method, &request, &[]).await.err());
    }
    (failed, good)
}

async fn send(
    harness: &Harness,
    method: &str,
    request: &Value,
    headers: &[(&'static str, &str)],
) -> Result<Value, Status> {
    let call = Call::new(method, request.clone()).with("x-request-id", CONTROL);
    // Strangers' headers: whoever mistakes a door still hands over a secret.
    let call = call.with("authorization", format!("Bearer {}", sent("bearer"))).with("cookie", sent("cookie"));
    harness.send(headers.iter().fold(call, |call, (name, value)| call.with(name, *value))).await
}

/// Everything that is marked, and where it came from.
fn marks(secrets: &Secrets) -> BTreeMap<String, String> {
    let root = Root::new("harness", &secrets.root).unwrap();
    let derived = |provider: &str| root.derive(&format!("ispbridge-{provider}")).to_text();
    let mut marks: BTreeMap<String, String> =
        names().map(|provider| (format!("caller key of {provider}"), derived(provider))).collect();
    let known = secret_keys().map(|(provider, key)| secrets.upstream.get(provider, key).to_owned());
    let own = [&secrets.wrong, &secrets.root, &secrets.key, &secrets.stranger];
    let places = ["aex", "freeside", "phrase", "pin", "sip", "ssn", "azotel", "azotel-change", "radius", "illegal"];
    let strange = ["unknown-key", "bearer", "cookie"];
    let sent = places.iter().chain(&strange).map(|name| sent(name));
    let texts =
        known.chain(own.into_iter().cloned()).chain(sent).chain(SEEDED.map(str::to_owned)).chain([CARD.to_owned()]);
    marks.extend(texts.map(|text| (text.clone(), text)));
    marks
}

/// Wherever a person may look, with a word that must be found there.
async fn artefacts(harness: Harness, failed: &[Status], taps: Vec<Tap>) -> Vec<(String, String, &'static str)> {
    let statuses: Vec<_> = failed.iter().map(|status| format!("{status:?} {}", lossy(status.details()))).collect();
    let mut found = vec![("statuses".to_owned(), statuses.join("\n"), "OUTCOME_UNKNOWN")];
    for (name, address) in admins(&harness) {
        for (page, word) in
            [("/metrics", "ispbridge"), ("/buildinfo", "version"), ("/readyz", "ok"), ("/nothing", "404")]
        {
            found.push((format!("{name} {page}"), get(address, page).await, word));
        }
    }
    let states: Vec<_> = harness.services.iter().map(|(_, running)| format!("{running:?}")).collect();
    found.push(("state".to_owned(), format!("{states:?} {:?}", harness.gateway), "Running"));
    found.push(("status page".to_owned(), get(harness.gateway.admin_addr().unwrap(), "/status.json").await, CONTROL));
    let spans = harness.spans.clone();
    for (place, text) in harness.close().await {
        assert!(!has_secrets(&place) || text.contains("\"REDACTED\""), "{place}: {text}");
        found.push((place, text, CONTROL));
    }
    for (name, text) in taps {
        found.push((format!("tap of {name}"), text.await.unwrap(), CONTROL));
    }
    found.push(("spans".to_owned(), format!("{:?}", spans.all()), CONTROL));
    found.push(("log".to_owned(), LOG.text(), CONTROL));
    found
}

fn admins(harness: &Harness) -> Vec<(&'static str, SocketAddr)> {
    let services = harness.services.iter().map(|(name, running)| (*name, running.admin_addr().unwrap()));
    services.chain([("gateway", harness.gateway.admin_addr().unwrap())]).collect()
}

/// What is seen by who watches a process until it ends.
type Tap = (&'static str, JoinHandle<String>);

fn taps(harness: &Harness) -> Vec<Tap> {
    let tap = |(name, address)| (name, tokio::spawn(get(address, "/tap?rate=1000")));
    admins(harness).into_iter().map(tap).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn no_secret_is_shown_anywhere() {
    LOG.install();
    let harness = Harness::open_with(secrets()).await;
    let taps = taps(&harness);
    let (failed, good) = exercise(&harness).await;
    assert!(good == calls().len() && failed.len() > 60, "{good} good, {} failed", failed.len());
    let mut marks = marks(&harness.secrets);
    marks.insert("session key".to_owned(), session_key(harness.secrets.upstream.clone()).await);
    for (place, text, control) in artefacts(harness, &failed, taps).await {
        assert!(text.contains(control), "{place} does not hold {control}: {text}");
        for (name, secret) in &marks {
            for (form, encoded_secret) in encodings::all(secret) {
                let hit = text.find(&encoded_secret).map(|at| excerpt(&text, at));
                assert_eq!(hit, None, "{name} in {place}, {form}");
            }
        }
    }
}

fn excerpt(text: &str, at: usize) -> &str {
    &text[text.floor_char_boundary(at.saturating_sub(300))..text.floor_char_boundary(at + 100)]
}

/// The search finds a secret in the log in every encoding; otherwise its silence would mean nothing.
#[test]
fn a_secret_that_is_logged_is_found() {
    LOG.install();
    let secret = mark("control");
    for (form, encoded_secret) in encodings::all(&secret) {
        tracing::trace!(target: "canary", "before {encoded_secret} after");
        let escaped = serde_json::to_string(&encoded_secret).unwrap();
        let text = LOG.text();
        assert!(text.contains(&encoded_secret) || text.contains(escaped.trim_matches('"')), "{form}");
    }
    let whole = format!("GET /?q={secret}");
    let encoded = encodings::all(&whole).into_iter().find(|(form, _)| *form == "base64").unwrap().1;
    assert!(
        encodings::all(&secret).iter().any(|(_, encoded_secret)| encoded.contains(encoded_secret)),
        "inside of base64"
    );
}

/// The key of the first session that a sandbox opens: with the same seed it is the same.
async fn session_key(credentials: Credentials) -> String {
    let sandbox = Sandbox::start(Config { credentials: credentials.clone(), ..Config::default() }).await.unwrap();
    let text = |text: &str| format!("<param><value>{}</value></param>", encodings::xml(text));
    let arguments =
        ["username", credentials.get("freeside", "username"), "password", credentials.get("freeside", "password")]
            .map(text);
    let call = format!(
        "<methodCall><methodName>FS.SelfService.XMLRPC.agent_login</methodName><params>{}</params></methodCall>",
        arguments.concat()
    );
    let head = format!("POST /selfservice/xmlrpc.cgi HTTP/1.1\r\nhost: upstream\r\ncontent-length: {}\r\n", call.len());
    let answer = exchange(
        sandbox.address("freeside"),
        &format!("{head}content-type: text/xml\r\nconnection: close\r\n\r\n{call}"),
    )
    .await;
    let rest = answer.split("<name>session_id</name><value><string>").nth(1).unwrap_or_else(|| panic!("{answer}"));
    rest.split('<').next().unwrap().to_owned()
}
