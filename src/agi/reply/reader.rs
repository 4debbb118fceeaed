//! Cuts Asterisk's bytes into replies. Knows how a reply ends, given what is awaited, and not what it means.

use super::{Expect, Incoming, Mark, Overflow, Reply};
use crate::agi::line::Lines;
use bytes::{Bytes, BytesMut};
use std::{mem, mem::Discriminant, ops::Range};

/// How a reply with a value begins; the mark follows.
const VALUE: &[u8] = b"200 result=1 (";

/// Reads replies from bytes as they come; holds only what is not consumed yet, and gives its memory back when empty.
#[derive(Debug)]
pub struct Reader {
    lines: Lines,
    reply_bytes_max: usize,
    /// What the lines were last looked at for: for anything else they are looked at again.
    looked_for: Option<Discriminant<Expect<'static>>>,
}

/// What the reader knows after one more line.
enum Found {
    /// The reply goes on.
    More,
    /// A line of its own: HANGUP.
    Hangup,
    /// A reply with neither text nor value, so frequent that it is not worth an allocation.
    Bare(&'static [u8]),
    /// All up to here is the reply.
    Whole,
    /// All up to here is the tail; this much of it is the probe's answer.
    Tail(Range<usize>),
}

impl Reader {
    /// `reply_bytes_max` bounds one whole reply, its last LF included.
    pub fn new(reply_bytes_max: usize) -> Self {
        Self { lines: Lines::default(), reply_bytes_max, looked_for: None }
    }

    /// Takes bytes as they come. Their number is bounded by the calls of [`Self::next`] between.
    pub fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// The next thing Asterisk said, given what is awaited; `None`: more bytes are needed.
    ///
    /// After an [`Overflow`] what came is dropped: the reply's end can no longer be found, and the session is of no use.
    pub fn next(&mut self, expect: Expect<'_>) -> Result<Option<Incoming>, Overflow> {
        let wanted = kind(expect);
        if self.looked_for != Some(wanted) {
            self.lines.rewind();
            self.looked_for = Some(wanted);
        }
        while let Some(line) = self.lines.advance() {
            let end = line.end + 1;
            self.check(end)?;
            match self.look(expect, line) {
                Found::More => {}
                Found::Hangup => {
                    self.lines.skip(end);
                    return Ok(Some(Incoming::Hangup));
                }
                Found::Bare(line) => {
                    self.lines.skip(end);
                    return Ok(Some(reply(Bytes::from_static(line))));
                }
                Found::Whole => return Ok(Some(self.take_reply(expect, end))),
                Found::Tail(answer) => {
                    let tail = self.lines.take(end).slice(..answer.start);
                    return Ok(Some(split_tail(tail)));
                }
            }
        }
        self.check(self.lines.len())?;
        Ok(None)
    }

    /// As [`Self::next`], when the peer has closed; call it until `None`. What a tail holds so far is the tail; any other
    /// fragment is [`Incoming::Stray`].
    pub fn finish(&mut self, expect: Expect<'_>) -> Option<Incoming> {
        if let Ok(Some(incoming)) = self.next(expect) {
            return Some(incoming);
        }
        let all = self.lines.as_slice();
        if all.is_empty() {
            return None;
        }
        let length = all.len();
        if let Expect::Tail(mark) = expect {
            let fragment = all.iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
            let kept = if answer(mark).starts_with(&all[fragment..]) { fragment } else { length };
            return Some(split_tail(self.lines.take(length).slice(..kept)));
        }
        let fragment = without_hangups(all);
        if fragment == 0 {
            self.lines.skip(b"HANGUP\n".len());
            return Some(Incoming::Hangup);
        }
        Some(Incoming::Stray(self.lines.take(fragment)))
    }

    /// True when every byte was consumed.
    pub fn is_empty(&self) -> bool {
        self.lines.len() == 0
    }

    /// What was not consumed.
    pub fn into_rest(self) -> BytesMut {
        self.lines.into_bytes()
    }

    fn check(&mut self, reply_bytes: usize) -> Result<(), Overflow> {
        if reply_bytes <= self.reply_bytes_max {
            return Ok(());
        }
        self.lines = Lines::default();
        Err(Overflow { limit: self.reply_bytes_max })
    }

