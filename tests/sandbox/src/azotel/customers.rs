//! Adding, changing and deleting customers; their portal's login.

use super::functions::Function;
use super::ledger::{Ledger, Row, belongs, cell, row};
use super::register::ABOUT_THE_CALL;
use super::told::Outcome;
use crate::perl::Arguments;

/// Attributes whose column in results has another name.
const RENAMED: [(&str, &str); 10] = [
    ("phone_list_main", "phone"),
    ("accounts_email", "accountsemail"),
    ("support_email", "supportemail"),
    ("payment_method", "paymentmethod"),
    ("send_method", "sendmethod"),
    ("customerstatus", "status"),
    ("value_added_reseller", "value_added_reseller_id"),
    ("master_agent", "master_agent_id"),
    ("salesman", "salesman_id"),
    ("regional_sales_manager", "regional_sales_manager_id"),
];
const DATES: [&str; 3] = ["init_date", "startdate", "installdate"];
/// Parts of `address` and `iaddress`, joined with `:::`.
const ADDRESS: [&str; 6] = ["street", "street2", "town", "county", "zip", "state"];
/// What hangs on a customer and keeps it from being deleted: the table, the attribute that lets it go too, and the
/// document's condition.
const OBSTACLES: [(&str, &str, &str); 8] = [
    ("subscription", "deleteSubscription", "no subscriptions should be attached to a customer account"),
    ("ip", "", "no IP addresses should be set under a customer account"),
    ("invoices", "", "no invoices should be generated for a customer account"),
    ("salesmantask", "", "no sales issues should be attached to a customer account"),
    ("maintenance", "deleteMaintenance", "no maintenance tickets should be attached to a customer account"),
    ("cpe", "", "no CPE/Equipment details should be added to a customer account"),
    ("creditcard", "", "no Credit Cards should be added to a customer account"),
    ("eft", "", "no Bank Accounts / EFT Accounts should be added to a customer account"),
];
/// What goes with a customer.
const SETUP: [&str; 6] = ["subscription", "maintenance", "radius", "radiususername", "customrow", "note"];

/// A customer whose nickname or invoicing id is taken gets the next free one.
pub(crate) fn add(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    // Which status a customer without one gets is inferred from the sample.
    let mut customer = row([("vat_exemption", "No"), ("status", "potential"), ("customerstatus1", "potential")]);
    fill(&mut customer, arguments);
    for column in ["nickname", "invoicingid"] {
        customer.insert(column.to_owned(), unique(ledger, column, arguments.get(column)));
    }
    let id = ledger.insert("customer", customer);
    Ok(function.word(&id))
}

pub(crate) fn modify(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let id = arguments.get("customerid");
    ledger.rows_mut("customer").iter_mut().filter(|row| cell(row, "id") == id).for_each(|row| fill(row, arguments));
    Ok(function.word(id))
}

/// Refuses in the words of the document's conditions, those the sandbox can hold, in their order.
pub(crate) fn delete(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let id = arguments.get("customerid");
    if cell(ledger.customer(id)?, "status") == "current" {
        return Err("customer must be in a status different than 'current'".to_owned());
    }
    let stands =
        |table: &str, waiver: &str| matches!(arguments.get(waiver), "" | "0") && ledger.of(table, id).next().is_some();
    if let Some((_, _, text)) = OBSTACLES.iter().find(|(table, waiver, _)| stands(table, waiver)) {
        return Err((*text).to_owned());
    }
    ledger.remove("customer", |row| cell(row, "id") == id);
    ledger.remove("subaccount", |row| [cell(row, "masterCustomerId"), cell(row, "subCustomerId")].contains(&id));
    for table in SETUP {
        ledger.remove(table, |row| belongs(row, id));
    }
    Ok(function.word(id))
}

/// The portal's login is the invoicing id where no user name was given (document, addCustomer).
pub(crate) fn check_login(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let (username, password) = (arguments.get("eup_username"), arguments.get("eup_password"));
    let login = |row: &Row| match cell(row, "eup_username") {
        "" => cell(row, "invoicingid") == username,
        own => own == username,
    };
    let mut customers = ledger.rows("customer").iter();
    let found = customers.find(|row| login(row) && cell(row, "password") == password);
    let found = found.ok_or("ERROR: invalid username/password")?;
    Ok(function.word(cell(found, "id")))
}

fn fill(row: &mut Row, arguments: &Arguments) {
    for (name, text) in arguments.iter() {
        match name {
            "customerid" => {}
            _ if ABOUT_THE_CALL.contains(&name) => {}
            "address" => spread(row, "", text),
            "iaddress" => spread(row, "install", text),
            "customerstatus" => set_status(row, text),
            _ if DATES.contains(&name) => {
                row.insert(name.to_owned(), iso(text));
            }
            _ => {
                let renamed = RENAMED.iter().find(|(attribute, _)| *attribute == name);
                row.insert(renamed.map_or(name, |(_, column)| column).to_owned(), text.to_owned());
            }
        }
    }
}

fn set_status(row: &mut Row, status: &str) {
    for column in ["status", "customerstatus1"] {
        row.insert(column.to_owned(), status.to_owned());
    }
}

fn spread(row: &mut Row, prefix: &str, joined: &str) {
    for (column, part) in ADDRESS.iter().zip(joined.split(":::")) {
        row.insert(format!("{prefix}{column}"), part.to_owned());
    }
}

/// MM/DD/YYYY goes in, YYYY-MM-DD comes out.
pub(crate) fn iso(date: &str) -> String {
    let parts: Vec<&str> = date.split('/').collect();
    match parts.as_slice() {
        [month, day, year] => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => date.to_owned(),
    }
}

fn unique(ledger: &Ledger, column: &str, wanted: &str) -> String {
    let is_free = |candidate: &String| ledger.find("customer", column, candidate).is_none();
    let mut candidates = std::iter::once(wanted.to_owned()).chain((1..).map(|serial| format!("{wanted}{serial}")));
    candidates.find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_american_dates_around() {
        assert_eq!(iso("09/22/2018"), "2018-09-22");
        assert_eq!(iso("2018-09-22"), "2018-09-22");
    }

    #[test]
    fn a_taken_name_gets_the_next_serial_number() {
        let mut ledger = Ledger::new();
        assert_eq!(unique(&ledger, "nickname", "JohnSmith"), "JohnSmith1");
        ledger.insert("customer", row([("nickname", "JohnSmith1")]));
        assert_eq!(unique(&ledger, "nickname", "JohnSmith"), "JohnSmith2");
        assert_eq!(unique(&ledger, "nickname", "Nobody"), "Nobody");
    }
}
