//! The framework's list envelope and its paging parameters.

use serde_json::{Value, json};

use crate::call::Call;

/// Which part of a list was asked for.
pub(crate) struct Page {
    number: usize,
    /// Rows per page; `None` is `count=all`.
    count: Option<usize>,
}

impl Page {
    /// Reads `page` and `count`; the complaint has the framework's shape for a bad parameter.
    pub(crate) fn read(call: &Call, most: Option<usize>) -> Result<Self, Value> {
        let number = whole(call, "page")?.unwrap_or(1);
        if parameter(call, "count").as_deref() == Some("all") {
            return Ok(Self { number, count: None });
        }
        let count = whole(call, "count")?.unwrap_or(10);
        match most {
            Some(most) if count > most => {
                Err(bad_parameter("count", &format!("Parameter cannot be greater than {most}")))
            }
            _ => Ok(Self { number, count: Some(count) }),
        }
    }

    /// The rows of the page: `count` says how many these are, `total` how many there are.
    pub(crate) fn envelope(&self, found: &[&Value]) -> Value {
        let size = self.count.unwrap_or(found.len());
        let items: Vec<&&Value> = found.iter().skip((self.number - 1).saturating_mul(size)).take(size).collect();
        json!({ "items": items, "page": self.number, "count": items.len(), "total": found.len() })
    }
}

/// A parameter of the query, decoded.
pub(crate) fn parameter(call: &Call, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(call.query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The shape of `errors` in which the complaint is a bare string.
pub(crate) fn bad_parameter(name: &str, complaint: &str) -> Value {
    let full = format!("{name} {complaint}");
    json!({ "code": 400, "errors": { name: complaint }, "full_errors": [full] })
}

fn whole(call: &Call, name: &str) -> Result<Option<usize>, Value> {
    let Some(value) = parameter(call, name) else {
        return Ok(None);
    };
    match value.parse::<usize>() {
        Ok(0) => Err(bad_parameter(name, "Parameter cannot be less than 1")),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(bad_parameter(name, &format!("'{value}' is not a valid Integer"))),
    }
}
