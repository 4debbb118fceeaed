//! Words of a command line, numbers in them, and bytes as text. Knows no commands.
//!
//! Asterisk handles bytes. Inside the phone a byte is the character of the same number, so that any byte passes
//! unchanged and lengths count bytes; UTF-8 is put on and taken off at the edges.

/// Asterisk keeps so many words of a line, the command's own included.
const WORDS_MAX: usize = 127;

/// Bytes as they came, one character each.
pub(super) fn from_wire(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The bytes again.
pub(super) fn to_wire(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

/// Text of people, as UTF-8 bytes, one character each.
pub(super) fn from_people(text: &str) -> String {
    from_wire(text.as_bytes())
}

/// For people; bytes that are no UTF-8 become U+FFFD.
pub(super) fn to_people(text: &str) -> String {
    String::from_utf8_lossy(&to_wire(text)).into_owned()
}

/// More words in quotes than Asterisk has room for: it would abort.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// Splits a line at blanks and tabs; `"` quotes, `\` takes the next character as it is.
pub(super) fn split(line: &str) -> Result<Vec<String>, Overflow> {
    let (mut words, mut quoted, mut escaped, mut blank) =
        (Vec::<String>::new(), false, false, true);
    for c in line.chars() {
        match c {
            '"' if !escaped => {
                quoted = !quoted;
                if quoted && blank {
                    words.push(String::new());
                    blank = false;
                }
            }
            ' ' | '\t' if !quoted && !escaped => blank = true,
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            _ => {
                if blank && words.len() >= WORDS_MAX {
                    escaped = false;
                    continue;
                }
                if blank {
                    words.push(String::new());
                    blank = false;
                }
                words.last_mut().expect("a word was begun").push(c);
            }
        }
        escaped = false;
    }
    if words.len() > WORDS_MAX + 1 { Err(Overflow) } else { Ok(words) }
}

/// So large that it stands for any larger one, and sums of it fit.
const NUMBER_MAX: i64 = 1 << 53;

/// As `sscanf("%d")`: blanks, a sign, digits, and whatever follows.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim_start_matches([' ', '\t', '\r', '\n']);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number: i64 =
        if end == 0 { return None } else { digits[..end].parse().unwrap_or(NUMBER_MAX) };
    Some(sign * number.min(NUMBER_MAX))
}

/// As `atoi`: 0 when it is no number.
pub(super) fn integer_or_zero(text: &str) -> i64 {
    integer(text).unwrap_or(0)
}

/// As `sscanf("%lf")`.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || at == 0 && matches!(c, '-' | '+')))
        .map_or(text.len(), |(at, _)| at);
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).expect("it fits")
    }

    #[test]
    fn quotes_and_backslashes() {
        for (line, expected) in [
            (r#""""#, vec![""]),
            (r#""a b""#, vec!["a b"]),
            (r"a\ b", vec!["a b"]),
            (r#""a\"b""#, vec![r#"a"b"#]),
            (r"a\\b", vec![r"a\b"]),
            (r#""a\nb""#, vec!["anb"]),
            (r#"ab"c d"ef"#, vec!["abc def"]),
            (r#""a""b""#, vec!["ab"]),
            ("'a b'", vec!["'a", "b'"]),
            (r#""unterminated x"#, vec!["unterminated x"]),
            (r"end\", vec!["end"]),
            (r"\", vec![]),
            ("\"  lead trail  \"", vec!["  lead trail  "]),
            ("  a \t b ", vec!["a", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn too_many_words_are_dropped_or_fatal() {
        assert_eq!(words(&"a ".repeat(200)).len(), 127);
        assert_eq!(split(&"\"a\" ".repeat(129)), Err(Overflow));
        assert!(split(&"\"a\" ".repeat(127)).is_ok());
    }

    #[test]
    fn numbers_are_read_as_c_does() {
        assert_eq!(integer("12abc"), Some(12));
        assert_eq!(integer(" -3\r"), Some(-3));
        assert_eq!(integer("99999999999999999999999"), Some(NUMBER_MAX));
        assert_eq!(integer("x"), None);
        assert_eq!(integer("-"), None);
        assert_eq!(decimal("1.5x"), Some(1.5));
        assert_eq!(decimal("x"), None);
    }
}
