//! A command of the contract as a line that Asterisk takes. Knows Asterisk's limits and nothing of replies.

mod application;
mod argument;
mod control;
mod data;
mod media;
mod raw;
mod say;
mod speech;

pub use raw::Words;
pub(super) use raw::leading_number;

use super::{
    outcome::Kind,
    reply::Mark,
    words::{InvalidArgument, Limits, Line},
};
use crate::proto::command::Command;
use bytes::Bytes;

/// A command that is ready to be written.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) name: &'static str,
    pub(super) dead_safe: bool,
    /// What its reply is like.
    pub(super) kind: Kind,
    /// Set when the reply is read between marks.
    pub(super) mark: Option<Mark>,
    /// Where one more digit could stand among those that stop it.
    pub(super) digits_end: Option<usize>,
    /// With its LF.
    pub(super) line: Bytes,
}

/// A command's words, before its limits were checked.
struct Draft {
    line: Line,
    kind: Kind,
    mark: Option<Mark>,
}

impl Draft {
    fn new(kind: Kind, line: Line) -> Self {
        Self { line, kind, mark: None }
    }

    fn finish(self, limits: &Limits) -> Result<Encoded, InvalidArgument> {
        let (name, digits_end) = (self.line.command(), self.line.digits_end());
        let Self { line, kind, mark } = self;
        let (dead_safe, line) = (dead_safe(name), line.finish(limits)?);
        Ok(Encoded { name, dead_safe, kind, mark, digits_end, line })
    }
}

/// Checks and encodes `command`. `random` is asked only where the reply needs a mark.
pub(super) fn encode(
    command: &Command,
    limits: &Limits,
    random: fn() -> u128,
) -> Result<Encoded, InvalidArgument> {
    let draft = match command {
        Command::Answer(_) => control::answer(),
        Command::AsyncAgiBreak(_) => control::async_agi_break(),
        Command::ChannelStatus(command) => control::channel_status(command)?,
        Command::HangUp(command) => control::hang_up(command)?,
        Command::Noop(command) => control::noop(command)?,
        Command::SetAutoHangup(command) => control::set_auto_hangup(command)?,
        Command::SetCallerId(command) => control::set_caller_id(command)?,
        Command::SetContext(command) => control::set_context(command)?,
        Command::SetExtension(command) => control::set_extension(command)?,
        Command::SetMusic(command) => control::set_music(command)?,
        Command::SetPriority(command) => control::set_priority(command)?,
        Command::TddMode(command) => control::tdd_mode(command)?,
        Command::Verbose(command) => control::verbose(command)?,
        Command::Exec(command) => application::exec(command)?,
        Command::Gosub(command) => application::gosub(command)?,
        Command::DatabaseDel(command) => data::database_del(command)?,
        Command::DatabaseDelTree(command) => data::database_del_tree(command)?,
        Command::DatabaseGet(command) => data::database_get(command)?,
        Command::DatabasePut(command) => data::database_put(command)?,
        Command::GetFullVariable(command) => data::get_full_variable(command, random)?,
        Command::GetVariable(command) => data::get_variable(command, random)?,
        Command::SetVariable(command) => data::set_variable(command)?,
        Command::ControlStreamFile(command) => media::control_stream_file(command)?,
        Command::GetData(command) => media::get_data(command)?,
        Command::GetOption(command) => media::get_option(command)?,
        Command::ReceiveChar(command) => media::receive_char(command)?,
        Command::ReceiveText(command) => media::receive_text(command)?,
        Command::RecordFile(command) => media::record_file(command)?,
        Command::SendImage(command) => media::send_image(command)?,
        Command::SendText(command) => media::send_text(command)?,
        Command::StreamFile(command) => media::stream_file(command)?,
        Command::WaitForDigit(command) => media::wait_for_digit(command)?,
        Command::SayAlpha(command) => say::alpha(command)?,
        Command::SayDate(command) => say::date(command)?,
        Command::SayDateTime(command) => say::date_time(command)?,
        Command::SayDigits(command) => say::digits(command)?,
        Command::SayNumber(command) => say::number(command)?,
        Command::SayPhonetic(command) => say::phonetic(command)?,
        Command::SayTime(command) => say::time(command)?,
        Command::SpeechActivateGrammar(command) => speech::activate_grammar(command)?,
        Command::SpeechCreate(command) => speech::create(command)?,
        Command::SpeechDeactivateGrammar(command) => speech::deactivate_grammar(command)?,
        Command::SpeechDestroy(_) => speech::destroy(),
        Command::SpeechLoadGrammar(command) => speech::load_grammar(command)?,
        Command::SpeechRecognize(command) => speech::recognize(command)?,
        Command::SpeechSet(command) => speech::set(command)?,
        Command::SpeechUnloadGrammar(command) => speech::unload_grammar(command)?,
        Command::Raw(command) => return raw::encode(command, limits),
    };
    draft.finish(limits)
}

/// Whether Asterisk takes it on a dead channel: 13 of 47.
fn dead_safe(name: &str) -> bool {
    DEAD_SAFE.contains(&name)
}

