//! What a configuration comes to, short of serving: the one way to it for a start, a check and a reload, so that none of them
//! refuses what another takes.

use aws_lc_rs::digest::{SHA256, digest};
use config::{Document, Error, Findings, Mistake, Noted, noting, read_rest};
use protocol::caller::Verifier;
use rustls::ServerConfig;
use serving::{listener, tls};
use toml::Table;

use crate::{
    audit,
    program::Program,
    settings::{CallersMode, SECTIONS, Settings},
};

/// What tells one program's part of a configuration from another, and what the files that it names held: the part itself may
/// have thousands of entries.
#[derive(PartialEq)]
pub(crate) struct Part(Box<[u8]>, Noted);

/// A configuration that was read and found right.
pub(crate) struct Prepared<P: Program> {
    /// All of it.
    pub(crate) document: Document,
    /// The chassis' own sections.
    pub(crate) settings: Settings,
    /// The program's part.
    pub(crate) own: P::Config,
    /// What tells that part from another.
    pub(crate) part: Part,
    /// The files that were read for all of it.
    pub(crate) files: Noted,
    /// Who signs the contexts of callers; nothing where everybody is believed.
    pub(crate) verifier: Option<Verifier>,
    /// What the listener shows; nothing where it speaks plain text.
    pub(crate) tls: Option<ServerConfig>,
    /// What of it has no effect.
    pub(crate) warnings: Vec<Mistake>,
}

impl<P: Program> Prepared<P> {
    /// Prepares a start.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn for_start(document: Document) -> Result<Self, Error> {
        Self::new(document, |settings, own, findings| {
            let server = &settings.server;
            findings.take(listener::check("server.listen", server.listen, server.reuse_port));
            if let Some(address) = settings.admin.listen {
                findings.take(listener::check("admin.listen", address, server.reuse_port));
            }
            findings.take(audit::check(&settings.audit));
            if let Some(own) = own {
                P::check_files(own, findings);
            }
        })
    }

    /// Prepares what a process that runs takes in place of its configuration.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn for_reload(document: Document) -> Result<Self, Error> {
        Self::new(document, |_, _, _| {})
    }

    fn new(
        document: Document,
        at_start: impl FnOnce(&Settings, Option<&P::Config>, &mut Findings),
    ) -> Result<Self, Error> {
        let mut findings = Findings::default();
        let ((settings, verifier, tls, own, part), files) = noting(|| {
            let mut table = Table::clone(&document);
            let settings = Settings::take(P::AUTHENTICATES_CALLERS.then_some(P::NAME), &mut table, &mut findings);
            let verifier = verifier::<P>(&settings, &mut findings);
            let tls = findings.take(tls::server(&settings.server)).flatten();
            let (own, part) = own::<P>(table, &settings, &mut findings);
            (settings, verifier, tls, own, part)
        });
        at_start(&settings, own.as_ref(), &mut findings);
        let warnings = document.settle(findings)?;
        // Of what cannot be read at all, settle has told why.
        let own = own.ok_or_else(|| Error::program("the configuration cannot be read"))?;
        Ok(Self { document, settings, own, part, files, verifier, tls, warnings })
    }

    /// Writes into the log what has no effect.
    pub(crate) fn warn(&self) {
        for warning in &self.warnings {
            tracing::warn!(process = P::NAME, "configuration: {warning}");
        }
    }
}

impl Part {
    pub(crate) fn new(written: Box<[u8]>, files: Noted) -> Self {
        Self(written, files)
    }

    /// What tells a table from another.
    pub(crate) fn written(table: &Table) -> Box<[u8]> {
        digest(&SHA256, table.to_string().as_bytes()).as_ref().into()
    }
}

/// The program's part, and what tells it from another.
fn own<P: Program>(table: Table, settings: &Settings, findings: &mut Findings) -> (Option<P::Config>, Part) {
    let written = Part::written(&table);
    let (own, named) = noting(|| {
        let own: Option<P::Config> = read_rest(&SECTIONS, table, findings);
        own.inspect(|own| P::check(own, settings, findings))
    });
    (own, Part::new(written, named))
}

/// The keys of the caller context, or nothing where everybody is believed.
fn verifier<P: Program>(settings: &Settings, findings: &mut Findings) -> Option<Verifier> {
    let callers = &settings.callers;
    if P::AUTHENTICATES_CALLERS || callers.mode == CallersMode::Open {
        return None;
    }
    let made = Verifier::new(callers.keys.iter().map(|key| (key.id.as_str(), key.secret.expose())));
    let wrong = |(index, error): (usize, protocol::caller::KeyError)| {
        Error::config(format!("callers.keys[{index}].{}", error.field()), error)
    };
    findings.take(made.map_err(wrong))
}
