//! Adding, changing, deleting and showing customers.

use super::Outcome;
use super::ledger::{Ledger, Row, belongs, cell};
use crate::soap::{Arguments, Perl};
use crate::xml_simple::Node;

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
/// Columns of a customer in the document's sample of getCustomerData.
const SHOWN: [&str; 50] = [
    "accountsemail",
    "country",
    "county",
    "customer_tracking",
    "customerstatus1",
    "customerstatus2",
    "customerstatus3",
    "customerstatus4",
    "customerstatus5",
    "email",
    "fax",
    "frequency",
    "gpsx",
    "gpsy",
    "id",
    "init_date",
    "installcounty",
    "installdate",
    "installstate",
    "installstreet",
    "installstreet2",
    "installtown",
    "installzip",
    "invoicingid",
    "master_agent",
    "master_agent_id",
    "name",
    "nickname",
    "note",
    "paymentmethod",
    "phone",
    "regional_sales_manager",
    "regional_sales_manager_id",
    "salesman",
    "salesman_id",
    "sendmethod",
    "startdate",
    "state",
    "status",
    "street",
    "street2",
    "supportemail",
    "town",
    "type",
    "value_added_reseller",
    "value_added_reseller_id",
    "vat_exemption",
    "website",
    "wibnumber",
    "zip",
];

/// A customer whose nickname or invoicing id is taken gets the next free one.
pub(crate) fn add(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let id = ledger.next_number();
    let mut row = Row::from([("vat_exemption".to_owned(), "No".to_owned())]);
    // Which status a customer without one gets is inferred from the sample.
    set_status(&mut row, "potential");
    fill(&mut row, arguments);
    for column in ["nickname", "invoicingid"] {
        let unique = unique(ledger, column, arguments.get(column));
        row.insert(column.to_owned(), unique);
    }
    row.insert("id".to_owned(), id.clone());
    ledger.customers.push(row);
    Ok(Perl::text(format!("OK:{id}")))
}

pub(crate) fn modify(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let row = ledger.customer_mut(arguments.get("customerid"))?;
    fill(row, arguments);
    Ok(Perl::text("OK"))
}

/// Refuses in the words of the document's conditions, those the sandbox can hold, in their order.
pub(crate) fn delete(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let id = arguments.get("customerid");
    let status = cell(ledger.customer(id)?, "status").to_owned();
    let flag = |name: &str| !matches!(arguments.get(name), "" | "0");
    let has = |rows: &[Row]| rows.iter().any(|row| belongs(row, id));
    let obstacles = [
        (status == "current", "customer must be in a status different than 'current'"),
        (
            has(&ledger.subscriptions) && !flag("deleteSubscription"),
            "no subscriptions should be attached to a customer account",
        ),
        (has(&ledger.ips), "no IP addresses should be set under a customer account"),
        (
            has(&ledger.maintenance) && !flag("deleteMaintenance"),
            "no maintenance tickets should be attached to a customer account",
        ),
        (has(&ledger.cpes), "no CPE/Equipment details should be added to a customer account"),
    ];
    if let Some((_, text)) = obstacles.into_iter().find(|(stands, _)| *stands) {
        return Err(text.to_owned());
    }
    ledger.customers.retain(|row| cell(row, "id") != id);
    for rows in [&mut ledger.subscriptions, &mut ledger.maintenance, &mut ledger.radius] {
        rows.retain(|row| !belongs(row, id));
    }
    Ok(Perl::text("OK"))
}

/// The document shows the JSON form only; the columns are its, the root is inferred.
pub(crate) fn data(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let id = arguments.get("customerid");
    let row = ledger.customer(id)?;
    let shown = SHOWN.iter().map(|column| Node::leaf(column, cell(row, column))).collect();
    let mut nodes = vec![Node::branch("customer", shown)];
    if arguments.get("customFields") == "1" {
        let fields = row.iter().filter(|(name, _)| name.starts_with("custom_field_"));
        nodes.push(Node::branch("customFields", fields.map(|(name, text)| Node::leaf(name, text)).collect()));
    }
    let sections = [("cpe", &ledger.cpes), ("ip", &ledger.ips), ("subscription", &ledger.subscriptions)];
    for (name, rows) in sections {
        let wanted = rows.iter().filter(|row| arguments.get(name) == "1" && belongs(row, id));
        nodes.extend(wanted.map(|row| section(name, row)));
    }
    nodes.sort_by(|one, other| one.name().cmp(other.name()));
    Ok(Perl::text(Node::branch("customerDataRoot", nodes).write()))
}

fn section(name: &str, row: &Row) -> Node {
    let columns = row.iter().filter(|(column, _)| *column != "customerid");
    Node::branch(name, columns.map(|(column, text)| Node::leaf(column, text)).collect())
}

fn fill(row: &mut Row, arguments: &Arguments) {
    for (name, text) in arguments.iter() {
        match name {
            "api_username" | "api_password" | "operator" | "customerid" | "password" => {}
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
fn iso(date: &str) -> String {
    let parts: Vec<&str> = date.split('/').collect();
    match parts.as_slice() {
        [month, day, year] => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => date.to_owned(),
    }
}

fn unique(ledger: &Ledger, column: &str, wanted: &str) -> String {
    let mut candidates = std::iter::once(wanted.to_owned()).chain((1..).map(|serial| format!("{wanted}{serial}")));
    candidates.find(|candidate| !ledger.is_taken(column, candidate)).unwrap_or_default()
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
        ledger.customers.push(Row::from([("nickname".to_owned(), "JohnSmith1".to_owned())]));
        assert_eq!(unique(&ledger, "nickname", "JohnSmith"), "JohnSmith2");
        assert_eq!(unique(&ledger, "nickname", "Nobody"), "Nobody");
    }
}
