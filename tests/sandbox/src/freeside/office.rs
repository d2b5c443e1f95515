//! What Freeside remembers: resellers' sessions, customers, packages and accounts.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::drawers::Drawers;
use crate::Config;
use crate::xmlrpc::Value;

/// How long a reseller's session lives in Freeside, counted from the login and never extended.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(3600);

/// A result: members in order.
pub(crate) type Record = Vec<(String, Value)>;

/// Number of the reseller whose credentials the sandbox has.
pub(crate) const RESELLER: u32 = 3;
/// The one mail domain there is.
pub(crate) const DOMAIN: &str = "example.com";
/// Text of every refused session.
pub(crate) const NO_SESSION: &str = "Can't resume session";

/// What becomes of a package, and with it of its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Prospect,
    Active,
    Suspended,
    Cancelled,
}

/// A row of `cust_main`.
pub(crate) struct Customer {
    pub(crate) agent: u32,
    pub(crate) columns: BTreeMap<String, String>,
}

/// A row of `cust_pkg`.
pub(crate) struct Package {
    pub(crate) customer: u32,
    pub(crate) part: u32,
    pub(crate) status: Status,
}

/// A row of `svc_acct`.
pub(crate) struct Account {
    pub(crate) number: u32,
    pub(crate) username: String,
    pub(crate) package: Option<u32>,
}

pub(crate) struct Office {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) customers: BTreeMap<u32, Customer>,
    pub(crate) packages: BTreeMap<u32, Package>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) drawers: Drawers,
    lifetime: Duration,
    sessions: HashMap<String, Instant>,
    last_number: u32,
    keys: Rng,
}

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Prospect, Self::Active, Self::Suspended, Self::Cancelled];

    /// `status` as `cust_main` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prospect => "prospect",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
        }
    }

    /// The short name in `num_*` and in the groups of `agent_list_customers`.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Suspended => "susp",
            Self::Cancelled => "cancel",
            other => other.name(),
        }
    }

    pub(crate) fn label(self) -> String {
        let name = self.name();
        format!("{}{}", name[..1].to_uppercase(), &name[1..])
    }

    /// `statuscolor`; the two of the recordings are real, the others are Freeside's usual ones.
    pub(crate) fn colour(self) -> &'static str {
        match self {
            Self::Prospect => "7E0079",
            Self::Active => "00CC00",
            Self::Suspended => "FF9900",
            Self::Cancelled => "FF0000",
        }
    }
}

impl Customer {
    pub(crate) fn column(&self, name: &str) -> &str {
        self.columns.get(name).map(String::as_str).unwrap_or_default()
    }

    /// `Smith, John` or `Company (Smith, John)`.
    pub(crate) fn name(&self) -> String {
        let person = format!("{}, {}", self.column("last"), self.column("first"));
        match self.column("company") {
            "" => person,
            company => format!("{company} ({person})"),
        }
    }
}

impl Office {
    pub(crate) fn new(config: &Config) -> Self {
        let mut office = Self {
            username: config.credentials.get("freeside", "username").to_owned(),
            password: config.credentials.get("freeside", "password").to_owned(),
            customers: BTreeMap::new(),
            packages: BTreeMap::new(),
            accounts: Vec::new(),
            drawers: Drawers::seeded(),
            lifetime: config.session_lifetime.unwrap_or(SESSION_LIFETIME),
            sessions: HashMap::new(),
            last_number: 1000,
            keys: Rng::with_seed(config.seed),
        };
        office.seed();
        office
    }

    /// The customers of the recordings: 23 and 24 of the reseller, 99 of somebody else.
    fn seed(&mut self) {
        let john = [("first", "John"), ("last", "Smith"), ("daytime", "415-555-1212"), ("signupdate", "1288745000")];
        let zoe = [
            ("first", "Zoë"),
            ("last", "Beast"),
            ("company", "Tofu & Co"),
            ("daytime", "0871234567"),
            ("signupdate", "1288746000"),
            ("referral_custnum", "23"),
        ];
        self.seed_customer(23, RESELLER, &john);
        self.seed_customer(24, RESELLER, &zoe);
        self.seed_customer(99, 4, &[("first", "Other"), ("last", "Reseller"), ("signupdate", "1288747000")]);
        self.seed_account("john", 501, Some((5, 23, Status::Active)));
        self.seed_account("zoe", 502, Some((6, 24, Status::Suspended)));
        self.seed_account("gone", 503, Some((7, 23, Status::Cancelled)));
        self.seed_account("other", 504, Some((8, 99, Status::Active)));
        self.seed_account("loose", 505, None);
    }

    fn seed_customer(&mut self, number: u32, agent: u32, given: &[(&str, &str)]) {
        let defaults = [("company", ""), ("refnum", "1"), ("referral_custnum", "")];
        let columns = defaults.iter().chain(given).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.customers.insert(number, Customer { agent, columns: columns.collect() });
    }

    fn seed_account(&mut self, username: &str, number: u32, package: Option<(u32, u32, Status)>) {
        if let Some((package, customer, status)) = package {
            self.packages.insert(package, Package { customer, part: 1, status });
        }
        let package = package.map(|(package, ..)| package);
        self.accounts.push(Account { number, username: username.to_owned(), package });
    }

    /// A fresh number for a customer or a service.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    /// Adds a package and returns its number.
    pub(crate) fn add_package(&mut self, customer: u32, part: u32, status: Status) -> u32 {
        let number = self.packages.keys().last().map_or(1, |last| last + 1);
        self.packages.insert(number, Package { customer, part, status });
        number
    }

    /// Adds an account and returns its service number.
    pub(crate) fn add_account(&mut self, username: &str, package: u32) -> u32 {
        let number = self.next_number();
        self.accounts.push(Account { number, username: username.to_owned(), package: Some(package) });
        number
    }

    pub(crate) fn account(&self, username: &str, domain: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| domain == DOMAIN && account.username == username)
    }

    /// A customer's status is that of its liveliest package.
    pub(crate) fn status(&self, customer: u32) -> Status {
        let has = |wanted: Status| self.packages.values().any(|it| it.customer == customer && it.status == wanted);
        let order = [Status::Active, Status::Suspended, Status::Cancelled];
        order.into_iter().find(|status| has(*status)).unwrap_or(Status::Prospect)
    }

    /// Opens a session and returns its key of 32 hexadecimal digits.
    pub(crate) fn open_session(&mut self) -> String {
        let key = format!("{:032x}", self.keys.u128(..));
        self.sessions.insert(key.clone(), Instant::now());
        key
    }

    /// A key of a customer's session, 128 hexadecimal digits; no method here takes one.
    pub(crate) fn customer_key(&mut self) -> String {
        (0..4).map(|_| format!("{:032x}", self.keys.u128(..))).collect()
    }

    pub(crate) fn close_session(&mut self, key: &str) {
        self.sessions.remove(key);
    }

    /// Use never extends a session.
    pub(crate) fn is_open(&self, key: &str) -> bool {
        self.sessions.get(key).is_some_and(|opened| opened.elapsed() < self.lifetime)
    }

    pub(crate) fn expire_sessions(&mut self) {
        self.sessions.clear();
    }
}

/// A result that is only an error text; empty means success.
pub(crate) fn error(text: impl Into<String>) -> Record {
    vec![("error".to_owned(), Value::Text(text.into()))]
}

/// A result of members.
pub(crate) fn record<const N: usize>(members: [(&str, Value); N]) -> Record {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
