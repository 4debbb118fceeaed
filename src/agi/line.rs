//! Bytes cut into lines as they come. Knows LF and nothing else: a CR is data to Asterisk.

use bytes::{Buf, Bytes, BytesMut};
use std::{mem, ops::Range};

/// Memory that an empty buffer may keep, so that short replies need no new allocation each.
const KEPT_BYTES_MAX: usize = 256;

/// What came and was not taken yet, with a cursor that stands at the start of a line.
///
/// Lines that the cursor has passed stay until they are taken, so a block of lines can be looked at one by one and
/// taken as a whole. No byte is searched twice.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: BytesMut,
    line_start: usize,
    searched: usize,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// All bytes that were not taken yet.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the line at the cursor begins.
    pub(super) fn line_start(&self) -> usize {
        self.line_start
    }

    /// The line at the cursor, without its LF, when it is whole; the cursor moves behind it.
    pub(super) fn advance(&mut self) -> Option<Range<usize>> {
        let Some(found) = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let line = self.line_start..self.searched + found;
        self.line_start = line.end + 1;
        self.searched = self.line_start;
        Some(line)
    }

    /// Puts the cursor back to the first byte.
    pub(super) fn rewind(&mut self) {
        self.line_start = 0;
        self.searched = 0;
    }

    /// Takes the first `count` bytes without copying them.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        self.rewind();
        if count == self.bytes.len() {
            return mem::take(&mut self.bytes).freeze();
        }
        self.bytes.split_to(count).freeze()
    }

    /// Drops the first `count` bytes.
    pub(super) fn skip(&mut self, count: usize) {
        self.rewind();
        if count < self.bytes.len() {
            self.bytes.advance(count);
        } else if self.bytes.capacity() <= KEPT_BYTES_MAX {
            self.bytes.clear();
        } else {
            self.bytes = BytesMut::new();
        }
    }

    pub(super) fn into_bytes(self) -> BytesMut {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_at_its_lf_and_a_cr_belongs_to_it() {
        let mut lines = Lines::default();
        lines.push(b"one\r");
        assert_eq!(lines.advance(), None);
        lines.push(b"\ntwo\n\nrest");
        assert_eq!(lines.advance(), Some(0..4));
        assert_eq!(lines.advance(), Some(5..8));
        assert_eq!(lines.advance(), Some(9..9));
        assert_eq!(lines.advance(), None);
        assert_eq!(&lines.take(10)[..], b"one\r\ntwo\n\n");
        assert_eq!(lines.as_slice(), b"rest");
    }

    #[test]
    fn an_empty_buffer_gives_its_memory_back() {
        let mut lines = Lines::default();
        lines.push(&[b'x'; 10_000]);
        lines.skip(10_000);
        assert_eq!(lines.bytes.capacity(), 0);
        lines.push(&[b'x'; 10_000]);
        drop(lines.take(10_000));
        assert_eq!(lines.bytes.capacity(), 0);
    }
}
