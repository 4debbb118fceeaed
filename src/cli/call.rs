//! `agi-bridge call`: one call by the simulated phone, on the terminal. Knows the phone's options and how its report is
//! shown; nothing of AGI itself.

mod replay;

use super::complain;
use crate::{
    phone::{self, Entry, Options, Phone, ReplayOptions, Report},
    scenario::{self, Act, Expect, Span},
};
use crossterm::{
    event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    terminal,
};
use futures_util::StreamExt as _;
use serde_json::json;
use std::{
    future::Future,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    pin::pin,
    process::ExitCode,
};
use tokio::sync::mpsc;

/// Call an AGI server as Asterisk would, with a simulated phone.
///
/// Answers all AGI commands as Asterisk does, plays prompts for as long as they last, and prints what was said: `A>` is
/// Asterisk, `A<` is the server, `--` is the caller. On a terminal the keys 0-9 * # A-D are pressed as you type them;
/// h or Ctrl-C hangs up, and once more leaves.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 when the session ended with AGISTATUS SUCCESS, or HANGUP by whomever, and the script's \
expectations hold; with --replay, when the server did as it was recorded; 1 otherwise; 2 when the arguments are wrong or nobody answers."
)]
pub(super) struct CallArgs {
    /// Whom to call, as agi://host:4573/path?query
    url: String,
    /// Keys to press: each run up to and including a # goes to the next command that takes keys
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    digits: Option<String>,
    /// A scenario file: its caller makes the call, and what it expects of the channel is checked
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// A transcript that a route with `record` has written: what Asterisk said then is said again, and what the server
    /// says is compared; without a path in the URL it goes to the recorded one
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "script", "digits", "hangup_after", "variables", "arguments", "caller_id", "sounds",
    ])]
    replay: Option<PathBuf>,
    /// Hang up so long after the start, as 5s
    #[arg(long, value_name = "TIME")]
    hangup_after: Option<Span>,
    /// Set a channel variable before the call; may be repeated
    #[arg(long = "set", value_name = "VAR=VALUE", value_parser = assignment)]
    variables: Vec<(String, String)>,
    /// An argument of AGI() after the URL; may be repeated
    #[arg(long = "arg", value_name = "TEXT", value_parser = one_line, allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// Who calls, as 'Alice <3200>'
    #[arg(long, value_name = "NAME <NUMBER>", value_parser = one_line)]
    caller_id: Option<String>,
    /// A folder of sound files: prompts last as long as these, and files that it lacks are missing
    #[arg(long, value_name = "DIR")]
    sounds: Option<PathBuf>,
    /// Let time pass so many times faster; the times shown stay those of the call
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    speed: f64,
    /// Give up after so long
    #[arg(long, value_name = "TIME", default_value = "5m")]
    timeout: Span,
    /// Print the summary only
    #[arg(long, short)]
    quiet: bool,
    /// Print one JSON object a line: the transcript's entries, then the summary
    #[arg(long)]
    json: bool,
}

/// The call could not be made.
const UNUSABLE: u8 = 2;

/// Makes the call and prints it.
pub(super) async fn call(args: CallArgs) -> ExitCode {
    match make(args).await {
        Ok(code) => code,
        Err(text) => {
            complain(&text);
            ExitCode::from(UNUSABLE)
        }
    }
}

async fn make(args: CallArgs) -> Result<ExitCode, String> {
    if let Some(file) = &args.replay {
        let options = ReplayOptions { speed: args.speed, timeout: args.timeout.0 };
        return replay::replay(file, &args.url, options, (args.quiet, args.json)).await;
    }
    let (options, expect) = options(&args)?;
    let is_typed = io::stdin().is_terminal() && io::stdout().is_terminal() && !args.json;
    let (quiet, as_json) = (args.quiet, args.json);
    let phone = Phone::new(options).with_observer(move |entry| {
        if !quiet {
            show(entry, as_json);
        }
    });
    let report = if is_typed {
        let (acts, receiver) = mpsc::channel(64);
        typed(phone.with_acts(receiver).call(&args.url), acts).await?
    } else {
        Some(phone.call(&args.url).await.map_err(|err| err.to_string())?)
    };
    let Some(report) = report else { return Ok(ExitCode::FAILURE) };
    let faults = report.compare(&expect);
    summary(&report, &faults, as_json);
    let is_success = report.is_success() && faults.is_empty();
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn options(args: &CallArgs) -> Result<(Options, Expect), String> {
    let mut options = Options::default();
    let mut expect = Expect::default();
    if let Some(path) = &args.script {
        let scenario = scenario::load(path).map_err(|err| err.to_string())?;
        options = Options::from(&scenario);
        expect = scenario.expect;
    }
    let caller = &mut options.caller;
    if let Some(text) = &args.caller_id {
        (caller.name, caller.number) = phone::caller_id(text);
    }
    caller.variables.extend(args.variables.iter().cloned());
    caller.arguments.extend(args.arguments.iter().cloned());
    if let Some(folder) = args.sounds.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(format!("--sounds {}: there is no such folder", folder.display()));
    }
    options.sounds.clone_from(&args.sounds);
    options.speed = args.speed;
    options.timeout = args.timeout.0;
    options.digits = args.digits.clone().unwrap_or_default();
    options.hangup_after = args.hangup_after.map(|span| span.0);
    Ok((options, expect))
}

