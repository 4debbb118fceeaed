//! Whatever comes on the AGI socket: it costs only its own call, ends in a clear outcome, and is counted.

use crate::harness::{Asterisk, Bridge, PRELUDE, Service, end};
use agi_bridge::proto::{
    GetVariable, Noop, StreamFile, call_ended::Reason, command::Command as Kind,
    command_error::Code, command_result::Outcome, hangup::Source,
};

fn code(outcome: Option<Outcome>) -> Option<Code> {
    match outcome {
        Some(Outcome::Error(error)) => Some(error.code()),
        _ => None,
    }
}

fn noop() -> Kind {
    Kind::Noop(Noop { text: "x".into() })
}

/// A service that ends every call as soon as it has it.
async fn content() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await
}

/// The bridge still takes calls.
async fn still_serves(bridge: &Bridge) {
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_probe_is_no_call() {
    let (service, probe) = (content().await, r#"agibridge_connection_total{result="probe"} 1"#);
    let bridge = Bridge::start(&[&service]);
    Asterisk::connect(bridge.address()).await.close().await;
    bridge.counted(probe).await;
    still_serves(&bridge).await;
}

#[tokio::test]
async fn half_a_prelude_and_silence_is_cut_off() {
    let service = content().await;
    let agi = "agi: {listen: '127.0.0.1:0', cores: 1, prelude_timeout: 200ms}";
    let bridge = Bridge::with(&[&service], "", agi);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    asterisk.send(&PRELUDE[..100]).await;
    assert_eq!(asterisk.line().await, None);
    bridge.counted(r#"agibridge_connection_total{result="prelude_timeout"} 1"#).await;
    still_serves(&bridge).await;
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_closed() {
    let service = content().await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    asterisk.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(asterisk.line().await, None);
    bridge.counted(r#"agibridge_connection_total{result="prelude_invalid"} 1"#).await;
    still_serves(&bridge).await;
}

#[tokio::test]
async fn a_prelude_line_of_ten_megabytes_is_cut_off() {
    let service = content().await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    asterisk.try_send(format!("agi_network: {}", "x".repeat(10 << 20))).await;
    bridge.counted(r#"agibridge_connection_total{result="prelude_invalid"} 1"#).await;
    still_serves(&bridge).await;
}

#[tokio::test]
async fn a_peer_that_never_stops_writing_does_not_stop_the_clock() {
    use std::io::{Read as _, Write as _};
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.hangup().await;
        assert_eq!(caller.ended().await.reason(), Reason::Hangup);
        Ok(())
    })
    .await;
    let bridge = Bridge::with(&[&service], "    hangup_grace: 100ms\n", "");
    let mut flooding = std::net::TcpStream::connect(bridge.address()).unwrap();
    flooding.write_all(PRELUDE.as_bytes()).unwrap();
    bridge.driven().await;
    let mut reading = flooding.try_clone().unwrap();
    reading.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    std::thread::spawn(move || {
        let lines = "HANGUP\n".repeat(10_000);
        while flooding.write_all(lines.as_bytes()).is_ok() {}
    });
    let read = tokio::task::spawn_blocking(move || reading.read(&mut [0])).await.unwrap();
    assert_eq!(read.ok(), Some(0), "the bridge closes its half when the grace is over");
}

#[tokio::test]
async fn a_reply_of_ten_megabytes_ends_its_call() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(noop()).await;
        while caller.event().await.is_some() {}
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.line().await;
    asterisk.try_send(format!("200 result=1 ({}", "x".repeat(10 << 20))).await;
    bridge
        .counted(
            r#"agibridge_call_duration_seconds_count{route="test",end_reason="protocol_error"} 1"#,
        )
        .await;
}

#[tokio::test]
async fn bytes_that_are_no_utf8_arrive_as_replacement_characters() {
    let service = Service::start(|mut caller| async move {
        let started = caller.started().await;
        assert_eq!(started.channel.unwrap().caller_id_name, "Zo\u{fffd}");
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    let prelude = PRELUDE.replace("Alice", "Zo@").into_bytes();
    let prelude: Vec<u8> =
        prelude.iter().map(|byte| if *byte == b'@' { 0xeb } else { *byte }).collect();
    asterisk.send(prelude).await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_caller_name_with_a_line_feed_forges_nothing() {
    let service = Service::start(|mut caller| async move {
        let started = caller.started().await;
        assert!(!started.environment.contains_key("agi_evil"));
        let channel = started.channel.unwrap();
        assert_eq!(
            (channel.caller_id_name.as_str(), channel.caller_id_number.as_str()),
            ("Eve", "3200")
        );
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    asterisk.send(PRELUDE.replace("Alice", "Eve\nagi_evil: 1\nagi_callerid: 999")).await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn an_argument_that_ends_the_prelude_early_is_a_desync() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        assert_eq!(caller.ended().await.reason(), Reason::ProtocolError);
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    asterisk.send(PRELUDE.replace("one", "a\n\nb")).await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "PROTOCOL_ERROR""#);
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    bridge
        .counted(
            r#"agibridge_call_duration_seconds_count{route="test",end_reason="protocol_error"} 1"#,
        )
        .await;
}

#[tokio::test]
async fn a_value_with_a_line_feed_and_the_word_hangup_is_a_value() {
    const VALUE: &str = "x)\nHANGUP\n200 result=0\n(y";
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let result = caller.run(Kind::GetVariable(GetVariable { name: "X".into() })).await;
        let Some(Outcome::Value(value)) = result.outcome else { panic!("{result:?}") };
        assert_eq!(value.value.as_deref(), Some(VALUE));
        assert_eq!(code(caller.run(noop()).await.outcome), None);
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let line = asterisk.line().await.unwrap();
    let text =
        line.strip_prefix("GET FULL VARIABLE \"").and_then(|rest| rest.strip_suffix('"')).unwrap();
    asterisk.send(format!("200 result=1 ({})\n", text.replace("${X}", VALUE))).await;
    asterisk.expect(r#"NOOP "x""#, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn both_forms_of_520_back_to_back() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        for _ in 0..2 {
            assert_eq!(code(caller.run(noop()).await.outcome), Some(Code::Usage));
        }
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let block = "520-Invalid command syntax.  Proper usage follows:\n  200 result=1 (x)\nHANGUP\n520 End of proper usage.\n";
    asterisk.expect(r#"NOOP "x""#, block).await;
    asterisk
        .expect(r#"NOOP "x""#, "520 Invalid command syntax.  Proper usage not available.\n")
        .await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_reply_may_come_byte_by_byte() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let played = caller
            .run(Kind::StreamFile(StreamFile { file: "beep".into(), ..StreamFile::default() }))
            .await;
        let Some(Outcome::Playback(playback)) = played.outcome else { panic!("{played:?}") };
        assert_eq!(playback.digit, "");
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    for byte in PRELUDE.bytes() {
        asterisk.send([byte]).await;
    }
    asterisk.line().await;
    for byte in "200 result=0 endpos=800\n".bytes() {
        asterisk.send([byte]).await;
    }
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_reply_cut_by_the_end_of_file_is_a_lost_connection() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(noop()).await;
        assert_eq!(caller.hangup().await.source(), Source::Connection);
        assert_eq!(code(caller.result().await.outcome), Some(Code::CallEnded));
        assert_eq!(caller.ended().await.reason(), Reason::ConnectionLost);
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"NOOP "x""#, "200 resu").await;
    asterisk.close().await;
    bridge
        .counted(
            r#"agibridge_call_duration_seconds_count{route="test",end_reason="connection_lost"} 1"#,
        )
        .await;
}

#[tokio::test]
async fn a_call_without_a_route_goes_back_to_the_dialplan() {
    let service = content().await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    asterisk.send(PRELUDE.replace("test/red", "elsewhere")).await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "NO_ROUTE""#);
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    bridge.counted(r#"agibridge_call_rejected_total{reason="no_route"} 1"#).await;
}

#[tokio::test]
async fn one_call_too_many_goes_back_to_the_dialplan() {
    let service = Service::start(|mut caller| async move {
        while caller.event().await.is_some() {}
        Ok(())
    })
    .await;
    let bridge =
        Bridge::with(&[&service], "", "agi: {listen: '127.0.0.1:0', cores: 1, max_calls: 1}");
    let _first = Asterisk::call(bridge.address()).await;
    crate::harness::until("the first call", || bridge.app().registry().active() == 1).await;
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "LIMIT""#);
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    bridge.counted(r#"agibridge_call_rejected_total{reason="limit"} 1"#).await;
}

#[tokio::test]
async fn a_peer_outside_of_the_allowed_networks_is_closed() {
    let service = content().await;
    let bridge = Bridge::with(
        &[&service],
        "",
        "agi: {listen: '127.0.0.1:0', cores: 1, allow: [10.0.0.0/8]}",
    );
    let mut asterisk = Asterisk::connect(bridge.address()).await;
    assert_eq!(asterisk.line().await, None);
    bridge.counted(r#"agibridge_connection_total{result="not_allowed"} 1"#).await;
}
