//! Where a reply's `Location` points (RFC 9110, 10.2.2).

use http::header;
use percent_encoding::percent_decode_str;
use url::Url;

use super::HttpReply;

/// Last parts of the addresses of login pages, in small letters and without hyphens and underscores.
const LOGIN: [&str; 3] = ["login", "logon", "signin"];

impl HttpReply {
    /// The id of what a request to `collection` has made: the last part of the path to which `Location` points, decoded and
    /// without its parameters (RFC 3986, 3.3). None if that is no id: a login page, the collection or what is around it, or a
    /// text that cannot be decoded.
    #[must_use]
    pub fn created_id(&self, collection: &Url) -> Option<String> {
        let path = parts(&self.location(collection)?);
        let collection = parts(collection);
        let id = path.last()?;
        let is_around = collection.starts_with(&path) || collection.last() == Some(id);
        let id = decoded(id)?;
        let is_id = !id.trim().is_empty() && !id.contains(char::is_control) && !is_login(&id);
        (is_id && !is_around).then_some(id)
    }

    /// Whether `Location` points to a login page.
    pub(super) fn leads_to_login(&self) -> bool {
        let anywhere = Url::parse("http://upstream.invalid/").ok();
        let target = anywhere.and_then(|base| self.location(&base));
        target.is_some_and(|target| {
            parts(&target).last().and_then(|last| decoded(last)).is_some_and(|last| is_login(&last))
        })
    }

    /// `Location` as an address; its references are relative to that of the request.
    fn location(&self, request: &Url) -> Option<Url> {
        let text = std::str::from_utf8(self.headers.get(header::LOCATION)?.as_bytes()).ok()?;
        let target = request.join(text).ok()?;
        matches!(target.scheme(), "http" | "https").then_some(target)
    }
}

/// The parts of an address's path that are not empty, without parameters.
fn parts(url: &Url) -> Vec<String> {
    let parts = url.path().split('/').map(|part| part.split(';').next().unwrap_or(""));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A part of a path as it was before it was encoded.
fn decoded(part: &str) -> Option<String> {
    let is_escape = |escape: &str| {
        escape.as_bytes().first_chunk().is_some_and(|pair: &[u8; 2]| pair.iter().all(u8::is_ascii_hexdigit))
    };
    let text = percent_decode_str(part).decode_utf8().ok()?;
    part.split('%').skip(1).all(is_escape).then(|| text.into_owned())
}

fn is_login(part: &str) -> bool {
    let name = part.split('.').next().unwrap_or("").to_lowercase().replace(['-', '_'], "");
    LOGIN.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn reply(location: &[u8]) -> HttpReply {
        let mut reply = HttpReply { status: StatusCode::CREATED, headers: Default::default(), body: Vec::new() };
        reply.headers.insert(header::LOCATION, HeaderValue::from_bytes(location).unwrap());
        reply
    }

    fn id(location: &str) -> Option<String> {
        reply(location.as_bytes()).created_id(&"https://api.example.com/v1/customers".parse().unwrap())
    }

    #[test]
    fn an_id_is_the_last_part_of_a_path() {
        for (location, expected) in [
            ("/v1/customers/ID", "ID"),
            ("/v1/customers/ID/", "ID"),
            ("/v1/customers//ID//", "ID"),
            ("/v1/customers/ID?lang=en", "ID"),
            ("/v1/customers/ID/?lang=en", "ID"),
            ("/v1/customers/ID#top", "ID"),
            ("/v1/customers/ID?a=/b#c/d?e", "ID"),
            ("/v1/customers/ID;v=1", "ID"),
            ("/v1/customers/ID/;v=1", "ID"),
            ("/v1/customers;v=1/ID;v=1;w=2?x;y", "ID"),
            ("/v1/customers/ID?next=/auth/login", "ID"),
            ("/v1/customers/ID#/auth/login", "ID"),
            ("https://api.example.com/v1/customers/ID", "ID"),
            ("HTTPS://other.example.com:8443/x/customers/ID?y", "ID"),
            ("//other.example.com/customers/ID", "ID"),
            ("customers/ID", "ID"),
            ("ID", "ID"),
            ("./ID", "ID"),
            ("../v1/customers/x/../ID", "ID"),
            ("/v1/customers/ID/.", "ID"),
            (" /v1/customers/ID ", "ID"),
            ("/v1/customers/A%20B", "A B"),
            ("/v1/customers/A%2fB", "A/B"),
            ("/v1/customers/A%3BB;v=1", "A;B"),
            ("/v1/customers/A%3FB%23C%25", "A?B#C%"),
            ("/v1/customers/%C5%81%C3%B3d%C5%BA", "Łódź"),
            ("/v1/customers/Łódź", "Łódź"),
            ("/v1/customers/A+B", "A+B"),
            ("/v1/customers/%2541", "%41"),
            ("/v1/customers/login-7", "login-7"),
            ("/v1/customers/urn:uuid:1", "urn:uuid:1"),
        ] {
            assert_eq!(id(location).as_deref(), Some(expected), "{location}");
        }
    }

    #[test]
    fn what_is_no_id_is_none() {
        for location in [
            "",
            "/",
            "?id=1",
            "#1",
            "..",
            "../..",
            "/v1/customers",
            "/v1/customers/",
            "/v1/customers;v=1",
            "/v1/customers/?id=1",
            "/v1/customers/ID/..",
            "/v1",
            "/v1/",
            "https://other.example.com/customers/",
            "https://other.example.com",
            "//other.example.com",
            "/auth/login",
            "/auth/login/",
            "/auth/login?next=/v1/customers/ID",
            "/auth/Login.php#x",
            "/users/sign_in",
            "https://sso.example.com/sign-in;jsessionid=1?x",
            "/auth/%6Cogin",
            "/v1/customers/%",
            "/v1/customers/A%4",
            "/v1/customers/A%zz",
            "/v1/customers/%ff",
            "/v1/customers/%C5",
            "/v1/customers/%00",
            "/v1/customers/A%0AB",
            "/v1/customers/%20",
            "/v1/customers/;v=1",
            "urn:x:1",
            "mailto:a@example.com",
            "javascript:1",
            "https://",
            "http://[::1",
        ] {
            assert_eq!(id(location), None, "{location}");
        }
        let collection = "https://api.example.com/customers".parse().unwrap();
        assert_eq!(reply(b"/customers/\xe9").created_id(&collection), None);
        assert_eq!(HttpReply { headers: Default::default(), ..reply(b"") }.created_id(&collection), None);
    }

    #[test]
    fn a_login_page_is_known_whatever_follows() {
        for location in [
            "/auth/login",
            "https://x.example/auth/login?next=/a#b",
            "login",
            "/Log-In;a=b/",
            "//h/accounts/signin.aspx?x",
        ] {
            assert!(reply(location.as_bytes()).leads_to_login(), "{location}");
        }
        for location in
            ["", "/", "https://login", "//login/", "/login/7", "/customers/7?next=/auth/login", "/logins", "%"]
        {
            assert!(!reply(location.as_bytes()).leads_to_login(), "{location}");
        }
    }
}
