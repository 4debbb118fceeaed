//! What is counted of a call, seen on the page, in the list of calls and in the log.

use crate::harness::{Asterisk, Bridge, Service, end, nowhere, soon, until};
use agi_bridge::{
    proto::{
        Answer, SetVariable, StreamFile, command::Command as Kind, command_error::Code,
        command_result::Outcome,
    },
    telemetry::metrics::Format,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tonic::Status;

fn prompt() -> Kind {
    Kind::StreamFile(StreamFile { file: "beep".into(), ..StreamFile::default() })
}

/// The value of a series.
fn value(bridge: &Bridge, series: &str) -> f64 {
    let line = bridge.metrics(series).into_iter().next();
    let line = line.unwrap_or_else(|| panic!("no {series}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn a_silence_between_commands_is_listed_while_it_lasts_and_counted_after_it() {
    let go_on = Arc::new(Notify::new());
    let gate = Arc::clone(&go_on);
    let service = Service::start(move |mut caller| {
        let gate = Arc::clone(&gate);
        async move {
            caller.started().await;
            caller.run(Kind::Answer(Answer {})).await;
            gate.notified().await;
            caller.run(prompt()).await;
            caller.send(end()).await;
            caller.ended().await;
            Ok(())
        }
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    assert_eq!(value(&bridge, "agibridge_call_dead_air_seconds_count{route=\"test\"}"), 0.0);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("ANSWER", "200 result=0\n").await;
    bridge.listed("the silence to be listed", |call| call.dead_air_seconds > 0.02).await;
    let listed = bridge.app().registry().list()[0].dead_air_seconds;
    go_on.notify_one();
    asterisk.expect(r#"STREAM FILE "beep" """#, "200 result=0 endpos=8000\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    let ended = r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#;
    bridge.counted(ended).await;
    let longest = value(&bridge, "agibridge_call_dead_air_seconds_sum{route=\"test\"}");
    assert!(longest >= listed, "{longest} s, after {listed} s were listed");
}

#[tokio::test]
async fn rungs_are_counted_from_the_second_address_to_the_last_words() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        Err(Status::internal("broken"))
    })
    .await;
    let urls = [format!("grpc://{}", nowhere()), service.url()];
    let policy = "    resume_for: 0s\n    then: {announce: sorry, next: hangup}";
    let bridge = Bridge::at(&urls, policy, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    for line in ["SET VARIABLE \"AGIBRIDGE_STATUS\" \"LOST\"", "SET VARIABLE \"AGIBRIDGE_REASON\""]
    {
        let said = soon("its last words", asterisk.line()).await.unwrap();
        assert!(said.starts_with(line), "{said}");
        asterisk.send(b"200 result=1\n").await;
    }
    asterisk.expect(r#"STREAM FILE "sorry" """#, "200 result=0 endpos=8000\n").await;
    asterisk.expect("HANGUP", "200 result=1\n").await;
    asterisk.finish().await;
    bridge.counted(r#"agibridge_call_failed_total{route="test",status="LOST"} 1"#).await;
    let rungs = bridge.metrics("agibridge_call_ladder_total{route=\"test\"");
    let rungs: Vec<_> = rungs.iter().filter(|line| !line.ends_with(" 0")).collect();
    // Which of the two was asked first is chance.
    let last =
        |rung: &str| format!(r#"agibridge_call_ladder_total{{route="test",rung="{rung}"}} 1"#);
    let (retry, words) = (last("retry"), [last("announce"), last("hangup")]);
    assert!(rungs == words.each_ref() || rungs == [&retry, &words[0], &words[1]], "{rungs:?}");
}

#[tokio::test]
async fn another_attempt_is_a_rung_and_counts_once_a_call() {
    let bridge = Bridge::at(&[format!("grpc://{}", nowhere())], "    retry_for: 500ms", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let said = soon("its last words", asterisk.line()).await.unwrap();
    assert!(said.contains("UNAVAILABLE"), "{said}");
    let retried = value(&bridge, "agibridge_call_ladder_total{route=\"test\",rung=\"retry\"}");
    let attempts = value(&bridge, "agibridge_stream_opened_total{route=\"test\"");
    assert!(retried == 1.0 && attempts > 2.0, "{retried} for {attempts} attempts");
}

#[tokio::test]
async fn refused_commands_and_desyncs_are_counted_by_route() {
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        let value = "a\nb".to_owned();
        let refused = caller.run(Kind::SetVariable(SetVariable { name: "A".into(), value })).await;
        let Some(Outcome::Error(error)) = refused.outcome else { panic!("{refused:?}") };
        assert_eq!(error.code(), Code::InvalidArgument);
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    bridge
        .counted(r#"agibridge_command_refused_total{route="test",code="invalid_argument"} 1"#)
        .await;
    asterisk.send(b"nonsense\n").await;
    bridge.counted(r#"agibridge_call_desync_total{route="test"} 1"#).await;
}

#[tokio::test]
async fn a_drain_shows_when_it_began_and_when_it_ends() {
    let bridge = Bridge::at(&[format!("grpc://{}", nowhere())], "", "");
    let metrics = Arc::clone(bridge.app().metrics());
    assert!(!metrics.page(Format::Text).contains("\nagibridge_drain_"));
    let (_drained, _hurry) = bridge.drain();
    let shown = |name: &str| {
        let page = metrics.page(Format::Text);
        let line = page.lines().find(|line| line.starts_with(name)).map(str::to_owned)?;
        line.rsplit_once(' ')?.1.parse::<f64>().ok()
    };
    until("the drain to be shown", || shown("agibridge_drain_begin").is_some()).await;
    let begun = shown("agibridge_drain_begin").unwrap();
    let deadline = shown("agibridge_drain_deadline").unwrap();
    assert!((deadline - begun - 3600.0).abs() < 0.001, "{begun} {deadline}");
}

#[tokio::test]
async fn exemplars_are_kept_of_calls_that_are_traced() {
    for (flags, shown) in [("01", true), ("00", false)] {
        let service = Service::start(|mut caller| async move {
            caller.started().await;
            caller.run(Kind::Answer(Answer {})).await;
            caller.send(end()).await;
            caller.ended().await;
            Ok(())
        })
        .await;
        let bridge = Bridge::start(&[&service]);
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let path = format!("/test/red?traceparent=00-{trace}-b7ad6b7169203331-{flags}");
        let mut asterisk = Asterisk::call_to(bridge.address(), &path).await;
        asterisk.expect("ANSWER", "200 result=0\n").await;
        asterisk.finish().await;
        bridge
            .counted(
                r#"agibridge_call_duration_seconds_count{route="test",end_reason="service"} 1"#,
            )
            .await;
        let page = bridge.app().metrics().page(Format::OpenMetrics);
        for name in ["call_duration", "call_setup_duration", "command_duration", "command_overhead"]
        {
            let begin = format!("agibridge_{name}_seconds_bucket");
            let found = page.lines().any(|line| line.starts_with(&begin) && line.contains(trace));
            assert_eq!(found, shown, "{name} with flags {flags}");
        }
    }
}

#[tokio::test]
async fn the_last_line_of_a_call_has_its_dead_air() {
    let service = kit::service::Service::start().await;
    let steps =
        "name: log\nservice:\n- answer: {}\n- wait: 200ms\n- streamFile: {file: beep}\n- end: {}\n";
    let scenario = agi_bridge::scenario::parse(steps, "log").unwrap();
    service.script("1", scenario.service);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
    let routes = format!(
        "routes: [{{name: test, path: /test, services: [{{url: \"{}\"}}]}}]\n",
        service.url()
    );
    let bridge = kit::bridge::Bridge::start(program, &routes).await;
    let options = agi_bridge::phone::Options { speed: 20.0, ..Default::default() };
    let phone = agi_bridge::phone::Phone::new(options);
    phone.call(&format!("agi://{}/test?run=1", bridge.agi())).await.unwrap();
    let told = || {
        let log = bridge.log();
        let line = log.iter().find(|line| line.contains("\"call ended\""))?;
        serde_json::from_str::<serde_json::Value>(line).unwrap()["dead_air_seconds"].as_f64()
    };
    until("the end of the call in the log", || told().is_some()).await;
    let silent = Duration::from_secs_f64(told().unwrap());
    assert!(silent >= Duration::from_millis(190), "{silent:?}");
}
