//! Envoy's words for hops.

use super::{Carries, Hop, IDLE, Manner};
use serde_json::{Value, json};

/// What every route needs, as docs/operating.md has it.
pub(crate) const TIMES: &str = "timeout: 0s, idle_timeout: 0s";

pub(super) const ARGUMENTS: &[&str] =
    &["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c"];

const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TLS: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// JSON, which is YAML.
pub(super) fn text(hops: &[Hop]) -> String {
    let listeners: Vec<Value> =
        hops.iter().enumerate().map(|(number, hop)| listener(number, hop)).collect();
    let clusters: Vec<Value> =
        hops.iter().enumerate().map(|(number, hop)| cluster(number, hop)).collect();
    json!({"static_resources": {"listeners": listeners, "clusters": clusters}}).to_string()
}

fn listener(number: usize, hop: &Hop) -> Value {
    let name = format!("hop{number}");
    let mut route = json!({"cluster": name, "timeout": "0s"});
    if hop.manner != Manner::Impatient {
        for (key, value) in TIMES.split(", ").filter_map(|it| it.split_once(": ")) {
            route[key] = value.into();
        }
    }
    let mut http = json!({
        "@type": HTTP,
        "stat_prefix": name,
        "stream_idle_timeout": IDLE,
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": route}],
        }]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    });
    if hop.manner == Manner::ShortLived {
        http["common_http_protocol_options"] = json!({"max_connection_duration": "1s"});
        http["drain_timeout"] = "1s".into();
    }
    if hop.carries == Carries::WebSocket {
        http["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
    }
    let mut chain = json!({"filters": [
        {"name": "envoy.filters.network.http_connection_manager", "typed_config": http}
    ]});
    if let Some(tls) = &hop.tls {
        let alpn = if hop.carries == Carries::Grpc { "h2" } else { "http/1.1" };
        chain["transport_socket"] = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": TLS,
            "common_tls_context": {
                "alpn_protocols": [alpn],
                "tls_certificates": [{
                    "certificate_chain": {"filename": tls.cert},
                    "private_key": {"filename": tls.key},
                }],
            },
        }});
    }
    json!({"name": name, "address": address(hop.address), "filter_chains": [chain]})
}

fn cluster(number: usize, hop: &Hop) -> Value {
    let name = format!("hop{number}");
    let version = match hop.carries {
        Carries::Grpc => "http2_protocol_options",
        Carries::WebSocket => "http_protocol_options",
    };
    json!({
        "name": name,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": OPTIONS, "explicit_http_config": {version: {}},
        }},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": address(hop.target)}}
        ]}]},
    })
}

fn address(address: std::net::SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}
