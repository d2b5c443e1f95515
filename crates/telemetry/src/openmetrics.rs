//! The text of OpenMetrics 1.0.0
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>).
//!
//! No library writes it with the SDK's numbers and exemplars of ours: `prometheus` (0.14) knows only the older text,
//! `opentelemetry-prometheus` (0.33) is built on it, and `prometheus-client` (0.26) takes no exemplar but those of its own
//! instruments.

use std::{fmt, iter};

use prometheus::proto::{Metric, MetricFamily, MetricType};

use crate::exemplars::{Exemplar, Exemplars, Series};

/// What the text is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the exporter makes of the resource; the older text knows no kind for it but a gauge.
const TARGET: &str = "target_info";

/// Units by which the names of our metrics end.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// Everything that a process measures.
#[derive(Debug)]
pub(crate) struct OpenMetrics<'a> {
    pub(crate) families: &'a [MetricFamily],
    pub(crate) exemplars: &'a Exemplars,
}

/// The labels of a sample; a bucket has its upper bound besides.
struct Labels<'a>(&'a Metric, Option<&'a str>);

/// A text between quotes or behind HELP.
struct Escaped<'a>(&'a str);

impl fmt::Display for OpenMetrics<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the process is stands first, for scrapers that need it for all the rest.
        let (target, others): (Vec<_>, Vec<_>) = self.families.iter().partition(|family| family.name() == TARGET);
        target.into_iter().chain(others).try_for_each(|family| self.family(out, family))?;
        out.write_str("# EOF\n")
    }
}

impl OpenMetrics<'_> {
    fn family(&self, out: &mut fmt::Formatter<'_>, family: &MetricFamily) -> fmt::Result {
        let (kind, suffix) = match family.get_field_type() {
            MetricType::COUNTER => ("counter", "_total"),
            MetricType::GAUGE if family.name() == TARGET => ("info", "_info"),
            MetricType::GAUGE => ("gauge", ""),
            MetricType::HISTOGRAM => ("histogram", ""),
            // The exporter makes none.
            MetricType::SUMMARY | MetricType::UNTYPED => return Ok(()),
        };
        let name = family.name().strip_suffix(suffix).unwrap_or(family.name());
        writeln!(out, "# TYPE {name} {kind}")?;
        if let Some(unit) = unit(name) {
            writeln!(out, "# UNIT {name} {unit}")?;
        }
        if !family.help().is_empty() {
            writeln!(out, "# HELP {name} {}", Escaped(family.help()))?;
        }
        family.get_metric().iter().try_for_each(|metric| {
            let value = match family.get_field_type() {
                MetricType::COUNTER => metric.get_counter().get_value(),
                MetricType::HISTOGRAM => return self.histogram(out, name, metric),
                _ => metric.get_gauge().get_value(),
            };
            writeln!(out, "{name}{suffix}{} {value}", Labels(metric, None))
        })
    }

    fn histogram(&self, out: &mut fmt::Formatter<'_>, name: &str, metric: &Metric) -> fmt::Result {
        let (histogram, latest) = (metric.get_histogram(), self.exemplars.of(&Series::of_metric(name, metric)));
        let (count, sum) = (histogram.get_sample_count(), histogram.get_sample_sum());
        // Bounds are labels and so have one spelling, in which whole numbers end in `.0`, as Rust's for debugging do.
        let bounded = histogram.get_bucket().iter();
        let bounded = bounded.map(|bucket| (format!("{:?}", bucket.upper_bound()), bucket.cumulative_count()));
        // The exporter leaves the last one to the encoder.
        let buckets = bounded.chain(iter::once(("+Inf".to_owned(), count)));
        for (index, (bound, count)) in buckets.enumerate() {
            write!(out, "{name}_bucket{} {count}", Labels(metric, Some(&bound)))?;
            let exemplar = latest.as_ref().and_then(|latest| latest.of_bucket(index));
            exemplar.iter().try_for_each(|exemplar: &Exemplar| write!(out, "{exemplar}"))?;
            writeln!(out)?;
        }
        let labels = Labels(metric, None);
        writeln!(out, "{name}_count{labels} {count}\n{name}_sum{labels} {sum}")
    }
}

impl fmt::Display for Labels<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.0.get_label().iter().map(|label| (label.name(), label.value()));
        let mut before = '{';
        for (name, value) in own.chain(self.1.map(|bound| ("le", bound))) {
            write!(out, "{before}{name}=\"{}\"", Escaped(value))?;
            before = ',';
        }
        // None at all are written as nothing.
        if before == ',' { out.write_str("}") } else { Ok(()) }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split_inclusive(['\\', '"', '\n']).try_for_each(|part| match part.char_indices().next_back() {
            Some((end, '\n')) => write!(out, "{}\\n", &part[..end]),
            Some((end, special @ ('\\' | '"'))) => write!(out, "{}\\{special}", &part[..end]),
            _ => out.write_str(part),
        })
    }
}

fn unit(name: &str) -> Option<&'static str> {
    UNITS.into_iter().find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
}

