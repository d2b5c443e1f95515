//! Finished spans, kept in memory by process.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use chassis::StartOptions;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SimpleSpanProcessor, SpanData, SpanExporter},
};

/// All finished spans, each with the name of its process.
#[derive(Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<Vec<(&'static str, SpanData)>>>);

#[derive(Clone)]
struct Exporter {
    process: &'static str,
    spans: Spans,
}

impl Spans {
    /// The additions to the start of a process that bring its spans here.
    pub(crate) fn of(&self, process: &'static str) -> StartOptions {
        let exporter = Exporter { process, spans: self.clone() };
        let mut options = StartOptions::default();
        options.span_processor = Some(Box::new(SimpleSpanProcessor::new(exporter)));
        options
    }

    /// Everything that has come so far.
    pub(crate) fn all(&self) -> Vec<(&'static str, SpanData)> {
        self.0.lock().unwrap().clone()
    }

    /// The spans of one kind that a process made, in the order of their ends.
    pub(crate) fn made(&self, process: &str, kind: &SpanKind) -> Vec<SpanData> {
        let own = |(name, span): &(&str, SpanData)| *name == process && span.span_kind == *kind;
        self.all().into_iter().filter(own).map(|(_, span)| span).collect()
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.process)
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.spans.0.lock().unwrap().extend(batch.into_iter().map(|span| (self.process, span)));
        Ok(())
    }
}
