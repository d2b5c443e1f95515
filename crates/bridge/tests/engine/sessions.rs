//! Sessions with a refresh token over real sockets: renewed before their end, closed at the end of their account.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bridge::{
    AccountSetup, Fault, Node, Outgoing, Provider, Telemetry, Upstream,
    fault::{Kind, Outcome},
    http::{BaseUrl, HttpReply, HttpRequest},
    session::{Exchange, Login, Session},
    wire::json,
};
use bumpalo::Bump;
use http::{HeaderValue, header};
use ispbridge_kit::{Act, Hostile, clock};
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tokio::time::{Instant, timeout};
use tonic::{Response, Status};
use url::Url;

use super::{
    read, request, said,
    sample::{json, transport},
    write,
};
use crate::contract::{ScalarsReply, fresh_tables};

/// How long each session of the server lives.
const LIFE: Duration = Duration::from_secs(600);

/// What the server does.
#[derive(Default)]
struct Panel {
    logins: AtomicUsize,
    renewals: AtomicUsize,
    /// Whether renewals are never answered.
    mute: AtomicBool,
    /// Whether renewals are refused.
    refuses: AtomicBool,
    /// Whether whatever comes with a key is refused with words that quote it.
    quotes: AtomicBool,
}

impl Panel {
    fn act(&self, text: &str) -> Act {
        let path = text.split_whitespace().nth(1).unwrap_or("");
        let bearer = text.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap_or("");
        let tokens =
            |kind: &str, number| json(200, &format!(r#"{{"token":"{kind}{number}","refresh":"r-{kind}{number}"}}"#));
        match path {
            "/login" => Act::Answer(tokens("login", self.logins.fetch_add(1, SeqCst))),
            "/token" if self.mute.load(SeqCst) => Act::Mute,
            "/token" if self.refuses.load(SeqCst) => Act::Answer(json(401, "{}")),
            "/token" => Act::Answer(tokens("renewed", self.renewals.fetch_add(1, SeqCst))),
            "/revoke" => Act::Answer(json(500, "{}")),
            "/logout" => Act::Answer(json(200, "{}")),
            _ if self.quotes.load(SeqCst) => {
                let (code, words) = (format!("E-{bearer}"), format!("token {bearer} may not do this"));
                Act::Answer(json(200, &format!(r#"{{"error":"{words}","code":"{code}"}}"#)))
            }
            _ => Act::Answer(json(200, r#"{"id":"7"}"#)),
        }
    }
}

async fn panel() -> (Arc<Panel>, Hostile) {
    let panel = Arc::new(Panel::default());
    let acting = panel.clone();
    (panel, Hostile::start(move |asked| acting.act(asked.text)).await)
}

fn setup(server: &Hostile) -> (String, AccountSetup) {
    let base_url = BaseUrl::try_from(format!("http://{}/", server.address)).expect("an address");
    let provider = Box::new(Client { url: base_url.url().clone() });
    let setup = AccountSetup { base_url, transport: transport(), tables: Arc::new(fresh_tables()).into(), provider };
    ("main".to_owned(), setup)
}

fn upstream(server: &Hostile) -> Upstream {
    let tracer = SdkTracerProvider::default().tracer("test");
    let telemetry = Telemetry::new("sample", &tracer, &SdkMeterProvider::default().meter("test"));
    Upstream::new("sample.ispbridge", [setup(server)], telemetry).expect("one account")
}

struct Client {
    url: Url,
}

impl Provider for Client {
    fn request(&self, call: &Outgoing<'_>) -> Result<HttpRequest, Fault> {
        let mut body = String::new();
        json::write(call.arguments, &mut body);
        let request = HttpRequest::post(self.url.join(call.operation).expect("a path"), "application/json", body);
        let Some(session) = call.session else { return Ok(request) };
        let bearer = HeaderValue::try_from(format!("Bearer {}", session.key())).expect("a key");
        Ok(request.with_header(header::AUTHORIZATION, bearer))
    }

    fn reply<'t>(&self, _: &str, reply: &'t HttpReply, arena: &'t Bump) -> Result<Node<'t>, Fault> {
        if let Some(fault) = reply.status_fault() {
            return Err(fault);
        }
        let node = json::parse(&reply.body, arena).map_err(Fault::unreadable)?;
        match node.text_at("error") {
            "" => Ok(node),
            text => Err(Fault::rejected(Kind::FailedPrecondition, "NO", text).with_upstream_code(node.text_at("code"))),
        }
    }

    fn login(&self) -> Option<&dyn Login> {
        Some(self)
    }

    fn check(&self) -> (&'static str, &'static [(&'static str, Node<'static>)]) {
        ("details", &[])
    }
}

fn with_refresh<'t>(operation: &'t str, old: &'t Session, arena: &'t Bump) -> Option<Exchange<'t>> {
    let arguments = arena.alloc_slice_copy(&[("refresh_token", Node::Text(old.refresh()?))]);
    Some(Exchange { operation, arguments: Node::Map(arguments) })
}

impl Login for Client {
    fn open<'t>(&self, _: &'t Bump) -> Exchange<'t> {
        Exchange { operation: "login", arguments: Node::Map(&[("username", Node::Text("u"))]) }
    }

    fn renew<'t>(&self, old: &'t Session, arena: &'t Bump) -> Option<Exchange<'t>> {
        with_refresh("token", old, arena)
    }

    fn close<'t>(&self, old: &'t Session, arena: &'t Bump) -> Vec<Exchange<'t>> {
        let logout = Exchange { operation: "logout", arguments: Node::Map(&[]) };
        with_refresh("revoke", old, arena).into_iter().chain([logout]).collect()
    }

    fn read(&self, reply: Node<'_>, sent: Instant) -> Result<Session, Fault> {
        let (key, refresh) = (reply.text_at("token"), reply.text_at("refresh"));
        Ok(Session::new(key).with_refresh(refresh).ending_at(sent + LIFE))
    }
}

/// Waits for what happens beside the calls.
async fn until(server: &Hostile, what: &str, count: usize) {
    let seen = async {
        while server.count(what) < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(20), seen)
        .await
        .unwrap_or_else(|_| panic!("{count} of {what}: {:?}", server.requests()));
}

#[tokio::test]
async fn a_session_is_renewed_with_the_token_of_its_last_renewal() {
    let (panel, server) = panel().await;
    let upstream = upstream(&server);
    write(&upstream).await.expect("an answer");
    for (renewals, token) in [(1, "r-login0"), (2, "r-renewed0"), (3, "r-renewed1")] {
        clock::skip(LIFE - Duration::from_secs(30)).await;
        write(&upstream).await.expect("the old session is used meanwhile");
        until(&server, "POST /token", renewals).await;
        assert_eq!(server.count(&format!(r#"{{"refresh_token":"{token}"}}"#)), 1);
    }
    clock::skip(Duration::from_secs(15)).await;
    write(&upstream).await.expect("an answer");
    assert_eq!(server.count("authorization: Bearer renewed2"), 1, "{:?}", server.requests());
    assert_eq!((panel.logins.load(SeqCst), panel.renewals.load(SeqCst)), (1, 3));
}

#[tokio::test]
async fn a_refused_renewal_is_a_login_and_counts_against_nobody() {
    let (panel, server) = panel().await;
    let upstream = upstream(&server);
    panel.refuses.store(true, SeqCst);
    for logins in 1..=5 {
        write(&upstream).await.expect("an answer");
        assert_eq!(panel.logins.load(SeqCst), logins);
        clock::skip(LIFE).await;
    }
    assert_eq!(server.count("POST /token"), 4);
    let account = &upstream.accounts()[0];
    assert_eq!((account.is_refused, account.failures_in_a_row, account.is_breaker_open), (false, 0, false));
}

#[tokio::test]
async fn a_renewal_that_hangs_ends_and_a_login_follows() {
    let (panel, server) = panel().await;
    let upstream = upstream(&server);
    write(&upstream).await.expect("an answer");
    panel.mute.store(true, SeqCst);
    clock::skip(LIFE).await;
    // The settings of the account wait a second for the first byte.
    write(&upstream).await.expect("an answer with the second session");
    assert_eq!((panel.logins.load(SeqCst), server.count("authorization: Bearer login1")), (2, 1));
}

#[tokio::test]
async fn a_replaced_account_ends_its_session_after_its_last_call() {
    let (_panel, server) = panel().await;
    let upstream = upstream(&server);
    let call = upstream.call(&request()).expect("the one account");
    write(&upstream).await.expect("an answer");
    upstream.replace([setup(&server)]).expect("the same account anew");
    let answer: Result<Response<ScalarsReply>, Fault> = call.write("op", request().into_inner()).await;
    answer.expect("a call under way ends as it began");
    assert_eq!((server.count("POST /revoke"), server.count("POST /logout")), (0, 0));
    drop(call);
    // The logout is made though the revocation fails.
    until(&server, "POST /logout", 1).await;
    let (requests, mut paths) = (server.requests(), Vec::new());
    paths.extend(requests.iter().map(|request| request.split_whitespace().nth(1).unwrap_or("")));
    assert_eq!(paths, ["/login", "/op", "/op", "/revoke", "/logout"]);
    assert!(requests[3].ends_with(r#"{"refresh_token":"r-login0"}"#), "{}", requests[3]);
    assert!(requests[4].contains("authorization: Bearer login0"), "{}", requests[4]);
    write(&upstream).await.expect("the new account logs in for itself");
    assert_eq!(server.count("POST /login"), 2);
}

#[tokio::test]
async fn a_closed_upstream_has_no_session_and_makes_none() {
    let (_panel, server) = panel().await;
    let upstream = upstream(&server);
    write(&upstream).await.expect("an answer");
    upstream.clone().close().await;
    assert_eq!((server.count("POST /revoke"), server.count("POST /logout")), (1, 1));
    assert_eq!(said(write(&upstream).await), (Kind::Unavailable, Outcome::NotSent, "UPSTREAM_SESSION"));
    drop(upstream);
    assert_eq!((server.count("POST /login"), server.count("POST /logout")), (1, 1));
}

#[tokio::test]
async fn a_close_ends_though_nobody_answers() {
    let (_panel, server) = panel().await;
    let upstream = upstream(&server);
    write(&upstream).await.expect("an answer");
    server.act(|_| Act::Mute);
    timeout(Duration::from_secs(20), upstream.close()).await.expect("an end");
    assert_eq!(server.count("POST /revoke"), 1);
}

#[tokio::test]
async fn what_the_supplier_quotes_of_a_session_is_told_to_nobody() {
    let (panel, server) = panel().await;
    let upstream = upstream(&server);
    panel.quotes.store(true, SeqCst);
    for answer in [read(&upstream).await, write(&upstream).await] {
        let fault = answer.expect_err("a refusal");
        assert_eq!(fault.upstream_message(), Some("token [redacted] may not do this"));
        assert_eq!(fault.upstream_code(), Some("E-[redacted]"));
        let told = format!("{fault} {fault:?} {:?}", Status::from(fault.clone()));
        assert!(!told.contains("login0"), "{told}");
    }
}