/// Every command of Asterisk 22, in its own spelling.
pub const COMMANDS: [&str; 47] = [
    "ANSWER",
    "ASYNCAGI BREAK",
    "CHANNEL STATUS",
    "CONTROL STREAM FILE",
    "DATABASE DEL",
    "DATABASE DELTREE",
    "DATABASE GET",
    "DATABASE PUT",
    "EXEC",
    "GET DATA",
    "GET FULL VARIABLE",
    "GET OPTION",
    "GET VARIABLE",
    "GOSUB",
    "HANGUP",
    "NOOP",
    "RECEIVE CHAR",
    "RECEIVE TEXT",
    "RECORD FILE",
    "SAY ALPHA",
    "SAY DATE",
    "SAY DATETIME",
    "SAY DIGITS",
    "SAY NUMBER",
    "SAY PHONETIC",
    "SAY TIME",
    "SEND IMAGE",
    "SEND TEXT",
    "SET AUTOHANGUP",
    "SET CALLERID",
    "SET CONTEXT",
    "SET EXTENSION",
    "SET MUSIC",
    "SET PRIORITY",
    "SET VARIABLE",
    "SPEECH ACTIVATE GRAMMAR",
    "SPEECH CREATE",
    "SPEECH DEACTIVATE GRAMMAR",
    "SPEECH DESTROY",
    "SPEECH LOAD GRAMMAR",
    "SPEECH RECOGNIZE",
    "SPEECH SET",
    "SPEECH UNLOAD GRAMMAR",
    "STREAM FILE",
    "TDD MODE",
    "VERBOSE",
    "WAIT FOR DIGIT",
];

