//! The REST door: one JSON object of attributes, whatever the verb, and `{"ip", "result"}` back.
//!
//! Every function is a POST to `API/<function>`; six also have a resource form. The document shows both with and
//! without `/restapi` before them. Statuses of errors are not documented: a refusal is a text in `result` with 200,
//! as its samples' messages are; what is nobody's path is the web server's 404 (inferred).

use super::Azotel;
use super::told::Told;
use crate::call::{Answer, Call, Reply};
use crate::perl::{Perl, json};

const NOT_FOUND: &str = "<html><head><title>404 Not Found</title></head></html>\n";
const CRASHED: &str = "<html><head><title>500 Internal Server Error</title></head></html>\n";

/// Name of the function a call asks for.
pub(crate) fn function<'a>(azotel: &'a Azotel, call: &Call) -> Option<&'a str> {
    let path = call.path.strip_prefix("/restapi").unwrap_or(&call.path);
    let functions = &azotel.functions;
    let found = match path.strip_prefix("/API/") {
        Some(name) if call.method == "POST" => functions.find(name),
        _ => functions.behind(&format!("{} {path}", call.method)),
    };
    found.map(|function| function.name.as_str())
}

pub(crate) fn answer(azotel: &Azotel, call: &Call) -> Answer {
    let Some(name) = function(azotel, call) else {
        return Answer::refused(Reply::html(404, NOT_FOUND));
    };
    let outcome = match json::read(&call.body) {
        Ok(arguments) => azotel.run(name, &arguments),
        Err(complaint) => Some(Err(format!("ERROR: malformed JSON string: {complaint}"))),
    };
    let Some(outcome) = outcome else {
        return Answer::refused(Reply::html(404, NOT_FOUND));
    };
    let executed = outcome.is_ok();
    let result = outcome.map_or_else(Perl::Text, Told::rest);
    let reply = Perl::hash([("ip", Perl::Text(call.peer.to_string())), ("result", result)]);
    Answer { reply: Reply::new(200, "application/json", json::write(&reply)), executed }
}

/// Apache's page when the program dies.
pub(crate) fn crash() -> Reply {
    Reply::html(500, CRASHED)
}
