//! What holds where a route says nothing: everything may be used but what reaches Asterisk's own machine. Written down from
//! the applications and functions of Asterisk 22 (and of older ones that are still about), with the reason for each.
//!
//! What records or plays audio may be used: it is what a voice service is for. So may what moves the call within the
//! dialplan, which Asterisk's own administrator wrote, and what AGI has a command of its own for (the database).

use super::text::Place;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Application,
    Function,
    Variable,
}

const RUNS: &str = "runs a program on Asterisk's machine";
const RUNS_OTHERS: &str = "runs what the bridge cannot see";
const WRITES: &str = "writes or removes files on Asterisk's machine";
const READS: &str = "reads files or settings of Asterisk's machine";
const ORIGINATES: &str = "makes calls or runs the dialplan on its own";

const APPLICATIONS: &[(&str, &str)] = &[
    ("AGI", RUNS),
    ("AlarmReceiver", RUNS),
    ("DeadAGI", RUNS),
    ("EAGI", RUNS),
    ("ExternalIVR", RUNS),
    ("FastAGI", RUNS),
    ("ICES", RUNS),
    ("JACK", RUNS),
    ("MP3Player", RUNS),
    ("MinivmNotify", RUNS),
    ("MinivmRecord", RUNS),
    ("NBScat", RUNS),
    ("System", RUNS),
    ("TrySystem", RUNS),
    // They expand `${…}` in their data, and run applications that are named in it.
    ("Exec", RUNS_OTHERS),
    ("ExecIf", RUNS_OTHERS),
    ("ExecIfTime", RUNS_OTHERS),
    ("TryExec", RUNS_OTHERS),
    // Expands an expression whose `$` is written as another character.
    ("WaitForCondition", RUNS_OTHERS),
    ("Originate", ORIGINATES),
    ("Dictate", WRITES),
    ("MinivmDelete", WRITES),
    ("SMS", WRITES),
    ("TestClient", WRITES),
    ("TestServer", WRITES),
    ("ADSIProg", READS),
    ("Reload", "reloads modules of Asterisk"),
];

/// Asterisk itself calls most of these dangerous (`live_dangerously`).
const FUNCTIONS: &[(&str, &str)] = &[
    ("SHELL", RUNS),
    // Has a setting for a command to run when a recording ends.
    ("CONFBRIDGE", RUNS),
    ("JACK_HOOK", RUNS),
    ("EVAL", RUNS_OTHERS),
    ("FILE", WRITES),
    ("FILE_COUNT_LINE", READS),
    ("FILE_FORMAT", READS),
    ("STAT", READS),
    ("ENV", READS),
    ("AST_CONFIG", READS),
    ("AST_SORCERY", READS),
    ("MINIVMACCOUNT", READS),
    ("REALTIME", READS),
    ("REALTIME_FIELD", READS),
    ("REALTIME_HASH", READS),
    ("REALTIME_STORE", WRITES),
    ("REALTIME_DESTROY", WRITES),
    ("CURL", "sends requests from Asterisk's machine"),
    ("PERIODIC_HOOK", ORIGINATES),
];

const VARIABLES: &[(&str, &str)] = &[
    // Queue and Monitor run them when a recording ends.
    ("MONITOR_EXEC", RUNS),
    ("MONITOR_EXEC_ARGS", RUNS),
];

/// Applications that run what stands in one of their arguments, counted from 0.
const ARGUMENTS: &[(&str, usize, &str)] = &[
    ("MixMonitor", 2, "runs its third argument on Asterisk's machine"),
    ("Queue", 5, "runs its sixth argument on Asterisk's machine"),
];

/// Applications whose data is text for people, and names nothing.
const PROSE: [&str; 4] = ["Log", "NoOp", "SendText", "Verbose"];

/// Applications that call somebody, and in which argument the targets begin.
const DIALS: [(&str, usize); 5] =
    [("Dial", 0), ("Page", 0), ("Originate", 0), ("ChanIsAvail", 0), ("RetryDial", 3)];

/// Why `name` is refused, if it is.
pub(super) fn refused(kind: Kind, name: &[u8]) -> Option<&'static str> {
    let list = match kind {
        Kind::Application => APPLICATIONS,
        Kind::Function => FUNCTIONS,
        Kind::Variable => VARIABLES,
    };
    list.iter().find(|(listed, _)| is(name, listed)).map(|(_, why)| *why)
}

/// Why these arguments are refused, if they are.
pub(super) fn refused_argument(application: &[u8], data: &[u8]) -> Option<&'static str> {
    let (_, place, why) = ARGUMENTS.iter().find(|(listed, ..)| is(application, listed))?;
    // A comma in quotes or brackets parts nothing: then whatever could be the argument counts as it.
    let is_plain = !data.iter().any(|byte| b"\"\\()[]".contains(byte));
    let from = argument_on(data, *place)?;
    let argument = if is_plain { up_to_comma(from) } else { from };
    (!argument.trim_ascii().is_empty()).then_some(why)
}

/// Where variables may be named in the data of this application.
pub(super) fn place(application: &[u8], data: &[u8]) -> Place {
    if PROSE.iter().any(|listed| is(application, listed)) {
        return Place::Prose;
    }
    match data.iter().position(|byte| *byte == b'=') {
        Some(equals) if is(application, "Set") => Place::Assignment { equals },
        Some(_) | None => Place::Name,
    }
}

/// What this application calls, joined by `&`; none when it calls nobody.
pub(super) fn dialled<'a>(application: &[u8], data: &'a [u8]) -> Option<&'a [u8]> {
    let (_, place) = DIALS.iter().find(|(listed, _)| is(application, listed))?;
    match place {
        0 => Some(up_to_comma(data)),
        // In front of the targets a comma may stand in quotes: then all of it is judged, and refused for the quotes.
        _ if data.iter().any(|byte| b"\"\\()[]".contains(byte)) => Some(data),
        place => Some(argument_on(data, *place).map_or(b"", up_to_comma)),
    }
}

fn is(name: &[u8], listed: &str) -> bool {
    name.eq_ignore_ascii_case(listed.as_bytes())
}

fn argument_on(data: &[u8], place: usize) -> Option<&[u8]> {
    let mut rest = data;
    for _ in 0..place {
        let comma = rest.iter().position(|byte| *byte == b',')?;
        rest = &rest[comma + 1..];
    }
    Some(rest)
}

fn up_to_comma(data: &[u8]) -> &[u8] {
    data.split(|byte| *byte == b',').next().unwrap_or_default()
}
