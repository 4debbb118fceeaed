//! The links to the managers of Asterisk, as a part of the bridge.

use crate::harness::Bridge;
use agi_bridge::{
    ami::{Action, Pick, SendError},
    config,
};
use kit::manager::{Connection, Manager};
use std::{path::Path, time::Duration};
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(60);
const ROUTES: &str = "routes: [{name: a, path: /a, services: [{url: 'grpc://127.0.0.1:1'}]}]\n";

fn managers(manager: &Manager) -> String {
    let address = manager.address();
    format!("managers: [{{name: pbx1, address: '{address}', username: lab, secret: lab}}]\n")
}

async fn linked(bridge: &Bridge, manager: &mut Manager) -> Connection {
    let asterisk = manager.accept_user().await;
    bridge.counted("agibridge_manager_connected{server=\"pbx1\"} 1").await;
    asterisk
}

#[tokio::test]
async fn a_bridge_holds_a_link_to_each_asterisk_of_its_configuration() {
    let mut manager = Manager::start().await;
    let bridge = Bridge::at(&["grpc://127.0.0.1:1"], "", &managers(&manager));
    let mut asterisk = linked(&bridge, &mut manager).await;
    let link = bridge.app().links().server("pbx1").unwrap();
    let reply = tokio::select! {
        () = asterisk.serve() => panic!("closed"),
        reply = link.send(Action::new("Ping").unwrap(), LIMIT, None) => reply.unwrap(),
    };
    assert_eq!(reply.headers.get("Ping"), Some("Pong"));
}

#[tokio::test]
async fn a_reload_adds_and_removes_links() {
    let bridge = Bridge::at(&["grpc://127.0.0.1:1"], "", "");
    assert_eq!(bridge.app().links().server("").unwrap_err(), Pick::Nothing);
    let mut manager = Manager::start().await;
    let reload = |text: &str| {
        let config =
            config::parse(Some(&(ROUTES.to_owned() + text)), Path::new(""), std::iter::empty());
        bridge.app().reload(&config.unwrap());
    };
    reload(&managers(&manager));
    let mut asterisk = linked(&bridge, &mut manager).await;
    reload("");
    while asterisk.request().await.is_some() {}
    assert_eq!(bridge.metrics("agibridge_manager"), Vec::<String>::new());
}

#[tokio::test]
async fn a_drain_ends_the_links() {
    let mut manager = Manager::start().await;
    let sections = managers(&manager) + "shutdown: {linger: 0s}\n";
    let bridge = Bridge::at(&["grpc://127.0.0.1:1"], "", &sections);
    let mut asterisk = linked(&bridge, &mut manager).await;
    let link = bridge.app().links().server("").unwrap();
    let (drained, _hurry): (_, mpsc::Sender<()>) = bridge.drain();
    while asterisk.request().await.is_some() {}
    drained.await.unwrap();
    let error = link.send(Action::new("Ping").unwrap(), LIMIT, None).await;
    assert!(matches!(error, Err(SendError::NotConnected { .. })), "{error:?}");
}
