//! A call is one trace at a collector, whatever the collector does to it.

use crate::harness::{
    Asterisk, Bridge, Collector, FastAgi, Manner, PRELUDE, Service, WebSocketService, attributes,
    collector_variables, command, end, failed, nowhere, only, until,
};
use agi_bridge::{
    proto::{
        Command, GetData, GetVariable, Handoff, Noop, call_control::Control,
        command::Command as Kind,
    },
    telemetry::otlp::Protocol,
    upstream::Format,
};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Mutex, Notify};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const CALL: &str = "agi test";
const STREAM: &str = "agibridge.v1.CallService/HandleCall";
const NOOP: &str = r#"NOOP "s3cret""#;

fn noop() -> Kind {
    Kind::Noop(Noop { text: "s3cret".into() })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn traced() -> String {
    let query = format!("&traceparent=00-{TRACE}-{PARENT}-01&tracestate=a%3Db&baggage=k%3Dv");
    PRELUDE.replace("lang=en", &format!("lang=en{query}"))
}

/// Plays a menu, and ends.
async fn menu() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        caller.run(noop()).await;
        caller
            .run(Kind::GetData(GetData { file: "pin".into(), max_digits: 4, ..GetData::default() }))
            .await;
        caller.run(Kind::GetVariable(GetVariable { name: "PIN".into() })).await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await
}

