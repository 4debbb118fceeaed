//! A line that a service wrote itself. It goes out as it is, once it can harm neither Asterisk nor the order of
//! replies; the two commands that crash Asterisk without a limit get theirs.

use super::{
    DEAD_SAFE, Encoded,
    media::{GET_DATA_DIGITS_MAX, GET_OPTION_TIMEOUT_MS},
};
use crate::{
    agi::{
        outcome::Kind,
        words::{InvalidArgument, Limits, WORDS_MAX, check_byte},
    },
    proto::RawCommand,
};
use bytes::Bytes;

const FIELD: &str = "raw.line";
const FAILURE: &[u8] = b"failure";

pub(super) fn encode(command: &RawCommand, limits: &Limits) -> Result<Encoded, InvalidArgument> {
    let line = command.line.as_bytes();
    let words = Words::split(line);
    let refuse = |problem: &str| Err(InvalidArgument::new(FIELD, problem));
    line.iter().try_for_each(|&byte| check_byte(FIELD, byte))?;
    if words.count() == 0 {
        return refuse("is empty");
    }
    if line
        .trim_ascii_start()
        .get(..FAILURE.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(FAILURE))
    {
        return refuse(
            "begins with `failure`, which ends the session; `end` of the call does that",
        );
    }
    if words.count() > WORDS_MAX {
        return refuse("has more than 127 words, which Asterisk does not survive");
    }
    let appended = limit_words(&words)?;
    let mut bytes = Vec::with_capacity(line.len() + 24);
    if appended.is_empty() {
        bytes.extend_from_slice(line);
    } else {
        words.quote(&mut bytes);
        appended.iter().for_each(|word| bytes.extend_from_slice(word.as_bytes()));
    }
    if bytes.len() > limits.line_bytes_max {
        let limit = limits.line_bytes_max;
        let problem =
            format_args!("is too long: it has {} bytes, Asterisk takes {limit}", bytes.len());
        return Err(InvalidArgument::new(FIELD, problem));
    }
    bytes.push(b'\n');
    Ok(Encoded {
        name: "RAW",
        dead_safe: DEAD_SAFE.iter().any(|name| words.begin_with(name)),
        kind: Kind::Raw { own_hangup: words.begin_with("HANGUP") && words.count() == 1 },
        mark: None,
        digits_end: None,
        line: Bytes::from(bytes),
    })
}

/// The quoted words that a GET DATA or GET OPTION lacks.
fn limit_words(words: &Words) -> Result<Vec<String>, InvalidArgument> {
    if words.begin_with("GET OPTION") && words.count() == 4 {
        return Ok(vec![format!(" \"{GET_OPTION_TIMEOUT_MS}\"")]);
    }
    if !words.begin_with("GET DATA") || words.count() < 3 {
        return Ok(Vec::new());
    }
    let digits_max = format!(" \"{GET_DATA_DIGITS_MAX}\"");
    match words.count() {
        3 => Ok(vec![" \"0\"".to_owned(), digits_max]),
        4 => Ok(vec![digits_max]),
        _ if leading_number(words.get(4)) > GET_DATA_DIGITS_MAX => {
            let problem = format_args!("asks GET DATA for more than {GET_DATA_DIGITS_MAX} digits");
            Err(InvalidArgument::new(FIELD, problem))
        }
        _ => Ok(Vec::new()),
    }
}

/// As Asterisk reads it: blanks, a sign, digits, and anything behind them. Negative and unreadable ones are zero.
pub(in crate::agi) fn leading_number(word: &[u8]) -> u32 {
    let start = word.iter().position(|byte| !(byte.is_ascii_whitespace() || *byte == 0x0b));
    let word = &word[start.unwrap_or(word.len())..];
    let word = word.strip_prefix(b"+").unwrap_or(word);
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u32, |number, digit| {
        number.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
    })
}

/// The words of a line, as Asterisk cuts and unquotes them.
#[derive(Debug)]
pub struct Words {
    bytes: Vec<u8>,
    /// Where each word ends in `bytes`.
    ends: Vec<usize>,
}

