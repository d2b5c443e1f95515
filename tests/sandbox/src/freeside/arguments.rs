//! How the two doors make a Perl hash of a call's parameters.

use std::collections::BTreeMap;

use crate::xmlrpc::{Fault, Value};

/// A class the server can dispatch to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Door {
    /// The CGI program: one struct or a flat list.
    SelfService,
    /// The daemon of the back end: a flat list only.
    ClientApi,
}

/// The hash a method works on; what is absent reads as empty.
#[derive(Default)]
pub(crate) struct Arguments {
    scalars: BTreeMap<String, String>,
    /// Arrays and hashes, which neither door decodes again.
    nested: BTreeMap<String, Value>,
}

impl Door {
    pub(crate) fn of(class: &str, method: &str) -> Result<Self, Fault> {
        match class {
            "FS.SelfService.XMLRPC" => Ok(Self::SelfService),
            "FS.ClientAPI_XMLRPC" => Ok(Self::ClientApi),
            "main" => Err(Fault::client(format!(
                "Denied access to method ({method}) in class (main) at /usr/share/perl5/SOAP/Lite.pm line 2827.\n"
            ))),
            other => Err(no_such_class(&other.replace('.', "::"))),
        }
    }
}

impl Arguments {
    /// Reads the parameters as `ref($_[0]) ? shift : {@_}` (door A) or `my %hash = @_` (door C) does.
    pub(crate) fn read(door: Door, parameters: Vec<Value>) -> Result<Self, Fault> {
        let mut hash = Self::default();
        match (door, parameters.first()) {
            (Door::SelfService, Some(Value::Struct(members))) => {
                for (name, value) in members {
                    hash.insert(door, name.clone(), value)?;
                }
            }
            // Door C: a struct becomes the one key `HASH(0x..)` and every parameter is lost.
            (_, Some(Value::Struct(_)) | None) => {}
            (_, Some(_)) => {
                for pair in parameters.chunks(2) {
                    let value = pair.get(1).unwrap_or(&Value::Undef);
                    hash.insert(door, scalar(door, &pair[0])?, value)?;
                }
            }
        }
        Ok(hash)
    }

    fn insert(&mut self, door: Door, name: String, value: &Value) -> Result<(), Fault> {
        if let Value::Struct(_) | Value::Array(_) = value {
            self.nested.insert(name, value.clone());
        } else {
            self.scalars.insert(name, scalar(door, value)?);
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.scalars.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A number; what is none reads as 0, which numbers nothing.
    pub(crate) fn number(&self, name: &str) -> u32 {
        self.get(name).parse().unwrap_or_default()
    }

    /// The texts of an array, or a lone text.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        match self.nested.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
            _ => Some(self.get(name).to_owned()).filter(|text| !text.is_empty()).into_iter().collect(),
        }
    }

    /// The entries of a hash.
    pub(crate) fn entries(&self, name: &str) -> Vec<(String, String)> {
        let Some(Value::Struct(members)) = self.nested.get(name) else { return Vec::new() };
        members.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.scalars.contains_key(name) || self.nested.contains_key(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.scalars.iter()
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Encoded(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Undef | Value::Struct(_) | Value::Array(_) => None,
    }
}

/// Door C decodes every scalar a second time, so text that is not ASCII survives only as base64 of UTF-8.
fn scalar(door: Door, value: &Value) -> Result<String, Fault> {
    match value {
        Value::Text(text) if door == Door::ClientApi => decode_again(text),
        Value::Text(text) => Ok(text.clone()),
        Value::Encoded(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Value::Undef | Value::Struct(_) | Value::Array(_) => Ok(String::new()),
    }
}

fn decode_again(text: &str) -> Result<String, Fault> {
    if text.chars().any(|letter| u32::from(letter) > 0xff) {
        return Err(Fault::server("Wide character at /usr/share/perl5/FS/ClientAPI_XMLRPC.pm line 69.\n"));
    }
    Ok(text.chars().map(|letter| if letter.is_ascii() { letter } else { '\u{fffd}' }).collect())
}

fn no_such_class(class: &str) -> Fault {
    let file = class.replace("::", "/");
    Fault::client(format!(
        "Failed to access class ({class}): Can't locate {file}.pm in @INC (you may need to install the {class} module) \
         (@INC contains:) at (eval 129) line 1.\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(door: Door, parameters: Vec<Value>) -> Arguments {
        Arguments::read(door, parameters).unwrap_or_else(|fault| panic!("{}", fault.text))
    }

    #[test]
    fn a_struct_is_lost_on_the_door_that_takes_a_flat_list() {
        let members = vec![("a".to_owned(), Value::from("1"))];
        assert_eq!(read(Door::SelfService, vec![Value::Struct(members.clone())]).get("a"), "1");
        assert_eq!(read(Door::ClientApi, vec![Value::Struct(members)]).get("a"), "");
        assert_eq!(read(Door::ClientApi, vec![Value::from("a"), Value::from("1")]).get("a"), "1");
    }

    #[test]
    fn arrays_and_hashes_stay_whole() {
        let kinds = Value::Array(vec![Value::from("a"), Value::from("b")]);
        let values = Value::Struct(vec![("7".to_owned(), Value::from("1"))]);
        let flat =
            vec![Value::from("kinds"), kinds, Value::from("lone"), Value::from("c"), Value::from("values"), values];
        let hash = read(Door::ClientApi, flat);
        assert_eq!(
            (hash.list("kinds"), hash.list("lone")),
            (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()])
        );
        assert_eq!(hash.entries("values"), [("7".to_owned(), "1".to_owned())]);
        assert!(hash.has("values") && hash.list("none").is_empty());
    }

    #[test]
    fn the_daemon_decodes_text_twice() {
        let name = |value: Value| Arguments::read(Door::ClientApi, vec![Value::from("n"), value]);
        assert!(name(Value::from("Łucja")).is_err());
        assert_eq!(read(Door::ClientApi, vec![Value::from("n"), Value::from("Zoë")]).get("n"), "Zo\u{fffd}");
        let encoded = Value::Encoded("Zoë".as_bytes().to_vec());
        assert_eq!(read(Door::ClientApi, vec![Value::from("n"), encoded]).get("n"), "Zoë");
    }
}