/// Answers a variable with `s3cret`, whatever the mark around it is.
async fn answer_menu(asterisk: &mut Asterisk) {
    asterisk.expect(NOOP, "200 result=0\n").await;
    asterisk.expect(r#"GET DATA "pin" "0" "4""#, "200 result=4711\n").await;
    let line = asterisk.line().await.unwrap();
    let text = line.split('"').nth(1).unwrap().replace("${PIN}", "s3cret");
    asterisk.send(format!("200 result=1 ({text})\n")).await;
    asterisk.finish().await;
}

#[tokio::test]
async fn a_call_is_one_trace_from_the_url_to_the_service() {
    let collector = Collector::start(Manner::Keeps).await;
    let told = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&told);
    let service = Service::start(move |mut caller| {
        let tell = Arc::clone(&tell);
        async move {
            *tell.lock().await = Some(caller.metadata.clone());
            caller.started().await;
            caller.run(noop()).await;
            caller
                .run(Kind::GetData(GetData {
                    file: "pin".into(),
                    max_digits: 4,
                    ..GetData::default()
                }))
                .await;
            caller.send(end()).await;
            caller.ended().await;
            Ok(())
        }
    })
    .await;
    let bridge = Bridge::with_variables(&[service.url()], "", "", collector.variables());
    let mut asterisk = Asterisk::call_with(bridge.address(), traced()).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    asterisk.expect(r#"GET DATA "pin" "0" "4""#, "200 result=4711\n").await;
    asterisk.finish().await;

    let spans = collector.spans(CALL, 1).await;
    assert_eq!(spans.len(), 4, "{spans:#?}");
    let call = only(&spans, CALL);
    assert_eq!((hex(&call.trace_id), hex(&call.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!((call.kind(), call.trace_state.as_str()), (SpanKind::Server, "a=b"));
    let about = attributes(&call.attributes);
    for (name, value) in [
        ("agibridge.route", "test"),
        ("agibridge.call.end_reason", "service"),
        ("agibridge.call.commands", "2"),
        ("agibridge.channel.name", "Local/100@lab-00000001;1"),
        ("agibridge.channel.unique_id", "1795219769.0"),
        ("agibridge.channel.type", "Local"),
    ] {
        assert_eq!(about.get(name).map(String::as_str), Some(value), "{about:?}");
    }

    let stream = only(&spans, STREAM);
    assert_eq!(stream.kind(), SpanKind::Client);
    let about = attributes(&stream.attributes);
    for (name, value) in [
        ("rpc.system.name", "grpc".to_owned()),
        ("rpc.method", STREAM.to_owned()),
        ("rpc.status_code", "OK".to_owned()),
        ("server.address", "127.0.0.1".to_owned()),
        ("server.port", service.address.port().to_string()),
        ("network.peer.address", "127.0.0.1".to_owned()),
        ("agibridge.service.endpoint", service.address.to_string()),
        ("agibridge.transport", "grpc".to_owned()),
    ] {
        assert_eq!(about.get(name), Some(&value), "{about:?}");
    }
    let metadata = told.lock().await.take().unwrap();
    let said = |name: &str| metadata.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(said("traceparent"), format!("00-{TRACE}-{}-01", hex(&stream.span_id)));
    assert_eq!((said("tracestate"), said("baggage")), ("a=b".into(), "k=v".into()));

    let data = only(&spans, "AGI GET DATA");
    let about = attributes(&data.attributes);
    assert_eq!(about["agibridge.command.outcome"], "digits");
    assert_eq!(
        (&*about["agibridge.command.id"], &*about["agibridge.command.name"]),
        ("2", "GET DATA")
    );
    assert!(about["agibridge.command.queue_duration"].parse::<f64>().unwrap() < 20.0);
    for span in [stream, data, only(&spans, "AGI NOOP")] {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&call.trace_id, &call.span_id));
        assert!(span.start_time_unix_nano >= call.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= call.end_time_unix_nano);
        assert_eq!(
            attributes(&span.attributes)["agibridge.call.id"],
            attributes(&call.attributes)["agibridge.call.id"]
        );
    }
    assert!(!spans.iter().any(failed));
    let resource = collector.resource();
    assert_eq!(
        (&*resource["service.name"], &*resource["service.version"]),
        ("agibridge", env!("CARGO_PKG_VERSION"))
    );
    bridge.counted("agibridge_telemetry_spans_exported_total 4").await;
}

#[tokio::test]
async fn no_digit_no_value_and_no_text_is_in_a_span_and_a_number_only_where_it_may_be() {
    for (allowed, sections) in [(false, ""), (true, "telemetry: {caller_numbers: true}")] {
        let collector = Collector::start(Manner::Keeps).await;
        let service = menu().await;
        let bridge = Bridge::with_variables(&[service.url()], "", sections, collector.variables());
        let mut asterisk = Asterisk::call(bridge.address()).await;
        answer_menu(&mut asterisk).await;
        let spans = collector.spans(CALL, 1).await;
        assert_eq!(spans.len(), 5);
        let text = format!("{spans:?}");
        for secret in ["4711", "s3cret", "pin", "PIN", "Alice"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        let number = attributes(&only(&spans, CALL).attributes).remove("agibridge.caller.number");
        assert_eq!(number.as_deref(), allowed.then_some("3200"));
    }
}

#[tokio::test]
async fn a_command_is_a_child_of_the_span_that_it_came_with() {
    const OTHER: &str = "11111111111111111111111111111111";
    let collector = Collector::start(Manner::Keeps).await;
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        for (id, trace) in [(1, TRACE), (2, OTHER)] {
            let context = HashMap::from([
                ("traceparent".to_owned(), format!("00-{trace}-2222222222222222-01")),
                ("tracestate".to_owned(), "s=1".to_owned()),
            ]);
            let command =
                Command { id, command: Some(noop()), trace_context: context, ..Command::default() };
            caller.send(Control::Command(command)).await;
            caller.result().await;
        }
        let unsampled =
            HashMap::from([("traceparent".to_owned(), format!("00-{TRACE}-2222222222222222-00"))]);
        let command = Command {
            id: 3,
            command: Some(noop()),
            trace_context: unsampled,
            ..Command::default()
        };
        caller.send(Control::Command(command)).await;
        caller.result().await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::with_variables(&[service.url()], "", "", collector.variables());
    let mut asterisk = Asterisk::call_with(bridge.address(), traced()).await;
    for _ in 0..3 {
        asterisk.expect(NOOP, "200 result=0\n").await;
    }
    asterisk.finish().await;
    let spans = collector.spans(CALL, 1).await;
    let call = only(&spans, CALL);
    let commands: Vec<&Span> = spans.iter().filter(|span| span.name == "AGI NOOP").collect();
    assert_eq!(commands.len(), 2, "the third is not recorded, as its parent wants it");
    for (command, trace) in commands.iter().zip([TRACE, OTHER]) {
        assert_eq!(hex(&command.trace_id), trace);
        assert_eq!(hex(&command.parent_span_id), "2222222222222222");
        assert_eq!(command.trace_state, "s=1");
    }
    assert!(commands[0].links.is_empty());
    assert_eq!(commands[1].links[0].span_id, call.span_id, "another trace leads to the call");
}

#[tokio::test]
async fn a_service_that_takes_over_links_to_the_one_before() {
    let collector = Collector::start(Manner::Keeps).await;
    let first = Service::start(|mut caller| async move {
        caller.started().await;
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
            caller.resumed().await;
            tell.notify_one();
            caller.result().await;
            let handoff = Handoff { route: "other".into(), ..Handoff::default() };
            caller.send(Control::Handoff(handoff)).await;
            while caller.event().await.is_some() {}
            Ok(())
        }
    })
    .await;
    let third = WebSocketService::start(Format::Json, |mut caller| async move {
        caller.resumed().await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let at = |url: String| format!("{{url: \"{url}\"}}");
    let services = [at(first.url()), at(second.url())].join(", ");
    let routes =
        [("test", "/test/{colour}", &*services, ""), ("other", "/other", &*at(third.url()), "")];
    let bridge = Bridge::on_with_variables(&routes, "", collector.variables());
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(NOOP));
    first.kill().await;
    resumed.notified().await;
    asterisk.send("200 result=0\n").await;
    asterisk.finish().await;

    let spans = collector.spans("agi other", 1).await;
    let mut streams: Vec<&Span> = spans.iter().filter(|span| span.name == STREAM).collect();
    streams.sort_by_key(|span| span.start_time_unix_nano);
    let about = |span: &Span| attributes(&span.attributes);
    assert!(failed(streams[0]) && about(streams[0])["rpc.status_code"] != "OK");
    assert_eq!(about(streams[0])["error.type"], about(streams[0])["rpc.status_code"]);
    let taken: Vec<&Span> = streams
        .iter()
        .copied()
        .filter(|span| about(span).contains_key("agibridge.service.endpoint"))
        .collect();
    assert_eq!(taken.len(), 3, "{streams:#?}");
    assert!(taken[0].links.is_empty());
    assert_eq!(taken[1].links[0].span_id, taken[0].span_id);
    assert_eq!(taken[2].links[0].span_id, taken[1].span_id);
    for (span, attempt, cause) in [(taken[1], "1", "service_lost"), (taken[2], "2", "handoff")] {
        assert_eq!(about(span)["agibridge.resumption.attempt"], attempt);
        assert_eq!(about(span)["agibridge.resumption.cause"], cause);
        assert!(!failed(span));
    }
    assert_eq!(about(taken[2])["agibridge.transport"], "websocket");
    assert_eq!(about(taken[2])["agibridge.route"], "other");
    // Its result was told to another service than had asked: its span is as long as it took.
    let command = only(&spans, "AGI NOOP");
    assert!(command.end_time_unix_nano >= taken[1].start_time_unix_nano);
    assert!(command.start_time_unix_nano <= taken[0].end_time_unix_nano);
}

#[tokio::test]
async fn what_fails_is_an_error_and_what_merely_ends_is_none() {
    let collector = Collector::start(Manner::Keeps).await;
    let gone = format!("grpc://{}", nowhere());
    let bridge =
        Bridge::with_variables(&[gone], "    retry_for: 100ms\n", "", collector.variables());
    let mut asterisk = Asterisk::call(bridge.address()).await;
    asterisk.finish().await;
    let spans = collector.spans(CALL, 1).await;
    let call = only(&spans, CALL);
    assert!(failed(call));
    assert_eq!(attributes(&call.attributes)["error.type"], "unavailable");
    let attempt = spans.iter().find(|span| span.name == STREAM).unwrap();
    assert!(failed(attempt));
    assert_eq!(attributes(&attempt.attributes)["error.type"], "connect");
    let mut own = spans.iter().filter(|span| span.name == "AGI SET VARIABLE");
    assert!(own.next().is_some_and(|own| own.parent_span_id == call.span_id));

    let mut asterisk = Asterisk::call_to(bridge.address(), "/nowhere").await;
    asterisk.finish().await;
    let spans = collector.spans("agi", 1).await;
    assert_eq!(attributes(&only(&spans, "agi").attributes)["error.type"], "no_route");

    let collector = Collector::start(Manner::Keeps).await;
    let service = Service::start(|mut caller| async move {
        caller.started().await;
        caller.send_command(noop()).await;
        caller.send(command(2, Kind::Noop(Noop { text: "a\nb".into() }))).await;
        while caller.event().await.is_some() {}
        Ok(())
    })
    .await;
    let bridge = Bridge::with_variables(&[service.url()], "", "", collector.variables());
    let mut asterisk = Asterisk::call(bridge.address()).await;
    assert_eq!(asterisk.line().await.as_deref(), Some(NOOP));
    asterisk.send("HANGUP\n200 result=0\n").await;
    asterisk.close().await;
    let spans = collector.spans(CALL, 1).await;
    assert!(!failed(only(&spans, CALL)) && !failed(only(&spans, STREAM)));
    assert_eq!(attributes(&only(&spans, CALL).attributes)["agibridge.call.end_reason"], "hangup");
}

#[tokio::test]
async fn a_program_gets_the_trace_as_one_more_argument_where_its_route_says_so() {
    let collector = Collector::start(Manner::Keeps).await;
    let server = FastAgi::listen();
    let lines = "    trace_argument: true\n";
    let bridge = Bridge::with_variables(&[server.url("")], lines, "", collector.variables());
    let mut asterisk = Asterisk::call_with(bridge.address(), traced()).await;
    let mut program = server.accept().await;
    let prelude = String::from_utf8(program.prelude.clone()).unwrap();
    let mut said = prelude.lines().filter_map(|line| line.strip_prefix("agi_arg_2: traceparent="));
    let said = said.next().unwrap().to_owned();
    assert!(prelude.contains("agi_arg_1: one\n"), "{prelude}");
    program.send("NOOP x\n").await;
    asterisk.expect("NOOP x", "200 result=0\n").await;
    program.hears("200 result=0").await;
    program.half_close().await;
    asterisk.finish().await;
    let spans = collector.spans(CALL, 1).await;
    let stream = only(&spans, "FastAGI");
    assert_eq!(said, format!("00-{TRACE}-{}-01", hex(&stream.span_id)));
    let noop = only(&spans, "AGI NOOP");
    assert_eq!(noop.parent_span_id, only(&spans, CALL).span_id);
    assert_eq!(attributes(&noop.attributes)["agibridge.command.outcome"], "raw");
}

/// Runs one command.
async fn short() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        caller.run(noop()).await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await
}

const ASKS: &str = "    trace_variable: true\n";

/// What Asterisk answers to the question for the variable that holds `value`.
async fn variable(asterisk: &mut Asterisk, value: &str) -> String {
    let line = asterisk.line().await.unwrap();
    let text = line.strip_prefix("GET FULL VARIABLE \"").and_then(|rest| rest.strip_suffix('"'));
    let text = text.unwrap_or_else(|| panic!("{line}"));
    assert!(text.contains("${TRACEPARENT}"), "{line}");
    format!("200 result=1 ({})\n", text.replace("${TRACEPARENT}", value))
}

#[tokio::test]
async fn a_call_continues_the_trace_of_its_channel_where_its_route_asks_for_it() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = short().await;
    let bridge = Bridge::with_variables(&[service.url()], ASKS, "", collector.variables());
    let good = format!("00-{TRACE}-{PARENT}-01");
    let long = "x".repeat(100_000);
    let values = [&*good, "", "00-zz", "x)\n200 result=0\nHANGUP\n511 dead", "HANGUP\n", &*long];
    for (index, value) in values.iter().enumerate() {
        let mut asterisk = Asterisk::call(bridge.address()).await;
        let answer = variable(&mut asterisk, value).await;
        asterisk.send(answer).await;
        asterisk.expect(NOOP, "200 result=0\n").await;
        asterisk.finish().await;
        let spans = collector.spans(CALL, index + 1).await;
        let call = spans.iter().rfind(|span| span.name == CALL).unwrap();
        let (trace, parent) = (hex(&call.trace_id), hex(&call.parent_span_id));
        if *value == good {
            assert_eq!((&*trace, &*parent), (TRACE, PARENT));
        } else {
            assert_ne!(trace, TRACE, "{value:?}");
            assert_eq!(parent, "", "{value:?}");
        }
        assert_eq!(attributes(&call.attributes)["agibridge.call.end_reason"], "service");
    }
}

#[tokio::test]
async fn the_channel_is_not_asked_where_the_url_names_the_trace() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = short().await;
    let bridge = Bridge::with_variables(&[service.url()], ASKS, "", collector.variables());
    let mut asterisk = Asterisk::call_with(bridge.address(), traced()).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    asterisk.finish().await;
    assert_eq!(hex(&only(&collector.spans(CALL, 1).await, CALL).trace_id), TRACE);
}

