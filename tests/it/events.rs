//! Clients of the manager that have nothing but HTTP, and are slow. Deadlines are passed by moving the test's clock, by which the API
//! port goes too, once the bridge is known to wait.

use crate::harness::{Bridge, soon};
use agi_bridge::{ami::Action, telemetry::metrics::Format};
use kit::manager::{Connection, Manager};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

const LIMIT: Duration = Duration::from_secs(60);
/// Longer than a reader may take nothing, and than a body may take to come.
const LONG: Duration = Duration::from_secs(31);
const DROPPED: &str = "agibridge_manager_event_dropped_total{server=\"pbx1\"} ";

async fn bridge() -> (Bridge, Manager, Connection) {
    let mut manager = Manager::start().await;
    let (address, client) = (manager.address(), "{name: crm, token: t, events: '*', watches: 2}");
    let sections = format!(
        "managers: [{{name: pbx1, address: '{address}', username: lab, secret: lab}}]\n\
         api: {{listen: '127.0.0.1:0', clients: [{client}]}}\n"
    );
    let bridge = Bridge::at(&["grpc://127.0.0.1:1"], "", &sections);
    let asterisk = manager.accept_user().await;
    bridge.counted("agibridge_manager_connected{server=\"pbx1\"} 1").await;
    (bridge, manager, asterisk)
}

/// A stream of events, from its request on.
async fn watch(api: SocketAddr) -> TcpStream {
    watch_over(TcpSocket::new_v4().unwrap(), api).await
}

async fn watch_over(socket: TcpSocket, api: SocketAddr) -> TcpStream {
    let mut stream = socket.connect(api).await.unwrap();
    let head = "GET /v1/events HTTP/1.1\r\nhost: b\r\nauthorization: Bearer t\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// What comes until `what` does.
async fn read_to(stream: &mut TcpStream, what: &str) -> String {
    let mut text = String::new();
    soon(what, async {
        let mut bytes = vec![0; 64 * 1024];
        while !text.contains(what) {
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "closed before {what} came: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    })
    .await;
    text
}

/// The clock of this test, and of the API port with it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_reader_of_server_sent_events_that_is_stuck_costs_nobody_anything_and_loses_its_place() {
    let (bridge, _manager, mut asterisk) = bridge().await;
    let link = bridge.app().links().server("").unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stuck = watch_over(socket, bridge.api()).await;
    read_to(&mut stuck, "\"connected\":true").await;
    let mut reader = watch(bridge.api()).await;
    read_to(&mut reader, "\"connected\":true").await;

    let value = "v".repeat(20_000);
    let dropped = || {
        let page = bridge.app().metrics().page(Format::Text);
        let count = page.lines().find_map(|line| line.strip_prefix(DROPPED));
        count.is_some_and(|count| count != "0")
    };
    let mut sent = 0;
    while !dropped() {
        assert!(sent < 10_000, "the kernel keeps them all");
        let event = format!("Event: Large\r\nValue: {value}\r\nNumber: <{sent}>\r\n\r\n");
        let read = async {
            asterisk.say(event).await;
            let text = read_to(&mut reader, &format!("<{sent}>")).await;
            assert_eq!(text.matches("event: event").count(), 1, "{sent}");
        };
        read.await;
        sent += 1;
    }
    let action = Action::new("CoreSettings").unwrap();
    let (reply, ()) = tokio::join!(link.send(action, LIMIT, None), async {
        let request = asterisk.expect("CoreSettings").await;
        asterisk.answer(&request).await;
    });
    assert!(reply.unwrap().is_success());

    // Both places are taken, until it is clear that one of the two will not read.
    let refused = read_to(&mut watch(bridge.api()).await, "RESOURCE_EXHAUSTED").await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    pass(LONG).await;
    let mut next = watch(bridge.api()).await;
    let taken = read_to(&mut next, "\"connected\":true").await;
    assert!(taken.starts_with("HTTP/1.1 200 "), "{taken}");
    asterisk.say("Event: Last\r\n\r\n").await;
    for stream in [&mut reader, &mut next] {
        read_to(stream, "\"name\":\"Last\"").await;
    }
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = soon("the end", stuck.read_to_end(&mut rest)).await;
    assert!(!String::from_utf8_lossy(&rest).contains("Last"));
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up_and_said_so() {
    let (bridge, _manager, mut asterisk) = bridge().await;
    let mut stream = TcpStream::connect(bridge.api()).await.unwrap();
    let head = "POST /v1/originate HTTP/1.1\r\nhost: b\r\nauthorization: Bearer t\r\n\
                content-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // Whoever says so waits for the body.
    read_to(&mut stream, "100 Continue\r\n\r\n").await;
    stream.write_all(b"{\"channel\": \"PJSIP/3200\",").await.unwrap();
    pass(LONG).await;
    let answer = read_to(&mut stream, "\"detail\"").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("the body did not come within 10s"), "{answer}");
    // Nothing was asked of Asterisk.
    let link = bridge.app().links().server("").unwrap();
    let (reply, next) =
        tokio::join!(link.send(Action::new("QueueStatus").unwrap(), LIMIT, None), async {
            loop {
                let request = asterisk.request().await.unwrap();
                if !["Ping", "DBGetTree"].contains(&request.get("Action")) {
                    asterisk.answer(&request).await;
                    break request.get("Action").to_owned();
                }
            }
        });
    assert_eq!((reply.unwrap().is_success(), next.as_str()), (false, "QueueStatus"));
}
