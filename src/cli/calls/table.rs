//! A list of calls for people.

use super::{Call, Calls};
use std::io::{self, Write};

pub(super) fn write(calls: &Calls, out: &mut impl Write) -> io::Result<()> {
    if calls.calls.is_empty() {
        return match calls.active {
            0 => writeln!(out, "No calls."),
            active => writeln!(out, "{}, none listed.", counted(active)),
        };
    }
    let callers = calls.calls.iter().any(|call| call.caller_number.is_some());
    let mut rows = vec![head(callers)];
    rows.extend(calls.calls.iter().map(|call| row(call, callers)));
    write_rows(&rows, out)?;
    match calls.calls.len() {
        shown if shown < calls.active => {
            writeln!(out, "\n{} of {} (--limit shows more).", shown, counted(calls.active))
        }
        _ => writeln!(out, "\n{}.", counted(calls.active)),
    }
}

/// Columns that line up.
pub(super) fn write_rows(rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    let widths = widths(rows);
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn head(callers: bool) -> Vec<String> {
    let caller = callers.then_some("CALLER");
    ["ID", "AGE", "ROUTE", "CHANNEL"]
        .into_iter()
        .chain(caller)
        .chain(["DOING", "COMMANDS", "SERVICE"])
        .map(str::to_owned)
        .collect()
}

fn row(call: &Call, callers: bool) -> Vec<String> {
    let caller = callers.then(|| call.caller_number.clone().unwrap_or_default());
    [call.call_id.clone(), age(call.age_seconds), call.route.clone(), call.channel.clone()]
        .into_iter()
        .chain(caller)
        .chain([doing(call), call.commands.to_string(), call.service.clone()])
        .map(|cell| printable(&cell))
        .collect()
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    (0..columns).map(|column| width(column).unwrap_or_default()).collect()
}

fn doing(call: &Call) -> String {
    match &call.command {
        Some(command) if call.hung_up => format!("{command}, hung up"),
        Some(command) => command.clone(),
        None => call.state.replace('_', " "),
    }
}

pub(super) fn age(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest:02}s"),
        _ => format!("{hours}h{minutes:02}m"),
    }
}

fn counted(calls: usize) -> String {
    if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") }
}

/// A channel's name comes from outside: it must not steer the terminal.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    match text {
        "" => "-".to_owned(),
        _ => text.chars().map(shown).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let calls = Calls { active: 2, calls: vec![call("a", 65), call("bcd", 3_700)] };
        let expected = "\
ID   AGE    ROUTE  CHANNEL      DOING     COMMANDS  SERVICE
a    1m05s  ivr    PJSIP/1\u{fffd}[2J  GET DATA  3         -
bcd  1h01m  ivr    PJSIP/1\u{fffd}[2J  GET DATA  3         -

2 calls.
";
        assert_eq!(written(&calls), expected);
    }

    #[test]
    fn callers_have_a_column_when_they_are_there() {
        let mut one = call("a", 7);
        one.caller_number = Some("3200".to_owned());
        one.hung_up = true;
        one.service = "10.0.0.7:50051".to_owned();
        let table = written(&Calls { active: 5, calls: vec![one] });
        let expected = "\
ID  AGE  ROUTE  CHANNEL      CALLER  DOING              COMMANDS  SERVICE
a   7s   ivr    PJSIP/1\u{fffd}[2J  3200    GET DATA, hung up  3         10.0.0.7:50051

1 of 5 calls (--limit shows more).
";
        assert_eq!(table, expected);
    }

    #[test]
    fn no_calls_are_said_to_be_none() {
        assert_eq!(written(&Calls { active: 0, calls: vec![] }), "No calls.\n");
        assert_eq!(written(&Calls { active: 1, calls: vec![] }), "1 call, none listed.\n");
    }

    fn written(calls: &Calls) -> String {
        let mut out = vec![];
        write(calls, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn call(id: &str, age_seconds: u64) -> Call {
        Call {
            call_id: id.to_owned(),
            route: "ivr".to_owned(),
            service: String::new(),
            channel: "PJSIP/1\u{1b}[2J".to_owned(),
            caller_number: None,
            state: "command".to_owned(),
            command: Some("GET DATA".to_owned()),
            commands: 3,
            hung_up: false,
            age_seconds,
        }
    }
}
