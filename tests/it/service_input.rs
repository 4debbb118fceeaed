//! Whatever a service does, or fails to do: the caller is never left in silence, and no other call feels it.

use crate::harness::{Asterisk, Bridge, Service, command, end, nowhere, raw};
use agi_bridge::proto::{
    Command, GetData, Noop, SetVariable, call_control::Control, call_ended::Reason,
    command::Command as Kind, command_error::Code, command_result::Outcome,
};
use tonic::Status;

const LOST: &str = r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#;
const UNAVAILABLE: &str = r#"SET VARIABLE "AGIBRIDGE_STATUS" "UNAVAILABLE""#;
const PROTOCOL_ERROR: &str = r#"SET VARIABLE "AGIBRIDGE_STATUS" "PROTOCOL_ERROR""#;
const FAST: &str = "    connect_timeout: 200ms\n    retry_for: 600ms\n";
const ONCE: &str = "    resume_for: 0s\n";

#[track_caller]
fn failed_with(lines: &[String], status: &str) {
    assert_eq!(lines.first().map(String::as_str), Some(status), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("failure"), "{lines:?}");
}

#[tokio::test]
async fn nobody_listens() {
    let bridge = Bridge::at(&[format!("grpc://{}", nowhere())], FAST, "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    failed_with(&lines, UNAVAILABLE);
    assert!(lines[1].contains("onnection refused"), "{lines:?}");
    bridge.counted(r#"agibridge_call_rejected_total{reason="unavailable"} 1"#).await;
}

#[tokio::test]
async fn a_service_that_refuses_is_passed_over_for_the_next() {
    // A trailers-only answer: the call was not taken.
    let bad = format!("grpc://{}", nowhere());
    let good = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::at(&[bad, good.url()], FAST, "");
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    bridge.counted(r#"agibridge_stream_opened_total{route="test",transport="grpc",status="UNAVAILABLE"} 1"#).await;
}

#[tokio::test]
async fn a_service_that_hangs_does_not_hold_the_caller() {
    // Accepts, and says nothing for ever.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bridge = Bridge::at(&[format!("grpc://{}", silent.local_addr().unwrap())], FAST, "");
    failed_with(&Asterisk::call(bridge.address()).await.finish().await, UNAVAILABLE);
}

#[tokio::test]
async fn the_announcement_is_played_before_the_call_goes_on() {
    let then = format!("{FAST}    then: {{announce: sorry, next: hangup}}\n");
    let bridge = Bridge::at(&[format!("grpc://{}", nowhere())], &then, "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!(lines[2..], [r#"STREAM FILE "sorry" """#, "HANGUP"]);
}

#[tokio::test]
async fn a_service_that_floods_is_cut_off_alone() {
    let service = Service::start(|mut caller| async move {
        let started = caller.started().await;
        if started.arguments == ["polite"] {
            caller.run(Kind::Noop(Noop { text: "x".into() })).await;
            return Ok(());
        }
        let mut id = 0;
        // The bridge stops reading us: what it does not read does not fit here either.
        while caller.send(command(id, Kind::Noop(Noop::default()))).await && id < 1_000_000 {
            id += 1;
        }
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut flooded = Asterisk::call(bridge.address()).await;
    assert_eq!(flooded.line().await.as_deref(), Some("NOOP"));
    let mut polite = Asterisk::connect(bridge.address()).await;
    polite.send(crate::harness::PRELUDE.replace("one", "polite")).await;
    polite.expect(r#"NOOP "x""#, "200 result=0\n").await;
    assert_eq!(polite.finish().await, [""; 0]);
    flooded.send("200 result=0\n").await;
    failed_with(&flooded.finish().await, PROTOCOL_ERROR);
    bridge.counted(r#"agibridge_stream_lost_total{route="test",status="CANCELLED"} 1"#).await;
}

#[tokio::test]
async fn a_service_that_is_lost_while_it_does_not_read_is_missed_at_once() {
    let (die, dies) = tokio::sync::watch::channel(false);
    let service = Service::start(move |mut caller| {
        let mut dies = dies.clone();
        async move {
            caller.started().await;
            for _ in 0..LARGE {
                caller.send_command(Kind::GetData(GetData::default())).await;
            }
            for _ in 0..SMALL {
                caller.send(command(1, Kind::Noop(Noop::default()))).await;
            }
            let _ = dies.wait_for(|dies| *dies).await;
            Err(Status::aborted("gone"))
        }
    })
    .await;
    const LARGE: usize = 20;
    const SMALL: usize = 200;
    let bridge = Bridge::with(&[&service], ONCE, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    for _ in 0..LARGE {
        let reply = format!("200 result={}\n", "1".repeat(200_000));
        asterisk.expect(r#"GET DATA "" "0" "1023""#, &reply).await;
    }
    // More results than the windows and the link hold.
    let metrics = bridge.app().metrics();
    crate::harness::until("all results", || {
        let page = metrics.page(agi_bridge::telemetry::metrics::Format::Text);
        page.lines().any(|line| {
            line.starts_with("agibridge_command_duration_seconds_count")
                && line.contains("invalid_argument")
                && line.ends_with(" 200")
        })
    })
    .await;
    die.send(true).unwrap();
    failed_with(&asterisk.finish().await, LOST);
}

#[tokio::test]
async fn a_service_that_does_not_know_its_commands_gets_told_which_field() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let id = Command { id: 1, command: None, ..Command::default() };
        caller.send(Control::Command(id)).await;
        let refused = caller.result().await;
        let Some(Outcome::Error(error)) = refused.outcome else { panic!("{refused:?}") };
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.detail.starts_with("command:"), "{error:?}");
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
}

#[tokio::test]
async fn nothing_a_service_sends_becomes_a_second_line() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let set = |value: String| Kind::SetVariable(SetVariable { name: "A".into(), value });
        let words = "w ".repeat(127);
        let wrong = [
            set("a\nNOOP".into()),
            set("a\rb".into()),
            set("a\0b".into()),
            set("x".repeat(8191)),
            raw("NOOP a\nNOOP b"),
            raw(&format!("NOOP {words}")),
            raw(&"x".repeat(8191)),
            raw(" failure"),
            raw(""),
        ];
        for (kind, id) in wrong.into_iter().zip(1..) {
            caller.send(command(id, kind)).await;
            let result = caller.result().await;
            let Some(Outcome::Error(error)) = &result.outcome else { panic!("{id}: {result:?}") };
            assert_eq!(error.code(), Code::InvalidArgument, "{id}: {error:?}");
        }
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#)
        .await;
}

#[tokio::test]
async fn a_service_that_ends_without_end_is_done() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(Kind::Noop(Noop { text: "last".into() })).await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"NOOP "last""#, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#)
        .await;
}

#[tokio::test]
async fn a_service_that_fails_in_the_middle_is_lost() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.run(Kind::Noop(Noop { text: "x".into() })).await;
        Err(Status::internal("a bug"))
    })
    .await;
    let bridge = Bridge::with(&[&service], ONCE, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(r#"NOOP "x""#, "200 result=0\n").await;
    let lines = asterisk.finish().await;
    failed_with(&lines, LOST);
    assert!(lines[1].contains("a bug"), "{lines:?}");
    bridge.counted(r#"agibridge_stream_lost_total{route="test",status="INTERNAL"} 1"#).await;
}

#[tokio::test]
async fn a_service_that_panics_is_lost_or_done_but_never_silence() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        drop(caller);
        std::panic::resume_unwind(Box::new("a handler's own fault"));
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    // Without its handler the stream ends; tonic says OK for it.
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    service.forgive();
    bridge.counted("agibridge_call_active{route=\"test\"} 0").await;
}

#[tokio::test]
async fn a_service_that_stops_reading_holds_only_its_own_call() {
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let waiting = release.clone();
    let service = Service::start(move |mut caller| {
        let mut released = waiting.subscribe();
        async move {
            let started = caller.started().await;
            if started.arguments == ["polite"] {
                assert_eq!(caller.run(Kind::Noop(Noop { text: "x".into() })).await.id, 1);
                return Ok(());
            }
            // Large values come back, and are never read.
            for id in 1..=20 {
                caller.send(command(id, raw("GET VARIABLE LARGE"))).await;
            }
            let _ = released.recv().await;
            Ok(())
        }
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut deaf = Asterisk::call(bridge.address()).await;
    let large = "x".repeat(200_000);
    for _ in 0..10 {
        deaf.expect("GET VARIABLE LARGE", &format!("200 result=1 ({large})\n")).await;
        let probe = deaf.line().await.unwrap();
        let mark =
            probe.strip_prefix("GET FULL VARIABLE \"").and_then(|it| it.strip_suffix('"')).unwrap();
        deaf.send(format!("200 result=1 ({mark})\n")).await;
    }
    let mut polite = Asterisk::connect(bridge.address()).await;
    polite.send(crate::harness::PRELUDE.replace("one", "polite")).await;
    polite.expect(r#"NOOP "x""#, "200 result=0\n").await;
    assert_eq!(polite.finish().await, [""; 0]);
    drop(release);
}

#[tokio::test]
async fn a_hangup_reaches_a_service_whose_dial_is_still_running() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(raw("EXEC \"Dial\" \"Local/x\"")).await;
        caller.hangup().await;
        assert!(caller.result().await.hung_up);
        caller.send(end()).await;
        assert_eq!(caller.ended().await.reason(), Reason::Hangup);
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("EXEC \"Dial\" \"Local/x\"", "HANGUP\n").await;
    asterisk.send("200 result=-1\n").await;
    asterisk.finish().await;
    bridge.counted(r#"agibridge_call_hangup_total{route="test",source="signal"} 1"#).await;
}
