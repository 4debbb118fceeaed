//! The recorder, alone: what is kept of a call, what of it is shown to whom, and for how long.

use super::*;
use crate::{
    agi::Request,
    call::{AtAsterisk, Outcome},
    proto::{
        CallControl, CallEvent, Channel, Command, CommandResult, DigitsResult, GetData, Handoff,
        SetVariable, call_control::Control, call_ended::Reason, call_event::Event,
        command::Command as Kind, command_result, resumption::Cause,
    },
    redact::Redact,
    route::{Policy, Remote, Route, Service, Target, When},
    telemetry::trace::TraceContext,
};
use std::time::SystemTime;

const START: Limits = Limits { calls: 3, bytes: 1 << 20 };

#[test]
fn a_command_is_noted_from_its_coming_to_its_answer() {
    let recorder = Recorder::new(START);
    let record = call(&recorder, 1, Redact::default());
    record.taken(&"10.0.0.7:50051".into(), ms(1));
    record.control(&command(1, get_data()), ms(5));
    record.control(&command(2, set("PIN", "4711")), ms(6));
    record.written(AtAsterisk::Service { id: 1 }, b"GET DATA \"pin\"\n", ms(7));
    record.told(&digits(1, "4711"), ms(900));

    let view = record.view(0, Reader::Entitled);
    assert_eq!(view.services, ["10.0.0.7:50051"]);
    let [taken, pin, set] = view.entries.as_slice() else { panic!("{view:#?}") };
    assert_eq!((taken.kind.as_str(), taken.text.as_str()), ("taken", "10.0.0.7:50051"));
    assert_eq!((pin.command.as_deref(), pin.written), (Some("GET DATA"), Some(ms(7))));
    let answer = pin.answer.as_ref().unwrap();
    assert_eq!(
        (answer.outcome.as_str(), answer.text.as_str(), answer.at),
        ("digits", "digits=••••", ms(900))
    );
    assert_eq!((set.text.as_str(), set.written, &set.answer), ("name=PIN value=•••", None, &None));

    assert!(record.view(view.revision, Reader::Entitled).entries.is_empty());
    record.written(AtAsterisk::Service { id: 2 }, b"SET VARIABLE\n", ms(901));
    let news = record.view(view.revision, Reader::Entitled).entries;
    assert_eq!(news.iter().map(|entry| entry.number).collect::<Vec<_>>(), [3]);
}

#[test]
fn what_a_route_does_not_mask_is_for_those_who_may_change_things() {
    let recorder = Recorder::new(START);
    let record = call(&recorder, 1, Redact::NOTHING);
    record.control(&command(1, set("PIN", "4711")), ms(5));
    let entitled = serde_json::to_string(&record.view(0, Reader::Entitled)).unwrap();
    assert!(entitled.contains("4711") && entitled.contains("3200"), "{entitled}");
    let view = record.view(0, Reader::Anybody);
    let anybody = serde_json::to_string(&view).unwrap();
    assert!(!anybody.contains("4711") && !anybody.contains("3200") && view.hidden, "{anybody}");
    assert!(anybody.contains("SET VARIABLE"), "{anybody}");
}

#[test]
fn what_a_route_masks_is_nowhere() {
    let recorder = Recorder::new(START);
    let record = call(&recorder, 1, Redact::ALL);
    record.control(&command(1, set("PIN", "4711")), ms(5));
    record.told(&digits(1, "4711"), ms(6));
    recorder.end(&record, &outcome(), ms(10));
    for kept in
        [format!("{record:?}"), serde_json::to_string(&record.view(0, Reader::Entitled)).unwrap()]
    {
        for secret in ["4711", "3200", "Alice", "s3cret"] {
            assert!(!kept.contains(secret), "{secret}: {kept}");
        }
    }
}

#[test]
fn a_call_that_goes_to_a_stricter_route_is_masked_from_its_beginning() {
    let recorder = Recorder::new(START);
    let record = call(&recorder, 1, Redact::NOTHING);
    record.control(&command(1, set("PIN", "4711")), ms(5));
    let handoff = Handoff { route: "/strict/4711".into(), state: None };
    record.control(&CallControl { control: Some(Control::Handoff(handoff)) }, ms(6));
    record.sought(Cause::Handoff, 1, &route("strict", Redact::ALL), ms(6));
    let view = record.view(0, Reader::Entitled);
    let text = serde_json::to_string(&view).unwrap();
    assert!(!text.contains("4711") && !text.contains("3200") && !text.contains("s3cret"), "{text}");
    assert_eq!((view.route.as_str(), view.redact), ("strict", vec!["digits", "values", "numbers"]));
    assert_eq!(view.entries.last().unwrap().text, "cause=handoff attempt=1 route=strict");
}

#[test]
fn only_the_last_calls_are_kept_newest_first_in_pages() {
    let recorder = Recorder::new(START);
    for id in 1..=5 {
        recorder.end(&call(&recorder, id, Redact::default()), &outcome(), ms(10));
    }
    let query = EndedQuery { limit: 2, ..EndedQuery::default() };
    let page = recorder.ended(&query, Reader::Anybody);
    let ids =
        |page: &EndedPage| page.calls.iter().map(|it| it.call_id.as_u128()).collect::<Vec<_>>();
    assert_eq!((ids(&page), page.total, page.truncated), (vec![5, 4], 5, true));
    let next = EndedQuery { before: Some(page.calls[1].number), ..query };
    let page = recorder.ended(&next, Reader::Anybody);
    assert_eq!((ids(&page), page.truncated), (vec![3], false));
    assert_eq!(page.calls[0].caller_number, None);
    assert_eq!(
        recorder.ended(&next, Reader::Entitled).calls[0].caller_number.as_deref(),
        Some("3200")
    );
    let other = EndedQuery { route: Some("other".into()), ..query_all() };
    assert_eq!(recorder.ended(&other, Reader::Anybody).calls, []);

    assert_eq!(recorder.find(&Uuid::from_u128(1).to_string()).unwrap_err(), NotOne::Unknown);
    assert_eq!(recorder.find("0000").unwrap_err(), NotOne::Ambiguous(3));
    let id = Uuid::from_u128(4).simple().to_string();
    assert_eq!(recorder.find(&id).unwrap().call_id(), Uuid::from_u128(4));
}