#[tokio::test]
async fn a_caller_who_hangs_up_while_the_channel_is_asked_has_hung_up() {
    for after in [false, true] {
        let collector = Collector::start(Manner::Keeps).await;
        let service = Service::start(|mut caller| async move {
            caller.started().await;
            while caller.event().await.is_some() {}
            Ok(())
        })
        .await;
        let bridge = Bridge::with_variables(&[service.url()], ASKS, "", collector.variables());
        let mut asterisk = Asterisk::call(bridge.address()).await;
        let answer = variable(&mut asterisk, "").await;
        let said = if after { answer + "HANGUP\n" } else { format!("HANGUP\n{answer}") };
        asterisk.send(said).await;
        asterisk.finish().await;
        let spans = collector.spans(CALL, 1).await;
        let call = attributes(&only(&spans, CALL).attributes);
        assert_eq!(call["agibridge.call.end_reason"], "hangup");
    }
}

#[tokio::test]
async fn a_drain_that_begins_while_the_channel_is_asked_turns_the_call_away() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = short().await;
    let bridge = Bridge::with_variables(&[service.url()], ASKS, "", collector.variables());
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let answer = variable(&mut asterisk, "").await;
    let metrics = Arc::clone(bridge.app().metrics());
    let (_drained, _hurry) = bridge.drain();
    let begun = || {
        metrics
            .page(agi_bridge::telemetry::metrics::Format::Text)
            .contains("\nagibridge_drain_begin_timestamp_seconds ")
    };
    until("the drain", begun).await;
    asterisk.send(answer).await;
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "DRAINING""#);
}

