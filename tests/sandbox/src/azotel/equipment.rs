//! Equipment, and what of it is installed at customers.

use super::functions::Function;
use super::ledger::{Ledger, Row, cell};
use super::told::{ELEMENTS, Outcome, Told};
use crate::perl::{Arguments, Perl};
use crate::xml_simple;

/// The filters of listEquipment and whether a part of the text is enough.
const FILTERS: [(&str, bool); 5] =
    [("id", false), ("type", false), ("ipaddress", false), ("nickname", true), ("macaddress", true)];
const COLUMNS: [&str; 14] = [
    "id",
    "date_added",
    "description",
    "imsi",
    "ipaddress",
    "ki",
    "macaddress",
    "msisdn",
    "nickname",
    "opcode",
    "serialnumber",
    "sqn",
    "status",
    "type",
];
/// The filters of getCPEData: columns of the CPE, columns of its equipment.
const CPE_FILTERS: [&str; 2] = ["customerid", "equipid"];
const EQUIPMENT_FILTERS: [&str; 4] = ["nickname", "ipaddress", "serialnumber", "macaddress"];

/// A hash by id over SOAP, a list over REST: the document shows both.
pub(crate) fn list(ledger: &mut Ledger, _: &Function, arguments: &Arguments) -> Outcome {
    let found: Vec<&Row> = ledger.rows("equipment").iter().filter(|row| matches(row, arguments)).collect();
    let by_id = Perl::hash(found.iter().map(|row| (cell(row, "id"), record(row))));
    let soap = Perl::Text(xml_simple::write("Equipment", &by_id, ELEMENTS));
    Ok(Told::Pair { soap, rest: Perl::hash([("equipment", Perl::array(found.iter().map(|row| record(row))))]) })
}

/// Each with the columns of its equipment that one may search by; the form is inferred.
pub(crate) fn cpes(ledger: &mut Ledger, function: &Function, arguments: &Arguments) -> Outcome {
    let rows = ledger.rows("cpe").iter().filter_map(|cpe| {
        let equipment = ledger.find("equipment", "id", cell(cpe, "equipid"))?;
        let admits = |row: &Row, filters: &[&str]| filters.iter().all(|name| arguments.admits(name, cell(row, name)));
        let wanted = admits(cpe, &CPE_FILTERS) && admits(equipment, &EQUIPMENT_FILTERS);
        let columns = cpe.iter().map(|(column, text)| (column.as_str(), Perl::text(text)));
        let more = EQUIPMENT_FILTERS.iter().map(|column| (*column, Perl::text(cell(equipment, column))));
        wanted.then(|| Perl::hash(columns.chain(more)))
    });
    Ok(Told::record(function.root(), Perl::hash([("cpe", Perl::array(rows))])))
}

/// The samples have no NULL here.
fn record(row: &Row) -> Perl {
    Perl::hash(COLUMNS.iter().map(|column| (*column, Perl::text(cell(row, column)))))
}

fn matches(row: &Row, arguments: &Arguments) -> bool {
    FILTERS.iter().filter(|(name, _)| !arguments.get(name).is_empty()).all(|(name, part)| {
        let (has, wanted) = (cell(row, name), arguments.get(name));
        if *part { has.contains(wanted) } else { has == wanted }
    })
}
