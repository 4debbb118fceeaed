//! A service hands its call to another route: the channel stays as it is, and the next service knows what there is to know.

use crate::harness::{
    Asterisk, Bridge, FastAgi, Script, Service, Serving, command, end, next, nowhere,
};
use agi_bridge::proto::{
    CallStarted, GetData, Handoff, Noop, call_control::Control, call_ended::Reason,
    command::Command as Kind, command_error::Code, command_result::Outcome, resumption::Cause,
};
use tokio::sync::mpsc;

const HANDED: &str = r#"agibridge_call_resumed_total{route="test",cause="handoff"}"#;
const NOOP: &str = r#"NOOP "x""#;
const GET_DATA: &str = r#"GET DATA "pin" "0" "1023""#;

fn noop() -> Kind {
    Kind::Noop(Noop { text: "x".into() })
}

fn get_data() -> Kind {
    Kind::GetData(GetData { file: "pin".into(), ..GetData::default() })
}

fn to(route: &str, state: Option<&'static str>) -> Control {
    Control::Handoff(Handoff { route: route.into(), state: state.map(Into::into) })
}

fn service(url: impl AsRef<str>) -> String {
    format!("{{url: '{}'}}", url.as_ref())
}

/// Hands its call over at once, with a state; and hears how its part of it ends.
async fn giving(route: &'static str) -> Service {
    Service::start(move |mut caller| async move {
        caller.started().await;
        caller.send(to(route, Some("state"))).await;
        let ended = caller.ended().await;
        assert_eq!((ended.reason(), ended.commands), (Reason::Handoff, 0));
        Ok(())
    })
    .await
}

/// Tells what it was told first, and ends the call.
async fn taking() -> (Service, mpsc::Receiver<CallStarted>) {
    let (tell, told) = mpsc::channel(1);
    let taking = Service::start(move |mut caller| {
        let tell = tell.clone();
        async move {
            tell.send(caller.started().await).await.unwrap();
            caller.send(end()).await;
            assert_eq!(caller.ended().await.reason(), Reason::Service);
            Ok(())
        }
    })
    .await;
    (taking, told)
}

/// What the service of `/sales/{region}` is told of a call that was handed to `route`.
async fn told_of(route: &'static str) -> CallStarted {
    let (first, (second, mut told)) = (giving(route).await, taking().await);
    let routes = [
        ("test", "/test/{colour}", &*service(first.url()), ""),
        ("sales", "/sales/{region}", &*service(second.url()), ""),
    ];
    let bridge = Bridge::on(&routes, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge.counted(&format!("{HANDED} 1")).await;
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="sales",end_reason="service"} 1"#)
        .await;
    assert_eq!(bridge.metrics("agibridge_stream_lost_total"), [""; 0]);
    told.recv().await.unwrap()
}

#[tokio::test]
async fn to_a_route_by_its_name() {
    let started = told_of("sales").await;
    assert_eq!(
        (started.route.as_str(), started.arguments.as_slice()),
        ("sales", &["one".to_owned()][..])
    );
    assert!(started.path_parameters.is_empty(), "the call's own path has none there");
    assert_eq!(started.query_parameters[0].value, "en");
    let resumption = started.resumption.unwrap();
    assert_eq!((resumption.cause(), resumption.attempt), (Cause::Handoff, 1));
    assert_eq!(resumption.checkpoint.as_deref(), Some(&b"state"[..]));
    assert!(resumption.running.is_none() && resumption.results.is_empty() && !resumption.hung_up);
}

#[tokio::test]
async fn to_a_path_as_a_new_call_with_its_own_query() {
    let started = told_of("/sales/eu%20west?lang=de&vip=1&vip=2").await;
    assert_eq!(
        (started.route.as_str(), started.path_parameters["region"].as_str()),
        ("sales", "eu west")
    );
    let query: Vec<(&str, &str)> =
        started.query_parameters.iter().map(|it| (it.key.as_str(), it.value.as_str())).collect();
    assert_eq!(query, [("lang", "de"), ("vip", "1"), ("vip", "2")]);
    assert_eq!(
        started.environment["agi_network_script"], "test/red?lang=en",
        "as Asterisk sent it"
    );
}

#[tokio::test]
async fn to_a_path_without_a_query_keeps_that_of_the_call() {
    let started = told_of("/sales/eu").await;
    assert_eq!(started.path_parameters["region"], "eu");
    assert_eq!(
        (started.query_parameters[0].key.as_str(), started.query_parameters.len()),
        ("lang", 1)
    );
}

