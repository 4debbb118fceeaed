//! Applications that EXEC runs: the common ones, and those that the scenario lists. Any other does not exist.

use super::{
    Gone,
    command::{self, Start, World},
    function, say,
    task::{DialTask, Digits, Ending, Leaves, Task},
    words,
};
use crate::scenario::Dial;
use std::time::Duration;

/// A key of SendDTMF sounds for 100 ms and is followed by 250 ms of silence.
const SEND_KEY: Duration = Duration::from_millis(350);

/// Begins an application; unset when there is none of that name.
pub(super) fn start(world: &mut World, name: &str, data: &str) -> Option<Start> {
    if let Some(scripted) = scripted(world, name) {
        return Some(scripted);
    }
    let list = arguments(data);
    let argument = |at: usize| list.get(at).map_or("", String::as_str);
    let done = |result: i32| Some(Start::Done(Ending::ok(result)));
    match name.to_ascii_lowercase().as_str() {
        "noop" | "verbose" | "userevent" | "ringing" | "progress" | "proceeding" | "log" => done(0),
        "answer" if world.dead => done(0),
        "answer" => Some(wait(world, Duration::ZERO, true)),
        "hangup" => {
            if !world.dead {
                world.channel.hangup_cause = words::integer(argument(0)).unwrap_or(16);
                world.channel.hang_up(Gone::Server);
            }
            done(-1)
        }
        "set" => {
            if let Some((name, value)) = data.split_once('=') {
                function::write(&mut world.channel, name.trim(), value);
            }
            done(0)
        }
        "wait" => Some(wait_seconds(world, argument(0))),
        "waitexten" => {
            let wait = words::decimal(argument(0)).unwrap_or(10.0);
            live(world, |world| Task::Background { until: world.now + seconds(wait) })
        }
        "playback" => Some(playback(world, &list)),
        "background" => Some(background(world, &list)),
        "read" => Some(read(world, &list)),
        "dial" => Some(dial(world, &list)),
        "goto" => {
            go_to(world, &list);
            done(0)
        }
        "gotoif" => {
            let (test, places) = data.split_once('?').unwrap_or((data, ""));
            let (yes, no) = places.split_once(':').unwrap_or((places, ""));
            let place = if function::is_true(test) { yes } else { no };
            if !place.is_empty() {
                go_to(world, &arguments(place));
            }
            done(0)
        }
        "gosub" => {
            let place: Vec<String> = list
                .iter()
                .map(|part| part.split('(').next().unwrap_or_default().to_owned())
                .collect();
            go_to(world, &place);
            done(0)
        }
        "return" => done(-1),
        "startmusiconhold" => {
            world.notes.push("hears music on hold".into());
            done(0)
        }
        "stopmusiconhold" => {
            world.notes.push("hears the music stop".into());
            done(0)
        }
        "musiconhold" => {
            world.notes.push("hears music on hold".into());
            let wait = words::decimal(argument(1)).filter(|seconds| *seconds > 0.0);
            live(world, |world| endless(wait.map(|wait| world.now + seconds(wait))))
        }
        "busy" | "congestion" => {
            let wait = words::decimal(argument(0)).filter(|seconds| *seconds > 0.0);
            let until = wait.map(|wait| world.now + seconds(wait));
            live(world, |_| Task::Pause {
                until,
                then: Ending::ok(-1),
                on_hangup: Ending::ok(-1),
                leaves: Leaves::default(),
            })
        }
        "echo" => live(world, |_| Task::Echo),
        "senddtmf" => {
            let keys = argument(0).chars().count() as u32;
            live(world, |world| endless(Some(world.now + SEND_KEY * keys)))
        }
        "saynumber" => Some(said(world, &say::number(words::integer_or_zero(argument(0))))),
        "saydigits" => Some(said(world, &say::digits(argument(0)))),
        "sayalpha" => Some(said(world, &say::letters(argument(0), false))),
        "sayphonetic" => Some(said(world, &say::phonetic(argument(0)))),
        "system" | "trysystem" => {
            // Never run: the phone is no shell.
            world.channel.set("SYSTEMSTATUS", "FAILURE");
            done(-1)
        }
        _ => None,
    }
}

/// Splits an application's data at commas; quotes and brackets protect them, a backslash takes the next one as it is.
pub(super) fn arguments(data: &str) -> Vec<String> {
    let (mut list, mut quoted, mut depth) = (vec![String::new()], false, 0);
    let mut chars = data.chars();
    while let Some(c) = chars.next() {
        let last = list.last_mut().expect("never empty");
        match c {
            '"' => quoted = !quoted,
            '\\' => last.extend(chars.next()),
            ',' if !quoted && depth == 0 => list.push(String::new()),
            _ => {
                if !quoted {
                    depth += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
                }
                last.push(c);
            }
        }
    }
    list
}

fn scripted(world: &World, name: &str) -> Option<Start> {
    let wanted = words::to_people(name);
    let (_, application) = world
        .asterisk
        .applications
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(&wanted))?;
    let people =
        |(name, value): (&String, &String)| (words::from_people(name), words::from_people(value));
    let leaves =
        Leaves { variables: application.variables.iter().map(people).collect(), hang_up: false };
    let until = Some(world.now + application.after.0);
    let then = Ending::ok(application.result);
    Some(Start::Run(Task::Pause { until, then, on_hangup: Ending::ok(-1), leaves }))
}

fn seconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count.clamp(0.0, 1e9)).unwrap_or_default()
}

