//! That no class of text gets past its mask, and that what is shown is short and harmless.

use super::*;
use crate::proto::{
    CommandError, DigitsResult, RawReply, ValueResult, command::Command, command_error::Code,
    command_result::Outcome,
};

const SECRET: &str = "s3cr3t-4711";

/// A command from its JSON, as a service sends it.
fn command(json: &str) -> Command {
    let command: crate::proto::Command = serde_json::from_str(json).unwrap();
    command.command.unwrap()
}

#[test]
fn by_default_neither_keys_nor_values_are_shown_and_names_are() {
    let masked = [
        (r#"{"setVariable": {"name": "PIN", "value": "4711"}}"#, "name=PIN value=•••"),
        (
            r#"{"setVariable": {"name": "ODBC_PIN(4711)", "value": "1"}}"#,
            "name=ODBC_PIN(•••) value=•••",
        ),
        (r#"{"getVariable": {"name": "DIALSTATUS"}}"#, "name=DIALSTATUS"),
        (r#"{"getFullVariable": {"expression": "${ODBC(4711)}"}}"#, "expression=${ODBC(•••)"),
        (
            r#"{"databasePut": {"family": "pins", "key": "4711", "value": "4711"}}"#,
            "family=pins key=••• value=•••",
        ),
        (
            r#"{"exec": {"application": "SendDTMF", "arguments": ["4711"]}}"#,
            "application=SendDTMF arguments=•••",
        ),
        (r#"{"sayDigits": {"digits": "4711"}}"#, "digits=••••"),
        (r#"{"streamFile": {"file": "digits/7"}}"#, "file=digits/•••"),
        (
            r#"{"getData": {"file": "enter-pin", "timeout": "2.5s", "maxDigits": 4}}"#,
            "file=enter-pin timeout=2.5s max_digits=4",
        ),
        (r#"{"raw": {"line": "EXEC SendDTMF 4711"}}"#, "line=•••"),
        (r#"{"verbose": {"text": "pin 4711"}}"#, "text=•••"),
    ];
    for (json, expected) in masked {
        assert_eq!(arguments(&command(json), Redact::default()), expected, "{json}");
    }
}

#[test]
fn no_command_shows_a_text_that_is_masked() {
    let fields = [
        r#"{"databaseDel": {"family": "f", "key": "SECRET"}}"#,
        r#"{"databaseDelTree": {"family": "f", "keyTree": "SECRET"}}"#,
        r#"{"databaseGet": {"family": "f", "key": "SECRET"}}"#,
        r#"{"gosub": {"context": "c", "extension": "s", "priority": "1", "arguments": ["SECRET"]}}"#,
        r#"{"noop": {"text": "SECRET"}}"#,
        r#"{"sayAlpha": {"text": "SECRET"}}"#,
        r#"{"sayPhonetic": {"text": "SECRET"}}"#,
        r#"{"sendText": {"text": "SECRET"}}"#,
        r#"{"setCallerId": {"name": "SECRET", "number": "SECRET"}}"#,
        r#"{"setExtension": {"extension": "SECRET"}}"#,
        r#"{"speechSet": {"name": "n", "value": "SECRET"}}"#,
    ];
    for json in fields {
        let command = command(&json.replace("SECRET", SECRET));
        let (masked, shown) =
            (arguments(&command, Redact::ALL), arguments(&command, Redact::NOTHING));
        assert!(!masked.contains("4711") && masked.contains(MASK), "{json}: {masked}");
        assert!(shown.contains(SECRET), "{json}: {shown}");
    }
}

#[test]
fn of_keys_it_is_seen_how_many_there_were() {
    let digits = Outcome::Digits(DigitsResult { digits: "0123".into(), timed_out: true });
    let told = told(&digits, Redact::default());
    assert_eq!((told.outcome, told.text.as_str()), ("digits", "digits=•••• timed_out=yes"));
    assert_eq!(super::told(&digits, Redact::NOTHING).text, "digits=0123 timed_out=yes");
}

#[test]
fn a_value_is_told_from_none() {
    let value =
        |value: Option<&str>| Outcome::Value(ValueResult { value: value.map(str::to_owned) });
    assert_eq!(told(&value(Some(SECRET)), Redact::default()).text, "value=•••");
    assert_eq!(told(&value(None), Redact::default()).text, "unset=yes");
}

#[test]
fn an_error_says_what_the_bridge_says_and_not_what_asterisk_repeats() {
    let error = |code: Code, detail: &str| {
        told(
            &Outcome::Error(CommandError { code: code.into(), detail: detail.into() }),
            Redact::default(),
        )
    };
    let failed = error(Code::Failed, "no such file: 200 result=-1 (4711)");
    assert_eq!((failed.outcome, failed.text.as_str()), ("failed", "no such file"));
    assert_eq!(error(Code::InvalidArgument, "id: 3 is not above 4").text, "id: 3 is not above 4");
    let raw = RawReply { code: 200, text: "200 result=4711".into(), ..RawReply::default() };
    assert_eq!(told(&Outcome::Raw(raw), Redact::default()).text, "code=200 text=•••");
}

#[test]
fn what_is_shown_is_short_and_moves_no_cursor() {
    let long = "x".repeat(1_000_000);
    assert!(short(&long).len() <= FIELD_BYTES_MAX + '…'.len_utf8());
    assert_eq!(short("a\u{1b}[2J\u{202e}b\n"), "a\u{fffd}[2J\u{fffd}b\u{fffd}");
    let many: Vec<String> = (0..1000).map(|_| long.clone()).collect();
    let exec = Command::Exec(crate::proto::Exec { application: long, arguments: many });
    assert!(arguments(&exec, Redact::NOTHING).len() < 2 * LINE_BYTES_MAX);
}

#[test]
fn two_routes_mask_what_either_masks() {
    let numbers = Redact { numbers: true, ..Redact::NOTHING };
    assert_eq!(numbers.and(Redact::default()), Redact::ALL);
    assert_eq!(Redact::default().words().collect::<Vec<_>>(), ["digits", "values"]);
}
