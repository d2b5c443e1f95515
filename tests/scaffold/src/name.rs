//! What a provider may be called: a name that is good in Rust, in protobuf and for a program.

use std::{fmt, path::Path};

/// The name of a new provider.
pub(crate) struct Name(String);

/// Words of Rust and protobuf, names that are taken in the workspace, and those whose type another has in a provider's files.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "abstract", "account", "alloc", "and", "as", "async", "await", "become", "bench", "bool", "box", "break",
    "bridge", "bump", "bytes", "char", "common", "config", "const", "continue", "contract", "core", "crate",
    "customer", "customers", "default", "definition", "dialect", "do", "double", "dyn", "else", "enum", "err",
    "export", "extend", "extensions", "extern", "false", "fault", "final", "float", "fn", "for", "gateway", "gen",
    "generated", "group", "helper", "helpers", "if", "impl", "import", "in", "interop", "kind", "kit", "let",
    "limits", "loop", "macro", "main", "manager", "map", "match", "max", "message", "misc", "mod", "move", "mut",
    "node", "none", "ok", "oneof", "option", "optional", "outgoing", "override", "package", "parts", "priv",
    "problems", "provider", "pub", "public", "ref", "repeated", "reply", "request", "required", "reserved", "result",
    "return", "returns", "rpc", "sandbox", "scaffold", "self", "service", "some", "static", "std", "str", "stream",
    "string", "struct", "super", "surface", "syntax", "tests", "to", "trait", "transport", "true", "try", "type",
    "typeof", "unsafe", "unsized", "upstream", "url", "use", "util", "utils", "vec", "virtual", "weak", "where",
    "while", "workspace", "yield",
];

const LONGEST: usize = 32;

impl Name {
    /// Takes a name that no provider of the workspace has.
    pub(crate) fn parse(text: &str, root: &Path) -> Result<Self, String> {
        if !(2..=LONGEST).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(format!("{text:?} is no name: it must be 2 to {LONGEST} lower-case letters from a to z"));
        }
        if RESERVED.contains(&text) {
            return Err(format!(
                "{text:?} is reserved: it is a word of Rust or protobuf, or means something here already"
            ));
        }
        let places =
            [format!("services/{text}"), format!("proto/ispbridge/{text}"), format!("tests/sandbox/src/{text}.rs")];
        if let Some(place) = places.iter().find(|place| root.join(place).exists()) {
            return Err(format!("{text:?} is taken: {place} exists"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Puts the name in the place of `demo` in a template.
    pub(crate) fn fill(&self, template: &str) -> String {
        let words = [("demo", self.0.clone()), ("Demo", self.title()), ("DEMO", self.0.to_uppercase())];
        words.iter().fold(template.to_owned(), |text, (place, word)| text.replace(place, word))
    }

    fn title(&self) -> String {
        let (first, rest) = self.0.split_at(1);
        first.to_uppercase() + rest
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Name::parse(text, &root).map(|name| name.to_string()).unwrap_err()
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        for text in ["", "a", "Acme", "acme1", "1acme", "ac-me", "ac_me", "acmé", "../x", "a b", &"a".repeat(33)] {
            assert!(refused(text).contains("lower-case letters"), "{text}");
        }
        for text in ["type", "match", "async", "message", "rpc", "gateway", "sandbox", "provider", "option", "self"] {
            assert!(refused(text).contains("is reserved"), "{text}");
        }
        for text in ["aex", "soap"] {
            assert!(refused(text).contains("is taken"), "{text}");
        }
    }

    #[test]
    fn a_name_fills_a_template_in_each_of_its_forms() {
        let name = Name("acme".to_owned());
        assert_eq!(name.fill("demo Demo DEMO_TOKEN ispbridge-demo"), "acme Acme ACME_TOKEN ispbridge-acme");
    }
}
