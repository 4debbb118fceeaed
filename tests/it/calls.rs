//! A call from its prelude to its end, when everybody does as they should.

use crate::harness::{Asterisk, Bridge, Service, end, until};
use agi_bridge::proto::{
    Answer, EndCall, GetData, GetVariable, GotoDialplan, Noop, call_control::Control,
    call_ended::Reason, command::Command as Kind, command_result::Outcome, end_call,
    hangup::Source,
};

#[tokio::test]
async fn a_service_hears_of_the_call_and_drives_it() {
    let service = Service::start(|mut caller| async move {
        let metadata = caller.metadata.clone();
        let started = caller.started().await;
        assert_eq!(metadata.get("agibridge-call-id").unwrap(), &started.call_id);
        assert_eq!(metadata.get("agibridge-route").unwrap(), "test");
        assert!(metadata.get("traceparent").is_some());
        assert_eq!(
            (started.route.as_str(), started.path_parameters["colour"].as_str()),
            ("test", "red")
        );
        assert_eq!(
            (started.query_parameters[0].key.as_str(), started.query_parameters[0].value.as_str()),
            ("lang", "en")
        );
        assert_eq!(started.arguments, ["one"]);
        assert_eq!(started.environment["agi_uniqueid"], "1795219769.0");
        let channel = started.channel.unwrap();
        assert_eq!(
            (channel.caller_id_number.as_str(), channel.dialed_number.as_str()),
            ("3200", "")
        );

        let answered = caller.run(Kind::Answer(Answer {})).await;
        assert!(matches!(answered.outcome, Some(Outcome::Done(_))) && answered.elapsed.is_some());
        let data = caller
            .run(Kind::GetData(GetData { file: "pin".into(), max_digits: 4, ..GetData::default() }))
            .await;
        let Some(Outcome::Digits(digits)) = data.outcome else { panic!("{data:?}") };
        assert_eq!((digits.digits.as_str(), digits.timed_out), ("0123", false));
        caller.send(end()).await;
        let ended = caller.ended().await;
        assert_eq!((ended.reason(), ended.commands), (Reason::Service, 2));
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("ANSWER", "200 result=0\n").await;
    asterisk.expect(r#"GET DATA "pin" "0" "4""#, "200 result=0123\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#)
        .await;
}

#[tokio::test]
async fn commands_go_one_at_a_time_and_results_come_in_order() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        for _ in 0..5 {
            caller.send_command(Kind::Noop(Noop { text: "x".into() })).await;
        }
        for id in 1..=5 {
            assert_eq!(caller.result().await.id, id);
        }
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    for _ in 0..5 {
        asterisk.expect(r#"NOOP "x""#, "200 result=0\n").await;
    }
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_hangup_is_told_at_once_and_the_grace_is_used() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let hangup = caller.hangup().await;
        assert_eq!(hangup.source(), Source::Signal);
        let status = caller.run(Kind::GetVariable(GetVariable { name: "DIALSTATUS".into() })).await;
        let Some(Outcome::Value(value)) = status.outcome else { panic!("{status:?}") };
        assert_eq!(value.value.as_deref(), Some("ANSWER"));
        caller.send(end()).await;
        assert_eq!(caller.ended().await.reason(), Reason::Hangup);
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    bridge.driven().await;
    asterisk.send("HANGUP\n").await;
    let line = asterisk.line().await.unwrap();
    let text =
        line.strip_prefix("GET FULL VARIABLE \"").and_then(|rest| rest.strip_suffix('"')).unwrap();
    asterisk.send(format!("200 result=1 ({})\n", text.replace("${DIALSTATUS}", "ANSWER"))).await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn the_service_sends_the_call_elsewhere_in_the_dialplan() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let goto = GotoDialplan { context: "agents".into(), extension: "s".into(), priority: 1 };
        let next = Some(end_call::Next::GotoDialplan(goto));
        caller
            .send(Control::End(EndCall { variables: [("A".into(), "b".into())].into(), next }))
            .await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let expected = [
        r#"SET VARIABLE "A" "b""#,
        r#"SET CONTEXT "agents""#,
        r#"SET EXTENSION "s""#,
        r#"SET PRIORITY "1""#,
    ];
    assert_eq!(asterisk.finish().await, expected);
}

#[tokio::test]
async fn an_operator_sees_the_call_and_hangs_it_up() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        assert_eq!(caller.ended().await.reason(), Reason::Operator);
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    bridge.driven().await;
    let registry = bridge.app().registry();
    let call = registry.list().remove(0);
    assert_eq!((&*call.route, call.channel.as_str()), ("test", "Local/100@lab-00000001;1"));
    assert!(registry.hang_up(&call.call_id.to_string()));
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "OPERATOR""#);
    assert_eq!(lines.last().map(String::as_str), Some("HANGUP"));
    until("the call to be gone", || registry.list().is_empty()).await;
}
