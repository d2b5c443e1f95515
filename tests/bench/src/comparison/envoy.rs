//! Envoy's configuration: the route, jwt_authn with its cache, OpenTelemetry tracing, an access log.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::token::{AUDIENCE, ISSUER, Token};
use crate::wiring::SAMPLING;

/// The whole file; Envoy reads JSON as well as YAML.
pub(super) fn config(listen: SocketAddr, backend: SocketAddr, collector: SocketAddr, token: &Token) -> Value {
    json!({ "static_resources": {
        "listeners": [{
            "address": address(listen),
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": connection_manager(token),
            }] }],
        }],
        "clusters": [cluster("backend", backend), cluster("collector", collector)],
    } })
}

fn connection_manager(token: &Token) -> Value {
    json!({
        "@type": of("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "in",
        "codec_type": "HTTP2",
        "generate_request_id": true,
        "tracing": {
            "random_sampling": { "value": SAMPLING * 100.0 },
            "provider": {
                "name": "envoy.tracers.opentelemetry",
                "typed_config": {
                    "@type": of("envoy.config.trace.v3.OpenTelemetryConfig"),
                    "grpc_service": { "envoy_grpc": { "cluster_name": "collector" }, "timeout": "1s" },
                    "service_name": "envoy",
                },
            },
        },
        "access_log": [{ "name": "envoy.access_loggers.file", "typed_config": access_log() }],
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{
                "match": { "prefix": "/ispbridge.aex.v1.", "grpc": {} },
                "route": { "cluster": "backend", "timeout": "60s" },
            }],
        }] },
        "http_filters": [
            { "name": "envoy.filters.http.jwt_authn", "typed_config": jwt(token) },
            {
                "name": "envoy.filters.http.router",
                "typed_config": { "@type": of("envoy.extensions.filters.http.router.v3.Router") },
            },
        ],
    })
}

/// What our line says, in the same form.
fn access_log() -> Value {
    json!({
        "@type": of("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
        "path": "/dev/stderr",
        "log_format": { "json_format": {
            "timestamp": "%START_TIME%",
            "method": "%REQ(:PATH)%",
            "code": "%GRPC_STATUS%",
            "duration_ms": "%DURATION%",
            "request_id": "%REQ(X-REQUEST-ID)%",
            "trace_id": "%TRACE_ID%",
        } },
    })
}

fn jwt(token: &Token) -> Value {
    json!({
        "@type": of("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"),
        "providers": { "issuer": {
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "local_jwks": { "inline_string": token.keys.to_string() },
            "jwt_cache_config": { "jwt_cache_size": 1000 },
        } },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "issuer" } }],
    })
}

fn cluster(name: &str, to: SocketAddr) -> Value {
    let http2 = json!({
        "@type": of("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
        "explicit_http_config": { "http2_protocol_options": {} },
    });
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(to) } }] }],
        },
    })
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

fn of(name: &str) -> String {
    format!("type.googleapis.com/{name}")
}
