//! Calls that ended, and what happened in one, for people.

use super::table::{age, printable, write_rows};
use serde::Deserialize;
use std::io::{self, Write};

/// What `/calls/ended` answers, as far as it is shown.
#[derive(Debug, Deserialize)]
pub(super) struct EndedCalls {
    is_on: bool,
    total: u64,
    calls: Vec<Ended>,
}

#[derive(Debug, Deserialize)]
struct Ended {
    call_id: String,
    route: String,
    #[serde(default)]
    service: String,
    channel: String,
    caller_number: Option<String>,
    accepted_at: String,
    #[serde(flatten)]
    end: End,
}

#[derive(Debug, Deserialize)]
struct End {
    duration_seconds: f64,
    commands: u32,
    reason: String,
    blame: String,
    status: Option<String>,
    detail: String,
}

/// What `/calls/{id}` answers, as far as it is shown.
#[derive(Debug, Deserialize)]
pub(super) struct OneCall {
    live: Option<Live>,
    record: Option<Record>,
}

#[derive(Debug, Deserialize)]
struct Live {
    call_id: String,
    route: String,
    channel: String,
    state: String,
    age_seconds: u64,
}

#[derive(Debug, Deserialize)]
struct Record {
    call_id: String,
    route: String,
    services: Vec<String>,
    channel: String,
    path: String,
    #[serde(default)]
    query: String,
    accepted_at: String,
    numbers: Option<Numbers>,
    end: Option<End>,
    redact: Vec<String>,
    hidden: bool,
    dropped: u32,
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Numbers {
    caller: String,
    name: String,
    dialed: String,
}

#[derive(Debug, Deserialize)]
struct Entry {
    number: u32,
    at: f64,
    kind: String,
    #[serde(default)]
    command: String,
    #[serde(default)]
    text: String,
    written: Option<f64>,
    answer: Option<Answer>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    elapsed: Option<f64>,
    outcome: String,
    #[serde(default)]
    text: String,
}

pub(super) fn write_ended(ended: &EndedCalls, out: &mut impl Write) -> io::Result<()> {
    if !ended.is_on {
        return writeln!(out, "The bridge keeps no calls that ended (recorder.calls is 0).");
    }
    if ended.calls.is_empty() {
        return writeln!(out, "No call has ended yet.");
    }
    let callers = ended.calls.iter().any(|call| call.caller_number.is_some());
    let caller = callers.then_some("CALLER");
    let head = ["ID", "ACCEPTED", "LASTED", "ROUTE", "CHANNEL"].into_iter().chain(caller);
    let head = head.chain(["ENDED BY", "COMMANDS", "SERVICE", "DETAIL"]);
    let mut rows = vec![head.map(str::to_owned).collect()];
    rows.extend(ended.calls.iter().map(|call| row(call, callers)));
    write_rows(&rows, out)?;
    writeln!(out, "\n{} shown of {} since the start.", ended.calls.len(), ended.total)
}

fn row(call: &Ended, callers: bool) -> Vec<String> {
    let caller = callers.then(|| call.caller_number.clone().unwrap_or_default());
    [call.call_id.clone(), call.accepted_at.clone(), lasted(call.end.duration_seconds)]
        .into_iter()
        .chain([call.route.clone(), call.channel.clone()])
        .chain(caller)
        .chain([cause(&call.end), call.end.commands.to_string(), call.service.clone()])
        .chain([call.end.detail.clone()])
        .map(|cell| printable(&cell))
        .collect()
}

/// Why, and by whom where that says more.
fn cause(end: &End) -> String {
    let status = end.status.as_deref().map(|status| format!(" {status}")).unwrap_or_default();
    match end.blame.as_str() {
        "none" => format!("{}{status}", end.reason),
        blame if blame == end.reason => format!("{blame}{status}"),
        blame => format!("{} ({blame}){status}", end.reason),
    }
}

/// To the tenth where it is short.
fn lasted(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1}s") } else { age(seconds as u64) }
}

pub(super) fn write_call(call: &OneCall, out: &mut impl Write) -> io::Result<()> {
    let Some(record) = &call.record else {
        if let Some(live) = &call.live {
            let Live { call_id, route, channel, state, age_seconds } = live;
            let (route, channel) = (printable(route), printable(channel));
            writeln!(out, "{call_id} on {route}, {channel}: {state} for {}", age(*age_seconds))?;
        }
        return writeln!(out, "What happens in calls is not kept (recorder.calls is 0).");
    };
    head(record, call.live.as_ref(), out)?;
    let mut rows = Vec::new();
    let mut before = 0;
    for entry in &record.entries {
        if entry.number > before + 1 && before > 0 {
            rows.push(vec![String::new(), format!("… {} not kept", record.dropped)]);
        }
        before = entry.number;
        rows.push(line(entry));
    }
    write_rows(&padded(rows), out)
}

