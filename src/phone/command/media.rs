//! Commands that play, listen, record or wait.

use super::{Start, World};
use crate::phone::{
    say,
    task::{self, Control, Digits, Ending, Play, Recognize, Record, Task},
    words,
};
use std::time::Duration;

/// For the first digit, and between digits, where GET DATA is given no timeout.
pub(in crate::phone) const DIGIT_TIMES: (Duration, Duration) =
    (Duration::from_secs(6), Duration::from_secs(2));
/// GET OPTION's wait where it is given none.
const OPTION_WAIT: Duration = Duration::from_secs(5);
/// Asterisk's idea of for ever.
const FOR_EVER: Duration = Duration::from_millis(1_000_000_000);

/// WAIT FOR DIGIT.
pub(super) fn wait_for_digit(world: &World, timeout: &str) -> Option<Start> {
    let until = patience(world, words::integer(timeout)?);
    Some(Start::Run(Task::WaitForDigit { until }))
}

/// RECEIVE TEXT, and RECEIVE CHAR for one character.
pub(super) fn receive(world: &World, timeout: &str, one_character: bool) -> Start {
    let until = patience(world, words::integer_or_zero(timeout));
    Start::Run(Task::Text { until, one_character })
}

/// Until when to wait for so many milliseconds; negative: for ever.
fn patience(world: &World, milliseconds: i64) -> Option<Duration> {
    u64::try_from(milliseconds).ok().and_then(|ms| world.now.checked_add(Duration::from_millis(ms)))
}

fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(count.max(0) as u64)
}

/// STREAM FILE.
pub(super) fn stream_file(world: &mut World, arguments: &[String]) -> Option<Start> {
    let offset = arguments.get(2).map_or(Some(0), |text| words::integer(text))?;
    Some(play(world, arguments, offset, None))
}

/// GET OPTION.
pub(super) fn get_option(world: &mut World, arguments: &[String]) -> Start {
    let wait = arguments.get(2);
    let wait = wait.map_or(OPTION_WAIT, |text| milliseconds(words::integer_or_zero(text)));
    play(world, arguments, 0, Some(wait))
}

fn play(world: &mut World, arguments: &[String], offset: i64, wait: Option<Duration>) -> Start {
    let Some(sound) = world.hear(&arguments[0]) else {
        return Start::Done(Ending::failed(format!("-1 endpos={offset}")));
    };
    let offset = (offset.max(0) as u64).min(sound.samples);
    let escape = arguments[1].clone();
    Start::Run(Task::Play(Play {
        sound,
        offset,
        began: world.now,
        escape,
        wait,
        waits_until: None,
    }))
}

/// CONTROL STREAM FILE.
pub(super) fn control(world: &mut World, arguments: &[String]) -> Option<Start> {
    let word = |at: usize| arguments.get(at).map(String::as_str).filter(|text| !text.is_empty());
    // An empty word is a default for a digit, and a usage error for a number.
    let number =
        |at: usize, unset| arguments.get(at).map_or(Some(unset), |text| words::integer(text));
    let skip = number(2, 3000)?;
    let offset = number(6, 0)?;
    let Some(sound) = world.hear(&arguments[0]) else {
        task::finish_control(&mut world.channel, "ERROR", -1);
        return Some(Start::Done(Ending::failed("-1 endpos=-1")));
    };
    let length = sound.duration().as_millis() as i64;
    Some(Start::Run(Task::Control(Control {
        length,
        // A negative offset leaves almost nothing to play.
        position: if offset < 0 { length } else { offset.min(length) },
        since: Some(world.now),
        skip: skip.abs(),
        escape: arguments[1].clone(),
        forward: word(3).unwrap_or("#").into(),
        rewind: word(4).unwrap_or("*").into(),
        pause: word(5).unwrap_or_default().into(),
    })))
}

/// GET DATA.
pub(super) fn get_data(world: &mut World, arguments: &[String]) -> Start {
    let timeout = arguments.get(1).map_or(0, |text| words::integer_or_zero(text));
    let (first, between) = match timeout {
        0 => DIGIT_TIMES,
        ..0 => (FOR_EVER, FOR_EVER),
        1.. => (milliseconds(timeout), milliseconds(timeout)),
    };
    let max = arguments.get(2).map_or(1024, |text| words::integer_or_zero(text));
    if max == 0 {
        return Start::Done(Ending::ok(-1));
    }
    let prompt = &arguments[0];
    let length = match (prompt.is_empty(), world.hear(prompt)) {
        (true, _) => None,
        (false, None) => return Start::Done(Ending::ok(-1)),
        (false, Some(sound)) => Some(sound.duration()),
    };
    Start::Run(Task::Digits(Digits {
        until: world.now + length.unwrap_or(first),
        prompting: length.is_some(),
        first,
        between,
        digits: String::new(),
        max: usize::try_from(max).unwrap_or(1),
        variable: None,
    }))
}

