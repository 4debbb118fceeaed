//! The built program, as a person runs it.

use crate::harness::{Service, Serving, end, file, next, program};
use std::process::{Output, Stdio};

async fn run(arguments: &[&str]) -> Output {
    let output = program().args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    crate::harness::soon(&arguments.join(" "), output).await.unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn content() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_demo_plays_a_whole_game() {
    let output = run(&["demo", "--speed", "200", "--seed", "7"]).await;
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("GAME_SCORE=2/3, AGISTATUS=SUCCESS"), "{text}");
    for mark in ["A> ", "A< ", "S> ", "S< ", "-- "] {
        assert!(text.contains(mark), "{mark} is missing: {text}");
    }
}

#[tokio::test]
async fn check_prints_the_configuration_or_every_fault() {
    let good =
        file("routes: [{name: a, path: /a, services: [{url: 'grpc://x:1', token: s3cret}]}]\n");
    let output = run(&["check", "--config", good.path().to_str().unwrap()]).await;
    let text = stdout(&output);
    assert!(
        output.status.success() && text.contains("grpc://x:1") && !text.contains("s3cret"),
        "{text}"
    );

    let bad = file("routes:\n  - {name: a, path: /a, services: [{url: 'ftp://x'}]}\nlimits: 3\n");
    let output = run(&["check", "--config", bad.path().to_str().unwrap()]).await;
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("routes[0].services[0].url: line 2") && text.contains("limits: line 3"),
        "{text}"
    );
}

#[tokio::test]
async fn serve_takes_a_call_is_asked_about_it_and_stops_when_told() {
    let service = content().await;
    let route =
        format!("[{{name: test, path: '/{{*rest}}', services: [{{url: '{}'}}]}}]", service.url());
    let mut bridge = Serving::start(&route).await;
    let admin = format!("http://{}", bridge.admin);
    let called = run(&["call", &format!("agi://{}/x", bridge.agi), "--speed", "50"]).await;
    assert!(called.status.success(), "{}", stdout(&called));
    let ended = next(&mut bridge.log, "call ended").await;
    assert_eq!((&ended["route"], &ended["blame"]), (&"test".into(), &"none".into()));
    assert!(ended["trace_id"].is_string() && ended["call_id"].is_string(), "{ended}");

    let calls = run(&["calls", "--admin", &admin]).await;
    assert!(calls.status.success(), "{}", stdout(&calls));
    let nobody = run(&["hangup", "--admin", &admin, "0190"]).await;
    assert_eq!(nobody.status.code(), Some(1));

    std::fs::write(bridge.config.path(), "routes: 3\n").unwrap();
    bridge.signal("-HUP");
    next(&mut bridge.log, "the new configuration is refused, the old one stays in force").await;

    bridge.signal("-TERM");
    next(&mut bridge.log, "stopped").await;
    assert!(crate::harness::soon("the end", bridge.child.wait()).await.unwrap().success());
}

#[tokio::test]
async fn dialplan_prints_lines_for_extensions_conf() {
    let config =
        file("routes: [{name: ivr, path: '/ivr/{tenant}', services: [{url: 'grpc://x:1'}]}]\n");
    let output =
        run(&["dialplan", "ivr", "--host", "bridge", "--config", config.path().to_str().unwrap()])
            .await;
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("AGI(agi://bridge/ivr/"), "{text}");
    let output =
        run(&["dialplan", "ivr", "--async-agi", "--config", config.path().to_str().unwrap()]).await;
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("AGI(agi:async,/ivr/"), "{text}");
}
