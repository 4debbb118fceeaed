//! Certificates are replaced under calls: those that run keep their connections, those that come use the new ones.

use crate::{
    bridge::PROGRAM,
    load::{calls, end_well, part},
    tls::{Files, Hop, quoted},
};
use kit::{
    bridge::Bridge,
    service::{Service, Tell, Transport},
};
use std::{path::Path, sync::Arc};

const CALLS: usize = 300;
const LATE: usize = 30;

/// The certificate of a service, and the authority that the bridge trusts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_grpc_services_are_replaced_under_calls() {
    replace_those_of_services(Transport::Grpc, "grpcs", "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_websocket_services_are_replaced_under_calls() {
    replace_those_of_services(Transport::WebSocketProto, "wss", "/calls").await;
}

/// The certificate of the API port, the workers' own, and the authorities on both sides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_the_api_port_and_of_workers_are_replaced_under_calls() {
    let (server, worker) = (Arc::new(Files::new()), Arc::new(Files::new()));
    let text = format!(
        "api:\n  listen: \"127.0.0.1:0\"\n  tls: {{cert: {}, key: {}, client_ca: {}}}\n  \
         workers: [{{groups: [kit], certificate: localhost}}]\n\
         routes:\n  - {{name: calls, path: /calls, retry_for: 30s, services: [{{url: \"worker://kit\"}}]}}\n",
        quoted(&server.path("cert.pem")),
        quoted(&server.path("key.pem")),
        quoted(&worker.path("ca.pem")),
    );
    let bridge = Bridge::start(Path::new(PROGRAM), &text).await;
    let api = bridge.api().unwrap();
    let hop = Hop::wrapping(Arc::clone(&server), Arc::clone(&worker), api).await;
    let old = service(Transport::WorkerGrpc);
    old.dial(hop.address).await;
    let (held, _) = calls(CALLS, &[bridge.agi()]).await;

    server.replace();
    worker.replace();
    // Those of before are of no use any more, so that this one shows that the new ones are.
    let new = service(Transport::WorkerGrpc);
    new.dial(hop.address).await;
    let (late, _) = calls(LATE, &[bridge.agi()]).await;
    end_well(held).await;
    end_well(late).await;
    assert_none_was_lost(&bridge);
}

async fn replace_those_of_services(transport: Transport, scheme: &str, path: &str) {
    let files = Arc::new(Files::new());
    let service = service(transport);
    let target = service.url().split('/').nth(2).unwrap().parse().unwrap();
    let hop = Hop::unwrapping(Arc::clone(&files), target).await;
    let text = format!(
        "routes:\n  - name: calls\n    path: /calls\n    retry_for: 30s\n    services:\n      \
         - {{url: \"{scheme}://localhost:{}{path}\", tls: {{ca: {}}}{}}}\n",
        hop.address.port(),
        quoted(&files.path("ca.pem")),
        // So that calls which come need connections of their own.
        if scheme == "grpcs" { ", max_streams_per_connection: 10" } else { "" },
    );
    let bridge = Bridge::start(Path::new(PROGRAM), &text).await;
    let (held, _) = calls(CALLS, &[bridge.agi()]).await;

    files.replace();
    let (late, _) = calls(LATE, &[bridge.agi()]).await;
    end_well(held).await;
    end_well(late).await;
    assert_none_was_lost(&bridge);
}

fn service(transport: Transport) -> Service {
    let part = serde_json::from_value(part()).unwrap();
    Service::resumable(transport, None, part, Tell::new(drop))
}

fn assert_none_was_lost(bridge: &Bridge) {
    let log = bridge.log();
    let sought: Vec<_> =
        log.iter().filter(|line| line.contains("another service is sought")).take(3).collect();
    assert!(sought.is_empty(), "{sought:#?}");
}