#[cfg(test)]
mod tests {
    use opentelemetry::{
        KeyValue,
        trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    };
    use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair};

    use super::*;

    fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        family
    }

    fn labelled(labels: &[(&str, &str)]) -> Metric {
        let pair = |(name, value): &(&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        Metric::from_label(labels.iter().map(pair).collect())
    }

    fn counter(labels: &[(&str, &str)], value: f64) -> Metric {
        let (mut metric, mut counter) = (labelled(labels), Counter::default());
        counter.set_value(value);
        metric.set_counter(counter);
        metric
    }

    fn gauge(labels: &[(&str, &str)], value: f64) -> Metric {
        let (mut metric, mut gauge) = (labelled(labels), Gauge::default());
        gauge.set_value(value);
        metric.set_gauge(gauge);
        metric
    }

    fn histogram(labels: &[(&str, &str)], buckets: &[(f64, u64)], (count, sum): (u64, f64)) -> Metric {
        let bucket = |(bound, count): &(f64, u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(*count);
            bucket
        };
        let (mut metric, mut histogram) = (labelled(labels), Histogram::default());
        histogram.set_bucket(buckets.iter().map(bucket).collect());
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum);
        metric.set_histogram(histogram);
        metric
    }

    fn text(families: &[MetricFamily], exemplars: &Exemplars) -> String {
        OpenMetrics { families, exemplars }.to_string()
    }

    #[test]
    fn the_text_is_that_of_the_standard() {
        let families = [
            family("calls_in_flight", "", MetricType::GAUGE, vec![gauge(&[], -2.0)]),
            family("odd", "a \\ and \"b\"\nc", MetricType::GAUGE, vec![gauge(&[("x", "\\ \" \n é")], f64::INFINITY)]),
            family("reply_memory_bytes", "Replies", MetricType::GAUGE, vec![gauge(&[], 17.0)]),
            family("target_info", "Target", MetricType::GAUGE, vec![gauge(&[("service_name", "probe")], 1.0)]),
            family(
                "time_seconds_total",
                "TimeBreakdown",
                MetricType::COUNTER,
                vec![counter(&[("part", "a")], 0.25), counter(&[("part", "b")], 3.0)],
            ),
        ];
        let expected = r#"# TYPE target info
# HELP target Target
target_info{service_name="probe"} 1
# TYPE calls_in_flight gauge
calls_in_flight -2
# TYPE odd gauge
# HELP odd a \\ and \"b\"\nc
odd{x="\\ \" \n é"} inf
# TYPE reply_memory_bytes gauge
# UNIT reply_memory_bytes bytes
# HELP reply_memory_bytes Replies
reply_memory_bytes 17
# TYPE time_seconds counter
# UNIT time_seconds seconds
# HELP time_seconds TimeBreakdown
time_seconds_total{part="a"} 0.25
time_seconds_total{part="b"} 3
# EOF
"#;
        assert_eq!(text(&families, &Exemplars::new(true, None)), expected);
        assert_eq!(text(&[], &Exemplars::new(true, None)), "# EOF\n");
    }

    #[test]
    fn an_exemplar_stands_on_the_bucket_of_its_series() {
        let exemplars = Exemplars::new(true, None);
        let attributes = [KeyValue::new("rpc.method", "a")];
        let latest = exemplars.begin(Series::of_attributes("took_seconds", &attributes)).unwrap();
        let (trace, span) = (TraceId::from(0xabc), SpanId::from(0xde));
        latest.note(&SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE), 0.0075);
        let at = latest.of_bucket(1).unwrap().at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let series = |method| {
            histogram(&[("rpc_method", method), ("otel_scope_name", "x")], &[(0.005, 1), (0.01, 3), (1.0, 3)], (4, 5.5))
        };
        let families = [family("took_seconds", "", MetricType::HISTOGRAM, vec![series("a"), series("b")])];
        let expected = format!(
            r#"# TYPE took_seconds histogram
# UNIT took_seconds seconds
took_seconds_bucket{{rpc_method="a",otel_scope_name="x",le="0.005"}} 1
took_seconds_bucket{{rpc_method="a",otel_scope_name="x",le="0.01"}} 3 # {{trace_id="00000000000000000000000000000abc",span_id="00000000000000de"}} 0.0075 {at:.3}
took_seconds_bucket{{rpc_method="a",otel_scope_name="x",le="1.0"}} 3
took_seconds_bucket{{rpc_method="a",otel_scope_name="x",le="+Inf"}} 4
took_seconds_count{{rpc_method="a",otel_scope_name="x"}} 4
took_seconds_sum{{rpc_method="a",otel_scope_name="x"}} 5.5
took_seconds_bucket{{rpc_method="b",otel_scope_name="x",le="0.005"}} 1
took_seconds_bucket{{rpc_method="b",otel_scope_name="x",le="0.01"}} 3
took_seconds_bucket{{rpc_method="b",otel_scope_name="x",le="1.0"}} 3
took_seconds_bucket{{rpc_method="b",otel_scope_name="x",le="+Inf"}} 4
took_seconds_count{{rpc_method="b",otel_scope_name="x"}} 4
took_seconds_sum{{rpc_method="b",otel_scope_name="x"}} 5.5
# EOF
"#
        );
        assert_eq!(text(&families, &exemplars), expected);
    }
}
