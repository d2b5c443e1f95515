use proptest::prelude::*;

use super::*;

fn table(text: &str) -> Table {
    text.parse().unwrap()
}

fn overridden(text: &str, name: &str, value: &str) -> Result<Table, Error> {
    let mut document = Document::from(table(text));
    apply(&mut document, &[(name.to_owned(), value.to_owned())])?;
    Ok(Table::clone(&document))
}

#[test]
fn variables_override_scalars_by_their_type() {
    let server = overridden("", "ISPBRIDGE__SERVER__MAX_IN_FLIGHT", "7").unwrap();
    assert_eq!(server["server"]["max_in_flight"].as_integer(), Some(7));
    let url = overridden("[accounts.main-line]\nurl = \"a\"", "ISPBRIDGE__ACCOUNTS__MAIN_LINE__URL", "http://b/?x=1")
        .unwrap();
    assert_eq!(url["accounts"]["main-line"]["url"].as_str(), Some("http://b/?x=1"));
    let list = overridden("[[routes]]\nprovider = \"a\"", "ISPBRIDGE__ROUTES__0__PROVIDER", "\"7\"").unwrap();
    assert_eq!(list["routes"][0]["provider"].as_str(), Some("7"));
}

#[test]
fn a_value_cannot_bring_further_keys() {
    let server = overridden("", "ISPBRIDGE__SERVER__LISTEN", "1\nother = 2").unwrap();
    assert_eq!(server["server"]["listen"].as_str(), Some("1\nother = 2"));
}

#[test]
fn a_variable_that_leads_nowhere_is_named_and_others_are_left_alone() {
    for name in ["ISPBRIDGE__SERVER__LISTEN__PORT", "ISPBRIDGE__ROUTES__9__PROVIDER", "ISPBRIDGE__"] {
        let error = overridden("routes = []\n[server]\nlisten = \"a\"", name, "1").unwrap_err().to_string();
        assert!(error.starts_with(&format!("configuration: {name}: ")), "{error}");
    }
    assert_eq!(overridden("", "ISPBRIDGE_HOME", "x").unwrap(), Table::new());
}

proptest! {
    #[test]
    fn an_override_sets_one_value_or_is_refused_by_name(name in "[A-Za-z0-9_]{0,20}", value in any::<String>()) {
        let name = format!("ISPBRIDGE__{name}");
        let start = "routes = [{ provider = \"a\" }]\n[server]\nlisten = \"a\"";
        match overridden(start, &name, &value) {
            Ok(changed) => {
                let text = toml::to_string(&changed).unwrap();
                prop_assert_eq!(text.parse::<Table>().unwrap(), changed);
            }
            Err(error) => prop_assert!(error.to_string().starts_with(&format!("configuration: {name}: ")), "{}", error),
        }
    }

    #[test]
    fn a_text_without_toml_in_it_arrives_as_it_is(value in "[a-z][a-z :/@.-]{0,30}") {
        prop_assume!(!["true", "false", "inf", "nan"].contains(&value.trim()));
        let table = overridden("", "ISPBRIDGE__ACCOUNTS__MAIN__URL", &value).unwrap();
        prop_assert_eq!(table["accounts"]["main"]["url"].as_str(), Some(value.as_str()));
    }
}

#[test]
fn the_corpus_of_variables_is_read_as_it_says() {
    for line in include_str!("../../tests/corpus/overrides.txt").lines() {
        let (variable, expected) = line.split_once(" => ").unwrap();
        let (name, value) = variable.split_once('=').unwrap();
        let read = overridden("[server]\nlisten = \"a\"", name, value).map(|table| toml::to_string(&table).unwrap());
        let read = read.map_or_else(|_| "refused".to_owned(), |text| text.replace('\n', ";"));
        assert_eq!(read, expected, "{variable}");
    }
}