/// RECORD FILE.
pub(super) fn record(world: &mut World, arguments: &[String]) -> Option<Start> {
    let limit = words::integer(&arguments[3])?;
    let word = |at: usize| arguments.get(at).map(String::as_str);
    // Word 5 is an offset when it is a number; else it asks for silence or for a beep, as the later ones do.
    let offset = word(4).and_then(words::integer).unwrap_or(0).max(0) as u64;
    let is_silence = |text: &&str| text.starts_with("s=");
    let beep = word(4).is_some_and(|text| words::integer(text).is_none() && !is_silence(&text))
        || word(5).is_some_and(|text| !is_silence(&text));
    let silence = [4, 5, 6].into_iter().filter_map(word).find(is_silence);
    let silence = silence.map_or(0, |text| words::integer_or_zero(&text[2..]));
    let beep_length = match beep.then(|| world.hear("beep")) {
        None => None,
        Some(None) => {
            return Some(Start::Done(Ending::failed(format!("-1 (randomerror) endpos={offset}"))));
        }
        Some(Some(sound)) => Some(sound.duration()),
    };
    let Some(rate) = world.sounds.writable(&arguments[0], &arguments[1]) else {
        return Some(Start::Done(Ending::failed("-1 (writefile)")));
    };
    Some(Start::Run(Task::Record(Record {
        file: arguments[0].clone(),
        rate,
        escape: arguments[2].clone(),
        offset,
        begins: world.now + beep_length.unwrap_or_default(),
        beeping: beep_length.is_some(),
        limit: u64::try_from(limit).ok().map(Duration::from_millis),
        silence: (silence > 0).then(|| Duration::from_secs(silence as u64)),
        audio: world.audio,
    })))
}

/// SPEECH RECOGNIZE.
pub(super) fn recognize(world: &mut World, arguments: &[String]) -> Start {
    if !world.speech {
        return Start::Done(Ending::ok(0));
    }
    let prompt = world.hear(&arguments[0]).map_or(Duration::ZERO, |sound| sound.duration());
    let timeout = words::integer_or_zero(&arguments[1]);
    let limit =
        (timeout > 0).then(|| world.now + prompt + Duration::from_secs(timeout.unsigned_abs()));
    let heard = world.heard.pop_front().map(|heard| (world.now + heard.after.0, heard.matches));
    match heard.filter(|(at, _)| limit.is_none_or(|limit| *at < limit)) {
        Some((at, matches)) => {
            Start::Run(Task::Recognize(Recognize { until: Some(at), heard: Some(matches) }))
        }
        None => Start::Run(Task::Recognize(Recognize { until: limit, heard: None })),
    }
}

/// SAY NUMBER.
pub(super) fn say_number(world: &mut World, arguments: &[String]) -> Option<Start> {
    Some(say(world, &say::number(words::integer(&arguments[0])?), arguments))
}

/// SAY DIGITS, whose text must begin as a number does.
pub(super) fn say_digits(world: &mut World, arguments: &[String]) -> Option<Start> {
    words::integer(&arguments[0])?;
    Some(say(world, &say::digits(&arguments[0]), arguments))
}

/// SAY ALPHA.
pub(super) fn say_alpha(world: &mut World, arguments: &[String]) -> Option<Start> {
    let cased = match arguments.get(2).map(|word| word.to_ascii_lowercase()).as_deref() {
        None | Some("n" | "") => false,
        Some("a" | "l" | "u") => true,
        Some(_) => return None,
    };
    Some(say(world, &say::letters(&arguments[0], cased), arguments))
}

/// SAY PHONETIC.
pub(super) fn say_phonetic(world: &mut World, arguments: &[String]) -> Start {
    say(world, &say::phonetic(&arguments[0]), arguments)
}

/// SAY DATE, TIME and DATETIME.
pub(super) fn say_time(world: &mut World, arguments: &[String], format: &str) -> Option<Start> {
    words::integer(&arguments[0])?;
    Some(say(world, &say::date_time(format), arguments))
}

fn say(world: &mut World, files: &[String], arguments: &[String]) -> Start {
    let until = world.now + world.hear_all(files);
    Start::Run(Task::Say { until, escape: arguments[1].clone() })
}