const DEAD_SAFE: [&str; 13] = [
    "NOOP",
    "VERBOSE",
    "GET VARIABLE",
    "GET FULL VARIABLE",
    "SET VARIABLE",
    "DATABASE GET",
    "DATABASE PUT",
    "DATABASE DEL",
    "DATABASE DELTREE",
    "EXEC",
    "ASYNCAGI BREAK",
    "SPEECH DESTROY",
    "SPEECH UNLOAD GRAMMAR",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agi::words::asterisk_words, proto};
    use proptest::prelude::*;

    const RANDOM: u128 = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;

    pub(super) fn parse(json: &str) -> Command {
        let command: proto::Command = serde_json::from_str(json).expect("a command in JSON");
        command.command.expect("a command")
    }

    /// The line of a command without its LF, the mark shown as `MARK`, or the detail of the error.
    pub(super) fn line(json: &str) -> Result<String, String> {
        let encoded =
            encode(&parse(json), &Limits::default(), || RANDOM).map_err(|error| error.detail)?;
        let line = String::from_utf8(encoded.line.to_vec()).expect("UTF-8");
        let line = line.strip_suffix('\n').expect("an end");
        Ok(line.replace("0123456789abcdeffedcba9876543210", "MARK"))
    }

    /// Checks that each command in JSON gives its line.
    pub(super) fn check_lines(table: &[(&str, &str)]) {
        for &(json, expected) in table {
            assert_eq!(line(json).as_deref(), Ok(expected), "{json}");
        }
    }

    /// Checks that each command in JSON is refused, in words that begin like this.
    pub(super) fn check_refused(table: &[(&str, &str)]) {
        for &(json, expected) in table {
            let detail = line(json).expect_err(json);
            assert!(detail.starts_with(expected), "{json}: {detail}");
        }
    }

    /// Every command with all its texts.
    const ALL: [&str; 48] = [
        r#"{"answer":{}}"#,
        r#"{"asyncAgiBreak":{}}"#,
        r#"{"channelStatus":{"channel":"$"}}"#,
        r#"{"controlStreamFile":{"file":"$","escapeDigits":"$","skip":"1s","pauseDigit":"$","offset":"2s"}}"#,
        r#"{"databaseDel":{"family":"$","key":"$"}}"#,
        r#"{"databaseDelTree":{"family":"$","keyTree":"$"}}"#,
        r#"{"databaseGet":{"family":"$","key":"$"}}"#,
        r#"{"databasePut":{"family":"$","key":"$","value":"$"}}"#,
        r#"{"exec":{"application":"Dial","arguments":["$","$"]}}"#,
        r#"{"getData":{"file":"$","maxDigits":4}}"#,
        r#"{"getFullVariable":{"expression":"$","channel":"$"}}"#,
        r#"{"getOption":{"file":"$","escapeDigits":"$"}}"#,
        r#"{"getVariable":{"name":"$"}}"#,
        r#"{"gosub":{"context":"$","extension":"$","priority":"$","arguments":["$","$"]}}"#,
        r#"{"hangUp":{"channel":"$"}}"#,
        r#"{"noop":{"text":"$"}}"#,
        r#"{"receiveChar":{}}"#,
        r#"{"receiveText":{}}"#,
        r#"{"recordFile":{"file":"$","format":"$","escapeDigits":"$","beep":true,"silence":"2s"}}"#,
        r#"{"sayAlpha":{"text":"$","escapeDigits":"$"}}"#,
        r#"{"sayDate":{"date":"2026-01-01T00:00:00Z","escapeDigits":"$"}}"#,
        r#"{"sayDateTime":{"time":"2026-01-01T00:00:00Z","format":"$","timeZone":"$"}}"#,
        r#"{"sayDigits":{"digits":"$"}}"#,
        r#"{"sayNumber":{"number":5,"gender":"$"}}"#,
        r#"{"sayPhonetic":{"text":"$"}}"#,
        r#"{"sayTime":{"time":"2026-01-01T00:00:00Z","escapeDigits":"$"}}"#,
        r#"{"sendImage":{"image":"$"}}"#,
        r#"{"sendText":{"text":"$"}}"#,
        r#"{"setAutoHangup":{"after":"5s"}}"#,
        r#"{"setCallerId":{"name":"$","number":"$"}}"#,
        r#"{"setContext":{"context":"$"}}"#,
        r#"{"setExtension":{"extension":"$"}}"#,
        r#"{"setMusic":{"musicClass":"$"}}"#,
        r#"{"setPriority":{"priority":"$"}}"#,
        r#"{"setVariable":{"name":"$","value":"$"}}"#,
        r#"{"speechActivateGrammar":{"grammar":"$"}}"#,
        r#"{"speechCreate":{"engine":"$"}}"#,
        r#"{"speechDeactivateGrammar":{"grammar":"$"}}"#,
        r#"{"speechDestroy":{}}"#,
        r#"{"speechLoadGrammar":{"grammar":"$","path":"$"}}"#,
        r#"{"speechRecognize":{"prompt":"$"}}"#,
        r#"{"speechSet":{"name":"$","value":"$"}}"#,
        r#"{"speechUnloadGrammar":{"grammar":"$"}}"#,
        r#"{"streamFile":{"file":"$","escapeDigits":"$"}}"#,
        r#"{"tddMode":{"mode":"MODE_ON"}}"#,
        r#"{"verbose":{"text":"$"}}"#,
        r#"{"waitForDigit":{}}"#,
        r#"{"raw":{"line":"$"}}"#,
    ];

    fn filled(json: &str, text: &str) -> Command {
        let quoted = serde_json::to_string(text).expect("text");
        parse(&json.replace("\"$\"", &quoted))
    }

    #[test]
    fn thirteen_commands_are_dead_safe() {
        let safe = |json: &&str| {
            let command = filled(json, "1");
            encode(&command, &Limits::default(), || RANDOM).expect(json).dead_safe
        };
        // GET VARIABLE is read by GET FULL VARIABLE; the raw line is no command's.
        assert_eq!(ALL.iter().filter(|json| safe(json)).count(), 13);
    }

    #[test]
    fn a_mark_is_drawn_only_where_one_is_needed() {
        fn never() -> u128 {
            panic!("no mark is needed")
        }
        for json in ALL
            .iter()
            .filter(|json| !json.contains("Variable\":{\"name\":\"$\"}") && !json.contains("Full"))
        {
            assert!(encode(&filled(json, "1"), &Limits::default(), never).is_ok(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_one_harmless_command(
            json in prop::sample::select(&ALL[..]),
            text in prop_oneof![
                any::<String>(), "[^\r\n\0]{0,30}", "[\"\\\\ (){}$,\\[\\]:a-z0-9*#]{0,20}", "[0-9]{1,6}",
                Just("x".repeat(4090)), Just("failure".to_owned()),
            ],
        ) {
            let command = filled(json, &text);
            if let Ok(encoded) = encode(&command, &Limits::default(), || RANDOM) {
                let line = encoded.line.strip_suffix(b"\n").expect("an end");
                let has = |byte: u8| line.contains(&byte);
                prop_assert!(line.len() <= 8190 && !has(b'\n') && !has(b'\r') && !has(0));
                prop_assert!(!line.trim_ascii_start().to_ascii_lowercase().starts_with(b"failure"));
                let words = asterisk_words(line);
                prop_assert!((1..=127).contains(&words.len()));
                if encoded.name != "RAW" {
                    let command = encoded.name.split(' ').map(|word| word.as_bytes().to_vec());
                    let count = command.clone().count();
                    prop_assert_eq!(&words[..count], &command.collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn texts_reach_asterisk_as_they_are(text in "[^\r\n\0]{1,40}", second in "[^\r\n\0]{0,40}") {
            let pair = |json: &str| {
                let quoted = |text: &str| serde_json::to_string(text).expect("text");
                let json = json.replace("\"1\"", &quoted(&text)).replace("\"2\"", &quoted(&second));
                asterisk_words(line(&json).expect("fits").as_bytes())
            };
            let expected = |command: &str| {
                let words = command.split(' ').chain([text.as_str(), second.as_str()]);
                words.map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>()
            };
            prop_assert_eq!(pair(r#"{"setVariable":{"name":"1","value":"2"}}"#), expected("SET VARIABLE"));
            prop_assert_eq!(pair(r#"{"databaseGet":{"family":"1","key":"2"}}"#), expected("DATABASE GET"));
            prop_assert_eq!(pair(r#"{"speechSet":{"name":"1","value":"2"}}"#), expected("SPEECH SET"));
        }
    }
}
