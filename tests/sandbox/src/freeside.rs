//! Freeside's reseller API: XML-RPC behind door A (`FS.SelfService.XMLRPC.`, struct or flat list) and door C
//! (`FS.ClientAPI_XMLRPC.`, flat list only).
//!
//! The prefix of the method picks the door, the path of the URL does not: so it is in XMLRPC::Lite. Error texts are
//! those of Freeside's source; where its checks depend on configuration the sandbox has the defaults.

mod account;
mod agent;
mod arguments;
mod office;
mod payment;
mod signup;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderName;

use crate::Config;
use crate::call::{Answer, Call, Reply};
use crate::server::Upstream;
use crate::xmlrpc::{self, Fault, Value};
use arguments::{Arguments, Door};
use office::{Office, Record};

pub use account::DECLINED_PACKAGE;
pub use payment::{DECLINED_CARD, PREPAID_CARD};

/// How long a reseller's session lives in Freeside, counted from the login and never extended.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(3600);

pub(crate) struct Freeside {
    config: Config,
    office: Mutex<Office>,
}

impl Freeside {
    pub(crate) fn new(config: &Config) -> Self {
        Self { config: config.clone(), office: Mutex::new(Office::new(config)) }
    }

    fn office(&self) -> MutexGuard<'_, Office> {
        self.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, call: &Call) -> Result<Record, Fault> {
        accept_content_type(call)?;
        let (name, parameters) = xmlrpc::read_call(&call.body)?;
        let (class, method) = name.rsplit_once('.').unwrap_or(("main", name.as_str()));
        let door = Door::of(class, method)?;
        let arguments = Arguments::read(door, parameters)?;
        perform(&mut self.office(), method, &arguments)
    }
}

impl Upstream for Freeside {
    /// The method without its prefix.
    fn operation(&self, call: &Call) -> String {
        let name = xmlrpc::read_call(&call.body).map(|(name, _)| name).unwrap_or_default();
        name.rsplit('.').next().unwrap_or_default().to_owned()
    }

    /// Faults too come with status 200.
    fn answer(&self, call: &Call) -> Answer {
        if call.method != "POST" {
            return Answer::refused(Reply::empty(405));
        }
        match self.run(call) {
            Ok(record) => {
                let executed = !record.iter().any(|(name, value)| name == "error" && *value != Value::from(""));
                Answer { reply: reply(xmlrpc::write_reply(&Value::Struct(record))), executed }
            }
            Err(fault) => Answer::refused(reply(xmlrpc::write_fault(&fault))),
        }
    }

    fn crash(&self, _call: &Call) -> Reply {
        Reply::html(500, "<html><head><title>500 Internal Server Error</title></head><body></body></html>\n")
    }

    fn expire_sessions(&self) {
        self.office().expire_sessions();
    }

    fn reset(&self) {
        *self.office() = Office::new(&self.config);
    }
}

fn perform(office: &mut Office, method: &str, arguments: &Arguments) -> Result<Record, Fault> {
    Ok(match method {
        "agent_login" => agent::login(office, arguments),
        "agent_logout" => agent::logout(office, arguments),
        "agent_info" => agent::info(office, arguments),
        "agent_list_customers" => agent::list_customers(office, arguments),
        "check_username" => agent::check_username(office, arguments),
        "suspend_username" => agent::suspend_username(office, arguments),
        "unsuspend_username" => agent::unsuspend_username(office, arguments),
        "new_customer" => signup::new_customer(office, arguments),
        "customer_info" => account::customer_info(office, arguments),
        "list_pkgs" => account::list_packages(office, arguments),
        "order_pkg" => account::order_package(office, arguments),
        _ => {
            let text = format!("No such procedure: {method} at /usr/share/perl5/FS/ClientAPI.pm line 62.\n");
            return Err(Fault::server(text));
        }
    })
}

fn accept_content_type(call: &Call) -> Result<(), Fault> {
    let Some(given) = call.header("content-type") else {
        return Ok(());
    };
    if given.starts_with("text/xml") || given.starts_with("multipart/") || given.starts_with("application/soap") {
        return Ok(());
    }
    Err(Fault::client(format!(
        "Content-Type must be 'text/xml,' 'multipart/*,' 'application/soap+xml,' 'or 'application/dime' instead of \
         '{given}'"
    )))
}

/// No charset in the content type: the encoding is declared in the XML alone.
fn reply(body: String) -> Reply {
    Reply::new(200, "text/xml", body).with(HeaderName::from_static("soapserver"), "SOAP::Lite/Perl/1.27")
}
