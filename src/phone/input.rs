//! The AGI socket as Asterisk reads it. It polls the descriptor, but reads through a buffered stream that pulls in
//! several lines at once: later lines then lie where the poll cannot see them. Knows no commands and no time.

use std::collections::VecDeque;

/// Asterisk's line buffer, its closing NUL included.
const LINE_MAX: usize = 8192;
/// What the C library reads from a socket at once.
const STDIO_MAX: usize = 4096;
/// A line that goes on for so long has no end.
const ENDLESS: usize = 64 * 1024;
/// What may wait unread at the socket: a real one would push back.
const WAITING_MAX: usize = 1024 * 1024;

/// Bytes on their way from the socket to a command.
#[derive(Debug, Default)]
pub(super) struct Input {
    waiting: VecDeque<u8>,
    buffered: VecDeque<u8>,
    line: Vec<u8>,
    since_line_end: usize,
    eof: bool,
    mid_line: bool,
}

/// What reading a line gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A line without its LF, cut at Asterisk's limit.
    Line(Vec<u8>),
    /// No LF yet: Asterisk spins here and sees nothing else.
    Incomplete,
    /// The peer closed and nothing is left.
    End,
}

/// The peer sent what can only be a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// No LF within 64 KiB.
    EndlessLine,
    /// 1 MiB waits while no command is read.
    Flood,
}

impl Input {
    /// Bytes came.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        self.waiting.extend(bytes);
        if self.waiting.len() > WAITING_MAX { Err(Excess::Flood) } else { Ok(()) }
    }

    /// The peer will send no more.
    pub(super) fn close(&mut self) {
        self.eof = true;
    }

    /// What a poll of the descriptor says.
    pub(super) fn is_readable(&self) -> bool {
        !self.waiting.is_empty() || self.eof
    }

    /// True while a line was begun and its LF has not come.
    pub(super) fn is_mid_line(&self) -> bool {
        self.mid_line
    }

    /// Reads one line, as far as it is there.
    pub(super) fn read_line(&mut self) -> Result<Read, Excess> {
        loop {
            let room = LINE_MAX - 1 - self.line.len();
            if room == 0 {
                return Ok(self.take());
            }
            let (segment, ended) = self.read_segment(room);
            if self.since_line_end > ENDLESS {
                return Err(Excess::EndlessLine);
            }
            // A NUL hides what follows it, its LF too.
            let visible = segment.iter().position(|&byte| byte == 0).unwrap_or(segment.len());
            self.line.extend_from_slice(&segment[..visible]);
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
                self.since_line_end = 0;
                return Ok(self.take());
            }
            if ended || segment.len() == room {
                continue;
            }
            if self.eof {
                return Ok(if self.line.is_empty() { Read::End } else { self.take() });
            }
            self.mid_line = true;
            return Ok(Read::Incomplete);
        }
    }

    /// Up to an LF, `room` bytes, or what is there; true when it ends with LF.
    fn read_segment(&mut self, room: usize) -> (Vec<u8>, bool) {
        let mut segment = Vec::new();
        while segment.len() < room {
            if self.buffered.is_empty() {
                let count = self.waiting.len().min(STDIO_MAX);
                self.buffered.extend(self.waiting.drain(..count));
            }
            let Some(byte) = self.buffered.pop_front() else { break };
            segment.push(byte);
            self.since_line_end += 1;
            if byte == b'\n' {
                return (segment, true);
            }
        }
        (segment, false)
    }

    fn take(&mut self) -> Read {
        self.mid_line = false;
        Read::Line(std::mem::take(&mut self.line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Read {
        Read::Line(text.into())
    }

    #[test]
    fn a_second_line_hides_until_new_bytes_or_the_end() {
        let mut input = Input::default();
        input.push(b"NOOP 1\nNOOP 2\nNOOP 3\n").expect("fits");
        assert_eq!(input.read_line(), Ok(line("NOOP 1")));
        assert!(!input.is_readable());
        input.push(b"NOOP 4\n").expect("fits");
        for text in ["NOOP 2", "NOOP 3", "NOOP 4"] {
            // Asterisk asks the poll before each line, and is told of the new bytes until it takes them.
            assert!(input.is_readable(), "{text}");
            assert_eq!(input.read_line(), Ok(line(text)));
        }
        assert!(!input.is_readable());
    }

    #[test]
    fn an_overlong_line_is_cut_and_the_rest_runs_next() {
        let mut input = Input::default();
        input.push(format!("{}\n", "x".repeat(8191)).as_bytes()).expect("fits");
        let Ok(Read::Line(first)) = input.read_line() else { panic!("a line") };
        assert_eq!(first.len(), 8191);
        assert_eq!(input.read_line(), Ok(line("")));
        input.push(format!("{}\n", "x".repeat(8190)).as_bytes()).expect("fits");
        let Ok(Read::Line(first)) = input.read_line() else { panic!("a line") };
        assert_eq!(first.len(), 8190);
        assert_eq!(input.read_line(), Ok(Read::Incomplete));
    }

    #[test]
    fn a_nul_glues_two_lines() {
        let mut input = Input::default();
        input.push(b"NOOP\0junk\n").expect("fits");
        assert_eq!(input.read_line(), Ok(Read::Incomplete));
        assert!(input.is_mid_line());
        input.push(b"GET X\n").expect("fits");
        assert_eq!(input.read_line(), Ok(line("NOOPGET X")));
    }

    #[test]
    fn the_end_runs_a_fragment() {
        let mut input = Input::default();
        input.push(b"A\nNOOP").expect("fits");
        input.close();
        assert_eq!(input.read_line(), Ok(line("A")));
        assert_eq!(input.read_line(), Ok(line("NOOP")));
        assert_eq!(input.read_line(), Ok(Read::End));
    }

    #[test]
    fn excess_is_told() {
        let mut input = Input::default();
        input.push(&vec![b'x'; 100_000]).expect("fits");
        let mut last = input.read_line();
        while let Ok(Read::Line(_)) = last {
            last = input.read_line();
        }
        assert_eq!(last, Err(Excess::EndlessLine));
        assert_eq!(Input::default().push(&vec![b'x'; WAITING_MAX + 1]), Err(Excess::Flood));
    }
}
