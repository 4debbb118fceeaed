//! Asterisks with async AGI calls, and the bridges that share them: who has a call, and what becomes of it when its bridge or its link is
//! gone.

use super::start;
use crate::{
    ladder::{link, steps},
    runner::Runner,
};
use agi_bridge::proto::{call_ended::Reason, call_event::Event, command_result::Outcome};
use futures_util::future::join_all;
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place, State},
    bridge::Bridge,
    service::{Recording, Service},
};
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

const LIMIT: Duration = Duration::from_secs(60);
const CALLS: usize = 12;
/// Until the caller hangs up.
const LONG: &str = "[{noop: {}}, {wait_for: ended}]";
const TOLD: Duration = Duration::from_secs(30);

pub(super) fn add(runner: &mut Runner) {
    runner.add("async agi: two bridges share the calls", share());
    runner.add("async agi: a bridge that drains leaves new calls to the other", drain());
    runner.add("async agi: calls of a bridge that is killed go back", killed());
    runner.add("async agi: calls of a link that breaks go back", broken());
    runner.add("async agi: values and lines of any length", lengths());
    runner.add("async agi: a command is stopped, and digits are told", digits());
}

fn place() -> Place {
    Place::new("async", "s", 1)
}

async fn asterisk() -> Asterisk {
    let mut dialplan = Dialplan::default();
    dialplan.agi(&place());
    Asterisk::start(&dialplan).await
}

async fn call(asterisk: &Asterisk, run: &str) -> Call {
    let spec = CallSpec::new(&format!("agi:async,/scenario?run={run}"), place());
    Call::begin(asterisk, &spec).await
}

/// Until the bridge has logged in: a call that comes before is taken later.
async fn linked(asterisk: &Asterisk, service: &Service) -> Bridge {
    let bridge = start(asterisk, service).await;
    logged(&bridge, "connected to asterisk's manager").await;
    bridge
}

async fn logged(bridge: &Bridge, text: &str) {
    let said = async {
        while !bridge.log().iter().any(|line| line.contains(text)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, said).await.unwrap_or_else(|_| panic!("not logged: {text}"));
}

async fn driven(recording: &mut Recording) {
    recording.wait_for(LIMIT, "the call is driven", |log| !log.results().is_empty()).await;
}

/// What the dialplan knows once the call came back.
async fn came_back(call: &Call) -> State {
    call.until(LIMIT, "the dialplan goes on", |state| state.position.is_some()).await
}

fn variable<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    state.variables.get(name).map(String::as_str)
}

async fn share() {
    let (asterisk, service) = (asterisk().await, Service::start().await);
    let bridges = [linked(&asterisk, &service).await, linked(&asterisk, &service).await];
    let runs = 0..CALLS;
    let mut told: Vec<Recording> = runs
        .clone()
        .map(|run| service.script(&run.to_string(), steps("[{noop: {}}, {noop: {}}, {end: {}}]")))
        .collect();
    let calls = join_all(runs.map(async |run| call(&asterisk, &run.to_string()).await)).await;
    for (call, told) in calls.iter().zip(&mut told) {
        let state = call.wait_until_gone(LIMIT).await;
        assert_eq!(variable(&state, "AGISTATUS"), Some("SUCCESS"), "{state:#?}");
        let log = told.wait_until_closed(TOLD).await;
        let begun = log.events.iter().filter(|event| matches!(event, Event::Started(_))).count();
        assert_eq!((begun, log.results().len()), (1, 2), "{log:#?}");
    }
    let ended = |bridge: &Bridge| {
        bridge.log().iter().filter(|line| line.contains("agibridge.call.ended")).count()
    };
    let all = || bridges.iter().map(ended).sum::<usize>();
    let logged = async {
        while all() < CALLS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, logged).await.expect("each call has its last line");
    assert_eq!(all(), CALLS);
}

async fn drain() {
    let (asterisk, service) = (asterisk().await, Service::start().await);
    let first = linked(&asterisk, &service).await;
    let mut held_told = service.script("held", steps(LONG));
    let held = call(&asterisk, "held").await;
    driven(&mut held_told).await;
    let second = linked(&asterisk, &service).await;
    first.interrupt();
    held_told.wait_for(LIMIT, "the service is told", |log| log.is_draining()).await;

    let mut told = service.script("new", steps("[{noop: {}}, {end: {}}]"));
    let state = call(&asterisk, "new").await.wait_until_gone(LIMIT).await;
    assert_eq!(variable(&state, "AGISTATUS"), Some("SUCCESS"), "{state:#?}");
    assert_eq!(variable(&state, "AGIBRIDGE_STATUS"), None, "{state:#?}");
    told.wait_until_closed(TOLD).await;
    logged(&second, "agibridge.call.ended").await;

    // Alone it sends them back, rather than have callers wait.
    let status = second.stop(LIMIT).await;
    assert!(status.success());
    let state = call(&asterisk, "new").await.wait_until_gone(LIMIT).await;
    assert_eq!(variable(&state, "AGISTATUS"), Some("FAILURE"), "{state:#?}");
    assert_eq!(variable(&state, "AGIBRIDGE_STATUS"), Some("DRAINING"), "{state:#?}");
    held.hang_up().await;
    held.wait_until_gone(LIMIT).await;
    assert!(first.wait_until_ended(LIMIT).await.success());
}