#[tokio::test]
async fn an_answer_that_is_none_costs_its_own_connection() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = short().await;
    let bridge = Bridge::with_variables(&[service.url()], ASKS, "", collector.variables());
    for answer in [&b"rubbish\n200 result=1 (x)\n"[..], b"200 result=1 (no mark)\n", b"HANG"] {
        let mut asterisk = Asterisk::call(bridge.address()).await;
        asterisk.line().await.unwrap();
        asterisk.send(answer).await;
        asterisk.close().await;
    }
    bridge.counted("agibridge_call_rejected_total{reason=\"protocol_error\"} 3").await;
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let answer = variable(&mut asterisk, "").await;
    asterisk.send(answer).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    asterisk.finish().await;
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_leaves_nothing_and_says_so_to_the_service() {
    let collector = Collector::start(Manner::Keeps).await;
    let service = Service::start(|mut caller| async move {
        let told = caller.metadata.get("traceparent").unwrap().to_str().unwrap().to_owned();
        assert!(told.ends_with("-00"), "{told}");
        caller.started().await;
        caller.run(noop()).await;
        caller.send(end()).await;
        caller.ended().await;
        Ok(())
    })
    .await;
    let bridge = Bridge::with_variables(&[service.url()], "", "", collector.variables());
    let unsampled = traced().replace(&format!("{PARENT}-01"), &format!("{PARENT}-00"));
    let mut asterisk = Asterisk::call_with(bridge.address(), unsampled).await;
    asterisk.expect(NOOP, "200 result=0\n").await;
    asterisk.finish().await;
    until("the call to end", || bridge.app().registry().active() == 0).await;
    let (done, _) = bridge.drain();
    done.await.unwrap();
    assert_eq!(collector.requests(), 0);
}

