//! What AEx remembers: customers, premises, products, services and work orders.

use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::text;
use crate::clock;

const SEED: &str = include_str!("../../seed/aex.json");
/// The premise the document prints.
pub(crate) const PRINTED_PREMISE: &str = "B002A6B4-6541-47A5-8438-BE8ACEAA6D82";
/// Products the document's samples order although its product sample does not list them.
const ALSO_ORDERABLE: [&str; 2] = ["50726131-B525-4732-A2D5-0B3736CDFB69", "AD0B8EFA-20ED-41E2-BFCF-D48761CA82F8"];
/// Columns of a customer that a sign-up may fill.
const TAKEN_FROM_SIGN_UP: [&str; 6] = ["first_name", "last_name", "email", "username", "mobile_number", "home_number"];
const ADDRESS: [&str; 7] =
    ["street_number", "street_name", "suburb", "city", "country_code", "postal_code", "province"];

#[derive(Deserialize)]
pub(crate) struct Register {
    customers: Vec<Value>,
    predefined_premises: Vec<Value>,
    products: Vec<Value>,
    premises: Vec<Value>,
    services: Vec<Value>,
    work_orders: Vec<Value>,
    #[serde(skip)]
    ids: Rng,
}

/// An order for a service, as `POST /services/full` takes it.
pub(crate) struct Order<'a> {
    pub(crate) customer: &'a str,
    pub(crate) premise: &'a str,
    pub(crate) product: &'a str,
}

impl<'a> Order<'a> {
    /// Reads an order; `None` when something required is missing.
    pub(crate) fn read(body: &'a Value) -> Option<Self> {
        let customer = &body["customer"];
        let required = ["id", "first_name", "last_name", "email", "username", "mobile_number"];
        let complete = required.iter().all(|name| !text(customer, name).is_empty());
        complete.then(|| Self {
            customer: text(customer, "id"),
            premise: text(&body["premise"], "external_reference"),
            product: text(&body["service"], "product_id"),
        })
    }
}

impl Register {
    pub(crate) fn new(seed: u64) -> Self {
        let mut register: Self = serde_json::from_str(SEED).expect("the seed is part of the program");
        register.ids = Rng::with_seed(seed);
        register
    }

    pub(crate) fn customers(&self) -> impl Iterator<Item = &Value> {
        self.customers.iter()
    }

    pub(crate) fn predefined_premises(&self) -> impl Iterator<Item = &Value> {
        self.predefined_premises.iter()
    }

    pub(crate) fn products(&self) -> impl Iterator<Item = &Value> {
        self.products.iter()
    }

    pub(crate) fn premises(&self) -> impl Iterator<Item = &Value> {
        self.premises.iter()
    }

    pub(crate) fn work_orders(&self) -> impl Iterator<Item = &Value> {
        self.work_orders.iter()
    }

    pub(crate) fn customer(&self, id: &str) -> Option<&Value> {
        find(&self.customers, "id", id)
    }

    pub(crate) fn premise(&self, id: &str) -> Option<&Value> {
        find(&self.premises, "id", id)
    }

    pub(crate) fn service(&self, id: &str) -> Option<&Value> {
        find(&self.services, "id", id)
    }

    pub(crate) fn services_of<'a>(&'a self, customer: &'a str) -> impl Iterator<Item = &'a Value> {
        self.services.iter().filter(move |service| text(service, "customer_id").eq_ignore_ascii_case(customer))
    }

    pub(crate) fn is_taken(&self, email: &str) -> bool {
        find(&self.customers, "email", email).is_some()
    }

    /// Adds a customer and returns its id.
    pub(crate) fn add_customer(&mut self, sign_up: &Value) -> String {
        let id = guid(&mut self.ids);
        let now = clock::south_african(clock::epoch());
        let mut customer = blank(&self.customers[0]);
        for name in TAKEN_FROM_SIGN_UP {
            customer[name] = sign_up[name].clone();
        }
        customer["id"] = json!(id);
        customer["parent_id"] = self.customers[0]["parent_id"].clone();
        customer["service_provider_flag"] = json!(false);
        customer["enabled"] = json!(true);
        customer["created_at"] = json!(now);
        customer["updated_at"] = json!(now);
        self.customers.push(customer);
        id
    }