/// Something that needs a caller: -1 at once when there is none.
fn live(world: &mut World, task: impl FnOnce(&World) -> Task) -> Option<Start> {
    Some(if world.dead { Start::Done(Ending::ok(-1)) } else { Start::Run(task(world)) })
}

/// 0 at its end, -1 on hangup.
fn endless(until: Option<Duration>) -> Task {
    Task::Pause { until, then: Ending::ok(0), on_hangup: Ending::ok(-1), leaves: Leaves::default() }
}

fn wait(world: &mut World, lasts: Duration, answers: bool) -> Start {
    let lasts = lasts + if answers { world.answer() } else { Duration::ZERO };
    if lasts.is_zero() {
        return Start::Done(Ending::ok(0));
    }
    Start::Run(command::pause(world.now + lasts, Ending::ok(0), Ending::ok(-1)))
}

/// On a channel that was hung up during the session it really waits; in the h extension it does not.
fn wait_seconds(world: &mut World, text: &str) -> Start {
    if world.began_dead {
        return Start::Done(Ending::ok(-1));
    }
    wait(world, seconds(words::decimal(text).unwrap_or(0.0)), false)
}

fn said(world: &mut World, files: &[String]) -> Start {
    let lasts = world.hear_all(files);
    wait(world, lasts, true)
}

/// The files of a list that exist, and whether all do.
fn files(world: &World, list: &str) -> (Vec<String>, bool) {
    let exists = |file: &&str| world.sounds.find(file, &world.channel.language).is_some();
    let named: Vec<&str> = list.split('&').filter(|file| !file.is_empty()).collect();
    let found: Vec<String> = named.iter().copied().filter(exists).map(str::to_owned).collect();
    let all = found.len() == named.len() && !named.is_empty();
    (found, all)
}

fn playback(world: &mut World, list: &[String]) -> Start {
    if world.dead {
        return Start::Done(Ending::ok(0));
    }
    let (found, all) = files(world, list.first().map_or("", String::as_str));
    let options = list.get(1).map_or("", String::as_str);
    let answers = !options.contains("noanswer") && !options.contains("skip");
    let lasts = world.hear_all(&found) + if answers { world.answer() } else { Duration::ZERO };
    let status = if all { "SUCCESS" } else { "FAILED" };
    let leaves =
        Leaves { variables: vec![("PLAYBACKSTATUS".into(), status.into())], hang_up: false };
    let until = Some(world.now + lasts);
    Start::Run(Task::Pause { until, then: Ending::ok(0), on_hangup: Ending::ok(-1), leaves })
}

fn background(world: &mut World, list: &[String]) -> Start {
    if world.dead {
        return Start::Done(Ending::ok(-1));
    }
    let (found, _) = files(world, list.first().map_or("", String::as_str));
    let answers = !list.get(1).is_some_and(|options| options.contains('n'));
    let answering = if answers { world.answer() } else { Duration::ZERO };
    Start::Run(Task::Background { until: world.now + answering + world.hear_all(&found) })
}

/// `Read(variable[,files[,max[,options[,attempts[,timeout]]]]])`, with one attempt.
fn read(world: &mut World, list: &[String]) -> Start {
    let argument = |at: usize| list.get(at).map_or("", String::as_str);
    if world.dead {
        world.channel.set("READSTATUS", "HANGUP");
        return Start::Done(Ending::ok(0));
    }
    let (found, _) = files(world, argument(1));
    let lasts = world.hear_all(&found) + world.answer();
    let timeout = words::decimal(argument(5)).filter(|seconds| *seconds > 0.0).map(seconds);
    let (first, between) = timeout.map_or(command::DIGIT_TIMES, |wait| (wait, wait));
    let max = usize::try_from(words::integer_or_zero(argument(2)))
        .ok()
        .filter(|max| (1..=255).contains(max));
    Start::Run(Task::Digits(Digits {
        until: world.now + lasts,
        prompting: true,
        first,
        between,
        digits: String::new(),
        max: max.unwrap_or(255),
        variable: Some(argument(0).to_owned()),
    }))
}

/// `Dial(target[&target…][,timeout[,options]])`: the first target decides.
fn dial(world: &mut World, list: &[String]) -> Start {
    if world.dead {
        return Start::Done(Ending::ok(-1));
    }
    let target = list.first().and_then(|targets| targets.split('&').next()).unwrap_or_default();
    let fate =
        world.asterisk.dial.get(&words::to_people(target)).cloned().unwrap_or(Dial::Chanunavail);
    let limit = list.get(1).and_then(|text| words::decimal(text)).filter(|seconds| *seconds > 0.0);
    let goes_on = list
        .get(2)
        .is_some_and(|options| options.split('(').next().unwrap_or_default().contains('g'));
    let limit = limit.map(seconds);
    Start::Run(Task::Dial(DialTask { fate, began: world.now, limit, answered: None, goes_on }))
}

/// `[[context,]extension,]priority`, unchecked; it counts once the session is over.
fn go_to(world: &mut World, list: &[String]) {
    let place: Vec<&str> = list.iter().map(|part| part.trim()).collect();
    let (context, extension, priority) = match place[..] {
        [context, extension, priority, ..] => (Some(context), Some(extension), priority),
        [extension, priority] => (None, Some(extension), priority),
        [priority] => (None, None, priority),
        [] => return,
    };
    if let Some(priority) = words::integer(priority) {
        world.channel.go_to(context, extension, priority);
    }
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn commas_split_unless_protected() {
        assert_eq!(arguments(r#"a,"b,c",d\,e,f(g,h)"#), ["a", "b,c", "d,e", "f(g,h)"]);
        assert_eq!(arguments(""), [""]);
    }
}
