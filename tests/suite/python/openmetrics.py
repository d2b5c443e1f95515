"""The metrics of processes, judged by the strict parser of Prometheus' own client for Python.

Arguments: the trace of a call that each process served, and their admin addresses. Prints a line per process.
"""

import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# What Prometheus 2 asks with.
ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def families(address):
    request = urllib.request.Request(f"http://{address}/metrics", headers={"accept": ACCEPT})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.headers["content-type"] == TYPE, answer.headers["content-type"]
        return list(text_string_to_metric_families(answer.read().decode()))


def main(trace, *addresses):
    for address in addresses:
        found = families(address)
        types = {family.name: family.type for family in found}
        assert found[0].name == "target" and types["target"] == "info", types
        assert types["ispbridge_time_seconds"] == "counter", types
        units = {family.name: family.unit for family in found}
        assert units["rpc_server_call_duration_seconds"] == "seconds", units
        samples = [sample for family in found for sample in family.samples]
        traced = [sample for sample in samples if sample.exemplar and sample.exemplar.labels["trace_id"] == trace]
        assert traced, f"no trace {trace} at {address}"
        for sample in traced:
            assert sample.name.endswith("_bucket") and sample.value >= 1, sample
            assert 0 < sample.exemplar.value <= float(sample.labels["le"]), sample
            assert sample.exemplar.timestamp and len(sample.exemplar.labels["span_id"]) == 16, sample
        names = sorted({sample.name for sample in traced})
        print(f"valid: {len(found)} families, {len(samples)} samples, the trace on {', '.join(names)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
