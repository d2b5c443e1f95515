//! Patterns of methods and accounts.

use protocol::method::Idempotency;
use protocol::method::MethodName;
use protocol::method::is_dotted;
use protocol::method::is_identifier;
use protocol::provider;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which methods a grant covers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub enum MethodPattern {
    /// `*`: every method.
    All,
    /// `reads`: every method that the contract marks as free of side effects.
    Reads,
    /// `package.*`, kept with the final dot.
    Package(String),
    /// `package.Service/*`, kept with the final slash.
    Service(String),
    /// `package.Service/Method`.
    Exact(String),
}

impl TryFrom<String> for MethodPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let pattern = match text.as_str() {
            "*" => Some(Self::All),
            "reads" => Some(Self::Reads),
            _ => Self::named(&text),
        };
        pattern.ok_or_else(|| {
            "must be \"*\", \"reads\", \"package.*\", \"package.Service/*\" or \"package.Service/Method\"".to_owned()
        })
    }
}

impl MethodPattern {
    fn named(text: &str) -> Option<Self> {
        if let Some(package) = text.strip_suffix(".*") {
            return is_dotted(package).then(|| Self::Package(format!("{package}.")));
        }
        let (service, method) = text.split_once('/')?;
        if !is_dotted(service) {
            return None;
        }
        match method {
            "*" => Some(Self::Service(format!("{service}/"))),
            name => is_identifier(name).then(|| Self::Exact(text.to_owned())),
        }
    }

    /// Whether it covers a method.
    pub(crate) fn covers(&self, method: &MethodName<'_>, idempotency: Option<Idempotency>) -> bool {
        match self {
            Self::All => true,
            Self::Reads => idempotency == Some(Idempotency::Read),
            Self::Package(prefix) | Self::Service(prefix) => method.full.starts_with(prefix),
            Self::Exact(name) => method.full == name,
        }
    }

    /// The name or prefix of the methods it covers; `None` if it does not depend on the name.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::All | Self::Reads => None,
            Self::Package(text) | Self::Service(text) | Self::Exact(text) => Some(text),
        }
    }

    /// The providers whose methods it can cover.
    pub(crate) fn reach(&self) -> Reach {
        let Some(name) = self.name() else { return Reach::Any };
        match provider::split(name) {
            Some((_, None)) if name.ends_with('.') => Reach::Any,
            // A method is called ispbridge.PROVIDER.v1.Service/Method.
            Some((segment, Some(rest))) if rest.is_empty() || rest.starts_with("v1.") => {
                Reach::Provider(provider::of_segment(segment).into_owned())
            }
            _ => Reach::Nobody,
        }
    }

    /// Whether one of the others covers everything it covers.
    pub(crate) fn lies_in(&self, others: &[Self]) -> bool {
        others.iter().any(|other| match (other, self) {
            (Self::All, _) | (Self::Reads, Self::Reads) => true,
            (
                Self::Package(outer) | Self::Service(outer),
                Self::Package(inner) | Self::Service(inner) | Self::Exact(inner),
            ) => inner.starts_with(outer),
            (Self::Exact(outer), Self::Exact(inner)) => outer == inner,
            _ => false,
        })
    }

    /// Its key in lookups: a name, a prefix, or a word.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::All => "*",
            Self::Reads => "reads",
            Self::Package(text) | Self::Service(text) | Self::Exact(text) => text,
        }
    }
}

/// The providers whose methods a pattern can cover.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of every provider.
    Any,
    /// Those of one.
    Provider(String),
    /// None: no method has such a name.
    Nobody,
}

/// Which accounts a grant covers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub enum AccountPattern {
    /// `*`: every account of every provider.
    All,
    /// `provider/*`: every account of one provider.
    Provider(String),
    /// `provider/alias`.
    One {
        /// The provider, e.g. `internet-solutions`.
        provider: String,
        /// The alias of the account in the service's own configuration.
        alias: String,
    },
}

impl TryFrom<String> for AccountPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.split_once('/') {
            Some((provider, "*")) if is_label(provider) => Ok(Self::Provider(provider.to_owned())),
            Some((provider, alias)) if is_label(provider) && is_alias(alias) => {
                Ok(Self::One { provider: provider.to_owned(), alias: alias.to_owned() })
            }
            _ => Err("must be \"*\", \"provider/*\" or \"provider/alias\"".to_owned()),
        }
    }
}

impl AccountPattern {
    /// The provider it names, if it names one.
    pub(crate) fn provider(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Provider(provider) | Self::One { provider, .. } => Some(provider),
        }
    }
}

/// Whether the text may be an account alias.
pub(crate) fn is_alias(text: &str) -> bool {
    let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= 63 && text.bytes().all(rest) && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether the text may be the name of a provider or principal.
pub(crate) fn is_label(text: &str) -> bool {
    is_alias(text) && text.bytes().all(|b| !b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_whose_methods_it_can_cover() {
        let reach = |text: &str| MethodPattern::try_from(text.to_owned()).unwrap().reach();
        let one = || Reach::Provider("internet-solutions".to_owned());
        for text in ["v1.*", "*", "v1.S/*", "v1.S/M"] {
            assert_eq!(reach(&format!("ispbridge.internet_solutions.{text}")), one(), "{text}");
        }
        for text in ["*", "reads", "ispbridge.*"] {
            assert_eq!(reach(text), Reach::Any, "{text}");
        }
        for text in ["ispbridge.aex.v2.*", "ispbrigde.aex.v1.*", "ispbridge.S/M", "ispbridge.aex.S/*", "aex.*"] {
            assert_eq!(reach(text), Reach::Nobody, "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "ispbridge", "a/b/c", "/*", ".*", "a..b.*", "Reads", "a b/*"] {
            assert!(MethodPattern::try_from(text.to_owned()).is_err(), "{text}");
        }
        for text in ["", "aex", "aex/", "/main", "*/main", "Aex/main", "aex/a b"] {
            assert!(AccountPattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
