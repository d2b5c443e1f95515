//! Equipment, what is installed at a customer, and the installer's visits.

use super::Outcome;
use super::ledger::{Ledger, Row, cell, no_such};
use crate::soap::{Arguments, Perl};
use crate::xml_simple::Node;

/// The filters of listEquipment and whether a part of the text is enough.
const FILTERS: [(&str, bool); 5] =
    [("id", false), ("type", false), ("ipaddress", false), ("nickname", true), ("macaddress", true)];

/// A hash keyed by id, so in the order of its keys as text.
pub(crate) fn list(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let mut found: Vec<&Row> = ledger.equipment.iter().filter(|row| matches(row, arguments)).collect();
    found.sort_by_key(|row| cell(row, "id"));
    let nodes = found.into_iter().map(node).collect();
    Ok(Perl::text(Node::branch("Equipment", nodes).write()))
}

pub(crate) fn add_cpe(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let (equipment, customer) = (arguments.get("equipid"), arguments.get("customerid"));
    ledger.customer(customer)?;
    if !ledger.equipment.iter().any(|row| cell(row, "id") == equipment) {
        return Err(no_such("equipment", equipment));
    }
    let id = ledger.next_number();
    let given = arguments.iter().filter(|(name, _)| !matches!(*name, "api_username" | "api_password" | "operator"));
    let mut row: Row = given.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    row.insert("additionalinfo".to_owned(), arguments.all("additionalinfo").join(", "));
    row.insert("id".to_owned(), id.clone());
    ledger.cpes.push(row);
    Ok(Perl::text(format!("OK :{id}")))
}

pub(crate) fn add_installer_tracking(ledger: &mut Ledger, arguments: &Arguments) -> Outcome {
    let ticket = arguments.get("maintenanceId");
    if !ledger.maintenance.iter().any(|row| cell(row, "id") == ticket) {
        return Err(no_such("maintenance", ticket));
    }
    Ok(Perl::text(format!("{}OK", ledger.next_number())))
}

fn matches(row: &Row, arguments: &Arguments) -> bool {
    FILTERS.iter().filter(|(name, _)| !arguments.get(name).is_empty()).all(|(name, part)| {
        let (has, wanted) = (cell(row, name), arguments.get(name));
        if *part { has.contains(wanted) } else { has == wanted }
    })
}

/// The id comes first, then the columns by name.
fn node(row: &Row) -> Node {
    let columns = row.iter().filter(|(name, _)| *name != "id");
    let mut nodes = vec![Node::leaf("id", cell(row, "id"))];
    nodes.extend(columns.map(|(name, text)| Node::leaf(name, text)));
    Node::branch(cell(row, "id"), nodes)
}
