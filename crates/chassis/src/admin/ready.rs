//! `/readyz`: whether the process takes calls, and with `?verbose` what is wrong though it does.

use std::fmt::Write;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
};
use serving::Dependencies;

use crate::{audit::Audit, process::Process, settings::OnLoss};

/// One thing that can be well or not.
struct Detail {
    name: &'static str,
    is_well: bool,
    said: &'static str,
}

/// Answers as orchestrators expect it; details never change the code.
pub(super) async fn answer(
    State((process, dependencies)): State<(Process, Dependencies)>,
    uri: Uri,
) -> (StatusCode, String) {
    let (code, word) = match process.is_stopping() {
        false => (StatusCode::OK, "ok\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    };
    let is_verbose = uri.query().is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    let mut text = String::new();
    for Detail { name, is_well, said } in details(&process).into_iter().filter(|_| is_verbose) {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "[{}]{name} {said}", if is_well { '+' } else { '-' });
    }
    if is_verbose {
        let _ = write!(text, "{dependencies}");
    }
    (code, text + word)
}

fn details(process: &Process) -> Vec<Detail> {
    process.audit().map(audit).into_iter().collect()
}

fn audit(audit: &Audit) -> Detail {
    let said = match (audit.is_written(), audit.on_loss()) {
        (true, _) => "ok",
        (false, OnLoss::Count) => "cannot be written: records are lost",
        (false, OnLoss::Refuse) => "cannot be written: writes are refused",
    };
    Detail { name: "audit", is_well: audit.is_written(), said }
}