    fn look(&self, expect: Expect<'_>, line: Range<usize>) -> Found {
        let all = self.lines.as_slice();
        let first = line.start == 0;
        let text = &all[line.clone()];
        match expect {
            Expect::Tail(mark) => answer_start(text, mark)
                .map_or(Found::More, |start| Found::Tail(line.start + start..line.end)),
            Expect::Nothing | Expect::Reply | Expect::Marked(_) if first && text == b"HANGUP" => {
                Found::Hangup
            }
            Expect::Reply | Expect::Marked(_) if all.starts_with(b"520-") => {
                if text.starts_with(b"520 ") { Found::Whole } else { Found::More }
            }
            Expect::Marked(mark) if is_marked(&all[..line.end], mark) => {
                let opening = VALUE.len() + mark.as_bytes().len();
                let closes = line.end > opening && ends_value(&all[opening..line.end], mark);
                if closes { Found::Whole } else { Found::More }
            }
            Expect::Reply | Expect::Marked(_) => match text {
                b"200 result=0" => Found::Bare(b"200 result=0"),
                b"200 result=1" => Found::Bare(b"200 result=1"),
                _ => Found::Whole,
            },
            Expect::Nothing => Found::Whole,
        }
    }

    /// `end` counts the last LF.
    fn take_reply(&mut self, expect: Expect<'_>, end: usize) -> Incoming {
        let mut line = self.lines.take(end);
        line.truncate(end - 1);
        match expect {
            Expect::Nothing => Incoming::Stray(line),
            Expect::Reply | Expect::Marked(_) | Expect::Tail(_) => reply(line),
        }
    }
}

fn kind(expect: Expect<'_>) -> Discriminant<Expect<'static>> {
    match expect {
        Expect::Nothing => mem::discriminant(&Expect::Nothing),
        Expect::Reply => mem::discriminant(&Expect::Reply),
        Expect::Marked(_) => mem::discriminant(&Expect::Marked(&NO_MARK)),
        Expect::Tail(_) => mem::discriminant(&Expect::Tail(&NO_MARK)),
    }
}

const NO_MARK: Mark = Mark([0; 32]);

fn reply(line: Bytes) -> Incoming {
    if line.starts_with(b"100 ") {
        return Incoming::Progress(line);
    }
    match Reply::parse(line.clone()) {
        Some(reply) => Incoming::Reply(reply),
        None => Incoming::Stray(line),
    }
}

fn is_marked(all: &[u8], mark: &Mark) -> bool {
    all.strip_prefix(VALUE).is_some_and(|value| value.starts_with(mark.as_bytes()))
}

fn ends_value(text: &[u8], mark: &Mark) -> bool {
    text.strip_suffix(b")").is_some_and(|value| value.ends_with(mark.as_bytes()))
}

/// Where in a line the probe's answer begins. It may stand behind a torn reply that lost its LF.
fn answer_start(line: &[u8], mark: &Mark) -> Option<usize> {
    let before = line.strip_suffix(b")")?.strip_suffix(mark.as_bytes())?.strip_suffix(VALUE)?;
    Some(before.len())
}

fn answer(mark: &Mark) -> Vec<u8> {
    [VALUE, mark.as_bytes(), b")\n"].concat()
}

/// A value's last line ends with `)` and a usage text's with a word, so a last line HANGUP is genuine.
fn split_tail(tail: Bytes) -> Incoming {
    let kept = without_hangups(&tail);
    Incoming::Tail { hangup: kept < tail.len(), text: tail.slice(..kept) }
}

/// Length of what stands before the HANGUP lines at the end.
fn without_hangups(all: &[u8]) -> usize {
    let mut kept = all;
    while let Some(before) = kept.strip_suffix(b"HANGUP\n")
        && before.last().is_none_or(|&byte| byte == b'\n')
    {
        kept = before;
    }
    kept.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 20;

    fn mark() -> Mark {
        Mark::new(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210)
    }

    fn with_mark(text: &str) -> Vec<u8> {
        text.replace("MARK", "0123456789abcdeffedcba9876543210").into_bytes()
    }

    /// Everything that comes out of `bytes`, cut in pieces.
    fn read(bytes: &[u8], expect: Expect<'_>, cuts: &[usize]) -> Vec<Incoming> {
        let mut reader = Reader::new(LIMIT);
        let mut all = Vec::new();
        let mut rest = bytes;
        for cut in cuts.iter().copied().chain([usize::MAX]) {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            rest = behind;
            reader.push(piece);
            while let Some(incoming) = reader.next(expect).expect("below the limit") {
                all.push(incoming);
            }
        }
        all.extend(std::iter::from_fn(|| reader.finish(expect)));
        assert!(reader.is_empty());
        all
    }

    fn success(result: &'static str, rest: &'static str, line: &'static str) -> Incoming {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        Incoming::Reply(Reply::Success {
            result: bytes(result),
            rest: bytes(rest),
            line: bytes(line),
        })
    }

