//! Headers that an export carries, credentials among them: each value is a secret by reference.

use std::{borrow::Cow, fmt, str::FromStr};

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use toml::{Table, Value};

use config::Secret;

/// Headers by name; their values have no readable form.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OtlpHeaders(HeaderMap);

impl OtlpHeaders {
    /// The headers as they are sent.
    pub(crate) fn map(&self) -> &HeaderMap {
        &self.0
    }

    /// Reads `name=value,name=value`, values percent-encoded as the OpenTelemetry specification has it.
    fn listed(text: &str) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        for (index, pair) in pairs.enumerate() {
            // A pair without a name is not repeated: it may be the value.
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("must be name=value,name=value: entry {} has no name", index + 1))?;
            let value = percent_decode_str(value.trim()).decode_utf8();
            let value = value.map_err(|_| format!("must have values in UTF-8: that of {:?} is none", name.trim()))?;
            add(&mut headers, name.trim(), &value)?;
        }
        Ok(Self(headers))
    }

    /// Reads a secret for each name.
    fn each(table: Table) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in table {
            let secret: Secret =
                value.try_into().map_err(|error: toml::de::Error| format!("{name}: {}", error.message()))?;
            add(&mut headers, &name, secret.expose())?;
        }
        Ok(Self(headers))
    }
}

fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let header = HeaderName::from_str(name).map_err(|_| format!("must have names of headers: {name:?} is none"))?;
    let value = HeaderValue::from_str(value);
    let mut value =
        value.map_err(|_| format!("must hold only what a header can carry: the value of {name:?} does not"))?;
    value.set_sensitive(true);
    headers.insert(header, value);
    Ok(())
}

impl fmt::Debug for OtlpHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.keys()).finish()
    }
}

impl JsonSchema for OtlpHeaders {
    fn schema_name() -> Cow<'static, str> {
        "OtlpHeaders".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "format": "secrets" })
    }
}

impl<'de> Deserialize<'de> for OtlpHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const SHAPE: &str = "must be { NAME = { env = \"...\" } } or one { env = \"...\" } or { file = \"...\" }";
        let table = Table::deserialize(deserializer).map_err(|_| de::Error::custom(SHAPE))?;
        // A header may well be called "file": then a table stands behind the name.
        let is_list = ["env", "file"].iter().any(|key| matches!(table.get(*key), Some(Value::String(_))));
        let headers = match is_list {
            false => Self::each(table),
            true => match Value::Table(table).try_into::<Secret>() {
                Ok(list) => Self::listed(list.expose()),
                Err(error) => Err(error.message().to_owned()),
            },
        };
        headers.map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        headers: OtlpHeaders,
    }

    fn read(text: &str) -> Result<OtlpHeaders, String> {
        let holder = text.parse::<Table>().unwrap().try_into::<Holder>();
        holder.map(|holder| holder.headers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_for_each_name_or_one_for_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let (token, list) =
            (file("token", "Bearer s3cret\n"), file("list", "x-tenant = a%20b ,, authorization=s3cret"));
        let headers = read(&format!("headers = {{ Authorization = {{ file = {token:?} }} }}")).unwrap();
        assert_eq!(headers.map()["authorization"], "Bearer s3cret");
        assert_eq!(format!("{headers:?}"), "[\"authorization\"]");
        let headers = read(&format!("headers = {{ file = {list:?} }}")).unwrap();
        assert_eq!((&headers.map()["x-tenant"], headers.map().len()), (&HeaderValue::from_static("a b"), 2));
        let named_file = read(&format!("headers = {{ file = {{ file = {token:?} }} }}")).unwrap();
        assert!(named_file.map().contains_key("file"));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        for (list, told) in
            [("s3cret", "entry 1"), ("a=b, s 3cret", "entry 2"), ("a b=s3cret", "\"a b\""), ("a=s3cret%0A", "\"a\"")]
        {
            let file = folder.path().join("list");
            fs::write(&file, list).unwrap();
            let error = read(&format!("headers = {{ file = {file:?} }}")).unwrap_err();
            assert!(error.contains(told) && !error.contains("3cret"), "{error}");
        }
        for text in ["headers = \"authorization=s3cret\"", "headers = { authorization = \"s3cret\" }"] {
            let error = read(text).unwrap_err();
            // The library shows the line of a text that it was given; a configuration is read as a table.
            assert!(error.contains("env") && !error.contains("s3cret"), "{error}");
        }
    }
}
