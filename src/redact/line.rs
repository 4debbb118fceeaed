//! One line of `key=value` pairs, bounded, and harmless on a terminal and a page. Knows no commands.

use super::{FIELD_BYTES_MAX, LINE_BYTES_MAX, MASK};
use std::time::Duration;

/// Of most lines, so that they are put together without moving.
const LINE_BYTES_USUAL: usize = 64;

/// A line as it grows.
#[derive(Debug, Default)]
pub(super) struct Line(String);

impl Line {
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// Shown always; left out when empty.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() && self.key(key) {
            self.plain(text);
        }
    }

    /// Shown unless it is masked; left out when empty.
    pub(super) fn secret(&mut self, key: &str, text: &str, is_masked: bool) {
        self.text(key, if is_masked && !text.is_empty() { MASK } else { text });
    }

    /// Keys of a phone: how many there were is seen in any case.
    pub(super) fn keys(&mut self, key: &str, keys: &str, is_masked: bool) {
        if !is_masked {
            return self.text(key, keys);
        }
        let count = keys.chars().take(FIELD_BYTES_MAX / '•'.len_utf8()).count();
        self.text(key, &"•".repeat(count));
    }

    /// A variable's or function's name: what stands in its parentheses is a value.
    pub(super) fn name(&mut self, key: &str, name: &str, is_masked: bool) {
        match name.split_once('(') {
            Some((function, _)) if is_masked => {
                self.text(key, &format!("{}({MASK})", cut(function)))
            }
            Some(_) | None => self.text(key, name),
        }
    }

    /// A sound file: the names of those that say a digit or a letter are what they say.
    pub(super) fn file(&mut self, key: &str, file: &str, is_masked: bool) {
        let says = ["digits/", "letters/", "phonetic/"].into_iter().find(|it| file.starts_with(it));
        match says {
            Some(folder) if is_masked => self.text(key, &format!("{folder}{MASK}")),
            Some(_) | None => self.text(key, file),
        }
    }

    /// A time, where it is set.
    pub(super) fn span(&mut self, key: &str, span: Option<&pbjson_types::Duration>) {
        let Some(span) = span.and_then(|it| Duration::try_from(*it).ok()) else { return };
        self.text(key, &format!("{}s", span.as_secs_f64()));
    }

    /// A number, unless it is the default.
    pub(super) fn number(&mut self, key: &str, number: u32) {
        if number != 0 {
            self.text(key, &number.to_string());
        }
    }

    /// A text without a key.
    pub(super) fn plain(&mut self, text: &str) {
        push(&mut self.0, text);
    }

    /// Whether there is room for one more.
    fn key(&mut self, key: &str) -> bool {
        if self.0.len() >= LINE_BYTES_MAX {
            if !self.0.ends_with(" …") {
                self.0.push_str(" …");
            }
            return false;
        }
        if self.0.is_empty() {
            self.0.reserve(LINE_BYTES_USUAL);
        } else {
            self.0.push(' ');
        }
        self.0.push_str(key);
        self.0.push('=');
        true
    }
}

/// Appends a text of a stranger, short, and harmless.
pub fn push(line: &mut String, text: &str) {
    let shown = cut(text);
    // Nearly all that is shown.
    if shown.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        line.push_str(shown);
    } else {
        let odd = |c| if is_odd(c) { char::REPLACEMENT_CHARACTER } else { c };
        line.extend(shown.chars().map(odd));
    }
    if shown.len() < text.len() {
        line.push('…');
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(FIELD_BYTES_MAX)]
}

/// What moves a cursor, or turns the direction of the text behind it.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
