//! The flight recorder: what a call leaves behind, and what it never does.

use crate::harness::{Asterisk, Bridge, FastAgi, Service, end, until};
use agi_bridge::{
    proto::{
        Checkpoint, GetData, Noop, SetVariable, call_control::Control, command::Command as Kind,
    },
    session::{
        recorder::{CallView, EndedQuery, EntryView, Reader},
        registry::Callers,
    },
};
use std::{sync::Arc, time::SystemTime};
use tokio::sync::Notify;

/// The only call that ended, once it has.
async fn ended(bridge: &Bridge) -> CallView {
    let recorder = bridge.app().recorder();
    let query = EndedQuery { limit: 10, ..EndedQuery::default() };
    let page = || recorder.ended(&query, Reader::Entitled);
    until("a call to end", || !page().calls.is_empty()).await;
    let id = page().calls[0].call_id.to_string();
    recorder.find(&id).unwrap().view(0, Reader::Entitled)
}

fn live(bridge: &Bridge) -> CallView {
    let registry = bridge.app().registry();
    let id = registry.list()[0].call_id.to_string();
    let (_, record) = registry.get(&id, SystemTime::now(), Callers::Hidden).unwrap();
    record.unwrap().view(0, Reader::Entitled)
}

fn told(entries: &[EntryView]) -> Vec<String> {
    let line = |entry: &EntryView| {
        let what = entry.command.as_ref().unwrap_or(&entry.kind);
        let answer = entry.answer.as_ref();
        let answer = answer.map(|it| format!(" -> {} {}", it.outcome, it.text));
        format!("{what} {}{}", entry.text, answer.unwrap_or_default())
    };
    entries.iter().map(|entry| line(entry).trim_end().to_owned()).collect()
}

fn set_pin() -> Kind {
    Kind::SetVariable(SetVariable { name: "PIN".into(), value: "0123".into() })
}

#[tokio::test]
async fn a_call_is_noted_from_its_service_to_its_end_and_its_secrets_are_not() {
    let go_on = Arc::new(Notify::new());
    let gone_on = Arc::clone(&go_on);
    let service = Service::start(move |mut caller| {
        let go_on = Arc::clone(&gone_on);
        async move {
            caller.started().await;
            let pin = GetData { file: "pin".into(), max_digits: 4, ..GetData::default() };
            caller.run(Kind::GetData(pin)).await;
            caller.send_command(set_pin()).await;
            caller.result().await;
            go_on.notified().await;
            caller.send(end()).await;
            caller.ended().await;
            Ok(())
        }
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"GET DATA "pin" "0" "4""#, "200 result=0123\n").await;
    asterisk.expect(r#"SET VARIABLE "PIN" "0123""#, "200 result=1\n").await;
    until("both answers", || {
        live(&bridge).entries.iter().filter(|it| it.answer.is_some()).count() == 2
    })
    .await;
    assert!(live(&bridge).entries.iter().skip(1).all(|entry| entry.written.is_some()));

    go_on.notify_one();
    assert_eq!(asterisk.finish().await, [""; 0]);
    let call = ended(&bridge).await;
    let address = service.address.to_string();
    let expected = [
        format!("taken {address}"),
        "GET DATA file=pin max_digits=4 -> digits digits=••••".into(),
        "SET VARIABLE name=PIN value=••• -> done".into(),
        "end continue".into(),
        "ended service".into(),
    ];
    assert_eq!(told(&call.entries), expected);
    assert_eq!((call.route.as_str(), call.path.as_str()), ("test", "/test/{colour}"));
    assert_eq!((call.numbers.unwrap().caller.as_str(), call.services), ("3200", vec![address]));
    let end = call.end.unwrap();
    assert_eq!((end.reason, end.blame, end.commands), ("service", "none", 2));
}

#[tokio::test]
async fn the_loss_of_a_service_and_who_went_on_are_noted() {
    let service = Service::start(|mut caller| async move {
        if caller.started().await.resumption.is_none() {
            let state = "menu".into();
            caller.send(Control::Checkpoint(Checkpoint { state, last_result_id: None })).await;
            caller.run(Kind::Noop(Noop { text: "x".into() })).await;
            return Err(tonic::Status::unavailable("gone"));
        }
        caller.hangup().await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"NOOP "x""#, "200 result=0\n").await;
    let taken = |entry: &&EntryView| entry.kind == "taken";
    until("the second stream", || live(&bridge).entries.iter().filter(taken).count() == 2).await;
    asterisk.send("HANGUP\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    let call = ended(&bridge).await;
    let lines = told(&call.entries);
    let begins = |at: usize, text: &str| assert!(lines[at].starts_with(text), "{text}: {lines:#?}");
    for (at, text) in [
        "taken",
        "checkpoint 4 bytes",
        "NOOP text=••• -> done",
        "lost",
        "sought cause=service_lost attempt=1 route=test",
        "taken",
        "hangup signal",
        "end continue",
        "ended hangup",
    ]
    .into_iter()
    .enumerate()
    {
        begins(at, text);
    }
    assert_eq!(call.end.unwrap().blame, "caller");
}

#[tokio::test]
async fn lines_of_a_program_and_those_of_the_bridge_are_noted_by_name() {
    let server = FastAgi::listen();
    let bridge = Bridge::at(&[server.url("")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = server.accept().await;
    program.send("SET VARIABLE PIN 0123\n").await;
    asterisk.expect("SET VARIABLE PIN 0123", "200 result=1\n").await;
    program.hears("200 result=1").await;
    bridge.hang_up();
    asterisk.expect(r#"SET VARIABLE "AGIBRIDGE_STATUS" "OPERATOR""#, "200 result=1\n").await;
    let reason = r#"SET VARIABLE "AGIBRIDGE_REASON" "an operator ended the call""#;
    asterisk.expect(reason, "200 result=1\n").await;
    asterisk.expect("HANGUP", "200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    let call = ended(&bridge).await;
    let lines = told(&call.entries);
    assert!(lines.contains(&"SET VARIABLE  -> done 200".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"ordered hangup by an operator".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"bridge HANGUP".to_owned()), "{lines:#?}");
    assert!(!format!("{call:?}").contains("0123"));
}

#[tokio::test]
async fn nothing_is_noted_where_the_recorder_is_off() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.run(set_pin()).await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::with(&[&service], "", "recorder: {calls: 0}");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"SET VARIABLE "PIN" "0123""#, "200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#)
        .await;
    let query = EndedQuery { limit: 10, ..EndedQuery::default() };
    let page = bridge.app().recorder().ended(&query, Reader::Entitled);
    assert_eq!((page.is_on, page.total), (false, 0));
}
