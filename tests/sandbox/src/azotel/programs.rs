//! The functions with a program of their own.

use super::functions::Function;
use super::ledger::Ledger;
use super::told::Outcome;
use super::{
    addresses, customer_data, customers, equipment, invoicing, radius, search, statuses, subscriptions, tables,
};
use crate::perl::Arguments;

pub(crate) type Program = fn(&mut Ledger, &Function, &Arguments) -> Outcome;

pub(crate) fn find(function: &str) -> Option<Program> {
    Some(match function {
        "addCustomer" => customers::add,
        "modifyCustomer" => customers::modify,
        "deleteCustomer" => customers::delete,
        "getCustomerData" => customer_data::get,
        "getCustomerStatuses" => statuses::get,
        "searchCustomer" => search::customers,
        "checkExistingEmail" => search::email,
        "checkEUPLogin" => customers::check_login,
        "addSubscription" => subscriptions::add,
        "deleteSubscription" => subscriptions::delete,
        "getActiveSubscriptionData" => subscriptions::active,
        "getProducts" => subscriptions::products,
        "getOverageAllowances" => subscriptions::overage,
        "generateInvoices" => invoicing::generate,
        "payInvoice" => invoicing::pay,
        "addIP" => addresses::add,
        "generateIP" => addresses::generate,
        "getInterfaceData" => addresses::interfaces,
        "listEquipment" => equipment::list,
        "getCPEData" => equipment::cpes,
        "addRADIUSdetails" => radius::add_username,
        "listRADIUSdetails" => radius::usernames,
        "customerRadius" => radius::customer_radius,
        "listRadiusSessions" => radius::sessions,
        "listCustomTableEntries" => tables::list,
        "addCustomTableEntries" => tables::add,
        "modifyCustomTableEntries" => tables::modify,
        "deleteCustomTableEntries" => tables::delete,
        "listCommunityCode" => search::community_codes,
        _ => return None,
    })
}
