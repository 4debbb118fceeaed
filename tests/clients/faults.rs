//! What only a strange bridge does: a newer contract, streams that break off, rubbish. A scripted bridge dials each
//! language's gRPC server, and each must tell its user what is the matter, and serve on.

use crate::{
    column::{Column, Serving, listening},
    judge,
    table::{Cell, Table},
    told,
};
use agi_bridge::proto::{
    CallControl, CallEnded, CallEvent, CallStarted, Channel, ChannelStatusResult, Command,
    CommandError, CommandResult, Done, Hangup, QueryParameter, call_control::Control,
    call_event::Event, command_result::Outcome,
};
use bytes::{Buf, BufMut, Bytes};
use futures_util::future::join_all;
use kit::{bridge::Bridge, clients, program::Program};
use prost::Message;
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Endpoint,
};

const LIMIT: Duration = Duration::from_secs(60);

/// One way to misbehave, and what a program must tell of the call.
struct Case {
    name: &'static str,
    script: Value,
    /// Sent before anything is answered.
    first: Vec<Bytes>,
    /// What comes back for the n-th command; empty: the connection breaks off.
    answer: fn(u32) -> Vec<Bytes>,
    /// A part of what is told of the call; null: there is no call.
    told: Value,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strange_bridge_costs_its_own_call_alone_in_every_language() {
    let columns: Vec<Column> = Column::ALL
        .into_iter()
        .filter(|column| column.serving == Serving::Grpc && column.is_asked_for())
        .collect();
    let cases = cases();
    let folder = TempDir::new().unwrap();
    for case in &cases {
        let file = folder.path().join(format!("{}.json", case.name));
        fs::write(file, case.script.to_string()).unwrap();
    }
    let rows =
        join_all(columns.iter().map(|column| column_of(*column, &cases, folder.path()))).await;
    let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
    let mut table = Table::new(&columns);
    for case in &cases {
        let cells = rows.iter_mut().map(|row| row.next().unwrap()).collect();
        table.add(case.name.to_owned(), cells);
    }
    table.say();
    assert!(table.is_clean(), "{}", table.faults().join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_a_wrong_token_is_told_what_to_do_in_every_language() {
    let api = "api: {listen: \"127.0.0.1:0\", workers: [{groups: [kit], token: right}]}\n\
               routes:\n- {name: kit, path: /kit, services: [{url: \"worker://kit\"}]}\n";
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), api).await;
    let address = bridge.api().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let languages = clients::LANGUAGES
        .into_iter()
        .filter(|language| Column { language, serving: Serving::Worker }.is_asked_for());
    let tries = languages.map(|language| {
        let (address, folder) = (address.clone(), folder.path().to_string_lossy().into_owned());
        async move {
            let launcher = clients::launcher(language, "conformance");
            let program = Program::start(launcher, &["worker", &folder, &address, "wrong"]);
            let advises = |line: &str| line.to_lowercase().contains("token").then_some(());
            program.wait_for(LIMIT, "that the token is wrong", advises).await;
            let status = program.wait_until_ended(LIMIT).await;
            assert_eq!(status.code(), Some(1), "{language}: {status}");
        }
    });
    join_all(tries).await;
}

fn cases() -> Vec<Case> {
    let noop = || json!({"command": {"noop": {}}});
    let done = json!({"done": {}});
    let errors: Vec<Value> = ERRORS.iter().map(|code| error(code)).collect();
    vec![
        Case {
            name: "newer-event",
            script: json!([noop(), noop()]),
            first: vec![started("newer-event"), newer_event()],
            answer: |id| vec![newer_event(), with_newer_field(result(id, Outcome::Done(Done {})))],
            told: json!({"results": [done, done], "handler": "returned"}),
        },
        Case {
            name: "unknown-enums",
            script: json!([noop(), {"command": {"channelStatus": {}}}, noop()]),
            first: vec![started("unknown-enums")],
            answer: |id| match id {
                1 => vec![event(result(id, failed(77)))],
                2 => {
                    let state = ChannelStatusResult { state: 42 };
                    vec![event(result(id, Outcome::ChannelStatus(state)))]
                }
                _ => {
                    let hangup = Hangup { source: 9, grace: None };
                    vec![event(Event::Hangup(hangup)), event(result(id, Outcome::Done(Done {})))]
                }
            },
            told: json!({"results": [error("UNKNOWN(77)"), {"channelStatus": {}}, done], "handler": "returned"}),
        },
        Case {
            name: "every-error-code",
            script: ERRORS.iter().map(|_| noop()).collect(),
            first: vec![started("every-error-code")],
            answer: |id| {
                let code = CommandError::CODES[id as usize - 1];
                vec![event(result(id, failed(code)))]
            },
            told: json!({"results": errors, "handler": "returned"}),
        },
        Case {
            name: "cut-off",
            script: json!([noop(), noop()]),
            first: vec![started("cut-off")],
            answer: |id| {
                if id == 1 { vec![event(result(id, Outcome::Done(Done {})))] } else { Vec::new() }
            },
            told: json!({"results": [done, error("LOST")], "handler": "lost"}),
        },
        Case {
            name: "no-started",
            script: json!([]),
            first: vec![event(result(1, Outcome::Done(Done {})))],
            answer: |_| Vec::new(),
            told: Value::Null,
        },
        Case {
            name: "stray-results",
            script: json!([noop(), noop()]),
            first: vec![
                started("stray-results"),
                event(result(999, Outcome::Done(Done {}))),
                started("stray-results"),
            ],
            answer: |id| {
                let own = event(result(id, Outcome::Done(Done {})));
                vec![event(result(id + 50, failed(10))), own.clone(), own]
            },
            told: json!({"results": [done, done], "handler": "returned"}),
        },
        Case {
            name: "no-outcome",
            script: json!([noop(), noop()]),
            first: vec![started("no-outcome")],
            answer: |id| match id {
                1 => vec![event(Event::Result(CommandResult { id, ..CommandResult::default() }))],
                _ => vec![event(result(id, Outcome::Done(Done {})))],
            },
            told: json!({"results": [{}, done], "handler": "returned"}),
        },
        Case {
            name: "other-outcome",
            script: json!([{"command": {"getData": {"file": "beep"}}}, noop()]),
            first: vec![started("other-outcome")],
            answer: |id| vec![event(result(id, Outcome::Done(Done {})))],
            told: json!({"results": [{}, done], "handler": "returned"}),
        },
        Case {
            name: "rubbish",
            script: json!([noop()]),
            first: vec![started("rubbish")],
            answer: |_| vec![Bytes::from_static(&[0xff; 64])],
            told: json!({"results": [error("LOST")], "handler": "lost"}),
        },
    ]
}

/// In the order of [`CommandError::CODES`].
const ERRORS: [&str; 13] = [
    "CODE_INVALID_ARGUMENT",
    "CODE_NOT_ALLOWED",
    "CODE_QUEUE_FULL",
    "CODE_SKIPPED",
    "CODE_CANCELLED",
    "CODE_TIMED_OUT",
    "CODE_UNKNOWN_COMMAND",
    "CODE_USAGE",
    "CODE_FAILED",
    "CODE_CALL_ENDED",
    "CODE_NO_SUCH_APPLICATION",
    "CODE_PROTOCOL_ERROR",
    "CODE_HUNG_UP",
];

trait Codes {
    /// The contract's numbers, that of the hangup last: what comes after it may be told otherwise.
    const CODES: [i32; 13];
}

impl Codes for CommandError {
    const CODES: [i32; 13] = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 7];
}

