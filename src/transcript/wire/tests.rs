//! What is masked of a line, and that it is what the flight recorder masks.

use super::*;
use crate::{
    agi::{Exchange, Limits},
    proto,
};

const DIGITS: Redact = Redact { digits: true, ..Redact::NOTHING };
const VALUES: Redact = Redact { values: true, ..Redact::NOTHING };
const NUMBERS: Redact = Redact { numbers: true, ..Redact::NOTHING };

fn both(redact: Redact, command: &str, said: &str) -> (String, Vec<String>) {
    let mut wire = Wire::new(redact);
    let command = wire.command(command.as_bytes());
    (command, said.split('\n').map(|line| wire.said(line.as_bytes())).collect())
}

#[test]
fn of_a_line_only_what_its_class_masks_is_gone() {
    let mark = "0123456789abcdef0123456789abcdef";
    let value = format!("GET FULL VARIABLE \"{mark}${{X}}{mark}\"");
    let said = format!("200 result=1 ({mark}4711{mark})");
    let cases = [
        (
            DIGITS,
            r#"GET DATA "pin" "0" "4""#,
            "200 result=0123",
            r#"GET DATA "pin" "0" "4""#,
            "200 result=••••",
        ),
        (
            DIGITS,
            r#"GET DATA "pin""#,
            "200 result= (timeout)",
            r#"GET DATA "pin""#,
            "200 result= (timeout)",
        ),
        (DIGITS, r#"GET DATA "pin""#, "200 result=-1", r#"GET DATA "pin""#, "200 result=-1"),
        (VALUES, r#"GET DATA "pin""#, "200 result=0123", r#"GET DATA "pin""#, "200 result=0123"),
        (
            DIGITS,
            r#"STREAM FILE "digits/4" "1""#,
            "200 result=49 endpos=80",
            r#"STREAM FILE "digits/•••" "1""#,
            "200 result=•• endpos=80",
        ),
        (
            DIGITS,
            r#"WAIT FOR DIGIT "100""#,
            "200 result=0",
            r#"WAIT FOR DIGIT "100""#,
            "200 result=0",
        ),
        (
            DIGITS,
            r#"RECORD FILE "f" "wav" "" "-1""#,
            "200 result=35 (dtmf) endpos=1",
            r#"RECORD FILE "f" "wav" "" "-1""#,
            "200 result=•• (dtmf) endpos=1",
        ),
        (
            DIGITS,
            r#"RECORD FILE "f" "wav" "" "-1""#,
            "200 result=7482 (timeout) endpos=1",
            r#"RECORD FILE "f" "wav" "" "-1""#,
            "200 result=7482 (timeout) endpos=1",
        ),
        (DIGITS, r#"SAY DIGITS "0123" "#, "200 result=0", r#"SAY DIGITS "••••""#, "200 result=0"),
        (
            VALUES,
            r#"SET VARIABLE "CALLERID(num)" "4711""#,
            "200 result=1",
            r#"SET VARIABLE "CALLERID(•••)" "•••""#,
            "200 result=1",
        ),
        (
            VALUES,
            r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#,
            "200 result=1",
            r#"SET VARIABLE "AGIBRIDGE_STATUS" "LOST""#,
            "200 result=1",
        ),
        (
            VALUES,
            &value,
            &said,
            r#"GET FULL VARIABLE "{mark}${X}{mark}""#,
            "200 result=1 ({mark}•••{mark})",
        ),
        (
            Redact::NOTHING,
            &value,
            &said,
            r#"GET FULL VARIABLE "{mark}${X}{mark}""#,
            "200 result=1 ({mark}4711{mark})",
        ),
        (VALUES, r#"GET VARIABLE "X""#, "200 result=0", r#"GET VARIABLE "X""#, "200 result=0"),
        (
            VALUES,
            r#"GET VARIABLE "X""#,
            "200 result=1 ()",
            r#"GET VARIABLE "X""#,
            "200 result=1 ()",
        ),
        (
            NUMBERS,
            r#"EXEC "Dial" "PJSIP/4711""#,
            "200 result=-1",
            r#"EXEC "Dial" "•••""#,
            "200 result=-1",
        ),
        (NUMBERS, r#"NOOP "4711""#, "200 result=0", r#"NOOP "4711""#, "200 result=0"),
        (VALUES, "mystery 4711", "200 result=4711 (4711)", "•••", "200 result=•••"),
        (
            VALUES,
            r#"NOOP "4711""#,
            "520-Invalid command syntax.  Proper usage follows:",
            r#"NOOP "•••""#,
            "520-Invalid command syntax.  Proper usage follows:",
        ),
        (VALUES, r#"NOOP "4711""#, "503 result=-2 4711", r#"NOOP "•••""#, "503 •••"),
        (Redact::ALL, "failure", "HANGUP", "failure", "HANGUP"),
        (
            Redact::ALL,
            r#"SPEECH RECOGNIZE "p" "3""#,
            r#"200 result=1 (speech) endpos=0 results=2 score0=5 text0="a "4711" b" grammar0=(null) score1=8 text1="4711" grammar1=g1"#,
            r#"SPEECH RECOGNIZE "p" "3""#,
            r#"200 result=1 (speech) endpos=0 results=2 score0=5 text0="•••" grammar0=(null) score1=8 text1="•••" grammar1=g1"#,
        ),
    ];
    for (redact, command, said, shown_command, shown_said) in cases {
        let (got_command, got_said) = both(redact, command, said);
        assert_eq!(
            (got_command.as_str(), got_said[0].as_str()),
            (shown_command, shown_said),
            "{redact:?}"
        );
    }
}

#[test]
fn a_value_of_many_lines_is_masked_to_its_end_whatever_it_looks_like() {
    let mark = "0123456789abcdef0123456789abcdef";
    let command = format!("GET FULL VARIABLE \"{mark}${{X}}{mark}\"");
    let said = format!("200 result=1 ({mark}4711\nHANGUP\n200 result=1 (4711)\nb{mark})\nHANGUP");
    let (_, lines) = both(VALUES, &command, &said);
    assert_eq!(lines, ["200 result=1 ({mark}•••", "•••", "•••", "•••{mark})", "HANGUP"]);
    // Without a mark nobody can tell where it ends: what might be of it is masked.
    let (_, lines) = both(VALUES, "GET VARIABLE X", "200 result=1 (a)\n4711\n200 result=1 (4711)");
    assert_eq!(lines, ["200 result=1 (•••)", "•••", "200 result=1 (•••)"]);
}

/// The classes here and those of the flight recorder are the same.
#[test]
fn no_field_that_the_recorder_masks_is_on_the_wire_either() {
    let fields = [
        r#"{"setVariable": {"name": "N", "value": "S4711S"}}"#,
        r#"{"setVariable": {"name": "DB(S4711S)", "value": "x"}}"#,
        r#"{"getVariable": {"name": "DB(S4711S)"}}"#,
        r#"{"getFullVariable": {"expression": "${DB(S4711S)}"}}"#,
        r#"{"databasePut": {"family": "f", "key": "S4711S", "value": "S4711S"}}"#,
        r#"{"databaseGet": {"family": "f", "key": "S4711S"}}"#,
        r#"{"databaseDel": {"family": "f", "key": "S4711S"}}"#,
        r#"{"databaseDelTree": {"family": "f", "keyTree": "S4711S"}}"#,
        r#"{"exec": {"application": "Dial", "arguments": ["S4711S", "b"]}}"#,
        r#"{"gosub": {"context": "c", "extension": "e", "priority": "1", "arguments": ["S4711S"]}}"#,
        r#"{"noop": {"text": "S4711S"}}"#,
        r#"{"verbose": {"text": "S4711S"}}"#,
        r#"{"sendText": {"text": "S4711S"}}"#,
        r#"{"sayAlpha": {"text": "S4711S"}}"#,
        r#"{"sayPhonetic": {"text": "S4711S"}}"#,
        r#"{"sayDigits": {"digits": "4711"}}"#,
        r#"{"sayNumber": {"number": "4711"}}"#,
        r#"{"sayDate": {"date": "1970-01-01T01:18:31Z"}}"#,
        r#"{"sayTime": {"time": "1970-01-01T01:18:31Z"}}"#,
        r#"{"sayDateTime": {"time": "1970-01-01T01:18:31Z"}}"#,
        r#"{"setCallerId": {"name": "S4711S", "number": "4711"}}"#,
        r#"{"setExtension": {"extension": "4711"}}"#,
        r#"{"speechSet": {"name": "n", "value": "S4711S"}}"#,
        r#"{"streamFile": {"file": "digits/4711"}}"#,
        r#"{"raw": {"line": "SET VARIABLE X S4711S"}}"#,
        r#"{"raw": {"line": "mystery S4711S"}}"#,
    ];
    for json in fields {
        let command: proto::Command = serde_json::from_str(json).expect(json);
        let exchange = Exchange::new(&command.command.expect(json), &Limits::default(), || 7);
        let line = exchange.unwrap_or_else(|refused| panic!("{json}: {refused}")).first_line();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let shown = Wire::new(Redact::NOTHING).command(line);
        let masked = Wire::new(Redact::ALL).command(line);
        assert!(shown.contains("4711"), "{json}: {shown}");
        assert!(!masked.contains("4711") && masked.contains(text::BULLET), "{json}: {masked}");
    }
}
