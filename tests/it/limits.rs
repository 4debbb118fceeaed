//! Who is let in, and what is told to whoever is not.

use crate::harness::{Asterisk, Bridge, Caller, FastAgi, PRELUDE, Service, end, raw};
use agi_bridge::proto::{
    Exec, command::Command as Kind, command_error::Code, command_result::Outcome,
};
use tonic::Status;

/// Drives its call until Asterisk ends it.
async fn waits(mut caller: Caller) -> Result<(), Status> {
    caller.started().await;
    caller.hangup().await;
    caller.ended().await;
    Ok(())
}

/// One call runs; one more is sent back to the dialplan at once, and told why. When the first one is over there is room again.
async fn one_call_at_most(agi: &str, route: &str, key: &str, reason: &str) {
    let service = Service::start(waits).await;
    let sections = format!("agi: {{listen: '127.0.0.1:0', cores: 2{agi}}}\n");
    let bridge = Bridge::with(&[&service], route, &sections);
    let first = Asterisk::call(bridge.address()).await;
    bridge.driven().await;
    for _ in 0..4 {
        let lines = Asterisk::call(bridge.address()).await.finish().await;
        assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "LIMIT""#);
        assert!(lines[1].contains("AGIBRIDGE_REASON") && lines[1].contains(key), "{lines:?}");
        assert_eq!(lines[2], "failure");
    }
    let counted = format!("agibridge_call_rejected_total{{reason=\"{reason}\"}} 4");
    bridge.counted(&counted).await;
    first.close().await;
    bridge.counted("agibridge_call_active{route=\"test\"} 0").await;
    let again = Asterisk::call(bridge.address()).await;
    bridge.driven().await;
    again.close().await;
}

#[tokio::test]
async fn a_peer_has_no_more_calls_than_it_may() {
    one_call_at_most(", max_calls_per_peer: 1", "", "agi.max_calls_per_peer", "peer_limit").await;
}

#[tokio::test]
async fn a_route_has_no_more_calls_than_it_may() {
    one_call_at_most("", "    max_calls: 1", "max_calls", "route_limit").await;
}

#[tokio::test]
async fn a_service_is_told_what_its_route_does_not_allow_and_asterisk_is_not() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let exec = |application: &str| {
            Kind::Exec(Exec {
                application: application.to_owned(),
                arguments: vec!["x".to_owned()],
            })
        };
        let refused = [
            (exec("System"), "policy.allow.applications: does not name `System`"),
            (exec("Playback"), "policy.deny.applications: names `Playback`"),
            (raw("GET VARIABLE SHELL(id)"), "policy.allow.functions: does not name `SHELL`"),
        ];
        for (command, detail) in refused {
            let result = caller.run(command).await;
            let Some(Outcome::Error(error)) = result.outcome else { panic!("{result:?}") };
            assert_eq!(error.code(), Code::NotAllowed);
            assert!(error.detail.starts_with(detail), "{}", error.detail);
        }
        let result = caller.run(exec("TrySystem")).await;
        assert!(matches!(result.outcome, Some(Outcome::Exec(_))), "{result:?}");
        caller.send(end()).await;
        Ok(())
    })
    .await;
    let route = "    policy: {allow: {applications: TrySystem}, deny: {applications: [play*]}}";
    let bridge = Bridge::with(&[&service], route, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"EXEC "TrySystem" "x""#, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge.counted(r#"agibridge_command_refused_total{route="test",code="not_allowed"} 3"#).await;
}

#[tokio::test]
async fn a_program_is_answered_in_its_place_what_its_route_does_not_allow() {
    let program = FastAgi::listen();
    let bridge = Bridge::at(&[program.url("")], "", "");
    let mut asterisk = Asterisk::call_with(bridge.address(), PRELUDE).await;
    let mut wire = program.accept().await.into_wire();
    wire.send("NOOP\nEXEC \"Sys\\tem\" x\nEXEC Playback x\n").await;
    asterisk.expect("NOOP", "200 result=0\n").await;
    asterisk.expect("EXEC Playback x", "200 result=-1\n").await;
    let replies = [wire.line().await, wire.line().await, wire.line().await];
    let replies = replies.map(Option::unwrap);
    assert_eq!(replies, ["200 result=0", "510 Invalid or unknown command", "200 result=-1"]);
    wire.half_close().await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge.counted(r#"agibridge_command_refused_total{route="test",code="not_allowed"} 1"#).await;
}
