//! Whole exchanges against a scripted Asterisk, through the reader.

use super::*;
use crate::{agi::reply::Reader, proto};
use proptest::prelude::*;

const DIGITS: &str = "0123456789abcdeffedcba9876543210";

fn mark() -> u128 {
    0x0123_4567_89ab_cdef_fedc_ba98_7654_3210
}

fn exchange(json: &str) -> Exchange {
    let command: proto::Command = serde_json::from_str(json).expect("a command in JSON");
    let command = command.command.expect("a command");
    Exchange::new(&command, &Limits::default(), mark).expect(json)
}

/// An error's code or the outcome in JSON, and the source of a hangup behind ` + `.
fn shown(finished: Finished) -> String {
    let hangup =
        finished.hangup.map_or(String::new(), |source| format!(" + {}", source.as_str_name()));
    let outcome = if let Outcome::Error(error) = &finished.outcome {
        error.code().as_str_name().to_owned()
    } else {
        let result = proto::CommandResult { outcome: Some(finished.outcome), ..Default::default() };
        serde_json::to_string(&result).expect("JSON")
    };
    outcome + &hangup
}

/// One run: Asterisk's words to each line, and what came of it.
struct Run {
    exchange: Exchange,
    reader: Reader,
    hung_up: bool,
    hangups: usize,
    lines: Vec<String>,
}

impl Run {
    fn new(json: &str) -> Self {
        let exchange = exchange(json);
        let lines = vec![String::from_utf8_lossy(&exchange.first_line()).replace(DIGITS, "MARK")];
        Self { exchange, reader: Reader::new(1 << 20), hung_up: false, hangups: 0, lines }
    }

    /// Reads until another line is written or the command is over.
    fn hear(&mut self, bytes: &[u8]) -> Option<Step> {
        self.reader.push(bytes);
        while let Some(incoming) =
            self.reader.next(self.exchange.expect()).expect("below the limit")
        {
            if incoming == Incoming::Hangup {
                self.hung_up = true;
                self.hangups += 1;
                continue;
            }
            match self.exchange.on_incoming(incoming, self.hung_up) {
                Step::Wait | Step::Progress(_) => {}
                Step::Write(line) => {
                    self.lines.push(String::from_utf8_lossy(&line).replace(DIGITS, "MARK"));
                }
                step @ (Step::Done(_) | Step::Desync(_)) => return Some(step),
            }
        }
        None
    }
}

/// Asterisk says `answers`, one for each line that it gets; checks the follow-up lines, shows the end.
fn run(json: &str, answers: &[&str], follow_ups: &[&str]) -> String {
    let mut run = Run::new(json);
    let mut end = None;
    for (place, answer) in answers.iter().enumerate() {
        assert_eq!((run.lines.len(), &end), (place + 1, &None), "{json}: one answer a line");
        end = run.hear(answer.replace("MARK", DIGITS).as_bytes());
    }
    let follow_up = |line: &str| format!("{line}\n");
    let expected: Vec<_> = follow_ups.iter().map(|line| follow_up(line)).collect();
    assert_eq!(run.lines[1..], expected, "{json}");
    match end.unwrap_or_else(|| panic!("{json} is over after {answers:?}")) {
        Step::Done(finished) => shown(finished),
        Step::Desync(reason) => format!("desync: {reason}"),
        step @ (Step::Wait | Step::Progress(_) | Step::Write(_)) => panic!("{step:?} is no end"),
    }
}

const STATUS: &str = "CHANNEL STATUS";
const PROBE: &str = "GET FULL VARIABLE \"MARK\"";
const DEAD: &str = "511 Command Not Permitted on a dead channel or intercept routine\n";

