//! What an operator sets for Azotel's SIMPLer.

use std::{borrow::Cow, fmt};

use bridge::{
    http::{BaseUrl, Transport},
    problem::{Problem, Problems},
    wire::soap::Style,
};
use config::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor, value},
};

/// The dialect of the vocabulary that the JSON transport speaks.
pub(crate) const REST: &str = "rest";

/// One account: an operator's SIMPLer server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Over SOAP the whole address of the door, `http://SERVER/API/operatorapi.pl`; over REST what stands
    /// before `/API/FUNCTION`, such as `https://SERVER/restapi` or `http://SERVER:8080` (SIMPLer API 2011-2Q, "General").
    pub base_url: BaseUrl,
    /// SOAP: the URI that selects the class, `http://SERVER/OperatorAPI`; the server looks at its path only
    ///. Made from the address if absent.
    pub uri: Option<String>,
    /// SOAP: how the attributes are passed.
    #[serde(default)]
    pub style: Style,
    /// The API's user name.
    pub username: String,
    /// The API's password.
    pub password: Secret,
    /// The database, for an operator that has several.
    pub operator: Option<String>,
    /// What is spoken, `"soap"` or `"rest"`, or a table that says also how the address is reached.
    #[serde(default)]
    pub transport: Way,
}

impl Account {
    /// The keys that are wrong besides address and transport.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        let texts = [("username", Some(self.username.as_str())), ("operator", self.operator.as_deref())];
        let empty = texts.into_iter().filter(|(_, text)| *text == Some(""));
        problems.0.extend(empty.map(|(key, _)| Problem::new(key, "must not be empty")));
        if self.uri.as_ref().is_some_and(|uri| uri.is_empty() || !uri.bytes().all(|byte| byte.is_ascii_graphic())) {
            problems.0.push(Problem::new("uri", "must be an address such as http://SERVER/OperatorAPI"));
        }
        problems
    }
}

/// Which of the API's two transports an account has, and how its address is reached.
///
/// Written as `transport = "rest"`, or as a table with `kind = "rest"` and the keys of [`Transport`].
#[derive(Debug, Default)]
pub struct Way {
    /// What is spoken.
    pub kind: Kind,
    /// How the address is reached.
    pub http: Transport,
}

/// The API's transports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// SOAP 1.1.
    #[default]
    Soap,
    /// JSON over HTTP.
    Rest,
}

/// The keys of [`Transport`] in a table that has `kind` besides. A flattened struct would read the same, but an error in
/// it would not name the key.
struct WithKind<'k, A> {
    table: A,
    kind: &'k mut Kind,
}

struct WayVisitor;

impl JsonSchema for Way {
    fn schema_name() -> Cow<'static, str> {
        "Way".into()
    }

    /// That of [`Transport`], with `kind` besides.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (mut table, kind) = (Transport::json_schema(generator), Kind::json_schema(generator));
        if let Some(keys) = table.get_mut("properties").and_then(|keys| keys.as_object_mut()) {
            keys.insert("kind".to_owned(), kind.to_value());
        }
        table
    }
}

impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WayVisitor)
    }
}

impl<'de> Visitor<'de> for WayVisitor {
    type Value = Way;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"soap\", \"rest\" or a table")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Way, E> {
        let kind = Kind::deserialize(value::StrDeserializer::<E>::new(word))?;
        Ok(Way { kind, http: Transport::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Way, A::Error> {
        let mut kind = Kind::default();
        let keys = WithKind { table, kind: &mut kind };
        let http = Transport::deserialize(value::MapAccessDeserializer::new(keys))?;
        Ok(Way { kind, http })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithKind<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.table.next_key::<String>()? {
            if key != "kind" {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            *self.kind = self.table.next_value()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.table.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(text: &str) -> Result<Way, toml::de::Error> {
        #[derive(Deserialize)]
        struct Outer {
            transport: Way,
        }
        toml::from_str::<Outer>(text).map(|outer| outer.transport)
    }

    #[test]
    fn a_transport_is_a_word_or_a_table() {
        assert_eq!(way("transport = \"rest\"").unwrap().kind, Kind::Rest);
        let table = way("[transport]\nkind = \"rest\"\nin_flight = 4\nidle_seconds = 5").unwrap();
        assert_eq!((table.kind, table.http.in_flight, table.http.idle_seconds), (Kind::Rest, 4, 5.0));
        let table = way("transport = { keep_alive = false }").unwrap();
        assert_eq!((table.kind, table.http.keep_alive), (Kind::Soap, false));
    }

    #[test]
    fn what_a_transport_cannot_be_is_named() {
        for (text, named) in [
            ("transport = \"grpc\"", "grpc"),
            ("transport = 1", "\"rest\""),
            ("transport = { colour = 1 }", "colour"),
            ("transport = { kind = \"rset\" }", "rset"),
        ] {
            let error = way(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
