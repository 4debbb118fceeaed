//! What Asterisk answers: whatever is awaited, no bytes break the reader, and no segmentation changes what it reads.

#![no_main]

use agi_bridge::agi::{Expect, Incoming, Mark, Overflow, Reader};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

/// Small, so that the limit is met.
const REPLY_BYTES_MAX: usize = 4096;

#[derive(Debug, Arbitrary)]
struct Input {
    /// What is awaited, one after the other.
    awaited: Vec<Awaited>,
    sizes: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Awaited {
    Nothing,
    Reply,
    Marked,
    Tail,
}

/// What chance alone would seldom write.
#[derive(Debug, Arbitrary)]
enum Piece {
    Bytes(Vec<u8>),
    Mark,
    Hangup,
    Success,
    Value,
    UsageBegins,
    UsageEnds,
    Progress,
    LineFeed,
}

fuzz_target!(|input: Input| {
    let mark = Mark::new(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
    let mut bytes = Vec::new();
    for piece in &input.pieces {
        bytes.extend_from_slice(match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Mark => mark.as_bytes(),
            Piece::Hangup => b"HANGUP\n",
            Piece::Success => b"200 result=0\n",
            Piece::Value => b"200 result=1 (",
            Piece::UsageBegins => b"520-Invalid command syntax.  Proper usage follows:\n",
            Piece::UsageEnds => b"520 End of proper usage.\n",
            Piece::Progress => b"100 Trying...\n",
            Piece::LineFeed => b"\n",
        });
    }
    let whole = read(&bytes, &[usize::MAX], &input.awaited, &mark);
    let sizes: Vec<usize> = input.sizes.iter().map(|size| usize::from(*size).max(1)).collect();
    let segmented =
        read(&bytes, if sizes.is_empty() { &[1] } else { &sizes }, &input.awaited, &mark);
    assert_eq!(whole, segmented, "{} bytes", bytes.len());
});

/// All that is read of `bytes`, given in segments of these sizes, up to the end of file.
fn read(
    mut bytes: &[u8],
    sizes: &[usize],
    awaited: &[Awaited],
    mark: &Mark,
) -> (Vec<Incoming>, Option<Overflow>) {
    let mut reader = Reader::new(REPLY_BYTES_MAX);
    let mut read = Vec::new();
    let expect = |read: &[Incoming]| match awaited.get(read.len() % awaited.len().max(1)) {
        None | Some(Awaited::Nothing) => Expect::Nothing,
        Some(Awaited::Reply) => Expect::Reply,
        Some(Awaited::Marked) => Expect::Marked(mark),
        Some(Awaited::Tail) => Expect::Tail(mark),
    };
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (segment, rest) = bytes.split_at((*size).min(bytes.len()));
        bytes = rest;
        reader.push(segment);
        loop {
            match reader.next(expect(&read)) {
                Ok(None) => break,
                Ok(Some(incoming)) => read.push(incoming),
                Err(overflow) => return (read, Some(overflow)),
            }
        }
    }
    while let Some(incoming) = reader.finish(expect(&read)) {
        read.push(incoming);
    }
    (read, None)
}
