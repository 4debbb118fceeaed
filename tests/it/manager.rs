//! The links to the managers of Asterisk, as a part of the bridge.

use crate::harness::{Bridge, Collector, Manner, attributes, only, program, soon};
use agi_bridge::{
    ami::{Action, Pick, SendError},
    config,
};
use kit::manager::{Connection, Manager};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(60);
const REQUEST: &str = "agibridge.v1.ManagerService/Originate";
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

#[tokio::test]
async fn an_originate_on_the_command_line_is_one_trace_and_an_exit_code() {
    let collector = Collector::start(Manner::Keeps).await;
    let mut manager = Manager::start().await;
    let client = "{name: crm, token: t, originate: {channels: '*', contexts: '*'}}";
    let api = format!("api: {{listen: '127.0.0.1:0', clients: [{client}]}}\n");
    let sections = managers(&manager) + &api;
    let urls = ["grpc://127.0.0.1:1".to_owned()];
    let bridge = Bridge::with_variables(&urls, "", &sections, collector.variables());
    let mut asterisk = linked(&bridge, &mut manager).await;
    let url = format!("http://{}", bridge.api());
    let run = async |words: &[&str]| {
        let originate = ["originate", "PJSIP/3200", "--dialplan", "c,e", "--wait", "--url", &url];
        let mut program = program();
        program.args(originate).args(words).stdin(Stdio::null()).kill_on_drop(true);
        soon("the program to end", program.output()).await.unwrap()
    };

    let refused = run(&["--token", "wrong"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("AGIBRIDGE_API_TOKEN"), "{said}");

    let busy = async {
        loop {
            let request = soon("an action", asterisk.request()).await.unwrap();
            if request.get("Action") != "Originate" {
                asterisk.answer(&request).await;
                continue;
            }
            let id = request.get("ChannelId");
            let over = format!(
                "Event: Hangup\r\nUniqueid: {id}\r\nChannelStateDesc: Ringing\r\nCause: 17\r\nCause-txt: User busy\r\n\r\n"
            );
            asterisk.say(request.response("Success", "Message: queued\r\n") + &over).await;
            break request.get("Variable").to_owned();
        }
    };
    let (output, variable) = tokio::join!(run(&["--token", "t"]), busy);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(3) && said.starts_with("busy agibridge-"), "{said}");

    let spans = collector.spans(REQUEST, 1).await;
    let request = only(&spans, REQUEST);
    let action = collector.spans("AMI Originate", 1).await;
    let action = only(&action, "AMI Originate");
    assert_eq!((request.kind(), request.parent_span_id.len()), (SpanKind::Server, 0));
    assert_eq!(action.parent_span_id, request.span_id);
    let about = attributes(&request.attributes);
    assert_eq!(about["agibridge.manager.originate.outcome"], "OUTCOME_BUSY", "{about:?}");
    let hex: String = request.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(variable.contains(&hex), "the call goes on below the request: {variable}");
}