impl Words {
    /// Cuts a line, without its LF.
    pub fn split(line: &[u8]) -> Self {
        let mut words = Self { bytes: Vec::with_capacity(line.len()), ends: Vec::new() };
        let (mut in_word, mut quoted, mut escaped) = (false, false, false);
        for &byte in line {
            match byte {
                b'\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                b'"' if !escaped => {
                    quoted = !quoted;
                    in_word |= quoted;
                }
                b' ' | b'\t' if !escaped && !quoted => {
                    if in_word {
                        words.ends.push(words.bytes.len());
                    }
                    in_word = false;
                }
                _ => {
                    words.bytes.push(byte);
                    in_word = true;
                }
            }
            escaped = false;
        }
        if in_word {
            words.ends.push(words.bytes.len());
        }
        words
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The word at `place`, which is below the count.
    pub fn get(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[place]]
    }

    /// Whether the line is this command, as Asterisk finds it.
    pub(in crate::agi) fn begin_with(&self, command: &str) -> bool {
        // Most commands that are asked for differ here already.
        let first = [self.bytes.first(), command.as_bytes().first()];
        if let [Some(ours), Some(theirs)] = first
            && !ours.eq_ignore_ascii_case(theirs)
        {
            return false;
        }
        command.split(' ').enumerate().all(|(place, word)| {
            place < self.count() && self.get(place).eq_ignore_ascii_case(word.as_bytes())
        })
    }

    /// The command that they are, in Asterisk's own spelling, if they are one.
    pub fn command(&self) -> Option<&'static str> {
        let named = super::COMMANDS.iter().copied().filter(|name| self.begin_with(name));
        named.max_by_key(|name| name.len())
    }

    /// Writes them anew, so that a word can be appended whatever the line's own quotes are like.
    fn quote(&self, line: &mut Vec<u8>) {
        for place in 0..self.count() {
            if place > 0 {
                line.push(b' ');
            }
            line.push(b'"');
            for &byte in self.get(place) {
                if matches!(byte, b'"' | b'\\') {
                    line.push(b'\\');
                }
                line.push(byte);
            }
            line.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agi::words::asterisk_words;
    use proptest::prelude::*;

    fn raw(line: &str) -> Result<Encoded, InvalidArgument> {
        encode(&RawCommand { line: line.to_owned() }, &Limits::default())
    }

    #[test]
    fn a_raw_line_goes_out_as_it_is() {
        for line in [
            "NOOP",
            " noop  \"a b\" ",
            "FAIL x",
            "x failure",
            "\"failure\"",
            "get data beep 1 5",
            "GET OPTION a",
        ] {
            assert_eq!(raw(line).expect("fine").line, format!("{line}\n"));
        }
    }

    #[test]
    fn a_harmful_line_is_refused() {
        let table = [
            ("", "is empty"),
            (" \t ", "is empty"),
            ("\\", "is empty"),
            ("failure", "begins with `failure`"),
            (" \tFAILUREs", "begins with `failure`"),
            ("NOOP\nHANGUP", "holds LF"),
            ("NOOP\r", "holds CR"),
            ("NOOP\0", "holds NUL"),
            ("GET DATA f 1 1024", "asks GET DATA for more than 1023 digits"),
            ("get \"data\" f 1 +99999999999999999999x", "asks GET DATA for more than 1023 digits"),
        ];
        for (line, problem) in table {
            let detail = raw(line).expect_err(line).detail;
            assert!(detail.starts_with(&format!("raw.line: {problem}")), "{line:?}: {detail}");
        }
        assert!(raw(&"x".repeat(8190)).is_ok());
        assert!(raw(&"x".repeat(8191)).is_err());
        assert!(raw(&"\"\" ".repeat(127)).is_ok());
        assert!(raw(&"\"\" ".repeat(128)).is_err());
    }

    #[test]
    fn commands_that_crash_asterisk_get_their_limits() {
        let table = [
            ("GET DATA f", r#""GET" "DATA" "f" "0" "1023""#),
            ("get data \"f 3000", r#""get" "data" "f 3000" "0" "1023""#),
            ("GET DATA f 3000 \\", r#""GET" "DATA" "f" "3000" "1023""#),
            ("GET OPTION f \"#", r##""GET" "OPTION" "f" "#" "5000""##),
        ];
        for (line, expected) in table {
            assert_eq!(raw(line).expect("fine").line, format!("{expected}\n"));
        }
    }

    #[test]
    fn the_first_words_tell_what_a_dead_channel_takes() {
        let table = [
            ("get  full\tvariable ${X}", true),
            ("GET FULL", false),
            ("EXEC Dial x", true),
            ("database put a b c", true),
            ("HANGUP", false),
            ("SPEECH \"UNLOAD\" GRAMMAR g", true),
            ("NOOPX", false),
        ];
        for (line, dead_safe) in table {
            assert_eq!(raw(line).expect("fine").dead_safe, dead_safe, "{line}");
        }
        let own = |line| raw(line).map(|encoded| encoded.kind);
        assert_eq!(own("hangup "), Ok(Kind::Raw { own_hangup: true }));
        assert_eq!(own("HANGUP x"), Ok(Kind::Raw { own_hangup: false }));
    }

    proptest! {
        #[test]
        fn words_are_asterisks(line in "([a-z\"\\\\ \t]|\\PC){0,40}") {
            let words = Words::split(line.as_bytes());
            let split: Vec<_> = (0..words.count()).map(|place| words.get(place).to_vec()).collect();
            let expected = asterisk_words(line.as_bytes());
            prop_assert_eq!(&split, &expected);
            let mut quoted = Vec::new();
            words.quote(&mut quoted);
            prop_assert_eq!(asterisk_words(&quoted), expected);
        }

        #[test]
        fn what_is_taken_is_one_harmless_line(
            line in prop_oneof!["\\PC{0,60}", "(get (data|option)|failure|hangup|noop)[ a-z\"\\\\0-9]{0,30}", any::<String>()],
        ) {
            if let Ok(encoded) = raw(&line) {
                let text = encoded.line.strip_suffix(b"\n").expect("an end");
                let words = asterisk_words(text);
                prop_assert!(text.len() <= 8190 && !text.contains(&b'\n') && !text.contains(&0));
                prop_assert!((1..=127).contains(&words.len()));
                prop_assert!(!text.to_ascii_lowercase().trim_ascii_start().starts_with(b"failure"));
            }
        }
    }
}