#[tokio::test]
async fn the_new_route_is_in_force_and_in_the_list() {
    let (proceed, wait) = mpsc::channel::<()>(1);
    let wait = std::sync::Arc::new(tokio::sync::Mutex::new(wait));
    let (first, second) = (
        giving("sales").await,
        Service::start(move |mut caller| {
            let wait = wait.clone();
            async move {
                let started = caller.started().await;
                assert_eq!(started.max_queued_commands, 1);
                wait.lock().await.recv().await;
                caller.send_command(noop()).await;
                caller.send_command(noop()).await;
                caller.result().await;
                let full = caller.result().await;
                assert!(matches!(full.outcome, Some(Outcome::Error(error)) if error.code() == Code::QueueFull));
                Err(tonic::Status::internal("a bug"))
            }
        })
        .await,
    );
    let sales = "    max_queued_commands: 1\n    resume_for: 0s\n    then: {goto: {context: agents, extension: s}}\n";
    let routes = [
        ("test", "/test/{colour}", &*service(first.url()), ""),
        ("sales", "/sales/{region}", &*service(second.url()), sales),
    ];
    let bridge = Bridge::on(&routes, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let address = second.address.to_string();
    bridge
        .listed("the new route", |call| {
            call.route == "sales" && call.service.as_deref() == Some(&address)
        })
        .await;
    bridge.counted(r#"agibridge_call_active{route="test"} 0"#).await;
    bridge.counted(r#"agibridge_call_active{route="sales"} 1"#).await;
    proceed.send(()).await.unwrap();
    asterisk.expect(NOOP, "200 result=0\n").await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#);
    assert_eq!(
        lines[2..],
        [r#"SET CONTEXT "agents""#, r#"SET EXTENSION "s""#, r#"SET PRIORITY "1""#]
    );
    bridge.counted(r#"agibridge_stream_lost_total{route="sales",status="INTERNAL"} 1"#).await;
}

#[tokio::test]
async fn a_command_at_asterisk_goes_on_and_its_result_goes_to_the_next_service() {
    let first = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(get_data()).await;
        caller.send_command(noop()).await;
        caller.send(to("sales", None)).await;
        caller.send(command(3, noop())).await;
        let ended = caller.ended().await;
        assert_eq!((ended.reason(), ended.commands), (Reason::Handoff, 1));
        Ok(())
    })
    .await;
    let (tell, mut told) = mpsc::channel(1);
    let second = Service::start(move |mut caller| {
        let tell = tell.clone();
        async move {
            let resumption = caller.resumed().await;
            assert!(resumption.checkpoint.is_none());
            assert_eq!(resumption.running.and_then(|running| running.command), Some(get_data()));
            assert_eq!(resumption.last_command_id, 2);
            tell.send(()).await.unwrap();
            let data = caller.result().await;
            assert!(data.id == 1 && matches!(data.outcome, Some(Outcome::Digits(_))));
            let cancelled = caller.result().await;
            assert!(matches!(cancelled.outcome, Some(Outcome::Error(error)) if error.code() == Code::Cancelled));
            caller.run(noop()).await;
            Ok(())
        }
    })
    .await;
    let routes = [
        ("test", "/test/{colour}", &*service(first.url()), ""),
        ("sales", "/sales/{region}", &*service(second.url()), ""),
    ];
    let bridge = Bridge::on(&routes, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    told.recv().await.unwrap();
    asterisk.send("200 result=12\n").await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
}

#[tokio::test]
async fn to_a_route_that_is_not_there_ends_the_call() {
    for route in ["nowhere", "/nowhere", "", "/test"] {
        let service = Service::start(move |mut caller| async move {
            caller.started().await;
            caller.send(to(route, None)).await;
            assert_eq!(caller.ended().await.reason(), Reason::Service);
            Ok(())
        })
        .await;
        let bridge = Bridge::with(&[&service], "    then: {next: continue}\n", "");
        let lines = Asterisk::call(bridge.address()).await.finish().await;
        assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "NO_ROUTE""#);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(bridge.metrics(HANDED), [format!("{HANDED} 0")]);
    }
}

#[tokio::test]
async fn a_circle_is_cut() {
    let (there, back) = (giving("back").await, giving("test").await);
    let routes = [
        ("test", "/test/{colour}", &*service(there.url()), ""),
        ("back", "/back", &*service(back.url()), ""),
    ];
    let bridge = Bridge::on(&routes, "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "PROTOCOL_ERROR""#);
    assert!(lines[1].contains("circle"), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    bridge.counted(&format!("{HANDED} 5")).await;
    bridge.counted(r#"agibridge_call_resumed_total{route="back",cause="handoff"} 5"#).await;
}

#[tokio::test]
async fn where_nobody_takes_it_the_new_route_says_what_then() {
    let first = giving("sales").await;
    let sales = "    retry_for: 200ms\n    then: {announce: closed, next: hangup}\n";
    let routes = [
        ("test", "/test/{colour}", &*service(first.url()), ""),
        ("sales", "/sales", &*service(format!("grpc://{}", nowhere())), sales),
    ];
    let bridge = Bridge::on(&routes, "");
    let lines = Asterisk::call(bridge.address()).await.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "UNAVAILABLE""#);
    assert_eq!(lines[2..], [r#"STREAM FILE "closed" """#, "HANGUP"]);
}

#[tokio::test]
async fn a_service_that_gave_its_call_away_may_be_lost_with_the_stream() {
    let (second, mut told) = taking().await;
    let first = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send(to("sales", None)).await;
        Err(tonic::Status::internal("a bug"))
    })
    .await;
    let routes = [
        ("test", "/test/{colour}", &*service(first.url()), ""),
        ("sales", "/sales", &*service(second.url()), ""),
    ];
    let bridge = Bridge::on(&routes, "");
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
    assert_eq!(told.recv().await.unwrap().resumption.unwrap().cause(), Cause::Handoff);
}

#[tokio::test]
async fn to_an_existing_fastagi_server_once_its_turn_has_come() {
    let first = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(get_data()).await;
        caller.send_command(noop()).await;
        caller.send(to("/old/menu", Some("state"))).await;
        assert_eq!(caller.ended().await.reason(), Reason::Handoff);
        Ok(())
    })
    .await;
    let old = FastAgi::listen();
    let routes = [
        ("test", "/test/{colour}", &*service(first.url()), ""),
        ("old", "/old/{*rest}", &*service(old.url("/ivr.agi")), ""),
    ];
    let bridge = Bridge::on(&routes, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(GET_DATA));
    let mut program = old.accept().await;
    let prelude = String::from_utf8(program.prelude.clone()).unwrap();
    assert!(prelude.contains("\nagi_network_script: ivr.agi?lang=en\n"), "{prelude}");
    // The prompt of the service before it still runs, and its reply is not for this program.
    program.send("verbose hello\n").await;
    bridge
        .listed("the program", |call| call.route == "old" && call.command == Some("GET DATA"))
        .await;
    asterisk.send("200 result=12\n").await;
    asterisk.expect("verbose hello", "200 result=1\n").await;
    program.hears("200 result=1").await;
    program.half_close().await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    assert_eq!(program.rest().await, b"HANGUP\n");
    bridge
        .counted(r#"agibridge_call_duration_seconds_count{route="old",end_reason="service"} 1"#)
        .await;
}

#[tokio::test]
async fn to_an_existing_script() {
    let first = giving("old").await;
    let script = Script::sh(
        "while read -r line && [ -n \"$line\" ]; do :; done; echo ANSWER; read -r reply; echo VERBOSE \"\\\"$reply\\\"\"; read -r reply",
    );
    let routes = [
        ("test", "/test/{colour}", &*service(first.url()), ""),
        ("old", "/old", &*service(script.url()), ""),
    ];
    let bridge = Bridge::on(&routes, "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.expect("ANSWER", "200 result=0\n").await;
    asterisk.expect(r#"VERBOSE "200 result=0""#, "200 result=1\n").await;
    assert_eq!(asterisk.finish().await, [""; 0]);
    bridge
        .counted(r#"agibridge_stream_opened_total{route="old",transport="script",status="OK"} 1"#)
        .await;
}

#[tokio::test]
async fn the_log_names_the_route_that_the_call_ended_on() {
    let (first, (second, _told)) = (giving("sales").await, taking().await);
    let routes = format!(
        "[{{name: test, path: '/test/{{colour}}', services: [{}]}}, {{name: sales, path: '/sales', services: [{}]}}]",
        service(first.url()),
        service(second.url())
    );
    let mut bridge = Serving::start(&routes).await;
    assert_eq!(Asterisk::call(bridge.agi).await.finish().await, [""; 0]);
    let sought = next(&mut bridge.log, "another service is sought").await;
    assert_eq!((&sought["cause"], &sought["route"]), (&"handoff".into(), &"sales".into()));
    let ended = next(&mut bridge.log, "call ended").await;
    assert_eq!((&ended["route"], &ended["reason"]), (&"sales".into(), &"service".into()));
    assert_eq!(ended["service"], second.address.to_string().as_str());
}
