//! `ispbridge.azotel.v1.CustomTableService`: tables of the operator's own making.

use std::collections::HashMap;

use bridge::{
    Reply, Upstream,
    problem::{Problem, Problems},
};
use tonic::Request;

use crate::{
    contract::{
        AddCustomTableEntriesRequest, AddCustomTableEntriesResponse, DeleteCustomTableEntriesRequest,
        DeleteCustomTableEntriesResponse, ListCustomTableEntriesRequest, ListCustomTableEntriesResponse,
        ModifyCustomTableEntriesRequest, ModifyCustomTableEntriesResponse,
        custom_table_service_server::CustomTableService,
    },
    upstream::is_id,
};

/// The service over its upstream.
pub struct CustomTables(pub Upstream);

#[tonic::async_trait]
impl CustomTableService for CustomTables {
    async fn list_custom_table_entries(
        &self,
        request: Request<ListCustomTableEntriesRequest>,
    ) -> Reply<ListCustomTableEntriesResponse> {
        self.0.read("listCustomTableEntries", request).await
    }

    async fn add_custom_table_entries(
        &self,
        request: Request<AddCustomTableEntriesRequest>,
    ) -> Reply<AddCustomTableEntriesResponse> {
        self.0.write("addCustomTableEntries", request).await
    }

    async fn modify_custom_table_entries(
        &self,
        request: Request<ModifyCustomTableEntriesRequest>,
    ) -> Reply<ModifyCustomTableEntriesResponse> {
        self.0.write("modifyCustomTableEntries", request).await
    }

    /// A customer alone could mean all of its rows: the document does not say (SIMPLer API 2011-2Q,
    /// deleteCustomTableEntries).
    async fn delete_custom_table_entries(
        &self,
        request: Request<DeleteCustomTableEntriesRequest>,
    ) -> Reply<DeleteCustomTableEntriesResponse> {
        let message = request.get_ref();
        rows(message.row_id(), &message.values).map_err(|problem| self.0.invalid(Problems(vec![problem])))?;
        self.0.write("deleteCustomTableEntries", request).await
    }
}

/// Says no to a deletion that names no row: it would be one of all.
fn rows(row_id: &str, values: &HashMap<String, String>) -> Result<(), Problem> {
    if !row_id.is_empty() && !is_id(row_id) {
        return Err(Problem::new("row_id", "must be a number above 0"));
    }
    let is_blank = |text: &String| text.chars().all(|c| c.is_whitespace() || c == '\u{200b}');
    if row_id.is_empty() && values.iter().all(|(column, value)| is_blank(column) || is_blank(value)) {
        return Err(Problem::new("row_id", "or values is required"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_names_its_rows() {
        let values = |key: &str, value: &str| HashMap::from([(key.to_owned(), value.to_owned())]);
        assert!(rows("7", &HashMap::new()).is_ok() && rows("", &values("39", "user")).is_ok());
        for row in ["0", " ", "00", "-0", "\u{a0}"] {
            assert_eq!(rows(row, &values("39", "user")).unwrap_err().field, "row_id", "{row:?}");
        }
        assert_eq!(rows("", &HashMap::new()).unwrap_err().field, "row_id");
        for (key, value) in [("39", ""), ("39", " \t"), (" ", "x"), ("39", "\u{a0}"), ("39", "\u{200b}")] {
            assert_eq!(rows("", &values(key, value)).unwrap_err().field, "row_id", "{key:?} {value:?}");
            assert!(rows("7", &values(key, value)).is_ok(), "{key:?} {value:?}");
        }
    }
    use crate::{
        contract::CustomTable,
        upstream::tests::{received, refused, sent},
    };

    fn row(column: &str) -> AddCustomTableEntriesRequest {
        let values = [(column.to_owned(), "0012".to_owned())].into();
        AddCustomTableEntriesRequest { customer_id: "2".into(), values, ..Default::default() }
    }

    #[test]
    fn columns_are_keys_of_their_own() {
        let (soap, json) = sent("addCustomTableEntries", &row("39"));
        let entry = "<key xsi:type=\"xsd:string\">39</key><value xsi:type=\"xsd:string\">0012</value>";
        assert!(soap.contains(entry), "a number is no element's name: {soap}");
        let credentials = r#""api_username":"apiuser","api_password":"apipass","operator":"ISP""#;
        assert_eq!(json, format!(r#"{{{credentials},"customerid":"2","39":"0012"}}"#));
        assert_eq!(refused(&row("operator")), ["values"], "a column cannot stand for another attribute");
    }

    /// The sample of the document, cut to one column and row.
    #[test]
    fn tables_come_by_name_customer_and_row() {
        let xml = "<r><voip><columns><39><id>39</id><mandatory>0</mandatory></39></columns>\
                   <rows_per_customerid><2><1><39>user</39></1></2></rows_per_customerid></voip></r>";
        let json = r#"{"voip":{"rows_per_customerid":{"2":{"1":{"39":"user"}}},
                    "columns":{"39":{"id":"39","mandatory":"0","note":""}}}}"#;
        let tables: ListCustomTableEntriesResponse = received("listCustomTableEntries", xml, json);
        let [CustomTable { name, columns, customers, .. }] = &tables.tables[..] else { panic!("one table") };
        assert_eq!((name.as_str(), columns[0].id.as_str(), columns[0].mandatory), ("voip", "39", Some(false)));
        let row = &customers[0].rows[0];
        assert_eq!(
            (customers[0].customer_id.as_str(), row.row_id.as_str(), row.values["39"].as_str()),
            ("2", "1", "user")
        );
    }
}