fn head(record: &Record, live: Option<&Live>, out: &mut impl Write) -> io::Result<()> {
    let query = if record.query.is_empty() { String::new() } else { format!("?{}", record.query) };
    let mut facts = vec![
        ("call", record.call_id.clone()),
        ("accepted", record.accepted_at.clone()),
        ("channel", record.channel.clone()),
        ("route", record.route.clone()),
        ("path", format!("{}{query}", record.path)),
        ("services", record.services.join(", ")),
    ];
    if let Some(Numbers { caller, name, dialed }) = &record.numbers {
        facts.push(("caller", format!("{name} <{caller}>")));
        facts.push(("dialed", dialed.clone()));
    }
    match (&record.end, live) {
        (Some(end), _) => {
            let (cause, lasted) = (cause(end), lasted(end.duration_seconds));
            facts.push(("ended", format!("{cause} after {lasted}: {}", end.detail)));
        }
        (None, Some(live)) => facts.push(("now", live.state.replace('_', " "))),
        (None, None) => {}
    }
    let masked = if record.redact.is_empty() { "nothing".into() } else { record.redact.join(", ") };
    let hint = if record.hidden { " (--callers shows what is not masked)" } else { "" };
    facts.push(("masked", format!("{masked}{hint}")));
    for (name, fact) in facts {
        writeln!(out, "{name:<9} {}", printable(&fact))?;
    }
    writeln!(out)
}

fn line(entry: &Entry) -> Vec<String> {
    let at = format!("+{:.3}s", entry.at);
    if entry.kind != "command" {
        return [at, entry.kind.clone(), entry.text.clone()].map(|it| one(&it)).into();
    }
    let outcome = match (&entry.answer, entry.written) {
        (Some(answer), _) => {
            let took = answer.elapsed.map(|it| format!(" after {it:.3}s")).unwrap_or_default();
            format!("{}{took} {}", answer.outcome, answer.text)
        }
        (None, Some(_)) => "…".to_owned(),
        (None, None) => "waits".to_owned(),
    };
    [at, entry.command.clone(), entry.text.clone(), outcome].map(|it| one(&it)).into()
}

fn one(text: &str) -> String {
    if text.is_empty() { String::new() } else { printable(text.trim_end()) }
}

/// Rows of one length, as the columns are counted by the first one.
fn padded(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    for row in &mut rows {
        row.resize(4, String::new());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_that_ended_line_up() {
        let ended = json!({"is_on": true, "total": 7, "calls": [{
            "number": 7, "call_id": "a", "route": "ivr", "service": "h:1", "channel": "PJSIP/1\u{1b}[2J",
            "accepted_at": "2026-01-01T00:00:00Z", "duration_seconds": 1.26, "commands": 3,
            "reason": "service", "blame": "service", "status": "LOST", "detail": "gone",
        }]});
        let mut out = vec![];
        write_ended(&serde_json::from_value(ended).unwrap(), &mut out).unwrap();
        let expected = "\
ID  ACCEPTED              LASTED  ROUTE  CHANNEL      ENDED BY      COMMANDS  SERVICE  DETAIL
a   2026-01-01T00:00:00Z  1.3s    ivr    PJSIP/1\u{fffd}[2J  service LOST  3         h:1      gone

1 shown of 7 since the start.
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn one_call_is_told_from_its_beginning() {
        let call = json!({"record": {
            "call_id": "a", "route": "ivr", "services": ["h:1"], "channel": "PJSIP/1", "path": "/ivr",
            "accepted_at": "2026-01-01T00:00:00Z", "redact": ["digits"], "hidden": true, "dropped": 5,
            "end": {"duration_seconds": 1.0, "commands": 3, "reason": "hangup", "blame": "caller", "detail": "d"},
            "entries": [
                {"number": 1, "at": 0.001, "kind": "taken", "text": "h:1"},
                {"number": 7, "at": 0.002, "kind": "command", "command": "GET DATA", "text": "file=pin", "written": 0.002,
                 "answer": {"at": 0.5, "elapsed": 0.498, "outcome": "digits", "is_error": false, "text": "digits=••"}},
                {"number": 8, "at": 0.003, "kind": "command", "command": "NOOP", "written": 0.5},
            ],
        }});
        let mut out = vec![];
        write_call(&serde_json::from_value(call).unwrap(), &mut out).unwrap();
        let expected = "\
call      a
accepted  2026-01-01T00:00:00Z
channel   PJSIP/1
route     ivr
path      /ivr
services  h:1
ended     hangup (caller) after 1.0s: d
masked    digits (--callers shows what is not masked)

+0.001s  taken         h:1
         … 5 not kept
+0.002s  GET DATA      file=pin  digits after 0.498s digits=••
+0.003s  NOOP                    …
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