/// All cases with one program, one after the other: it must serve on.
async fn column_of(column: Column, cases: &[Case], scripts: &Path) -> Vec<Cell> {
    let launcher = clients::launcher(column.language, "conformance");
    let program = Program::start(launcher, &["grpc", &scripts.to_string_lossy()]);
    let address = program.wait_for(LIMIT, "where it listens", listening).await;
    let mut cells = Vec::new();
    for case in cases {
        let verdict = match timeout(LIMIT, drive(case, &address)).await {
            Ok(Ok(())) if case.told.is_null() => Ok(()),
            Ok(Ok(())) => verdict(case, &told::call(&program, case.name, 0).await),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err("the stream did not end".to_owned()),
        };
        cells.push(verdict.map_or_else(Cell::Failed, |()| Cell::Passed));
    }
    program.interrupt();
    let status = program.wait_until_ended(LIMIT).await;
    if !status.success()
        && let Some(cell) = cells.last_mut()
    {
        *cell = Cell::Failed(format!("the program did not end well: {status}"));
    }
    cells
}

fn verdict(case: &Case, told: &Value) -> Result<(), String> {
    let faults = judge::part(&case.told, told);
    if faults.is_empty() { Ok(()) } else { Err(format!("{}\ntold: {told}", faults.join("\n"))) }
}

