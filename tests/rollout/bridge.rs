//! The bridge is replaced: a new one is there before the old one is told to go, and calls find the new one by a balancer that
//! is slow to notice, and by the dialplan.

use crate::load::{Held, calls, end_well, part};
use agi_bridge::scenario;
use kit::{
    bridge::Bridge,
    service::{Service, Tell, Transport},
};
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

const CALLS: usize = 300;
/// Calls that come while the old bridge is still among the endpoints, and afterwards.
const LATE: usize = 30;
const PATIENCE: Duration = Duration::from_secs(50);
const POLL: Duration = Duration::from_millis(20);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_agi-bridge");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_is_replaced_under_calls_of_a_grpc_service() {
    replace_the_bridge(Transport::Grpc).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_is_replaced_under_calls_of_a_websocket_service() {
    replace_the_bridge(Transport::WebSocketJson).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_is_replaced_under_calls_of_a_worker() {
    replace_the_bridge(Transport::WorkerGrpc).await;
}

/// Whoever is told ends the call, and the bridge with it.
#[tokio::test]
async fn every_kind_of_service_is_told_of_the_drain() {
    let steps = "name: draining\nservice: [{setVariable: {name: STEP, value: '1'}}, {wait_for: draining}, {end: {}}]";
    let steps = scenario::parse(steps, "draining").unwrap().service;
    for transport in Transport::ALL {
        let service = Service::start_on(transport).await;
        service.script("", steps.clone());
        let bridge = start_with(&service, "shutdown: {linger: 0s}\n").await;
        let (mut held, _) = calls(1, &[bridge.agi()]).await;
        bridge.interrupt();
        logged(&bridge, "draining: new calls go back to the dialplan", 1).await;
        held.remove(0).ends_there().await;
        logged(&bridge, "call ended", 1).await;
        assert!(bridge.log().iter().any(|line| line.contains("\"reason\":\"service\"")));
        assert!(bridge.wait_until_ended(PATIENCE).await.success(), "{}", transport.name());
    }
}

/// As when a ConfigMap with a fault is swapped in.
#[tokio::test]
async fn a_configuration_with_a_fault_touches_nothing_that_runs() {
    let service = service(Transport::Grpc);
    let bridge = start(&service).await;
    let (held, _) = calls(1, &[bridge.agi()]).await;
    bridge.rewrite(
        "routes:\n  - {name: calls, path: /calls, services: [{url: \"grpc:/nowhere\"}]}\n",
    );
    let refused = "the new configuration is refused, the old one stays in force";
    logged(&bridge, refused, 1).await;
    let (late, _) = calls(1, &[bridge.agi()]).await;
    assert!(is_ready(bridge.admin()).await);
    end_well(held).await;
    end_well(late).await;
}

/// The third signal does not wait for anything, and still leaves a line for each call.
#[tokio::test]
async fn a_call_that_is_cut_off_by_the_third_signal_has_its_last_line_in_the_log() {
    let service = service(Transport::Grpc);
    let bridge = start(&service).await;
    // Its command is never answered.
    let (_held, _) = calls(1, &[bridge.agi()]).await;
    for said in ["draining: new calls go back to the dialplan", "ending the calls that are left"] {
        bridge.interrupt();
        logged(&bridge, said, 1).await;
    }
    bridge.interrupt();
    logged(&bridge, "calls are cut off", 1).await;
    logged(&bridge, "call ended", 1).await;
    let log = bridge.log();
    let line = log.iter().find(|line| line.contains(&message("call ended"))).unwrap();
    assert!(line.contains("\"reason\":\"drained\"") && line.contains("\"trace_id\""), "{line}");
    assert!(bridge.wait_until_ended(PATIENCE).await.success());
}

async fn replace_the_bridge(transport: Transport) {
    let service = service(transport);
    let old = start(&service).await;
    let (held, _) = calls(CALLS, &[old.agi()]).await;
    assert!(is_ready(old.admin()).await);

    let new = start(&service).await;
    assert!(is_ready(new.admin()).await);
    old.interrupt();
    logged(&old, "draining: new calls go back to the dialplan", 1).await;
    assert!(!is_ready(old.admin()).await, "a bridge that drains is not ready");
    // The old one is still among the endpoints: the dialplan's second try finds the new one.
    let (late, turned_away) = calls(LATE, &[old.agi(), new.agi()]).await;
    assert_eq!(turned_away, LATE, "each is sent back at once");
    let (later, turned_away) = calls(LATE, &[new.agi()]).await;
    assert_eq!(turned_away, 0);

    let all: Vec<Held> = held.into_iter().chain(late).chain(later).collect();
    end_well(all).await;
    let ended = |bridge: &Bridge| count(bridge, "call ended");
    logged(&new, "call ended", 2 * LATE).await;
    logged(&old, "call ended", CALLS).await;
    assert_eq!((ended(&old), ended(&new)), (CALLS, 2 * LATE));
    for bridge in [&old, &new] {
        assert!(!bridge.log().iter().any(|line| line.contains("another service is sought")));
    }
    assert!(old.wait_until_ended(PATIENCE).await.success(), "it stops by itself");
}

fn service(transport: Transport) -> Service {
    let part = serde_json::from_value(part()).unwrap();
    Service::resumable(transport, None, part, Tell::new(drop))
}

/// A bridge for this service, and the service at it.
async fn start(service: &Service) -> Bridge {
    start_with(service, "").await
}

async fn start_with(service: &Service, sections: &str) -> Bridge {
    let url = service.url();
    let dials_in = url.starts_with("worker:");
    let api =
        if dials_in { "api: {listen: \"127.0.0.1:0\", workers: [{groups: [kit]}]}\n" } else { "" };
    let text = format!(
        "{sections}{api}routes:\n  - {{name: calls, path: /calls, retry_for: 30s, services: [{{url: \"{url}\"}}]}}\n"
    );
    let bridge = Bridge::start(Path::new(PROGRAM), &text).await;
    if let Some(api) = bridge.api() {
        service.dial(api).await;
    }
    bridge
}

/// What Kubernetes asks.
async fn is_ready(admin: SocketAddr) -> bool {
    let mut socket = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET /readyz HTTP/1.0\r\nHost: {admin}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1) == Some("200")
}

fn message(text: &str) -> String {
    format!("\"message\":\"{text}\"")
}

fn count(bridge: &Bridge, text: &str) -> usize {
    let message = message(text);
    bridge.log().iter().filter(|line| line.contains(&message)).count()
}

/// Waits until the bridge logged it so many times.
async fn logged(bridge: &Bridge, text: &str, times: usize) {
    let waited = timeout(PATIENCE, async {
        while count(bridge, text) < times {
            sleep(POLL).await;
        }
    });
    assert!(waited.await.is_ok(), "{} times {text}: {:#?}", count(bridge, text), bridge.log());
}
