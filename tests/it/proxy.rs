//! A balancer in front of the bridge that tells whose the connections are.

use crate::harness::{Asterisk, Bridge, Caller, PRELUDE, Service};
use tonic::Status;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const BEHIND: &str = "agi: {listen: '127.0.0.1:0', cores: 1, allow: 10.0.0.0/8, proxy_protocol: 127.0.0.0/8, prelude_timeout: 100ms}\n";

async fn waits(mut caller: Caller) -> Result<(), Status> {
    caller.started().await;
    caller.hangup().await;
    caller.ended().await;
    Ok(())
}

/// Of a connection from this address.
fn header(command: u8, address: [u8; 4]) -> Vec<u8> {
    let ports = [0x12, 0x34, 0x11, 0xdd];
    [SIGNATURE, &[command, 0x11, 0, 12], &address, &[10, 0, 0, 9], &ports].concat()
}

#[tokio::test]
async fn a_call_is_that_of_the_peer_in_the_header() {
    let service = Service::start(waits).await;
    let sections = BEHIND.replace("100ms", "10s, max_calls_per_peer: 1");
    let bridge = Bridge::with(&[&service], "", &sections);
    let call = async |last: u8| {
        let mut asterisk = Asterisk::connect(bridge.address()).await;
        for byte in header(0x21, [10, 1, 2, last]) {
            asterisk.send([byte]).await;
        }
        asterisk.send(PRELUDE).await;
        asterisk
    };
    let first = call(1).await;
    bridge.driven().await;
    let lines = call(1).await.finish().await;
    assert_eq!(lines.last().map(String::as_str), Some("failure"), "the limit is that peer's");
    let other = call(2).await;
    bridge.counted("agibridge_call_active{route=\"test\"} 2").await;
    first.close().await;
    other.close().await;
}

/// What is counted of a connection that says this, and that nothing is said to it.
async fn counted(sections: &str, said: &[u8], result: &str) {
    let service = Service::start(waits).await;
    let bridge = Bridge::with(&[&service], "", sections);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    asterisk.try_send(said).await;
    assert_eq!(asterisk.line().await, None, "{result}");
    bridge.counted(&format!("agibridge_connection_total{{result=\"{result}\"}} 1")).await;
    assert!(bridge.app().registry().list().is_empty());
}

#[tokio::test]
async fn what_a_balancer_says_is_looked_at_before_it_is_a_call() {
    let with_prelude = |header: Vec<u8>| [&header, PRELUDE.as_bytes()].concat();
    counted(BEHIND, &with_prelude(header(0x21, [192, 0, 2, 1])), "not_allowed").await;
    counted(BEHIND, &header(0x20, [0; 4]), "probe").await;
    counted(BEHIND, PRELUDE.as_bytes(), "proxy_header_invalid").await;
    counted(BEHIND, b"PROXY TCP4 10.1.2.3 10.0.0.9 4660 4573\r\n", "proxy_header_invalid").await;
    counted(BEHIND, &[SIGNATURE, b"\x21\x31\0\xd8"].concat(), "prelude_timeout").await;
    counted(BEHIND, &SIGNATURE[..7], "prelude_timeout").await;
    counted(BEHIND, &[SIGNATURE, b"\x21\x11\xff\xff"].concat(), "proxy_header_invalid").await;
    let mut lying = header(0x21, [10, 1, 2, 3]);
    lying[15] = 200;
    counted(BEHIND, &lying, "prelude_timeout").await;
}

#[tokio::test]
async fn only_a_balancer_may_say_whose_a_connection_is() {
    let sections = "agi: {listen: '127.0.0.1:0', cores: 1}\n";
    let said = [&header(0x21, [10, 1, 2, 3]), PRELUDE.as_bytes()].concat();
    counted(sections, &said, "prelude_invalid").await;
    counted(sections, b"PROXY TCP4 10.1.2.3 10.0.0.9 4660 4573\r\n", "prelude_invalid").await;
}

/// As Debian has it; the lab's set-up looks whether it is there.
#[cfg(feature = "lab")]
#[tokio::test]
async fn haproxy_says_whose_a_connection_is() {
    use crate::harness::{nowhere, until};
    use std::{fs, net::TcpStream};

    let service = Service::start(waits).await;
    let sections = "agi: {listen: '127.0.0.1:0', cores: 1, allow: 127.0.0.1, proxy_protocol: 127.0.0.0/8, max_calls_per_peer: 1}\n";
    let bridge = Bridge::with(&[&service], "", sections);
    let (folder, front) = (tempfile::tempdir().unwrap(), nowhere());
    let file = folder.path().join("haproxy.cfg");
    let text = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n\
         listen agi\n  bind {front}\n  server bridge {} send-proxy-v2 proxy-v2-options unique-id,crc32c \
         check check-send-proxy inter 50ms\n  unique-id-format call-%ID\n",
        bridge.address()
    );
    fs::write(&file, text).unwrap();
    let arguments = ["-db".as_ref(), "-f".as_ref(), file.as_os_str()];
    let haproxy = kit::program::Program::start("/usr/sbin/haproxy", &arguments);
    until("HAProxy to listen", || TcpStream::connect(front).is_ok()).await;
    let first = Asterisk::call(front).await;
    bridge.driven().await;
    let second = Asterisk::call(front).await.finish().await;
    assert_eq!(second.last().map(String::as_str), Some("failure"), "{second:?}");
    bridge.counted("agibridge_call_rejected_total{reason=\"peer_limit\"} 1").await;
    bridge.counted("agibridge_connection_total{result=\"proxy_header_invalid\"} 0").await;
    until("a health check", || {
        let probes = bridge.metrics("agibridge_connection_total{result=\"probe\"}");
        probes.iter().any(|line| !line.ends_with(" 0"))
    })
    .await;
    first.close().await;
    drop(haproxy);
}
