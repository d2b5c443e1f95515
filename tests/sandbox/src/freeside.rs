//! Freeside's reseller API: XML-RPC behind door A (`FS.SelfService.XMLRPC.`, struct or flat list) and door C
//! (`FS.ClientAPI_XMLRPC.`, flat list only).
//!
//! The prefix of the method picks the door, the path of the URL does not: so it is in XMLRPC::Lite. Error texts are
//! those of Freeside's source; where its checks depend on configuration the sandbox has the defaults. Like Freeside it
//! does not look whose customers some methods act on.

mod account;
mod agent;
mod arguments;
mod billing;
mod catalogue;
mod contact;
mod drawers;
mod mailbox;
mod office;
mod package;
mod payment;
mod payment_means;
mod prospect;
mod provisioning;
mod signup;
mod ticket;

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderName;

use crate::call::{Answer, Call, Reply};
use crate::host::Upstream;
use crate::xmlrpc::{self, Fault, Value};
use crate::{AccountKey, Config, StandIn};
use arguments::{Arguments, Door};
use office::{Office, Record};

pub use account::DECLINED_PACKAGE;
pub use office::SESSION_LIFETIME;
pub use payment::{DECLINED_CARD, PREPAID_CARD};

/// Freeside, as the sandbox lists it.
pub(crate) const STAND_IN: StandIn = StandIn {
    provider: "freeside",
    title: "Freeside",
    path: "/selfservice/xmlrpc.cgi",
    account: &[AccountKey::plain("username", "reseller"), AccountKey::secret("password", "s33kret")],
    new: |config| Box::new(Freeside::new(config)),
};

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
    let families = [agents, customers, packages, unscoped];
    let done = families.iter().find_map(|family| family(office, method, arguments));
    done.ok_or_else(|| {
        Fault::server(format!("No such procedure: {method} at /usr/share/perl5/FS/ClientAPI.pm line 62.\n"))
    })
}

/// `FS::ClientAPI::Agent` and `FS::ClientAPI::Signup`.
fn agents(office: &mut Office, method: &str, arguments: &Arguments) -> Option<Record> {
    Some(match method {
        "agent_login" => agent::login(office, arguments),
        "agent_logout" => agent::logout(office, arguments),
        "agent_info" => agent::info(office, arguments),
        "agent_list_customers" => agent::list_customers(office, arguments),
        "check_username" => agent::check_username(office, arguments),
        "suspend_username" => agent::suspend_username(office, arguments),
        "unsuspend_username" => agent::unsuspend_username(office, arguments),
        "new_customer" => signup::new_customer(office, arguments),
        "new_customer_minimal" => prospect::new_customer_minimal(office, arguments),
        "new_prospect" => prospect::new_prospect(office, arguments),
        "signup_info" => catalogue::signup_info(office, arguments),
        _ => return None,
    })
}

/// What `FS::ClientAPI::MyAccount` does with customers of the reseller only.
fn customers(office: &mut Office, method: &str, arguments: &Arguments) -> Option<Record> {
    Some(match method {
        "customer_info" => account::customer_info(office, arguments),
        "customer_info_short" => billing::customer_info_short(office, arguments),
        "customer_recurring" => billing::customer_recurring(office, arguments),
        "billing_history" => billing::billing_history(office, arguments),
        "list_pkgs" => account::list_packages(office, arguments),
        "order_pkg" => account::order_package(office, arguments),
        "list_svcs" => provisioning::list_services(office, arguments),
        "part_svc_info" => provisioning::definition(office, arguments),
        "provision_acct" => provisioning::account(office, arguments),
        "provision_phone" => provisioning::phone(office, arguments),
        "provision_pbx" => provisioning::pbx(office, arguments),
        "provision_external" => provisioning::external(office, arguments),
        "provision_forward" => provisioning::forward(office, arguments),
        "unprovision_svc" => provisioning::cancel(office, arguments),
        "did_report" => provisioning::did_report(office, arguments),
        "myaccount_passwd" => mailbox::change_password(office, arguments),
        "validate_passwd" => mailbox::validate_password(office, arguments),
        _ => return None,
    })
}

/// Packages; only ordering one looks whose the customer is, changing and recharging do so in part.
fn packages(office: &mut Office, method: &str, arguments: &Arguments) -> Option<Record> {
    Some(match method {
        "pkg_info" => package::info(office, arguments),
        "change_pkg" => package::change(office, arguments),
        "order_recharge" => package::recharge(office, arguments),
        "renew_info" => package::renewals(office, arguments),
        "order_renew" => package::renew(office, arguments),
        _ => return None,
    })
}

/// What looks at the session alone.
fn unscoped(office: &mut Office, method: &str, arguments: &Arguments) -> Option<Record> {
    // The look of the pages is for everybody.
    if method == "skin_info" {
        return Some(catalogue::skin(arguments));
    }
    let answer: fn(&mut Office, &Arguments) -> Record = match method {
        "access_info" => catalogue::access_info,
        "list_contacts" => contact::list,
        "new_contact" => contact::add,
        "edit_contact" => contact::edit,
        "delete_contact" => contact::delete,
        "list_payby" => payment_means::list,
        "insert_payby" => payment_means::insert,
        "update_payby" => payment_means::update,
        "delete_payby" => payment_means::delete,
        "acct_forward_info" => mailbox::forward,
        "process_acct_forward" => mailbox::set_forward,
        "svc_status_hash" => mailbox::status,
        "set_svc_status_hash" => mailbox::set_levels,
        "set_svc_status_listadd" => mailbox::add_sender,
        "set_svc_status_listdel" => mailbox::delete_sender,
        "set_svc_status_vacationadd" => mailbox::add_vacation,
        "set_svc_status_vacationdel" => mailbox::delete_vacation,
        "svc_status_html" => provisioning::dsl_status,
        "list_dsl_devices" => provisioning::dsl_devices,
        "add_dsl_device" => provisioning::add_dsl_device,
        "delete_dsl_device" => provisioning::delete_dsl_device,
        "list_tickets" => ticket::list,
        "create_ticket" => ticket::create,
        "get_ticket" => ticket::get,
        "adjust_ticket_priority" => ticket::adjust_priority,
        _ => return None,
    };
    Some(if account::is_open(office, arguments) {
        answer(office, arguments)
    } else {
        office::error(office::NO_SESSION)
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
