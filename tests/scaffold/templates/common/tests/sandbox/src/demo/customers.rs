//! The customers of Demo, whatever the wire.

use std::sync::{Mutex, PoisonError};

use crate::Config;

/// The id of the customer who is there from the beginning; each further one has the next.
const FIRST_ID: usize = 7;

/// Who is there, and the token that opens it.
pub(super) struct Customers {
    token: String,
    /// Name and e-mail address of each customer.
    customers: Mutex<Vec<(String, String)>>,
}

/// What a call brings back, or the words of its refusal.
pub(super) type Outcome = Result<Vec<(&'static str, String)>, &'static str>;

impl Customers {
    pub(super) fn new(config: &Config) -> Self {
        Self { token: config.credentials.get("demo", "token").to_owned(), customers: Mutex::new(seeded()) }
    }

    pub(super) fn run(&self, operation: &str, token: &str, argument: impl Fn(&str) -> String) -> Outcome {
        if token != self.token {
            return Err("access denied");
        }
        let mut customers = self.customers.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, name, email) = (argument("id"), argument("name"), argument("email"));
        match operation {
            "ping" => Ok(Vec::new()),
            "get" => {
                let place = id.parse::<usize>().ok().and_then(|id| id.checked_sub(FIRST_ID));
                let (name, email) = place.and_then(|at| customers.get(at)).ok_or("no such customer")?;
                Ok(vec![("id", id), ("name", name.clone()), ("email", email.clone())])
            }
            "add" if name.is_empty() => Err("name is required"),
            "add" if !email.is_empty() && customers.iter().any(|(_, taken)| *taken == email) => Err("already taken"),
            "add" => {
                customers.push((name, email));
                Ok(vec![("id", (FIRST_ID + customers.len() - 1).to_string())])
            }
            _ => Err("no such call"),
        }
    }

    pub(super) fn reset(&self) {
        *self.customers.lock().unwrap_or_else(PoisonError::into_inner) = seeded();
    }
}

fn seeded() -> Vec<(String, String)> {
    vec![("Thandi Example".to_owned(), "thandi@example.com".to_owned())]
}
