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
pub(crate) struct Arguments(BTreeMap<String, String>);

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
        let mut hash = BTreeMap::new();
        match (door, parameters.first()) {
            (Door::SelfService, Some(Value::Struct(members))) => {
                for (name, value) in members {
                    hash.insert(name.clone(), scalar(door, value)?);
                }
            }
            // Door C: a struct becomes the one key `HASH(0x..)` and every parameter is lost.
            (_, Some(Value::Struct(_)) | None) => {}
            (_, Some(_)) => {
                for pair in parameters.chunks(2) {
                    let value = pair.get(1).unwrap_or(&Value::Undef);
                    hash.insert(scalar(door, &pair[0])?, scalar(door, value)?);
                }
            }
        }
        Ok(Self(hash))
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
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
    fn the_daemon_decodes_text_twice() {
        let name = |value: Value| Arguments::read(Door::ClientApi, vec![Value::from("n"), value]);
        assert!(name(Value::from("Łucja")).is_err());
        assert_eq!(read(Door::ClientApi, vec![Value::from("n"), Value::from("Zoë")]).get("n"), "Zo\u{fffd}");
        let encoded = Value::Encoded("Zoë".as_bytes().to_vec());
        assert_eq!(read(Door::ClientApi, vec![Value::from("n"), encoded]).get("n"), "Zoë");
    }
}
