//! A line of the wire as text: every byte of it, and two things that are no bytes, in one printable line. Knows no commands.
//!
//! | in the text | on the wire |
//! |---|---|
//! | `•` | something that was kept back |
//! | `{mark}` | the unguessable mark around a value, which differs from call to call |
//! | `\xHH` | that byte: what is no printable UTF-8, and what would read as one of these |
//!
//! Any other character stands for itself, a backslash too.

/// Stands for the mark of a command.
pub(super) const MARK: &str = "{mark}";
/// Stands for a piece that was kept back, of whatever length.
pub const BULLET: char = '•';
/// What is played for a bullet: a digit, and, twice, the code of a key.
const STAND_IN: u8 = b'5';

/// The text of these bytes; `mark`: what stands for it there.
pub(super) fn encode(bytes: &[u8], mark: Option<&[u8]>) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(mark) = mark
        && let Some(at) = find(rest, mark)
    {
        push(&mut text, &rest[..at]);
        text.push_str(MARK);
        rest = &rest[at + mark.len()..];
    }
    push(&mut text, rest);
    text
}

/// The bytes again; `mark` goes where one stood, and a stand-in where something was kept back.
pub fn decode(text: &str, mark: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(byte) = escaped(rest) {
            bytes.push(byte);
            rest = &rest[ESCAPE_LENGTH..];
        } else if let Some(behind) = rest.strip_prefix(MARK) {
            bytes.extend_from_slice(mark);
            rest = behind;
        } else {
            let (character, behind) = rest.split_at(first.len_utf8());
            match first {
                BULLET => bytes.push(STAND_IN),
                _ => bytes.extend_from_slice(character.as_bytes()),
            }
            rest = behind;
        }
    }
    bytes
}

const ESCAPE_LENGTH: usize = r"\x00".len();

fn escaped(text: &str) -> Option<u8> {
    let digits = text.strip_prefix(r"\x")?.get(..2)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).expect("two hexadecimal digits are a byte"))
}

fn push(text: &mut String, bytes: &[u8]) {
    // Nearly all that is said.
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~' if !b"\\{".contains(byte))) {
        return text.push_str(&String::from_utf8_lossy(bytes));
    }
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        for (at, character) in valid.char_indices() {
            let behind = &valid[at..];
            if is_odd(character)
                || character == BULLET
                || behind.starts_with(MARK)
                || behind.starts_with(r"\x")
            {
                escape(text, &valid.as_bytes()[at..at + character.len_utf8()]);
            } else {
                text.push(character);
            }
        }
        escape(text, chunk.invalid());
    }
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!(r"\x{byte:02x}"));
    }
}

/// What moves a cursor, ends a line, or turns the direction of the text behind it.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn find(all: &[u8], wanted: &[u8]) -> Option<usize> {
    all.windows(wanted.len().max(1)).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_lines_stand_as_they_are_and_odd_bytes_are_seen() {
        for (bytes, text) in [
            (&br#"SET VARIABLE "V" "a \"b\" \\c""#[..], r#"SET VARIABLE "V" "a \"b\" \\c""#),
            ("Zoë".as_bytes(), "Zoë"),
            (b"Zo\xeb", r"Zo\xeb"),
            (b"a\x1b[2J\r\tb", r"a\x1b[2J\x0d\x09b"),
            (br"\x41", r"\x5cx41"),
            ("•{mark}".as_bytes(), r"\xe2\x80\xa2\x7bmark}"),
            ("a\u{202e}b".as_bytes(), r"a\xe2\x80\xaeb"),
        ] {
            assert_eq!(encode(bytes, None), text);
            assert_eq!(decode(text, b"M"), bytes);
        }
    }

    #[test]
    fn marks_and_what_was_kept_back_are_put_in_again() {
        assert_eq!(encode(b"(0123VALUE0123)", Some(b"0123")), "({mark}VALUE{mark})");
        assert_eq!(decode("({mark}•••{mark})", b"89"), b"(8955589)");
    }

    proptest! {
        #[test]
        fn every_line_comes_back_and_is_one_harmless_line(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            pieces in proptest::collection::vec(
                prop_oneof![Just(r"\x"), Just("{mark}"), Just("•"), Just("41"), Just("\\"), Just("m")], 0..20),
        ) {
            for bytes in [bytes, pieces.concat().into_bytes()] {
                let text = encode(&bytes, None);
                prop_assert!(!text.contains(is_odd) && !text.contains(BULLET), "{text}");
                prop_assert_eq!(decode(&text, b"M"), bytes);
            }
        }
    }
}
