//! AEx (ISP Flow): the ten documented endpoints, with the manners of the Ditty framework behind them.
//!
//! It begins with the samples of AEx ISP Flow. Where the document is silent the framework's public source decides: list
//! envelope, three shapes of `errors`, `Location` on creation, HTML and a redirect to the login page for a caller
//! that does not ask for JSON.

mod listing;
mod manners;
mod register;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::header::LOCATION;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::host::Upstream;
use crate::{AccountKey, Config, StandIn};
use listing::{Page, parameter};
use manners::{errors, invalid, page, unauthenticated, wants_json};
use register::{Order, Register};

/// The id the document's sample asks for, although the premise it prints has another one.
const PREMISE_AS_ASKED: &str = "4BF2A897-A38C-4D24-82C6-F2184C8832E4";
/// The service whose printed sample is a copy of the premise.
const SERVICE_AS_PRINTED: &str = "34A39B28-8547-4853-9CAC-56F168EDE9D2";
/// The framework's search columns are not documented for customers; these are inferred.
const CUSTOMER_COLUMNS: [&str; 5] = ["email", "username", "first_name", "last_name", "mobile_number"];
const REQUIRED_OF_A_CUSTOMER: [&str; 5] = ["first_name", "last_name", "email", "password", "mobile_number"];

/// AEx, as the sandbox lists it.
pub(crate) const STAND_IN: StandIn = StandIn {
    provider: "aex",
    title: "AEx",
    path: "",
    account: &[AccountKey::secret("token", "sandbox-aex-token")],
    new: |config| Box::new(Aex::new(config)),
};

pub(crate) struct Aex {
    token: String,
    seed: u64,
    expired: AtomicBool,
    register: Mutex<Register>,
}

impl Aex {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            token: config.credentials.get("aex", "token").to_owned(),
            seed: config.seed,
            expired: AtomicBool::new(false),
            register: Mutex::new(Register::new(config.seed)),
        }
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authenticated(&self, call: &Call) -> bool {
        let expired = self.expired.swap(false, Ordering::SeqCst);
        let token = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        !expired && token == Some(self.token.as_str())
    }

    fn dispatch(&self, call: &Call) -> Answer {
        let segments = segments(&call.path);
        match (call.method.as_str(), segments.as_slice()) {
            ("POST", ["customers"]) => self.add_customer(call),
            ("GET", ["customers"]) => self.search_customers(call),
            ("GET", ["customers", id]) => entity(self.register().customer(id)),
            ("GET", ["customers", id, "services"]) => self.services_of(id),
            ("GET", ["predefined-premises"]) => self.search_premises(call),
            ("GET", ["products", "availability", latitude, longitude]) => self.products(latitude, longitude),
            ("POST", ["services", "full"]) => self.order_service(call),
            ("GET", ["services", id]) => self.service(call, id),
            ("GET", ["premises", id]) => entity(self.register().premise(premise_id(id))),
            ("GET", ["work-orders"]) => self.work_orders(call),
            _ => Answer::refused(errors(404, &json!(["Not Found"]))),
        }
    }

    fn add_customer(&self, call: &Call) -> Answer {
        let Ok(body) = serde_json::from_slice::<Value>(&call.body) else {
            // The framework's catch-all answers in plain text.
            return Answer::refused(Reply::text(500, "Unknown Error"));
        };
        let customer = &body["customer"];
        let missing: Vec<&str> =
            REQUIRED_OF_A_CUSTOMER.into_iter().filter(|name| text(customer, name).is_empty()).collect();
        if !missing.is_empty() {
            return Answer::refused(invalid(&missing, "is not present"));
        }
        let mut register = self.register();
        if register.is_taken(text(customer, "email")) {
            return Answer::refused(invalid(&["email"], "is already taken"));
        }
        let id = register.add_customer(customer);
        Answer::done(Reply::empty(201).with(LOCATION, &format!("/customers/{id}")))
    }

    fn search_customers(&self, call: &Call) -> Answer {
        let q = parameter(call, "q").unwrap_or_default().to_lowercase();
        let register = self.register();
        let found: Vec<&Value> = register
            .customers()
            .filter(|customer| CUSTOMER_COLUMNS.iter().any(|name| text(customer, name).to_lowercase().contains(&q)))
            .collect();
        match found.first() {
            Some(first) if call.as_printed => Answer::done(Reply::json(200, first)),
            _ => listed(Page::read(call, None), &found),
        }
    }

    fn search_premises(&self, call: &Call) -> Answer {
        let q = parameter(call, "q").unwrap_or_default().to_lowercase();
        let register = self.register();
        let found: Vec<&Value> = register
            .predefined_premises()
            .filter(|premise| is_near(&text(premise, "full_text").to_lowercase(), &q))
            .collect();
        listed(Page::read(call, Some(100)), &found)
    }

    fn products(&self, latitude: &str, longitude: &str) -> Answer {
        let (Ok(south), Ok(east)) = (latitude.parse::<f64>(), longitude.parse::<f64>()) else {
            let (name, value) =
                if latitude.parse::<f64>().is_err() { ("latitude", latitude) } else { ("longitude", longitude) };
            let complaint = listing::bad_parameter(name, &format!("'{value}' is not a valid Float"));
            return Answer::refused(Reply::json(400, &complaint));
        };
        let covered = (-35.0..=-22.0).contains(&south) && (16.0..=33.0).contains(&east);
        let register = self.register();
        let items: Vec<&Value> = register.products().filter(|_| covered).collect();
        Answer::done(Reply::json(200, &json!({ "items": items })))
    }

    /// Anything wrong with the order is answered as if the token were wrong, as the document says.
    fn order_service(&self, call: &Call) -> Answer {
        let order = serde_json::from_slice::<Value>(&call.body).ok();
        let Some(order) = order.as_ref().and_then(Order::read) else {
            return Answer::refused(unauthenticated(call));
        };
        let Some(service) = self.register().order(&order) else {
            return Answer::refused(unauthenticated(call));
        };
        let service_id = if call.as_printed { order.product } else { &service };
        let body = json!({
            "customer": { "id": order.customer },
            "premise": { "external_reference": order.premise },
            "service": { "service_id": service_id },
        });
        Answer::done(Reply::json(201, &body))
    }

    fn service(&self, call: &Call, id: &str) -> Answer {
        let register = self.register();
        if id.eq_ignore_ascii_case(SERVICE_AS_PRINTED) || call.as_printed {
            return entity(register.premises().next());
        }
        entity(register.service(id))
    }

    fn services_of(&self, customer: &str) -> Answer {
        let register = self.register();
        if register.customer(customer).is_none() {
            return entity(None);
        }
        let items: Vec<&Value> = register.services_of(customer).collect();
        Answer::done(Reply::json(200, &json!({ "items": items, "total": items.len() })))
    }

    fn work_orders(&self, call: &Call) -> Answer {
        let service = parameter(call, "service").unwrap_or_default();
        let register = self.register();
        if register.service(&service).is_none() {
            return entity(None);
        }
        let found: Vec<&Value> =
            register.work_orders().filter(|order| text(order, "service_id").eq_ignore_ascii_case(&service)).collect();
        listed(Page::read(call, None), &found)
    }
}