/// Drives one call as the case has it, until its stream is over.
async fn drive(case: &Case, address: &str) -> Result<(), String> {
    let said = |err: &dyn std::fmt::Display| err.to_string();
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|err| said(&err))?;
    let channel = endpoint.connect().await.map_err(|err| said(&err))?;
    let (events, sent) = mpsc::channel(64);
    for bytes in &case.first {
        events.send(bytes.clone()).await.map_err(|err| said(&err))?;
    }
    let mut events = Some(events);
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|err| said(&err))?;
    let path = "/agibridge.v1.CallService/HandleCall".parse().expect("a path");
    let request = Request::new(ReceiverStream::new(sent));
    let answer = grpc.streaming(request, path, Raw).await;
    let mut controls = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) => return refused(case, &status),
    };
    loop {
        let bytes = match controls.message().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(()),
            Err(status) => return refused(case, &status),
        };
        let control = CallControl::decode(bytes).map_err(|err| said(&err))?.control;
        let answers = match control {
            Some(Control::Command(Command { id, .. })) => (case.answer)(id),
            Some(Control::End(_)) => {
                vec![event(Event::Ended(CallEnded { reason: 33, ..CallEnded::default() }))]
            }
            Some(Control::Cancel(_) | Control::Checkpoint(_))
            | Some(Control::Handoff(_) | Control::Heartbeat(_))
            | None => continue,
        };
        if answers.is_empty() {
            // The stream is reset, as by a bridge that is gone.
            return Ok(());
        }
        for answer in answers {
            if let Some(events) = &events
                && events.send(answer).await.is_err()
            {
                return Err("the library ended the stream too early".into());
            }
        }
        if matches!(control, Some(Control::End(_))) {
            events = None;
        }
    }
}

/// A stream that ends in an error is right where the case is such that no handler could do anything.
fn refused(case: &Case, status: &Status) -> Result<(), String> {
    let hopeless = case.told.is_null() || case.told["handler"] == "lost";
    if hopeless { Ok(()) } else { Err(format!("the stream ended: {status}")) }
}

fn started(script: &str) -> Bytes {
    let started = CallStarted {
        call_id: "01990000-0000-7000-8000-000000000001".into(),
        route: "conformance".into(),
        path_parameters: [("script".to_owned(), script.to_owned())].into(),
        query_parameters: vec![QueryParameter { key: "k".into(), value: "v".into() }],
        channel: Some(Channel { name: "Local/1@x".into(), ..Channel::default() }),
        max_queued_commands: 32,
        ..CallStarted::default()
    };
    event(Event::Started(Box::new(started)))
}

fn result(id: u32, outcome: Outcome) -> Event {
    Event::Result(CommandResult { id, outcome: Some(outcome), ..CommandResult::default() })
}

fn failed(code: i32) -> Outcome {
    Outcome::Error(CommandError { code, detail: "the test says so".into() })
}

fn error(code: &str) -> Value {
    json!({"error": {"code": code}})
}

fn event(event: Event) -> Bytes {
    CallEvent { event: Some(event) }.encode_to_vec().into()
}

/// An event of which this contract has no field: number 99, a message of some text.
fn newer_event() -> Bytes {
    Bytes::from_static(b"\x9a\x06\x06\x0a\x04soon")
}

/// The same event with a field that this contract does not have.
fn with_newer_field(it: Event) -> Bytes {
    let mut bytes = event(it).to_vec();
    bytes.extend_from_slice(&newer_event());
    bytes.into()
}

/// Messages as they are.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
