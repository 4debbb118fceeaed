//! Commands that speak numbers, letters and times.

use super::{Draft, argument::epoch};
use crate::{
    agi::{
        outcome::Kind,
        words::{InvalidArgument, Line},
    },
    proto::{
        SayAlpha, SayDate, SayDateTime, SayDigits, SayNumber, SayPhonetic, SayTime, say_alpha::Case,
    },
};

/// Asterisk's own format, needed where only a time zone is given. A German channel's own differs.
const DATE_TIME_FORMAT: &str = "ABdY 'digits/at' IMp";

type Result = std::result::Result<Draft, InvalidArgument>;

pub(super) fn alpha(command: &SayAlpha) -> Result {
    let line = Line::new("SAY ALPHA")
        .text("say_alpha.text", &command.text)?
        .digits("say_alpha.escape_digits", &command.escape_digits)?;
    let line = match Case::try_from(command.spoken_case) {
        Ok(Case::Unspecified) => line,
        Ok(Case::All) => line.word("a"),
        Ok(Case::Lower) => line.word("l"),
        Ok(Case::Upper) => line.word("u"),
        Err(_) => return Err(InvalidArgument::new("say_alpha.spoken_case", "is no known case")),
    };
    spoken(line)
}

pub(super) fn date(command: &SayDate) -> Result {
    let epoch = epoch("say_date.date", command.date.as_ref())?;
    spoken(
        Line::new("SAY DATE")
            .number(epoch)
            .digits("say_date.escape_digits", &command.escape_digits)?,
    )
}

pub(super) fn date_time(command: &SayDateTime) -> Result {
    let SayDateTime { time, escape_digits, format, time_zone } = command;
    let epoch = epoch("say_date_time.time", time.as_ref())?;
    let line = Line::new("SAY DATETIME")
        .number(epoch)
        .digits("say_date_time.escape_digits", escape_digits)?;
    let line = match (format.is_empty(), time_zone.is_empty()) {
        (true, true) => line,
        (true, false) => line.word(DATE_TIME_FORMAT),
        (false, _) => line.text("say_date_time.format", format)?,
    };
    spoken(line.optional("say_date_time.time_zone", time_zone)?)
}

/// Asterisk first reads them as a number, and refuses what does not begin like one.
pub(super) fn digits(command: &SayDigits) -> Result {
    let unsigned = command.digits.strip_prefix(['+', '-']).unwrap_or(&command.digits);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(InvalidArgument::new("say_digits.digits", "must begin with a digit of 0-9"));
    }
    let line = Line::new("SAY DIGITS")
        .text("say_digits.digits", &command.digits)?
        .digits("say_digits.escape_digits", &command.escape_digits)?;
    spoken(line)
}

pub(super) fn number(command: &SayNumber) -> Result {
    let line = Line::new("SAY NUMBER")
        .number(i64::from(command.number))
        .digits("say_number.escape_digits", &command.escape_digits)?
        .optional("say_number.gender", &command.gender)?;
    spoken(line)
}

pub(super) fn phonetic(command: &SayPhonetic) -> Result {
    let line = Line::new("SAY PHONETIC")
        .text("say_phonetic.text", &command.text)?
        .digits("say_phonetic.escape_digits", &command.escape_digits)?;
    spoken(line)
}

pub(super) fn time(command: &SayTime) -> Result {
    let epoch = epoch("say_time.time", command.time.as_ref())?;
    spoken(
        Line::new("SAY TIME")
            .number(epoch)
            .digits("say_time.escape_digits", &command.escape_digits)?,
    )
}

fn spoken(line: Line) -> Result {
    Ok(Draft::new(Kind::Digit, line))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_lines, check_refused};

    #[test]
    fn lines_that_speak() {
        check_lines(&[
            (r#"{"sayAlpha":{"text":"aB"}}"#, r#"SAY ALPHA "aB" """#),
            (r#"{"sayAlpha":{"text":"aB","spokenCase":"CASE_ALL"}}"#, r#"SAY ALPHA "aB" "" "a""#),
            (r#"{"sayAlpha":{"text":"aB","spokenCase":"CASE_LOWER"}}"#, r#"SAY ALPHA "aB" "" "l""#),
            (
                r##"{"sayAlpha":{"text":"aB","escapeDigits":"#","spokenCase":"CASE_UPPER"}}"##,
                r##"SAY ALPHA "aB" "#" "u""##,
            ),
            (r#"{"sayDate":{"date":"2026-01-01T00:00:00Z"}}"#, r#"SAY DATE "1767225600" """#),
            (r#"{"sayTime":{"time":"1969-12-31T23:59:59Z"}}"#, r#"SAY TIME "-1" """#),
            (r#"{"sayDateTime":{"time":"1970-01-01T00:00:05Z"}}"#, r#"SAY DATETIME "5" """#),
            (
                r#"{"sayDateTime":{"time":"1970-01-01T00:00:05Z","format":"HM"}}"#,
                r#"SAY DATETIME "5" "" "HM""#,
            ),
            (
                r#"{"sayDateTime":{"time":"1970-01-01T00:00:05Z","timeZone":"Europe/Berlin"}}"#,
                r#"SAY DATETIME "5" "" "ABdY 'digits/at' IMp" "Europe/Berlin""#,
            ),
            (r#"{"sayDigits":{"digits":"007*#"}}"#, r#"SAY DIGITS "007*#" """#),
            (r#"{"sayDigits":{"digits":"-1"}}"#, r#"SAY DIGITS "-1" """#),
            (r#"{"sayNumber":{"number":-5}}"#, r#"SAY NUMBER "-5" """#),
            (r#"{"sayNumber":{"number":5,"gender":"f"}}"#, r#"SAY NUMBER "5" "" "f""#),
            (r#"{"sayPhonetic":{"text":"abc","escapeDigits":"0"}}"#, r#"SAY PHONETIC "abc" "0""#),
        ]);
    }

    #[test]
    fn faults_name_their_field() {
        check_refused(&[
            (r#"{"sayDate":{}}"#, "say_date.date: is not set"),
            (
                r#"{"sayTime":{"time":"2038-01-19T03:14:08Z"}}"#,
                "say_time.time: does not fit into 32 bits",
            ),
            (r#"{"sayDateTime":{}}"#, "say_date_time.time: is not set"),
            (r#"{"sayDigits":{"digits":"*1"}}"#, "say_digits.digits: must begin with a digit"),
            (r#"{"sayDigits":{}}"#, "say_digits.digits: must begin with a digit"),
            (r#"{"sayNumber":{"escapeDigits":"x"}}"#, "say_number.escape_digits: may hold"),
            (r#"{"sayPhonetic":{"text":"\n"}}"#, "say_phonetic.text: holds LF"),
        ]);
    }

    #[test]
    fn a_case_that_the_contract_does_not_know_is_refused() {
        let command = super::SayAlpha { spoken_case: 9, ..Default::default() };
        let error = super::alpha(&command).err().expect("no such case");
        assert_eq!(error.detail, "say_alpha.spoken_case: is no known case");
    }
}
