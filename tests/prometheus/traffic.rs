//! Calls of the simulated phone, good ones and bad ones. Knows scenarios; nothing of Prometheus.

use agi_bridge::{
    phone::{Options, Phone},
    scenario::parse,
};
use kit::service::Service;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A service that does its work.
pub(crate) const WELL: &str = "- answer: {}\n- wait: 30ms\n- streamFile: {file: beep}\n- setVariable: {name: A, value: b}\n- wait: 20ms\n- streamFile: {file: beep}\n- end: {}\n";
/// One that waits for a caller who does not wait for it.
pub(crate) const UNTIL_HANGUP: &str =
    "- answer: {}\n- streamFile: {file: beep}\n- wait_for: hangup\n- end: {}\n";
/// One that thinks for long.
pub(crate) const SLOW: &str = "- answer: {}\n- wait: 3s\n- streamFile: {file: beep}\n- end: {}\n";
/// One that fails in the middle.
pub(crate) const LOSSY: &str = "- answer: {}\n- wait: 300ms\n- close: error\n";
/// One that does not know the contract.
pub(crate) const WRONG: &str = "- setVariable: {name: Y, value: \"a\\nb\"}\n- end: {}\n";
/// One that never ends.
pub(crate) const IDLE: &str = "- answer: {}\n- wait_for: ended\n";

/// Makes one call to `path`, which `service` drives by `steps`.
pub(crate) async fn call(bridge: SocketAddr, path: &str, service: &Service, steps: &str) {
    let hangup_after = (steps == UNTIL_HANGUP).then_some(Duration::from_secs(2));
    let options = Options { speed: 10.0, hangup_after, ..Options::default() };
    let url = script(bridge, path, service, steps);
    Phone::new(options).call(&url).await.unwrap_or_else(|err| panic!("{url}: {err}"));
}

/// Calls a path that no service drives.
pub(crate) async fn call_nobody(bridge: SocketAddr, path: &str) {
    let phone = Phone::new(Options { speed: 10.0, ..Options::default() });
    phone.call(&format!("agi://{bridge}/{path}")).await.unwrap();
}

/// A call whose Asterisk says what is no AGI.
pub(crate) async fn babble(bridge: SocketAddr, path: &str, service: &Service) {
    let url = script(bridge, path, service, IDLE);
    let script = url.rsplit_once('/').unwrap().1;
    let mut socket = TcpStream::connect(bridge).await.unwrap();
    let prelude = format!(
        "agi_network: yes\nagi_network_script: {script}\nagi_request: {url}\nagi_channel: Test/1\n\nnonsense\n"
    );
    socket.write_all(prelude.as_bytes()).await.unwrap();
    // Until the bridge has its say.
    let _ = socket.read(&mut [0; 64]).await.unwrap();
}

fn script(bridge: SocketAddr, path: &str, service: &Service, steps: &str) -> String {
    let scenario = parse(&format!("name: traffic\nservice:\n{steps}"), "traffic").unwrap();
    let key = format!("{:016x}", rand::random::<u64>());
    service.script(&key, scenario.service);
    format!("agi://{bridge}/{path}?run={key}")
}