async fn killed() {
    let (asterisk, service) = (asterisk().await, Service::start().await);
    let bridge = linked(&asterisk, &service).await;
    let mut told = service.script("held", steps(LONG));
    let held = call(&asterisk, "held").await;
    driven(&mut told).await;
    bridge.kill();
    let _bridge = linked(&asterisk, &service).await;
    let state = came_back(&held).await;
    assert_eq!(state.agi_status, "FAILURE", "{state:#?}");
    assert_eq!(variable(&state, "AGIBRIDGE_STATUS"), Some("LOST"), "{state:#?}");
}

async fn broken() {
    let (asterisk, service) = (asterisk().await, Service::start().await);
    let (address, breaks) = hop(asterisk.manager()).await;
    let direct = asterisk.manager().to_string();
    let configuration = format!(
        "{}routes:\n  - {{name: all, path: /scenario, services: [{{url: \"{}\"}}]}}\n",
        link(&asterisk).replace(&direct, &address.to_string()),
        service.url()
    );
    let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
    let bridge = Bridge::start(program, &configuration).await;
    logged(&bridge, "connected to asterisk's manager").await;
    let mut told = service.script("held", steps(LONG));
    let held = call(&asterisk, "held").await;
    driven(&mut told).await;
    breaks.send_modify(|count| *count += 1);
    let log = told.wait_until_closed(TOLD).await;
    let ended = log.ended().expect("the service is told");
    assert_eq!(ended.reason(), Reason::ConnectionLost, "{ended:?}");
    let state = came_back(&held).await;
    assert_eq!(state.agi_status, "FAILURE", "{state:#?}");
    assert_eq!(variable(&state, "AGIBRIDGE_STATUS"), Some("LOST"), "{state:#?}");
    // The link is as good as before.
    service.script("next", steps("[{noop: {}}, {end: {}}]"));
    let state = call(&asterisk, "next").await.wait_until_gone(LIMIT).await;
    assert_eq!(variable(&state, "AGISTATUS"), Some("SUCCESS"), "{state:#?}");
}

async fn lengths() {
    let (asterisk, service) = (asterisk().await, Service::start().await);
    let _bridge = linked(&asterisk, &service).await;
    let long = "x".repeat(900);
    let script = format!(
        "[{{setVariable: {{name: V, value: {long}}}}}, \
         {{getFullVariable: {{expression: \"${{V}}${{V}}${{V}}${{V}}${{V}}${{V}}${{V}}${{V}}${{V}}\"}}}}, \
         {{setVariable: {{name: W, value: {long}{long}}}}}, {{setVariable: {{name: W, value: short}}}}, {{end: {{}}}}]"
    );
    let mut told = service.script("long", steps(&script));
    call(&asterisk, "long").await.wait_until_gone(LIMIT).await;
    let log = told.wait_until_closed(TOLD).await;
    let outcomes: Vec<_> =
        log.results().iter().map(|result| result.outcome.clone().expect("one is set")).collect();
    let Outcome::Value(value) = &outcomes[1] else { panic!("{outcomes:#?}") };
    assert_eq!(value.value.as_deref(), Some(&*long.repeat(9)));
    let Outcome::Error(error) = &outcomes[2] else { panic!("{outcomes:#?}") };
    assert_eq!(error.code().as_str_name(), "CODE_INVALID_ARGUMENT", "{error:?}");
    assert!(matches!(outcomes[3], Outcome::Done(_)), "{outcomes:#?}");
}

async fn digits() {
    let (asterisk, service) = (asterisk().await, Service::start().await);
    let _bridge = linked(&asterisk, &service).await;
    let script = "[{noop: {}}, {batch: [{command: {id: 2, streamFile: {file: demo-congrats}}}, \
        {cancel: {id: 2, interrupt: true}}]}, {wait_for: hangup}]";
    let mut told = service.script("keys", steps(script));
    let held = call(&asterisk, "keys").await;
    let stopped = |log: &kit::service::Log| log.results().len() == 2;
    let log = told.wait_for(LIMIT, "the prompt is stopped", stopped).await;
    assert!(matches!(log.results()[1].outcome, Some(Outcome::Playback(_))), "{log:#?}");
    held.press("42").await;
    let digits = |log: &kit::service::Log| -> String {
        let digit = |event: &Event| match event {
            Event::Digit(digit) => Some(digit.digit.clone()),
            Event::Started(_)
            | Event::Hangup(_)
            | Event::Progress(_)
            | Event::Result(_)
            | Event::Draining(_)
            | Event::Ended(_)
            | Event::Heartbeat(_) => None,
        };
        log.events.iter().filter_map(digit).collect()
    };
    told.wait_for(LIMIT, "both digits", |log| digits(log) == "42").await;
    held.hang_up().await;
    let log = told.wait_until_closed(TOLD).await;
    assert_eq!((log.hangups(), digits(&log)), (1, "42".to_owned()), "{log:#?}");
}

/// A TCP hop to the manager, whose connections break each time the count changes.
async fn hop(to: SocketAddr) -> (SocketAddr, watch::Sender<u32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let (breaks, broken) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut broken = broken.clone();
            broken.mark_unchanged();
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(to).await else { return };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    _ = broken.changed() => {}
                }
            });
        }
    });
    (address, breaks)
}