    /// Creates premise, service and work order; `None` when customer, predefined premise or product is unknown.
    pub(crate) fn order(&mut self, order: &Order<'_>) -> Option<String> {
        self.customer(order.customer)?;
        find(&self.predefined_premises, "guid", order.premise)?;
        let known = find(&self.products, "id", order.product).is_some()
            || ALSO_ORDERABLE.iter().any(|id| id.eq_ignore_ascii_case(order.product));
        known.then(|| {
            let premise = self.occupy(order);
            let service = self.add_service(order, premise);
            self.add_work_order(&service);
            service
        })
    }

    fn occupy(&mut self, order: &Order<'_>) -> Value {
        let predefined = find(&self.predefined_premises, "guid", order.premise).cloned().unwrap_or_default();
        let id = predefined["premise_id"].clone();
        if self.premise(text(&predefined, "premise_id")).is_none() {
            let premise = self.premise_from(&predefined, order.customer);
            self.premises.push(premise);
        }
        id
    }

    fn premise_from(&self, predefined: &Value, customer: &str) -> Value {
        let now = json!(clock::south_african(clock::epoch()));
        let mut premise = blank(&self.premises[0]);
        for (name, part) in ADDRESS.iter().zip(text(predefined, "full_text").split(',')) {
            premise[*name] = json!(part.trim());
        }
        for name in ["area_id", "latitude", "longitude"] {
            premise[name] = predefined[name].clone();
        }
        premise["id"] = predefined["premise_id"].clone();
        premise["external_reference"] = predefined["guid"].clone();
        premise["customer_id"] = json!(customer);
        premise["name"] = json!(format!("AutoCreated_ {}", 19_653 + self.premises.len()));
        premise["created_at"] = now.clone();
        premise["updated_at"] = now;
        premise["status"] = json!("Has Existing Service");
        premise
    }

    fn add_service(&mut self, order: &Order<'_>, premise: Value) -> String {
        let id = guid(&mut self.ids);
        let now = json!(clock::south_african(clock::epoch()));
        let product = find(&self.products, "id", order.product);
        // A copy of the sample keeps every column, also those whose meaning no document gives.
        let mut service = self.services[0].clone();
        if let Some(product) = product {
            service["provider_id"] = product["provider_id"].clone();
        }
        service["id"] = json!(id);
        service["customer_id"] = json!(order.customer);
        service["product_id"] = json!(order.product);
        service["premise_id"] = premise;
        service["pppoe_username"] = json!(format!("{}@bb.example.com", id.replace('-', "")));
        service["pppoe_password"] = json!(letters(&mut self.ids, 9).to_uppercase());
        service["wifi_username"] = json!(format!("Sandbox_{}", letters(&mut self.ids, 4)));
        service["wifi_password"] = json!(letters(&mut self.ids, 10));
        for name in ["created_at", "updated_at", "provisioned_date", "on_network_date", "completed_date"] {
            service[name] = now.clone();
        }
        self.services.push(service);
        id
    }

    fn add_work_order(&mut self, service: &str) {
        let epoch = clock::epoch();
        let now = json!(clock::south_african(epoch));
        let id = json!(guid(&mut self.ids));
        let mut order = self.work_orders[0].clone();
        order["guid"] = id.clone();
        order["id"] = id;
        order["account_id"] = json!(service);
        order["service_id"] = json!(service);
        order["reference"] = json!(format!("{}-{:09}", clock::compact_day(epoch), self.ids.u32(..1_000_000_000)));
        for name in ["created_at", "updated_at", "last_update_date", "start_date"] {
            order[name] = now.clone();
        }
        self.work_orders.push(order);
    }
}

fn find<'a>(records: &'a [Value], name: &str, value: &str) -> Option<&'a Value> {
    records.iter().find(|record| text(record, name).eq_ignore_ascii_case(value))
}

/// A record with the columns of another and nothing in them.
fn blank(pattern: &Value) -> Value {
    let columns = pattern.as_object().into_iter().flatten();
    columns.map(|(name, _)| (name.clone(), Value::Null)).collect::<serde_json::Map<_, _>>().into()
}

fn guid(ids: &mut Rng) -> String {
    let hex = format!("{:032X}", ids.u128(..));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn letters(ids: &mut Rng, count: usize) -> String {
    (0..count).map(|_| ids.alphanumeric().to_ascii_lowercase()).collect()
}
