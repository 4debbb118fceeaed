//! What the caller notices of a command while it runs, and what its reply shows of the channel. Knows Asterisk's commands
//! and applications; nothing of time.

use super::{command::Words, reply::Reply};
use crate::proto::{ChannelState, command_result::Outcome};

/// What a command is to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// He notices nothing of it.
    Unnoticed,
    /// The channel is answered.
    Answers,
    /// Asks for the channel's state.
    AsksState,
    /// Something is played to him, or he is listened to.
    Plays,
    /// He is waited for; or it cannot be told from here, as with an application or a subroutine.
    Waits,
    /// Music or tones, until something else ends them.
    SoundOn,
    /// No music and no tones any more.
    SoundOff,
}

/// Applications that neither play nor wait.
const UNNOTICED: [&str; 16] = [
    "gosub",
    "goto",
    "gotoif",
    "gotoiftime",
    "hangup",
    "log",
    "mset",
    "noop",
    "return",
    "sendtext",
    "set",
    "stackpop",
    "system",
    "trysystem",
    "userevent",
    "verbose",
];
/// Applications that answer the channel, or work on an answered one only, and are heard.
const PLAYS: [&str; 18] = [
    "agentlogin",
    "audiosocket",
    "background",
    "confbridge",
    "controlplayback",
    "directory",
    "echo",
    "festival",
    "mp3player",
    "playback",
    "read",
    "record",
    "sayalpha",
    "saydigits",
    "saynumber",
    "sayphonetic",
    "voicemail",
    "voicemailmain",
];

impl Effect {
    /// Of a line: `name` is its command's in Asterisk's own spelling, or `RAW` where only the line tells.
    pub(super) fn of(name: &str, line: &[u8]) -> Self {
        match name {
            "ANSWER" => Self::Answers,
            "STREAM FILE"
            | "CONTROL STREAM FILE"
            | "GET DATA"
            | "GET OPTION"
            | "RECORD FILE"
            | "SPEECH RECOGNIZE"
            | "SAY ALPHA"
            | "SAY DATE"
            | "SAY DATETIME"
            | "SAY DIGITS"
            | "SAY NUMBER"
            | "SAY PHONETIC"
            | "SAY TIME" => Self::Plays,
            "WAIT FOR DIGIT" | "RECEIVE CHAR" | "RECEIVE TEXT" | "GOSUB" => Self::Waits,
            "CHANNEL STATUS" | "EXEC" | "SET MUSIC" => {
                Self::of_words(name, &Words::split(trimmed(line)))
            }
            "RAW" => {
                let words = Words::split(trimmed(line));
                words.command().map_or(Self::Unnoticed, |name| match name {
                    "CHANNEL STATUS" | "EXEC" | "SET MUSIC" => Self::of_words(name, &words),
                    _ => Self::of(name, line),
                })
            }
            _ => Self::Unnoticed,
        }
    }

    fn of_words(name: &str, words: &Words) -> Self {
        let word = |place: usize| {
            let word = if place < words.count() { words.get(place) } else { b"" };
            String::from_utf8_lossy(word).to_ascii_lowercase()
        };
        match name {
            // Of another channel it tells nothing.
            "CHANNEL STATUS" if words.count() == 2 => Self::AsksState,
            "SET MUSIC" if word(2).starts_with("on") => Self::SoundOn,
            "SET MUSIC" if word(2).starts_with("off") => Self::SoundOff,
            "EXEC" => Self::of_application(&word(1)),
            _ => Self::Unnoticed,
        }
    }

    fn of_application(name: &str) -> Self {
        match name {
            "answer" => Self::Answers,
            "startmusiconhold" | "playtones" | "ringing" => Self::SoundOn,
            "stopmusiconhold" | "stopplaytones" => Self::SoundOff,
            _ if PLAYS.contains(&name) => Self::Plays,
            _ if UNNOTICED.contains(&name) => Self::Unnoticed,
            _ => Self::Waits,
        }
    }
}

/// What a reply says of its command, as far as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It was not done.
    Failed,
    /// It was done.
    Done,
    /// It was done, with this number.
    Number(i64),
}

impl Said {
    /// Whether the channel is answered after it, or its caller heard something, or was heard.
    pub fn shows_answered(self, effect: Effect) -> bool {
        match effect {
            Effect::Answers => matches!(self, Self::Done | Self::Number(0)),
            Effect::AsksState => self == Self::Number(UP),
            Effect::Plays => matches!(self, Self::Done | Self::Number(0..)),
            Effect::Unnoticed | Effect::Waits | Effect::SoundOn | Effect::SoundOff => false,
        }
    }
}

/// Asterisk's number of a channel that is up.
const UP: i64 = 6;

