//! What a script writes to its standard error: line by line to the log, as much as is worth it. The script never waits for
//! the log. Knows no process.

use super::{left_in, read_left};
use std::{future::pending, path::Path, time::Duration};
use tokio::{io::AsyncReadExt as _, process::ChildStderr, time::sleep};
use tracing::{info, warn};

/// What one read takes at most.
const READ_BYTES: usize = 16 * 1024;
/// One line in the log.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// All lines of a call.
const CALL_BYTES_MAX: usize = 256 * 1024;
/// Between two reads of what is thrown away: who floods shall not have a core for itself.
const FLOOD_PAUSE: Duration = Duration::from_millis(10);

/// The standard error of a process.
pub(super) struct Stderr {
    /// None once it is closed.
    pipe: Option<ChildStderr>,
    buffer: Vec<u8>,
    lines: Lines,
    source: Source,
}

/// Which script, of which call.
struct Source {
    call_id: String,
    /// Of its `traceparent`, if it was given one.
    trace_id: Option<String>,
    span_id: Option<String>,
    program: String,
}

impl Stderr {
    pub(super) fn new(
        pipe: ChildStderr,
        call_id: &str,
        traceparent: Option<&str>,
        program: &Path,
    ) -> Self {
        let part = |place| Some(traceparent?.split('-').nth(place)?.to_owned());
        Self {
            pipe: Some(pipe),
            buffer: vec![0; READ_BYTES],
            lines: Lines::default(),
            source: Source {
                call_id: call_id.to_owned(),
                trace_id: part(1),
                span_id: part(2),
                program: program.display().to_string(),
            },
        }
    }

    /// Passes on what comes next. Never ready once it is closed. Nothing is lost when this is dropped.
    pub(super) async fn read(&mut self) {
        if self.lines.is_full() {
            sleep(FLOOD_PAUSE).await;
        }
        let Some(pipe) = &mut self.pipe else { return pending().await };
        match pipe.read(&mut self.buffer).await {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(count) => self.pass_on(count),
        }
    }

    /// Passes on what the process, which has ended, had written before; others may still hold the pipe.
    pub(super) fn read_rest(mut self) {
        if let Some(pipe) = self.pipe.take() {
            let mut left = left_in(&pipe);
            while left > 0 {
                let count = read_left(&pipe, &mut left, &mut self.buffer);
                self.pass_on(count);
            }
        }
        self.lines.push(b"\n", |entry| log(entry, &self.source));
    }

    fn pass_on(&mut self, count: usize) {
        let bytes = &self.buffer[..count];
        self.lines.push(bytes, |entry| log(entry, &self.source));
    }
}

fn log(entry: Entry<'_>, source: &Source) {
    let Source { call_id, trace_id, span_id, program } = source;
    let (trace_id, span_id) = (trace_id.as_deref(), span_id.as_deref());
    match entry {
        // Scripts tell their faults here, and seldom anything else.
        Entry::Line(line) => {
            info!(call_id, trace_id, span_id, program, %line, "a script wrote to standard error")
        }
        Entry::Full => warn!(
            call_id,
            trace_id,
            span_id,
            program,
            "a script wrote more to standard error than {CALL_BYTES_MAX} bytes: the rest is dropped"
        ),
    }
}

/// Makes lines of pieces, within the limits.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
    is_cut: bool,
    taken: usize,
}

/// What goes to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry<'a> {
    /// Without its end and without control characters.
    Line(&'a str),
    /// No line follows.
    Full,
}

impl Lines {
    fn is_full(&self) -> bool {
        self.taken > CALL_BYTES_MAX
    }

    fn push(&mut self, bytes: &[u8], mut write: impl FnMut(Entry<'_>)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.is_full() {
                return;
            }
            self.taken += piece.len();
            if self.is_full() {
                *self = Self { taken: self.taken, ..Self::default() };
                return write(Entry::Full);
            }
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let fitting = text.len().min(LINE_BYTES_MAX - self.line.len());
            self.is_cut |= fitting < text.len();
            self.line.extend_from_slice(&text[..fitting]);
            if text.len() < piece.len() {
                self.end_line(&mut write);
            }
        }
    }

    fn end_line(&mut self, write: &mut impl FnMut(Entry<'_>)) {
        let line = std::mem::take(&mut self.line);
        let is_cut = std::mem::take(&mut self.is_cut);
        if !line.is_empty() {
            write(Entry::Line(&printable(&line, is_cut)));
        }
    }
}

/// As text of one line that moves no cursor: control characters as escapes, odd bytes as U+FFFD.
fn printable(line: &[u8], is_cut: bool) -> String {
    let mut text = String::with_capacity(line.len());
    for char in String::from_utf8_lossy(line).chars() {
        if char.is_control() {
            text.extend(char.escape_default());
        } else {
            text.push(char);
        }
    }
    if is_cut {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut log) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |entry| {
                log.push(match entry {
                    Entry::Line(line) => line.to_owned(),
                    Entry::Full => "FULL".to_owned(),
                });
            });
        }
        log
    }

    #[test]
    fn lines_are_put_together_and_made_harmless() {
        assert_eq!(lines(&[b"Trace", b"back\nin x", b"\n\n", b"half"]), ["Traceback", "in x"]);
        assert_eq!(
            lines(&[b"\x1b[2J\x07a\tb\r\xff\0\n"]),
            ["\\u{1b}[2J\\u{7}a\\tb\\r\u{fffd}\\u{0}"]
        );
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        let long = [&[b'x'; LINE_BYTES_MAX][..], b"yyy"].concat();
        let wanted = format!("{}…", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(lines(&[&long, &long, b"\nnext\n"]), [&wanted, "next"]);
        assert_eq!(lines(&[&long[..LINE_BYTES_MAX], b"\n"]), [&wanted[..LINE_BYTES_MAX]]);
    }

    #[test]
    fn a_flood_ends_with_one_word() {
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        let log = lines(&vec![&line[..]; 1000]);
        assert_eq!(log.len(), CALL_BYTES_MAX / 1024 + 1);
        assert_eq!(log.iter().filter(|line| *line == "FULL").count(), 1);
    }

    #[test]
    fn empty_lines_are_a_flood_too() {
        assert_eq!(lines(&[&vec![b'\n'; CALL_BYTES_MAX + 2]]), ["FULL"]);
    }

    #[test]
    fn a_flood_without_a_line_end_is_held_within_a_line_and_ends_as_well() {
        let mut lines = Lines::default();
        for _ in 0..CALL_BYTES_MAX / 1024 {
            lines.push(&[b'x'; 1024], |entry| panic!("{entry:?}"));
            assert!(lines.line.len() <= LINE_BYTES_MAX);
        }
        let mut log = Vec::new();
        lines.push(b"xx", |entry| log.push(entry == Entry::Full));
        lines.push(b"x\nx\n", |entry| log.push(entry == Entry::Full));
        assert_eq!(log, [true]);
    }
}