#[test]
fn a_variable_is_read_whole_and_exact() {
    let json = r#"{"getVariable":{"name":"F(\"x\\\")"}}"#;
    let plain = r#"GET VARIABLE "F(\"x\\\")""#;
    let empty = "200 result=1 (MARKMARK)\n";
    assert_eq!(
        run(json, &["200 result=1 (MARKa)\n(bMARK)\n"], &[]),
        r#"{"value":{"value":"a)\n(b"}}"#
    );
    assert_eq!(run(json, &[empty, "200 result=0\n"], &[plain]), r#"{"value":{}}"#);
    assert_eq!(run(json, &[empty, "200 result=1 ()\n"], &[plain]), r#"{"value":{"value":""}}"#);
    let late = [empty, "200 result=1 (x\nHANGUP\n", "y)\nHANGUP\n200 result=1 (MARK)\n"];
    assert_eq!(
        run(json, &late, &[plain, PROBE]),
        r#"{"value":{"value":"x\nHANGUP\ny"}} + SOURCE_SIGNAL"#
    );
    assert_eq!(
        run(json, &["200 result=1 (old)\n"], &[]),
        "desync: a value without its marks, in 18 bytes"
    );
    assert_eq!(run(json, &["510 x\n"], &[]), "CODE_UNKNOWN_COMMAND");
}

#[test]
fn an_expression_is_read_whole_and_exact() {
    let json = r#"{"getFullVariable":{"expression":"${X}","channel":"c"}}"#;
    assert_eq!(run(json, &["200 result=1 (MARKMARK)\n"], &[]), r#"{"value":{"value":""}}"#);
    assert_eq!(run(json, &["200 result=1 (MARK\r\nMARK)\n"], &[]), r#"{"value":{"value":"\r\n"}}"#);
    assert_eq!(run(json, &["200 result=0\n"], &[]), "CODE_FAILED");
    assert_eq!(run(json, &["520 Not available.\n"], &[]), "CODE_USAGE");
}

#[test]
fn a_value_is_read_up_to_the_probes_answer() {
    let get = r#"{"databaseGet":{"family":"f","key":"k"}}"#;
    let answer = "200 result=1 (MARK)\n";
    assert_eq!(run(get, &["200 result=0\n"], &[]), r#"{"value":{}}"#);
    assert_eq!(run(get, &["200 result=1 (v)\n", answer], &[PROBE]), r#"{"value":{"value":"v"}}"#);
    let lines = ["200 result=1 (a\n200 result=0\nHANGUP\n520-b\n", "c)\n200 result=1 (MARK)\n"];
    assert_eq!(
        run(get, &lines, &[PROBE]),
        r#"{"value":{"value":"a\n200 result=0\nHANGUP\n520-b\nc"}}"#
    );
    let gone = ["200 result=1 (v)\nHANGUP\n", answer];
    assert_eq!(run(get, &gone, &[PROBE]), r#"{"value":{"value":"v"}} + SOURCE_SIGNAL"#);
    assert_eq!(run(get, &["200 result=1 (torn\n", answer], &[PROBE]), "CODE_PROTOCOL_ERROR");
    let text = r#"{"receiveText":{}}"#;
    assert_eq!(run(text, &["200 result=1 (hi)\n", answer], &[PROBE]), r#"{"text":{"text":"hi"}}"#);
    let speech = r#"{"speechRecognize":{"prompt":"p"}}"#;
    let lines = [
        "200 result=1 (speech) endpos=0 results=1 score0=9 text0=\"a\n",
        "b\" grammar0=g\n200 result=1 (MARK)\n",
    ];
    let expected =
        r#"{"speech":{"end":"END_SPEECH","matches":[{"score":9,"text":"a\nb","grammar":"g"}]}}"#;
    assert_eq!(run(speech, &lines, &[PROBE]), expected);
}

#[test]
fn an_application_keeps_its_result() {
    let dial = r#"{"exec":{"application":"Dial"}}"#;
    let read = r#"{"exec":{"application":"read","arguments":["X"]}}"#;
    let minus = r#"{"exec":{"result":-1}}"#;
    assert_eq!(run(dial, &["200 result=0\n"], &[]), r#"{"exec":{}}"#);
    assert_eq!(run(dial, &["200 result=-2\n"], &[]), "CODE_NO_SUCH_APPLICATION");
    assert_eq!(run(dial, &["200 result=-1\n", "200 result=6\n"], &[STATUS]), minus);
    assert_eq!(run(dial, &["200 result=-1\n", DEAD], &[STATUS]), format!("{minus} + SOURCE_REPLY"));
    assert_eq!(
        run(dial, &["200 result=-1\n", &format!("HANGUP\n{DEAD}")], &[STATUS]),
        format!("{minus} + SOURCE_REPLY")
    );
    assert_eq!(run(dial, &["HANGUP\n200 result=-1\n"], &[]), minus);
    assert_eq!(run(read, &["200 result=0\n", "200 result=6\n"], &[STATUS]), r#"{"exec":{}}"#);
    assert_eq!(run(read, &["200 result=0\n", DEAD], &[STATUS]), r#"{"exec":{}} + SOURCE_REPLY"#);
    let usage = "520-Invalid\n200 result=1 (x)\n520 End of proper usage.\n200 result=1 (MARK)\n";
    assert_eq!(run(dial, &["200 result=1\n", usage], &[PROBE]), r#"{"exec":{"result":1}}"#);
    assert_eq!(
        run(dial, &["200 result=1\n", "200 result=1 (MARK)\n"], &[PROBE]),
        r#"{"exec":{"result":1}}"#
    );
}

#[test]
fn an_ambiguous_reply_asks_for_the_channel_once() {
    let stream = r#"{"streamFile":{"file":"f"}}"#;
    let option = r#"{"getOption":{"file":"f"}}"#;
    let character = r#"{"receiveChar":{}}"#;
    let minus = "200 result=-1 endpos=0\n";
    assert_eq!(run(stream, &[minus, "200 result=6\n"], &[STATUS]), "CODE_FAILED");
    assert_eq!(run(stream, &[minus, DEAD], &[STATUS]), "CODE_HUNG_UP + SOURCE_REPLY");
    assert_eq!(run(stream, &[minus, "HANGUP\n200 result=6\n"], &[STATUS]), "CODE_HUNG_UP");
    assert_eq!(run(stream, &["HANGUP\n200 result=-1 endpos=0\n"], &[]), "CODE_HUNG_UP");
    assert_eq!(run(stream, &[DEAD], &[]), "CODE_HUNG_UP + SOURCE_REPLY");
    let end = r#"{"playback":{"endSamples":5}}"#;
    assert_eq!(run(option, &["200 result=0 endpos=5\n", "200 result=6\n"], &[STATUS]), end);
    assert_eq!(
        run(option, &["200 result=0 endpos=5\n", DEAD], &[STATUS]),
        format!("{end} + SOURCE_REPLY")
    );
    assert_eq!(
        run(character, &["200 result=-1 (hangup)\n", "200 result=6\n"], &[STATUS]),
        r#"{"text":{}}"#
    );
    assert_eq!(
        run(character, &["200 result=-1 (hangup)\n", DEAD], &[STATUS]),
        "CODE_HUNG_UP + SOURCE_REPLY"
    );
    for json in [
        r#"{"answer":{}}"#,
        r#"{"controlStreamFile":{"file":"f"}}"#,
        r#"{"getData":{"file":"f"}}"#,
        r#"{"sayNumber":{}}"#,
        r#"{"waitForDigit":{}}"#,
        r#"{"sendText":{}}"#,
        r#"{"sendImage":{"image":"i"}}"#,
    ] {
        assert_eq!(
            run(json, &["200 result=-1\n", "200 result=4\n"], &[STATUS]),
            "CODE_FAILED",
            "{json}"
        );
        assert_eq!(
            run(json, &["200 result=-1\n", DEAD], &[STATUS]),
            "CODE_HUNG_UP + SOURCE_REPLY",
            "{json}"
        );
    }
}

#[test]
fn a_subroutine_returns_its_value() {
    let json = r#"{"gosub":{"context":"c","extension":"s","priority":"1"}}"#;
    let trying = "100 result=0 Trying...\n";
    let value = "GET FULL VARIABLE \"MARK${GOSUB_RETVAL}MARK\"";
    let complete = format!("{trying}200 result=0 Gosub complete\n");
    let returned = r#"{"gosub":{"returnValue":"a)"}}"#;
    assert_eq!(run(json, &[&complete, "200 result=1 (MARKa)MARK)\n"], &[value]), returned);
    assert_eq!(run(json, &[&complete, "200 result=1 (MARKMARK)\n"], &[value]), r#"{"gosub":{}}"#);
    let abnormal = format!("{trying}200 result=0 Gosub complete (abnormal exit)\n");
    let left = r#"{"gosub":{"abnormalExit":true}}"#;
    assert_eq!(run(json, &[&abnormal, "200 result=6\n"], &[STATUS]), left);
    assert_eq!(run(json, &[&abnormal, DEAD], &[STATUS]), format!("{left} + SOURCE_REPLY"));
    assert_eq!(run(json, &["200 result=-1 Gosub label not found\n"], &[]), "CODE_FAILED");
    let mut exchange = exchange(json);
    let step = exchange.on_incoming(Incoming::Progress("100 result=0 Trying...".into()), false);
    assert_eq!(step, Step::Progress("Trying...".to_owned()));
}

#[test]
fn a_raw_command_gets_its_reply_whole() {
    let json = r#"{"raw":{"line":"DATABASE GET f k"}}"#;
    let none = r#"{"raw":{"code":200,"result":"0","text":"200 result=0"}}"#;
    assert_eq!(run(json, &["200 result=0\n"], &[]), none);
    let lines = ["200 result=1 (a\n", "b)\nHANGUP\n200 result=1 (MARK)\n"];
    let whole = r#"{"raw":{"code":200,"result":"1","value":"a\nb","text":"200 result=1 (a\nb)"}}"#;
    assert_eq!(run(json, &lines, &[PROBE]), format!("{whole} + SOURCE_SIGNAL"));
    assert_eq!(run(json, &["510 x\n"], &[]), r#"{"raw":{"code":510,"text":"510 x"}}"#);
    let hangup = r#"{"raw":{"line":"hangup"}}"#;
    let one = r#"{"raw":{"code":200,"result":"1","text":"200 result=1"}} + SOURCE_SERVICE"#;
    assert_eq!(run(hangup, &["200 result=1\nHANGUP\n"], &[]), one);
}

#[test]
fn a_recording_that_the_caller_ended_is_kept() {
    let json = r#"{"recordFile":{"file":"f","format":"wav"}}"#;
    let kept = r#"{"recording":{"end":"END_HANGUP","endSamples":8}} + SOURCE_REPLY"#;
    assert_eq!(run(json, &["200 result=-1 (hangup) endpos=8\n"], &[]), kept);
    assert_eq!(run(json, &["200 result=-1 (waitfor) endpos=8\n", DEAD], &[STATUS]), kept);
    assert_eq!(
        run(json, &["200 result=-1 (waitfor) endpos=8\n", "200 result=6\n"], &[STATUS]),
        "CODE_FAILED"
    );
    assert_eq!(run(json, &["200 result=-1 (writefile)\n"], &[]), "CODE_FAILED");
}

#[test]
fn a_closed_connection_leaves_what_is_decided() {
    let closed = |json: &str, heard: &str| {
        let mut run = Run::new(json);
        assert_eq!(run.hear(heard.as_bytes()), None, "{json}");
        run.exchange.on_closed().map(shown)
    };
    let get = r#"{"databaseGet":{}}"#;
    let stream = r#"{"streamFile":{"file":"f"}}"#;
    let dial = r#"{"exec":{"application":"Dial"}}"#;
    assert_eq!(closed(stream, ""), None);
    assert_eq!(
        closed(stream, "200 result=-1 endpos=0\n").as_deref(),
        Some("CODE_HUNG_UP + SOURCE_REPLY")
    );
    assert_eq!(
        closed(dial, "200 result=-1\n").as_deref(),
        Some(r#"{"exec":{"result":-1}} + SOURCE_REPLY"#)
    );
    assert_eq!(closed(get, "200 result=1 (v)\n").as_deref(), Some(r#"{"value":{"value":"v"}}"#));
    assert_eq!(closed(get, "200 result=1 (v\n"), None);
    let empty = format!("200 result=1 ({DIGITS}{DIGITS})\n");
    assert_eq!(closed(r#"{"getVariable":{"name":"X"}}"#, &empty), None);
}

#[test]
fn names_are_asterisks() {
    let table = [
        (r#"{"getVariable":{"name":"X"}}"#, "GET VARIABLE", true),
        (r#"{"getFullVariable":{"expression":"X"}}"#, "GET FULL VARIABLE", true),
        (r#"{"getData":{}}"#, "GET DATA", false),
        (r#"{"hangUp":{}}"#, "HANGUP", false),
        (r#"{"raw":{"line":"exec x"}}"#, "RAW", true),
    ];
    for (json, name, dead_safe) in table {
        let exchange = exchange(json);
        assert_eq!((exchange.name(), exchange.dead_safe()), (name, dead_safe));
    }
}

#[test]
fn what_nothing_asked_for_is_a_desync() {
    let mut run = Run::new(r#"{"noop":{}}"#);
    assert!(matches!(run.hear(b"hello\n"), Some(Step::Desync(_))));
    let mut exchange = exchange(r#"{"noop":{}}"#);
    let tail = Incoming::Tail { text: Bytes::new(), hangup: false };
    assert!(matches!(exchange.on_incoming(tail, false), Step::Desync(_)));
}

/// Values without NUL, made to look like everything that a reply, a hangup or a mark looks like.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let old_mark = Just(b"ffffffffffffffffffffffffffffffff".to_vec());
    let word = prop_oneof![
        Just(b")".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"HANGUP".to_vec()),
        Just(b"\nHANGUP\n".to_vec()),
        Just(b")\nHANGUP\n".to_vec()),
        Just(b"200 result=1 (".to_vec()),
        Just(b"\n200 result=0\n".to_vec()),
        Just(b"\n511 x\n520 x\n".to_vec()),
        Just(DIGITS.as_bytes()[..31].to_vec()),
        old_mark,
        prop::collection::vec(1u8..=255, 0..6),
    ];
    prop::collection::vec(word, 0..9).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_value_is_taken_for_anything_but_itself(
        value in value(), json in prop::sample::select(vec![
            r#"{"databaseGet":{}}"#,
            r#"{"getFullVariable":{"expression":"${X}"}}"#,
            r#"{"getVariable":{"name":"X"}}"#,
            r#"{"receiveText":{}}"#,
        ]),
        before: bool, behind: bool, cuts in prop::collection::vec(1usize..40, 0..12),
    ) {
        let marked = json.contains("Variable");
        prop_assume!(!(value.is_empty() && json.contains("getVariable")));
        let mark: &[u8] = if marked { DIGITS.as_bytes() } else { b"" };
        let hangup = |is: bool| if is { &b"HANGUP\n"[..] } else { b"" };
        let probe = [b"200 result=1 (", DIGITS.as_bytes(), b")\n"].concat();
        let mut bytes = [hangup(before), b"200 result=1 (", mark, &value, mark, b")\n", hangup(behind)].concat();
        let mut run = Run::new(json);
        let (mut end, mut probed) = (None, marked);
        let mut cuts = cuts.into_iter();
        while end.is_none() {
            if run.lines.len() == 2 && !probed {
                bytes.extend_from_slice(&probe);
                probed = true;
            }
            prop_assert!(!bytes.is_empty(), "all was said and the command is not over");
            let rest = bytes.split_off(cuts.next().unwrap_or(usize::MAX).min(bytes.len()));
            end = run.hear(&bytes);
            bytes = rest;
        }
        let Some(Step::Done(finished)) = end else { return Err(TestCaseError::fail("no outcome")) };
        let text = Some(String::from_utf8_lossy(&value).into_owned());
        let expected = if json.contains("Text") {
            Outcome::Text(proto::TextResult { text })
        } else {
            Outcome::Value(ValueResult { value: text })
        };
        prop_assert_eq!(finished.outcome, expected);
        // A genuine hangup is seen once: as a line of its own, or as the end of the tail.
        run.reader.push(&bytes);
        while let Ok(Some(incoming)) = run.reader.next(Expect::Nothing) {
            prop_assert_eq!(incoming, Incoming::Hangup);
            run.hangups += 1;
        }
        let hangups = run.hangups + usize::from(finished.hangup.is_some());
        prop_assert_eq!(hangups, usize::from(before) + usize::from(behind));
        prop_assert!(run.reader.is_empty());
    }

    #[test]
    fn arbitrary_replies_do_not_panic(
        json in prop::sample::select(vec![
            r#"{"answer":{}}"#, r#"{"exec":{"application":"Read"}}"#, r#"{"getData":{}}"#, r#"{"raw":{"line":"x"}}"#,
            r#"{"getVariable":{"name":"X"}}"#, r#"{"speechRecognize":{}}"#, r#"{"receiveText":{}}"#,
            r#"{"recordFile":{"file":"f","format":"w"}}"#, r#"{"waitForDigit":{}}"#,
            r#"{"gosub":{"context":"c","extension":"s","priority":"1"}}"#,
        ]),
        bytes in prop::collection::vec(prop_oneof![
            value(), Just(b"200 result=".to_vec()), Just(b"-1\n".to_vec()), Just(b"1 (".to_vec()),
            Just(b"100 x\n".to_vec()), Just(b"1 (speech) results=2 score1=\n".to_vec()),
            Just(DIGITS.as_bytes().to_vec()), Just(b")\n".to_vec()),
        ], 0..12),
    ) {
        let mut run = Run::new(json);
        for piece in bytes {
            if run.hear(&piece).is_some() {
                return Ok(());
            }
        }
        while let Some(incoming) = run.reader.finish(run.exchange.expect()) {
            if !matches!(run.exchange.on_incoming(incoming, false), Step::Wait | Step::Write(_)) {
                return Ok(());
            }
        }
        let _ = run.exchange.on_closed();
    }
}