#[test]
fn bytes_are_bounded_and_a_reload_may_switch_it_off() {
    let recorder = Recorder::new(Limits { calls: 1_000, bytes: 100_000 });
    for id in 1..=100 {
        let record = call(&recorder, id, Redact::NOTHING);
        for number in 1..=20 {
            record.control(&command(number, set("X", &"x".repeat(100_000))), ms(1));
        }
        recorder.end(&record, &outcome(), ms(10));
    }
    let page = recorder.ended(&query_all(), Reader::Anybody);
    assert!(
        page.bytes <= 100_000 && page.calls.len() > 5,
        "{} bytes, {}",
        page.bytes,
        page.calls.len()
    );

    recorder.set_limits(Limits { calls: 0, ..START });
    let page = recorder.ended(&query_all(), Reader::Anybody);
    assert_eq!((page.is_on, page.calls.len(), page.bytes), (false, 0, 0));
    assert!(recorder.begin(|| unreachable!("nothing is noted")).is_none());
}

#[test]
fn a_route_is_told_by_how_its_calls_ended_and_how_fast_its_service_was() {
    let recorder = Recorder::new(START);
    let record = call(&recorder, 1, Redact::default());
    record.taken(&"s".into(), ms(10));
    record.control(&command(1, get_data()), ms(40));
    record.told(&digits(1, "1"), ms(100));
    record.control(&command(2, get_data()), ms(350));
    recorder.end(&record, &outcome(), ms(1000));
    let tallies = recorder.tallies();
    let tally = &tallies["test"];
    assert_eq!((tally.calls, tally.reasons["hangup"], tally.blames["caller"]), (1, 1, 1));
    let seconds = [tally.setup, tally.thinking, tally.duration].map(|it| it.unwrap().max);
    assert_eq!(seconds, [0.04, 0.25, 1.0]);
}

#[test]
fn lines_of_a_program_are_noted_by_name_unless_its_route_masks_nothing() {
    let recorder = Recorder::new(START);
    for (redact, expected) in [(Redact::default(), ""), (Redact::NOTHING, "SET VARIABLE PIN 4711")]
    {
        let record = call(&recorder, 1, redact);
        record.written(AtAsterisk::Program("SET VARIABLE"), b"SET VARIABLE PIN 4711\n", ms(1));
        record.answered(200, Some(ms(2)), ms(3));
        let entries = record.view(0, Reader::Entitled).entries;
        assert_eq!(
            (entries[0].command.as_deref(), entries[0].text.as_str()),
            (Some("SET VARIABLE"), expected)
        );
        assert_eq!(entries[0].answer.as_ref().unwrap().outcome, "done");
    }
}

fn query_all() -> EndedQuery {
    EndedQuery { limit: 1_000, ..EndedQuery::default() }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn outcome() -> Outcome {
    Outcome {
        reason: Reason::Hangup,
        status: None,
        detail: "the caller hung up".into(),
        commands: 2,
        dead_air: Duration::ZERO,
    }
}

fn command(id: u32, kind: Kind) -> CallControl {
    let command = Command { id, command: Some(kind), ..Command::default() };
    CallControl { control: Some(Control::Command(command)) }
}

fn get_data() -> Kind {
    Kind::GetData(GetData { file: "pin".into(), ..GetData::default() })
}

fn set(name: &str, value: &str) -> Kind {
    Kind::SetVariable(SetVariable { name: name.into(), value: value.into() })
}

fn digits(id: u32, digits: &str) -> CallEvent {
    let outcome = DigitsResult { digits: digits.into(), timed_out: false };
    let outcome = Some(command_result::Outcome::Digits(outcome));
    let result = CommandResult { id, outcome, ..CommandResult::default() };
    CallEvent { event: Some(Event::Result(result)) }
}

fn route(name: &str, redact: Redact) -> Route {
    let service = Service {
        url: "grpc://h:1".into(),
        target: Target::Grpc(Remote { host: "h".into(), port: 1, tls: None }),
        token: None,
        headers: Vec::new(),
        weight: None,
        max_streams_per_connection: 100,
        keepalive_interval: ms(30_000),
        keepalive_timeout: ms(10_000),
        max_processes: 100,
    };
    Route {
        name: name.into(),
        path: "/{*rest}".into(),
        when: When::default(),
        services: vec![Arc::new(service)],
        policy: Policy { redact, ..Policy::default() },
    }
}

fn call(recorder: &Recorder, id: u128, redact: Redact) -> Arc<Record> {
    let channel = Channel {
        name: "PJSIP/alice-1".into(),
        caller_id_number: "3200".into(),
        caller_id_name: "Alice".into(),
        ..Channel::default()
    };
    let request = Request { path: "/s3cret".into(), query: vec![("pin".into(), "4711".into())] };
    let route = route("test", redact);
    let begun = || Begun {
        call_id: Uuid::from_u128(id),
        trace_id: TraceContext::root().trace_id,
        accepted_at: SystemTime::UNIX_EPOCH,
        route: &route,
        request: &request,
        channel: &channel,
        arguments: vec!["4711".into()],
    };
    recorder.begin(begun).unwrap()
}
