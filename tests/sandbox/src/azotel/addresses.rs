//! IP addresses and the interfaces they come from.

use std::net::Ipv4Addr;

use super::functions::Function;
use super::ledger::{Ledger, Row, cell, no_such, row, select};
use super::register::ABOUT_THE_CALL;
use super::search::ROOT;
use super::told::{Outcome, Told};
use crate::perl::{Arguments, Perl};

const INTERFACE: [&str; 11] = [
    "networkaddress",
    "broadcast",
    "startip",
    "gatewayid",
    "interface",
    "numberip",
    "label",
    "id",
    "role",
    "mask",
    "gwaddress",
];
/// The role that samples show for public addresses; every other role counts as private (inferred).
const PUBLIC: &str = "Public";
const PRIVATE: &str = "private";

/// An address that is not given is generated, of the type the call names (inferred).
pub(crate) fn add(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let given = arguments.iter().filter(|(name, _)| !ABOUT_THE_CALL.contains(name));
    let mut entry: Row = given.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    if cell(&entry, "ip").is_empty() {
        let role = if arguments.get("type") == "0" { PRIVATE } else { PUBLIC };
        let interface = interface(ledger, arguments, role)?;
        let free = free_addresses(ledger, interface, 1).pop().ok_or("ERROR: no free IP address")?;
        entry.insert("ip".to_owned(), free);
    }
    if ledger.find("ip", "ip", cell(&entry, "ip")).is_some() {
        return Err("ip already exist".to_owned());
    }
    let id = ledger.insert("ip", entry);
    Ok(function.word(&id))
}

/// The three flags act by being there, and two of them only beside `saveInDb` (document).
pub(crate) fn generate(ledger: &mut Ledger, _: &Function, arguments: &Arguments) -> Outcome {
    if !arguments.has("saveInDb") && (arguments.has("syncRADIUS") || arguments.has("updateWIB")) {
        return Err("ERROR: saveInDb attribute must be present".to_owned());
    }
    let customer = ledger.customer(arguments.get("customerid"))?;
    let wanted = [arguments.get("iptype"), cell(customer, "ip_type"), PUBLIC];
    let role = wanted.into_iter().find(|role| !role.is_empty()).unwrap_or(PUBLIC).to_owned();
    let quantity = Some(arguments.get("quantity")).filter(|text| !text.is_empty()).unwrap_or("1");
    let count = quantity.parse().map_err(|_| "ERROR: quantity must be an integer")?;
    let interface = interface(ledger, arguments, &role)?;
    let addresses = free_addresses(ledger, interface, count);
    let gateway = cell(interface, "gatewayid");
    let data = Perl::hash([
        (
            "wibnumber",
            ledger.find("gateway", "id", gateway).map_or(Perl::Undef, |row| Perl::text(cell(row, "wibnumber"))),
        ),
        ("iptype", Perl::text(cell(interface, "role"))),
        ("ip", Perl::array(addresses.iter().map(Perl::text))),
        ("quantity", Perl::text(quantity)),
        ("gatewayid", Perl::text(gateway)),
        ("generated", Perl::Number(i64::try_from(addresses.len()).unwrap_or(i64::MAX))),
        ("interfaceid", Perl::array([Perl::text(cell(interface, "id"))])),
    ]);
    if arguments.has("saveInDb") {
        save(ledger, arguments, &addresses);
    }
    Ok(Told::record(ROOT, data))
}

/// The form over SOAP is inferred.
pub(crate) fn interfaces(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let passes = |row: &&Row| ["id", "gatewayid"].iter().all(|filter| arguments.admits(filter, cell(row, filter)));
    let rows = ledger.rows("interface").iter().filter(passes).map(|row| select(row, &INTERFACE));
    Ok(Told::record(function.root(), Perl::hash([("interfaces", Perl::array(rows))])))
}

/// The interface that is asked for, or the first of the role with a free address; the sample's comes first.
fn interface<'a>(ledger: &'a Ledger, arguments: &Arguments, role: &str) -> Result<&'a Row, String> {
    let id = arguments.get("interface_id");
    if !id.is_empty() {
        return ledger.find("interface", "id", id).ok_or_else(|| no_such("interface", id));
    }
    let mut interfaces: Vec<&Row> = ledger.rows("interface").iter().collect();
    interfaces.sort_by_key(|row| !row.contains_key("first_free"));
    let has_role = |row: &Row| match cell(row, "role") {
        PUBLIC => PUBLIC.eq_ignore_ascii_case(role),
        other => other.eq_ignore_ascii_case(role) || PRIVATE.eq_ignore_ascii_case(role),
    };
    let fits = |row: &&Row| has_role(row) && !free_addresses(ledger, row, 1).is_empty();
    interfaces.into_iter().find(fits).ok_or_else(|| "ERROR: no free IP address".to_owned())
}

fn free_addresses(ledger: &Ledger, interface: &Row, count: usize) -> Vec<String> {
    let address = |column: &str| cell(interface, column).parse::<Ipv4Addr>().map(u32::from).ok();
    let Some(start) = address("startip") else {
        return Vec::new();
    };
    let end = start.saturating_add(cell(interface, "numberip").parse().unwrap_or_default());
    let candidates = (address("first_free").unwrap_or(start)..end).map(|number| Ipv4Addr::from(number).to_string());
    candidates.filter(|candidate| ledger.find("ip", "ip", candidate).is_none()).take(count).collect()
}

fn save(ledger: &mut Ledger, arguments: &Arguments, addresses: &[String]) {
    let customer = arguments.get("customerid");
    let accounts: Vec<String> =
        ledger.of("radiususername", customer).map(|row| cell(row, "username").to_owned()).collect();
    for address in addresses {
        ledger.insert("ip", row([("customerid", customer), ("ip", address), ("type", "1")]));
    }
    if arguments.has("syncRADIUS") {
        for (username, address) in accounts.iter().zip(addresses) {
            ledger.insert("radius", framed(customer, username, address));
        }
    }
}

/// The attribute by which RADIUS gives a user an address (RFC 2865).
fn framed(customer: &str, username: &str, address: &str) -> Row {
    row([
        ("table", "radreply"),
        ("customerid", customer),
        ("username", username),
        ("attribute", "Framed-IP-Address"),
        ("op", ":="),
        ("value", address),
    ])
}