    fn stray(text: &'static str) -> Incoming {
        Incoming::Stray(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_mark_is_32_hex_digits() {
        assert_eq!(mark().as_bytes(), b"0123456789abcdeffedcba9876543210");
        assert_eq!(Mark::new(1).as_bytes(), b"00000000000000000000000000000001");
    }

    #[test]
    fn every_form_of_a_single_reply_is_read() {
        let table = [
            ("200 result=0\n", success("0", "", "200 result=0")),
            ("200 result=1\n", success("1", "", "200 result=1")),
            ("200 result=\n", success("", "", "200 result=")),
            ("200 result= (timeout)\n", success("", "(timeout)", "200 result= (timeout)")),
            ("200 result=1 (a) (b)\n", success("1", "(a) (b)", "200 result=1 (a) (b)")),
            (
                "200 result=-1 endpos=6560\n",
                success("-1", "endpos=6560", "200 result=-1 endpos=6560"),
            ),
            ("200 result=0 \n", success("0", "", "200 result=0 ")),
            ("100 result=0 Trying...\n", Incoming::Progress("100 result=0 Trying...".into())),
            (
                "510 Invalid or unknown command\n",
                Incoming::Reply(Reply::Unknown("510 Invalid or unknown command".into())),
            ),
            ("511 Dead\n", Incoming::Reply(Reply::Dead("511 Dead".into()))),
            ("520 Not available.\n", Incoming::Reply(Reply::Usage("520 Not available.".into()))),
            (
                "503 result=-2 Memory\n",
                Incoming::Reply(Reply::Other { code: 503, line: "503 result=-2 Memory".into() }),
            ),
            ("200 OK\n", Incoming::Reply(Reply::Other { code: 200, line: "200 OK".into() })),
            ("HANGUP\n", Incoming::Hangup),
            ("HANGUP\r\n", stray("HANGUP\r")),
            ("hello\n", stray("hello")),
            ("20\n", stray("20")),
            ("200\n", stray("200")),
            ("510-x\n", stray("510-x")),
            ("\n", stray("")),
        ];
        for (bytes, expected) in table {
            let expected = [expected];
            assert_eq!(read(bytes.as_bytes(), Expect::Reply, &[]), expected, "{bytes:?}");
            assert_eq!(read(bytes.as_bytes(), Expect::Marked(&mark()), &[]), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_usage_block_is_one_reply_whatever_its_lines_say() {
        let block = "520-Invalid command syntax.  Proper usage follows:\n  a\n200 result=1 (testvariable)\n\
                     HANGUP\n520 End of proper usage.\n";
        let bytes = format!("{block}HANGUP\n");
        let expected = Reply::Usage(Bytes::copy_from_slice(block.trim_end().as_bytes()));
        for size in [1, 7, 1000] {
            let cuts = vec![size; bytes.len() / size + 1];
            let read = read(bytes.as_bytes(), Expect::Reply, &cuts);
            assert_eq!(read, [Incoming::Reply(expected.clone()), Incoming::Hangup]);
        }
    }

    #[test]
    fn with_no_command_at_asterisk_only_a_hangup_is_legal() {
        let read = read(b"HANGUP\n200 result=0\nHANGUP\nx", Expect::Nothing, &[]);
        assert_eq!(read, [Incoming::Hangup, stray("200 result=0"), Incoming::Hangup, stray("x")]);
    }

    #[test]
    fn lines_are_looked_at_anew_when_something_else_is_awaited() {
        let mut reader = Reader::new(LIMIT);
        reader.push(b"520-a\nb\n");
        assert_eq!(reader.next(Expect::Reply), Ok(None));
        assert_eq!(reader.next(Expect::Nothing), Ok(Some(stray("520-a"))));
        assert_eq!(reader.next(Expect::Nothing), Ok(Some(stray("b"))));
    }

    #[test]
    fn a_hangup_behind_a_fragment_is_seen_at_the_end() {
        let read = read(b"520-Invalid\nbody\nHANGUP\nHANGUP\n", Expect::Reply, &[]);
        assert_eq!(read, [stray("520-Invalid\nbody\n"), Incoming::Hangup, Incoming::Hangup]);
    }

    #[test]
    fn a_tail_is_decided_when_the_peer_closes() {
        let table = [
            ("b)\nHANGUP\n", "b)\n", true),
            ("b)\nHANGUP\nHANGUP\n", "b)\n", true),
            ("b)\n200 result=1 (MA", "b)\n200 result=1 (MA", false),
            ("b)\n200 result=1 (MARK)", "b)\n", false),
            ("b)\n200 resu", "b)\n", false),
            ("xHANGUP\n", "xHANGUP\n", false),
        ];
        for (bytes, text, hangup) in table {
            let read = read(&with_mark(bytes), Expect::Tail(&mark()), &[]);
            let text = Bytes::from(text.to_owned());
            assert_eq!(read, [Incoming::Tail { text, hangup }], "{bytes:?}");
        }
        assert_eq!(read(b"", Expect::Tail(&mark()), &[]), []);
    }

    #[test]
    fn a_reply_above_the_limit_overflows_and_frees_its_memory() {
        for push in [1, 5, 100] {
            let mut reader = Reader::new(12);
            let mut results = Vec::new();
            for piece in b"200 result=0\n".chunks(push) {
                reader.push(piece);
                results.push(reader.next(Expect::Reply));
            }
            assert_eq!(results.pop(), Some(Err(Overflow { limit: 12 })));
            assert!(reader.is_empty());
        }
        let mut reader = Reader::new(13);
        reader.push(b"200 result=0\n");
        assert!(reader.next(Expect::Reply).expect("fits").is_some());
    }

    /// Values made to look like the end of something.
    fn nasty() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b")\n".to_vec()),
            Just(b"\nHANGUP\n".to_vec()),
            Just(b"200 result=1 (".to_vec()),
            Just(b"ffffffffffffffffffffffffffffffff)\n".to_vec()),
            Just(b"520-Invalid\n".to_vec()),
            Just(b"520 End\n".to_vec()),
            Just(b"0123456789abcdef".to_vec()),
            prop::collection::vec(1u8..=255, 0..8),
        ];
        prop::collection::vec(word, 0..8).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn a_marked_value_is_nothing_but_itself(
            value in nasty(), before: bool, behind: bool, cuts in prop::collection::vec(0usize..40, 0..12),
        ) {
            let mark = mark();
            let line = [VALUE, mark.as_bytes(), &value, mark.as_bytes(), b")"].concat();
            let hangup = |is: bool| if is { &b"HANGUP\n"[..] } else { b"" };
            let bytes = [hangup(before), &line, b"\n", hangup(behind)].concat();
            let mut expected = vec![Incoming::Hangup; usize::from(before)];
            let rest = Bytes::copy_from_slice(&line[b"200 result=1 ".len()..]);
            expected.push(Incoming::Reply(Reply::Success { result: "1".into(), rest, line: line.into() }));
            expected.extend(vec![Incoming::Hangup; usize::from(behind)]);
            prop_assert_eq!(read(&bytes, Expect::Marked(&mark), &cuts), expected);
        }

        #[test]
        fn a_tail_is_all_that_stands_before_the_answer(
            value in nasty(), hangup: bool, cuts in prop::collection::vec(0usize..40, 0..12),
        ) {
            let mark = mark();
            let text = [&value[..], b")\n"].concat();
            let hangup_line = if hangup { &b"HANGUP\n"[..] } else { b"" };
            let bytes = [&text, hangup_line, &answer(&mark)].concat();
            let expected = Incoming::Tail { text: text.into(), hangup };
            prop_assert_eq!(read(&bytes, Expect::Tail(&mark), &cuts), vec![expected]);
        }

        #[test]
        fn no_segmentation_changes_what_is_read(
            bytes in prop::collection::vec(prop_oneof![nasty(), Just(b"200 result=0\n".to_vec())], 0..6),
            cuts in prop::collection::vec(0usize..30, 0..16),
        ) {
            let (bytes, mark) = (bytes.concat(), mark());
            for expect in [Expect::Nothing, Expect::Reply, Expect::Marked(&mark), Expect::Tail(&mark)] {
                prop_assert_eq!(read(&bytes, expect, &cuts), read(&bytes, expect, &[]));
            }
        }
    }
}