#[tokio::test]
async fn whatever_a_collector_does_calls_go_on_and_the_loss_is_counted() {
    for manner in [Some(Manner::Rejects), Some(Manner::Refuses), Some(Manner::NeverAnswers), None] {
        let collector = match manner {
            Some(manner) => Some(Collector::start(manner).await),
            None => None,
        };
        let address = collector.as_ref().map_or_else(nowhere, |it| it.address);
        let mut variables = collector_variables(address, Protocol::Grpc);
        variables.push(("OTEL_EXPORTER_OTLP_TIMEOUT", "50".to_owned()));
        variables.push(("OTEL_BSP_EXPORT_TIMEOUT", "200".to_owned()));
        let service = menu().await;
        let bridge = Bridge::with_variables(&[service.url()], "", "", variables);
        let mut asterisk = Asterisk::call(bridge.address()).await;
        answer_menu(&mut asterisk).await;
        until("the loss to be counted", || {
            let lost: u64 = bridge
                .metrics("agibridge_telemetry_spans_dropped_total{reason=\"export_failed\"}")
                .iter()
                .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
                .sum();
            lost == 5
        })
        .await;
        bridge.counted("agibridge_telemetry_spans_exported_total 0").await;
    }
}

#[tokio::test]
async fn a_full_queue_drops_spans_and_no_calls() {
    let collector = Collector::start(Manner::NeverAnswers).await;
    let mut variables = collector.variables();
    variables.push(("OTEL_BSP_MAX_QUEUE_SIZE", "2".to_owned()));
    let service = menu().await;
    let bridge = Bridge::with_variables(&[service.url()], "", "", variables);
    for _ in 0..3 {
        let mut asterisk = Asterisk::call(bridge.address()).await;
        answer_menu(&mut asterisk).await;
    }
    until("spans to be dropped", || {
        let lines =
            bridge.metrics("agibridge_telemetry_spans_dropped_total{reason=\"queue_full\"}");
        lines.iter().any(|line| !line.ends_with(" 0"))
    })
    .await;
}

#[tokio::test]
async fn what_waits_leaves_before_the_bridge_ends() {
    let collector = Collector::start(Manner::Keeps).await;
    let mut variables = collector.variables();
    variables.push(("OTEL_BSP_SCHEDULE_DELAY", "3600000".to_owned()));
    variables.push(("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()));
    variables.push(("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b".to_owned()));
    variables.push(("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=p,service.name=x".to_owned()));
    let service = menu().await;
    let sections = "shutdown: {linger: 0s}\n";
    let bridge = Bridge::with_variables(&[service.url()], "", sections, variables);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    answer_menu(&mut asterisk).await;
    until("the call to end", || bridge.app().registry().active() == 0).await;
    let (done, _) = bridge.drain();
    done.await.unwrap();
    assert_eq!(collector.spans(CALL, 1).await.len(), 5);
    assert_eq!(collector.header("x-key").as_deref(), Some("a b"));
    let resource = collector.resource();
    assert_eq!((&*resource["k8s.pod.name"], &*resource["service.name"]), ("p", "x"));
}