/// Runs the call while keys are read; unset when the person left for good.
async fn typed(
    call: impl Future<Output = Result<Report, phone::Error>>,
    acts: mpsc::Sender<Act>,
) -> Result<Option<Report>, String> {
    let _raw = RawMode::enter().map_err(|err| format!("cannot read single keys: {err}"))?;
    let mut events = EventStream::new();
    let mut call = pin!(call);
    let mut hung_up = false;
    loop {
        tokio::select! {
            report = &mut call => return report.map(Some).map_err(|err| err.to_string()),
            event = events.next() => {
                let act = match event {
                    Some(Ok(Event::Key(key))) => act(key),
                    Some(Ok(_)) => None,
                    // No more keys will come: the call goes on without.
                    Some(Err(_)) | None => return call.await.map(Some).map_err(|err| err.to_string()),
                };
                if act == Some(Act::HangUp) && std::mem::replace(&mut hung_up, true) {
                    return Ok(None);
                }
                if let Some(act) = act {
                    // A full queue means keys faster than any phone takes them: these are lost, as on one.
                    let _ = acts.try_send(act);
                }
            }
        }
    }
}

fn act(key: KeyEvent) -> Option<Act> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let KeyCode::Char(c) = key.code else { return None };
    match c {
        'c' if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Act::HangUp),
        'h' => Some(Act::HangUp),
        _ if scenario::is_key(c) => Some(Act::Press(c.to_string())),
        _ => None,
    }
}

/// Single keys instead of lines, until dropped.
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        terminal::enable_raw_mode().map(|()| Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
    }
}

fn show(entry: &Entry, as_json: bool) {
    print(&if as_json { entry.to_json().to_string() } else { entry.to_string() });
}

/// A closed pipe ends no call.
fn print(line: &str) {
    let end = if terminal::is_raw_mode_enabled().unwrap_or(false) { "\r\n" } else { "\n" };
    let mut out = io::stdout().lock();
    let _ = write!(out, "{line}{end}");
    let _ = out.flush();
}

fn summary(report: &Report, faults: &[String], as_json: bool) {
    let position = report
        .position
        .as_ref()
        .map(|at| format!("{},{},{}", at.context, at.extension, at.priority));
    let bridge: Vec<(&String, &String)> =
        report.variables.iter().filter(|(name, _)| name.starts_with("AGIBRIDGE_")).collect();
    if as_json {
        let variables: serde_json::Map<_, _> =
            bridge.iter().map(|(name, value)| ((*name).clone(), json!(value))).collect();
        return print(
            &json!({
                "agistatus": report.agistatus.as_str(),
                "ended": report.ended.to_string(),
                "duration": report.duration.as_secs_f64(),
                "position": position,
                "variables": variables,
                "faults": faults,
            })
            .to_string(),
        );
    }
    print(&format!("AGISTATUS {}: {}", report.agistatus.as_str(), report.ended));
    print(&format!(
        "after {:.3}s, {}",
        report.duration.as_secs_f64(),
        position.map_or_else(
            || "the call is over".to_owned(),
            |at| format!("the dialplan goes on at {at}"),
        )
    ));
    for (name, value) in bridge {
        print(&format!("{name}={value}"));
    }
    for fault in faults {
        print(&format!("not as expected: {fault}"));
    }
}

fn keys(text: &str) -> Result<String, String> {
    match text.chars().find(|&c| !scenario::is_key(c)) {
        Some(c) => Err(format!("{c:?} is no key of a phone: 0-9 * # A-D")),
        None => Ok(text.to_owned()),
    }
}

pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    let text = one_line(text)?;
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write VAR=VALUE".into()),
    }
}

/// Asterisk escapes nothing: a line break in a value would forge lines.
fn one_line(text: &str) -> Result<String, String> {
    if text.contains(['\n', '\0']) {
        Err("a line break does not fit".into())
    } else {
        Ok(text.to_owned())
    }
}
