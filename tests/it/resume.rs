//! A call outlives its service: the next one carries on where the first was lost, and the caller notices nothing.

use crate::harness::{Asterisk, Bridge, Caller, Service, Serving, end, next, within};
use agi_bridge::proto::{
    Checkpoint, Command, GetData, GetVariable, Noop, Resumption, StreamFile, call_control::Control,
    call_ended::Reason, call_event::Event, command::Command as Kind, command_error::Code,
    command_result::Outcome, hangup::Source, resumption::Cause,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use tonic::Status;

const LOST: &str = r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#;
const RESUMED: &str = r#"agibridge_call_resumed_total{route="test",cause="service_lost"}"#;
const GET_DATA: &str = r#"GET DATA "pin" "0" "4""#;
const NOOP: &str = r#"NOOP "x""#;

fn noop() -> Kind {
    Kind::Noop(Noop { text: "x".into() })
}

fn get_data() -> Kind {
    Kind::GetData(GetData { file: "pin".into(), max_digits: 4, ..GetData::default() })
}

fn checkpoint(state: &'static str) -> Control {
    Control::Checkpoint(Checkpoint { state: state.into(), last_result_id: None })
}

fn code(outcome: Option<&Outcome>) -> Option<Code> {
    match outcome {
        Some(Outcome::Error(error)) => Some(error.code()),
        _ => None,
    }
}

fn gone() -> Status {
    Status::unavailable("gone")
}

/// A service that ends the call well.
async fn well(mut caller: Caller) -> Result<(), Status> {
    caller.resumed().await;
    Ok(())
}

/// Has the call, and a prompt at Asterisk, until it is killed.
async fn prompting() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        caller.send(checkpoint("menu")).await;
        caller.send_command(get_data()).await;
        while caller.event().await.is_some() {}
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_next_service_is_told_all_that_it_needs_to_carry_on() {
    let first = Service::start(|mut caller| async move {
        caller.started().await;
        caller.run(noop()).await;
        caller.send(checkpoint("menu")).await;
        caller.run(Kind::Noop(Noop { text: "later".into() })).await;
        caller.send_command(get_data()).await;
        caller.send_command(noop()).await;
        caller.send_command(noop()).await;
        while caller.event().await.is_some() {}
        Ok(())
    })
    .await;
    let resumed = Arc::new(Notify::new());
    let tell = Arc::clone(&resumed);
    let second = Service::start(move |mut caller| {
        let tell = Arc::clone(&tell);
        async move {
            let started = caller.started().await;
            assert_eq!(
                (started.route.as_str(), &started.path_parameters["colour"][..]),
                ("test", "red")
            );
            let resumption = started.resumption.unwrap();
            let results: Vec<u32> = resumption.results.iter().map(|result| result.id).collect();
            assert_eq!(results, [2], "the one before the checkpoint is known");
            let running = Command { id: 3, command: Some(get_data()), ..Command::default() };
            let expected = Resumption {
                cause: Cause::ServiceLost.into(),
                attempt: 1,
                checkpoint: Some("menu".into()),
                running: Some(running),
                results: resumption.results.clone(),
                results_truncated: false,
                hung_up: false,
                last_command_id: 5,
            };
            assert_eq!(resumption, expected);
            tell.notify_one();
            let data = caller.result().await;
            assert!(
                matches!(data.outcome, Some(Outcome::Digits(digits)) if digits.digits == "0123")
            );
            for id in [4, 5] {
                let cancelled = caller.result().await;
                assert_eq!(
                    (cancelled.id, code(cancelled.outcome.as_ref())),
                    (id, Some(Code::Cancelled))
                );
            }
            caller.send(crate::harness::command(6, noop())).await;
            assert_eq!(caller.result().await.id, 6);
            caller.send(end()).await;
            let ended = caller.ended().await;
            assert_eq!((ended.reason(), ended.commands), (Reason::Service, 4));
            Ok(())
        }
    })
    .await;
    let bridge = Bridge::start(&[&first, &second]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    asterisk.expect(r#"NOOP "later""#, "200 result=0\n").await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    first.kill().await;
    resumed.notified().await;
    asterisk.send("200 result=0123\n").await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge.counted(&format!("{RESUMED} 1")).await;
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#)
        .await;
    let lost = bridge.metrics("agibridge_stream_lost_total");
    assert_eq!(lost.len(), 1, "{lost:?}");
}

#[tokio::test]
async fn the_only_instance_gets_its_call_again_after_a_restart_and_what_came_meanwhile() {
    let first = prompting().await;
    let bridge = Bridge::start(&[&first]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    let address = first.kill().await;
    bridge.listed("the loss to be seen", |call| call.service.is_some() && call.commands == 1).await;
    bridge.counted(&format!("{RESUMED} 1")).await;
    asterisk.send("200 result=42\n").await;
    bridge.listed("the digits to be read", |call| call.command.is_none()).await;
    let _again = Service::start_at(address, |mut caller| async move {
        let resumption = caller.resumed().await;
        assert_eq!(resumption.checkpoint.as_deref(), Some(&b"menu"[..]));
        let running = resumption.running.map(|running| running.id);
        assert_eq!((running, resumption.last_command_id), (Some(1), 1));
        let data = caller.result().await;
        assert!(!data.hung_up && data.id == 1);
        assert!(matches!(data.outcome, Some(Outcome::Digits(digits)) if digits.digits == "42"));
        caller.run(noop()).await;
        Ok(())
    })
    .await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_hangup_while_nobody_has_the_call_is_told_once_to_whoever_takes_it() {
    let first = prompting().await;
    let bridge = Bridge::start(&[&first]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    let address = first.kill().await;
    bridge.counted(&format!("{RESUMED} 1")).await;
    asterisk.send("HANGUP\n200 result=-1\n").await;
    bridge.listed("the hangup to be read", |call| call.hung_up && call.command.is_none()).await;
    let _again = Service::start_at(address, |mut caller| async move {
        assert!(!caller.resumed().await.hung_up, "as it was when the service was lost");
        let hangup = caller.hangup().await;
        let grace = hangup.grace.unwrap();
        assert_eq!(hangup.source(), Source::Signal);
        assert!(grace.seconds < 10 && (grace.seconds, grace.nanos) > (0, 0), "{grace:?}");
        let data = caller.result().await;
        assert!(data.hung_up);
        let value = caller.run(Kind::GetVariable(GetVariable { name: "X".into() })).await;
        assert!(matches!(value.outcome, Some(Outcome::Value(_))), "{value:?}");
        caller.send(end()).await;
        assert_eq!(caller.ended().await.reason(), Reason::Hangup);
        Ok(())
    })
    .await;
    let line = asterisk.line().await.unwrap();
    let value = line.strip_prefix("GET FULL VARIABLE \"").unwrap().trim_end_matches('"');
    asterisk.send(format!("200 result=1 ({})\n", value.replace("${X}", "y"))).await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    let counted = bridge.metrics("agibridge_call_hangup_total{route=\"test\",source=\"signal\"}");
    assert_eq!(counted, [r#"agibridge_call_hangup_total{route="test",source="signal"} 1"#]);
}

#[tokio::test]
async fn a_hangup_is_told_as_it_came_and_in_its_place() {
    let first = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(noop()).await;
        let playing = StreamFile { file: "beep".into(), ..StreamFile::default() };
        caller.send_command(Kind::StreamFile(playing)).await;
        while caller.event().await.is_some() {}
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&first]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(NOOP));
    let address = first.kill().await;
    bridge.counted(&format!("{RESUMED} 1")).await;
    // The reply itself says that the channel is dead; only then is the other command answered, as taken back.
    asterisk.send("511 Command Not Permitted on a dead channel or intercept routine\n").await;
    bridge.listed("the hangup to be read", |call| call.hung_up && call.command.is_none()).await;
    let _again = Service::start_at(address, |mut caller| async move {
        caller.resumed().await;
        assert_eq!(caller.hangup().await.source(), Source::Reply);
        assert_eq!(code(caller.result().await.outcome.as_ref()), Some(Code::HungUp));
        assert_eq!(code(caller.result().await.outcome.as_ref()), Some(Code::Cancelled));
        Ok(())
    })
    .await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_result_from_before_the_hangup_is_told_before_it() {
    let first = prompting().await;
    let bridge = Bridge::start(&[&first]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    let address = first.kill().await;
    bridge.counted(&format!("{RESUMED} 1")).await;
    asterisk.send("200 result=42\nHANGUP\n").await;
    bridge.listed("the hangup to be read", |call| call.hung_up).await;
    let _again = Service::start_at(address, |mut caller| async move {
        caller.resumed().await;
        let data = caller.result().await;
        assert!(!data.hung_up, "{data:?}");
        assert_eq!(caller.hangup().await.source(), Source::Signal);
        Ok(())
    })
    .await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn a_hangup_that_was_told_is_not_told_again() {
    let service = Service::start(|mut caller| async move {
        match caller.started().await.resumption {
            None => {
                caller.hangup().await;
                Err(gone())
            }
            Some(resumption) => {
                assert!(resumption.hung_up && resumption.running.is_none());
                assert!(caller.run(noop()).await.hung_up, "no event in between");
                caller.send(end()).await;
                assert_eq!(caller.ended().await.reason(), Reason::Hangup);
                Ok(())
            }
        }
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    bridge.driven().await;
    asterisk.send("HANGUP\n").await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge.counted(r#"agibridge_call_hangup_total{route="test",source="signal"} 1"#).await;
}

#[tokio::test]
async fn the_grace_of_a_caller_who_is_gone_ends_the_search_too() {
    let first = prompting().await;
    let bridge = Bridge::with(&[&first], "    hangup_grace: 100ms\n", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    first.kill().await;
    bridge.counted(&format!("{RESUMED} 1")).await;
    asterisk.send("HANGUP\n200 result=-1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="test",end_reason="hangup"} 1"#)
        .await;
}

#[tokio::test]
async fn a_service_lost_again_and_again_costs_no_command_and_repeats_none() {
    let service = Service::start(|mut caller| async move {
        let resumption = caller.started().await.resumption;
        let before = resumption.unwrap_or_default();
        assert_eq!(
            (before.attempt, before.results.len()),
            (before.last_command_id, before.attempt as usize)
        );
        caller.next_id = before.last_command_id + 1;
        caller.run(Kind::Noop(Noop { text: before.attempt.to_string() })).await;
        if before.attempt < 4 { Err(gone()) } else { Ok(()) }
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    for attempt in 0..5 {
        asterisk.expect(&format!("NOOP \"{attempt}\""), "200 result=0\n").await;
    }
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge.counted(&format!("{RESUMED} 4")).await;
}

#[tokio::test]
async fn when_the_budget_is_used_up_the_call_is_lost() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        Err(Status::internal("a bug"))
    })
    .await;
    let bridge = Bridge::with(&[&service], "    resumes_per_minute: 2\n", "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!(lines[0], LOST);
    assert!(lines[1].contains("a bug") && lines[1].contains("2 times"), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    bridge.counted(&format!("{RESUMED} 2")).await;
    bridge.counted(r#"agibridge_stream_lost_total{route="test",status="INTERNAL"} 3"#).await;
}

#[tokio::test]
async fn a_service_that_loses_a_call_twice_does_not_keep_it_from_the_standby() {
    let first = Service::start(|mut caller| async move {
        caller.started().await;
        Err(Status::internal("a bug"))
    })
    .await;
    let standby = Service::start(|mut caller| async move {
        let resumption = caller.started().await.resumption.expect("another one had it");
        assert_eq!(resumption.attempt, 2);
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&first, &standby]);
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    bridge.counted(&format!("{RESUMED} 2")).await;
}

#[tokio::test]
async fn when_nobody_takes_it_in_time_the_call_is_lost_for_both_reasons() {
    let first = prompting().await;
    let bridge = Bridge::with(
        &[&first],
        "    resume_for: 300ms\n    then: {announce: sorry, next: continue}\n",
        "",
    );
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    first.kill().await;
    bridge.listed("the search", |call| call.command.is_some()).await;
    bridge.counted(&format!("{RESUMED} 1")).await;
    // The prompt is not cut off: the bridge speaks after it.
    asterisk.send("200 result=1\n").await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], LOST);
    assert!(
        lines[1].contains("the service was lost") && lines[1].contains("onnection refused"),
        "{lines:?}"
    );
    assert_eq!(lines[2..], [r#"STREAM FILE "sorry" """#]);
}

#[tokio::test]
async fn without_resume_for_a_lost_call_is_lost() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let service = Service::start(move |mut caller| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            caller.started().await;
            Err(gone())
        }
    })
    .await;
    let bridge = Bridge::with(&[&service], "    resume_for: 0s\n", "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!((lines[0].as_str(), calls.load(Ordering::Relaxed)), (LOST, 1));
    bridge.counted(r#"agibridge_stream_lost_total{route="test",status="UNAVAILABLE"} 1"#).await;
    assert_eq!(bridge.metrics(RESUMED), [format!("{RESUMED} 0")]);
}

#[tokio::test]
async fn a_service_that_ended_the_call_is_not_missed() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(get_data()).await;
        caller.send(end()).await;
        Err(gone())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    bridge.counted(r#"agibridge_stream_lost_total{route="test",status="UNAVAILABLE"} 1"#).await;
    asterisk.send("200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#)
        .await;
    assert_eq!(bridge.metrics(RESUMED), [format!("{RESUMED} 0")]);
}

#[tokio::test]
async fn a_drain_is_told_again_to_whoever_takes_the_call_over() {
    let service = Service::start(|mut caller| async move {
        let again = caller.started().await.resumption.is_some();
        let Some(Event::Draining(draining)) = caller.event().await else { panic!("no Draining") };
        assert!(draining.deadline.is_some());
        if again { Ok(()) } else { Err(gone()) }
    })
    .await;
    let bridge = Bridge::with(&[&service], "", "shutdown: {linger: 0s}");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    bridge.driven().await;
    let (drained, _hurry) = bridge.drain();
    assert_eq!(asterisk.finish().await, [""; 0]);
    crate::harness::soon("the drain", drained).await.unwrap();
}

#[tokio::test]
async fn an_operator_ends_a_call_that_nobody_has() {
    let first = prompting().await;
    let bridge = Bridge::start(&[&first]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    first.kill().await;
    bridge.counted(&format!("{RESUMED} 1")).await;
    asterisk.send("200 result=1\n").await;
    bridge.listed("the digits to be read", |call| call.command.is_none()).await;
    bridge.hang_up();
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "OPERATOR""#);
    assert_eq!(lines.last().map(String::as_str), Some("HANGUP"));
}

#[tokio::test]
async fn a_service_that_does_not_read_is_given_up_and_another_stream_carries_on() {
    /// The bridge waits 30 s for it.
    const PATIENCE: Duration = Duration::from_secs(60);
    const LARGE: u32 = 20;
    let (tell, mut told) = mpsc::channel(1);
    let service = Service::start(move |mut caller| {
        let tell = tell.clone();
        async move {
            let Some(resumption) = caller.started().await.resumption else {
                for _ in 0..LARGE {
                    caller.send_command(get_data()).await;
                }
                // More results than the windows and the link hold.
                for _ in 0..200 {
                    caller.send(crate::harness::command(1, noop())).await;
                }
                return std::future::pending().await;
            };
            tell.send(resumption).await.unwrap();
            Ok(())
        }
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let digits = "1".repeat(200_000);
    for _ in 0..LARGE {
        asterisk.expect(GET_DATA, &format!("200 result={digits}\n")).await;
    }
    let resumption = within(PATIENCE, "the resumption", told.recv()).await.unwrap();
    assert_eq!((resumption.cause(), resumption.last_command_id), (Cause::ServiceLost, LARGE));
    assert_eq!((resumption.results.len(), resumption.results_truncated), (32, true));
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge.counted(r#"agibridge_stream_lost_total{route="test",status="CANCELLED"} 1"#).await;
}

#[tokio::test]
async fn the_log_tells_of_the_search_and_names_the_service_that_ended_the_call() {
    let first = prompting().await;
    let second = Service::start(well).await;
    let routes = format!(
        "[{{name: test, path: '/{{*rest}}', services: [{{url: '{}'}}, {{url: '{}'}}]}}]",
        first.url(),
        second.url()
    );
    let mut bridge = Serving::start(&routes).await;
    let mut asterisk = Asterisk::call(bridge.agi).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    let lost = first.kill().await;
    let sought = next(&mut bridge.log, "another service is sought").await;
    assert_eq!(sought["service"], lost.to_string().as_str());
    assert_eq!((&sought["cause"], &sought["attempt"]), (&"service_lost".into(), &1.into()));
    asterisk.send("200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    let ended = next(&mut bridge.log, "call ended").await;
    assert_eq!(ended["service"], second.address.to_string().as_str());
    assert_eq!((&ended["call_id"], &ended["route"]), (&sought["call_id"], &"test".into()));
    assert_eq!((&ended["reason"], &ended["blame"]), (&"service".into(), &"none".into()));
    assert_eq!(ended["commands"], 1);
}