impl Upstream for Aex {
    fn operation(&self, call: &Call) -> String {
        let segments = segments(&call.path);
        let path = match segments.as_slice() {
            ["services", "full"] => "/services/full".to_owned(),
            [collection @ ("customers" | "services" | "premises"), _] => {
                format!("/{collection}/{{id}}")
            }
            ["customers", _, "services"] => "/customers/{id}/services".to_owned(),
            ["products", "availability", _, _] => "/products/availability/{latitude}/{longitude}".to_owned(),
            _ => call.path.clone(),
        };
        format!("{} {path}", call.method)
    }

    fn answer(&self, call: &Call) -> Answer {
        if !self.authenticated(call) {
            return Answer::refused(unauthenticated(call));
        }
        let answer = self.dispatch(call);
        if wants_json(call) { answer } else { Answer { reply: page(&answer.reply), ..answer } }
    }

    fn crash(&self, _call: &Call) -> Reply {
        errors(500, &json!(["Something went wrong"]))
    }

    /// There are no sessions: the next call finds its token refused.
    fn expire_sessions(&self) {
        self.expired.store(true, Ordering::SeqCst);
    }

    fn reset(&self) {
        self.expired.store(false, Ordering::SeqCst);
        *self.register() = Register::new(self.seed);
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

fn premise_id(asked: &str) -> &str {
    if asked.eq_ignore_ascii_case(PREMISE_AS_ASKED) { register::PRINTED_PREMISE } else { asked }
}

/// The printed sample finds premises of other streets: a word of the query is enough (inferred from it).
fn is_near(full_text: &str, q: &str) -> bool {
    let mut words = q.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() > 3);
    full_text.contains(q) || words.any(|word| full_text.contains(word))
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

fn entity(found: Option<&Value>) -> Answer {
    match found {
        Some(found) => Answer::done(Reply::json(200, found)),
        None => Answer::refused(errors(404, &json!(["not found"]))),
    }
}

fn listed(page: Result<Page, Value>, found: &[&Value]) -> Answer {
    match page {
        Ok(page) => Answer::done(Reply::json(200, &page.envelope(found))),
        Err(complaint) => Answer::refused(Reply::json(400, &complaint)),
    }
}
