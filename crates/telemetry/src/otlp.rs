//! The collector of a signal: where it is, who it must be, and what it is shown.

use std::time::Duration;

use config::{Error, Findings, NO_AUTHORITIES, Secret, has_authorities};
use http::Uri;
use opentelemetry_otlp::{Compression, MetricExporter, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::metrics::Temporality;
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use tonic::{
    metadata::MetadataMap,
    transport::{Certificate, ClientTlsConfig, Identity},
};

use crate::settings::{Exporter, MetricsTemporality, OtlpCompression, TelemetrySettings};

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
}

/// The collector of one signal, with every key from where it stands.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    endpoint: Key<&'a String>,
    ca: Option<Key<&'a Secret>>,
    certificate: Option<Key<&'a Secret>>,
    key: Option<Key<&'a Secret>>,
    metadata: MetadataMap,
    timeout: Duration,
    compression: OtlpCompression,
}

/// A value and the section that it stands in.
#[derive(Clone, Copy, Debug)]
struct Key<T> {
    value: T,
    section: &'static str,
}

/// Says what is wrong with settings, and why a collector could not be spoken to as they say.
pub fn check(settings: &TelemetrySettings, findings: &mut Findings) {
    settings.check(findings);
    for signal in [Signal::Traces, Signal::Metrics] {
        if let Some(collector) = Collector::of(settings, signal) {
            findings.take(collector.tls());
        }
    }
}

/// What sends spans, if they go anywhere.
pub(crate) fn spans(settings: &TelemetrySettings) -> Result<Option<SpanExporter>, Error> {
    let Some(collector) = Collector::of(settings, Signal::Traces) else { return Ok(None) };
    let exporter = collector.configure(SpanExporter::builder().with_tonic())?.build();
    exporter.map(Some).map_err(|error| collector.endpoint.wrong("otlp_endpoint", error))
}

/// What sends metrics, if they go anywhere.
pub(crate) fn metrics(settings: &TelemetrySettings) -> Result<Option<MetricExporter>, Error> {
    let Some(collector) = Collector::of(settings, Signal::Metrics) else { return Ok(None) };
    let temporality = match settings.metrics_temporality {
        MetricsTemporality::Cumulative => Temporality::Cumulative,
        MetricsTemporality::Delta => Temporality::Delta,
        MetricsTemporality::LowMemory => Temporality::LowMemory,
    };
    let builder = MetricExporter::builder().with_temporality(temporality).with_tonic();
    let exporter = collector.configure(builder)?.build();
    exporter.map(Some).map_err(|error| collector.endpoint.wrong("otlp_endpoint", error))
}

impl<'a> Collector<'a> {
    /// The collector of a signal, if it has one.
    pub(crate) fn of(settings: &'a TelemetrySettings, signal: Signal) -> Option<Self> {
        let (own, exporter, section) = match signal {
            Signal::Traces => (&settings.traces, settings.traces_exporter, "telemetry.traces"),
            Signal::Metrics => (&settings.metrics, settings.metrics_exporter, "telemetry.metrics"),
        };
        if settings.disabled || exporter == Exporter::None {
            return None;
        }
        let headers = own.headers.as_ref().unwrap_or(&settings.headers);
        Some(Self {
            endpoint: key(section, own.otlp_endpoint.as_ref(), settings.otlp_endpoint.as_ref())?,
            ca: key(section, own.ca.as_ref(), settings.ca.as_ref()),
            certificate: key(section, own.certificate.as_ref(), settings.certificate.as_ref()),
            key: key(section, own.key.as_ref(), settings.key.as_ref()),
            metadata: MetadataMap::from_headers(headers.map().clone()),
            timeout: own.timeout_seconds.unwrap_or(settings.timeout_seconds).0,
            compression: own.compression.unwrap_or(settings.compression),
        })
    }

    fn configure<B: WithExportConfig + WithTonicConfig>(&self, builder: B) -> Result<B, Error> {
        let builder = builder.with_endpoint(self.endpoint.value).with_timeout(self.timeout);
        let builder = builder.with_metadata(self.metadata.clone());
        let builder = match self.compression {
            OtlpCompression::None => builder,
            OtlpCompression::Gzip => builder.with_compression(Compression::Gzip),
        };
        Ok(match self.tls()? {
            None => builder,
            Some(tls) => builder.with_tls_config(tls),
        })
    }

    /// How the collector is spoken to over TLS; `None` in plain text.
    fn tls(&self) -> Result<Option<ClientTlsConfig>, Error> {
        if !self.is_https()? {
            let encrypted = [("ca", self.ca), ("certificate", self.certificate), ("key", self.key)];
            // Who gives a certificate does not expect plain text.
            return match encrypted.into_iter().find_map(|(name, key)| Some((name, key?))) {
                Some((name, key)) => {
                    Err(key.wrong(name, "must not be given unless otlp_endpoint begins with https://"))
                }
                None => Ok(None),
            };
        }
        let tls = match self.ca {
            Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca.certificates("ca")?)),
            None if !has_authorities() => return Err(self.endpoint.wrong("otlp_endpoint", NO_AUTHORITIES)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        Ok(Some(match self.identity()? {
            Some(identity) => tls.identity(identity),
            None => tls,
        }))
    }

    fn is_https(&self) -> Result<bool, Error> {
        const FORM: &str = "must be https://host:port or http://host:port";
        let uri: Option<Uri> = self.endpoint.value.parse().ok();
        let uri = uri.filter(|uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@')));
        match uri.as_ref().and_then(Uri::scheme_str) {
            Some("https") => Ok(true),
            Some("http") => Ok(false),
            _ => Err(self.endpoint.wrong("otlp_endpoint", FORM)),
        }
    }

    fn identity(&self) -> Result<Option<Identity>, Error> {
        match (self.certificate, self.key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let chain = certificate.certificates("certificate")?;
                certificate.belongs_to(&key)?;
                Ok(Some(Identity::from_pem(chain, key.value.expose())))
            }
            (Some(certificate), None) => {
                Err(certificate.wrong("certificate", "must not be given without its private key (key)"))
            }
            (None, Some(key)) => Err(key.wrong("key", "must not be given without its certificate (certificate)")),
        }
    }
}

impl<T> Key<T> {
    fn wrong(&self, name: &str, problem: impl ToString) -> Error {
        Error::config(format!("{}.{name}", self.section), problem.to_string())
    }
}

impl<'a> Key<&'a Secret> {
    /// The certificates that the secret holds.
    fn certificates(&self, name: &str) -> Result<&'a str, Error> {
        let pem = self.value.expose();
        let mut read = CertificateDer::pem_slice_iter(pem.as_bytes()).peekable();
        match read.peek().is_some() && read.all(|certificate| certificate.is_ok()) {
            true => Ok(pem),
            false => Err(self.wrong(name, "must hold a certificate in PEM")),
        }
    }

    /// Whether the certificate is one of this private key.
    fn belongs_to(&self, key: &Self) -> Result<(), Error> {
        let chain = CertificateDer::pem_slice_iter(self.value.expose().as_bytes()).filter_map(Result::ok).collect();
        let private = PrivateKeyDer::from_pem_slice(key.value.expose().as_bytes())
            .map_err(|_| key.wrong("key", "must hold a private key in PEM"))?;
        let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
        certified.map(drop).map_err(|_| key.wrong("key", "must be the key of the certificate"))
    }
}

/// A signal's own value, else that for all signals.
fn key<T>(section: &'static str, own: Option<T>, general: Option<T>) -> Option<Key<T>> {
    let own = own.map(|value| Key { value, section });
    own.or_else(|| general.map(|value| Key { value, section: "telemetry" }))
}