impl From<&Outcome> for Said {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Error(_) => Self::Failed,
            Outcome::ChannelStatus(status) if status.state() == ChannelState::Up => {
                Self::Number(UP)
            }
            Outcome::ChannelStatus(_) => Self::Failed,
            Outcome::Exec(exec) => Self::Number(exec.result.into()),
            Outcome::Raw(raw) if raw.code == 200 => number(raw.result.as_bytes()),
            Outcome::Raw(_) => Self::Failed,
            Outcome::Done(_)
            | Outcome::Playback(_)
            | Outcome::Digit(_)
            | Outcome::Digits(_)
            | Outcome::Value(_)
            | Outcome::Recording(_)
            | Outcome::Text(_)
            | Outcome::Speech(_)
            | Outcome::Gosub(_) => Self::Done,
        }
    }
}

impl From<&Reply> for Said {
    fn from(reply: &Reply) -> Self {
        match reply {
            Reply::Success { result, .. } => number(result),
            Reply::Unknown(_) | Reply::Dead(_) | Reply::Usage(_) | Reply::Other { .. } => {
                Self::Failed
            }
        }
    }
}

/// Digits of a caller need be no number: `*1`.
fn number(result: &[u8]) -> Said {
    let number = std::str::from_utf8(result).ok().and_then(|text| text.parse().ok());
    number.map_or(Said::Done, Said::Number)
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agi::Exchange;
    use bytes::Bytes;

    #[test]
    fn commands_are_known_by_what_the_caller_notices() {
        let table = [
            ("ANSWER", "ANSWER", Effect::Answers),
            ("GET DATA", "GET DATA \"pin\" \"0\" \"4\"", Effect::Plays),
            ("SAY TIME", "SAY TIME 1 \"\"", Effect::Plays),
            ("WAIT FOR DIGIT", "WAIT FOR DIGIT -1", Effect::Waits),
            ("SET VARIABLE", "SET VARIABLE A b", Effect::Unnoticed),
            ("CHANNEL STATUS", "CHANNEL STATUS", Effect::AsksState),
            ("CHANNEL STATUS", "CHANNEL STATUS \"SIP/1\"", Effect::Unnoticed),
            ("SET MUSIC", "SET MUSIC \"on\" \"jazz\"", Effect::SoundOn),
            ("SET MUSIC", "SET MUSIC OFF", Effect::SoundOff),
            ("SET MUSIC", "SET MUSIC", Effect::Unnoticed),
            ("EXEC", "EXEC \"Answer\"", Effect::Answers),
            ("EXEC", "EXEC \"pLayback\" \"a&b\"", Effect::Plays),
            ("EXEC", "EXEC Dial SIP/1", Effect::Waits),
            ("EXEC", "EXEC Set A=b", Effect::Unnoticed),
            ("EXEC", "EXEC Ringing", Effect::SoundOn),
            ("EXEC", "EXEC", Effect::Waits),
            ("RAW", "  stream  FILE beep \"\"", Effect::Plays),
            ("RAW", "exec answer", Effect::Answers),
            ("RAW", "channel status", Effect::AsksState),
            ("RAW", "GET", Effect::Unnoticed),
            ("RAW", "", Effect::Unnoticed),
        ];
        for (name, line, expected) in table {
            assert_eq!(Effect::of(name, format!("{line}\n").as_bytes()), expected, "{line}");
        }
        let line = Bytes::from_static(b"EXEC StopPlayTones\n");
        assert_eq!(Exchange::verbatim(line, "EXEC").effect(), Effect::SoundOff);
    }

    #[test]
    fn the_lists_of_applications_share_none() {
        assert!(UNNOTICED.iter().all(|name| !PLAYS.contains(name)));
        for name in UNNOTICED.iter().chain(&PLAYS) {
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn only_what_was_done_shows_an_answered_channel() {
        let table = [
            (Effect::Answers, Said::Done, true),
            (Effect::Answers, Said::Number(-1), false),
            (Effect::Answers, Said::Failed, false),
            (Effect::AsksState, Said::Number(6), true),
            (Effect::AsksState, Said::Number(4), false),
            (Effect::AsksState, Said::Done, false),
            (Effect::Plays, Said::Number(49), true),
            (Effect::Plays, Said::Number(-1), false),
            (Effect::Waits, Said::Number(49), false),
            (Effect::SoundOn, Said::Number(0), false),
        ];
        for (effect, said, expected) in table {
            assert_eq!(said.shows_answered(effect), expected, "{effect:?} {said:?}");
        }
        let reply = |line: &'static str| Reply::parse(Bytes::from_static(line.as_bytes()));
        let said = |line| Said::from(&reply(line).expect("a reply"));
        assert_eq!(said("200 result=6"), Said::Number(6));
        assert_eq!(said("200 result=*1 (timeout)"), Said::Done);
        assert_eq!(said("511 dead"), Said::Failed);
    }
}
