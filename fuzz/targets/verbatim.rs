//! The lines of a program that speaks AGI itself: no bytes break the reader, no segmentation changes what it passes on, what
//! it keeps is bounded, and no program is run.

#![no_main]

use agi_bridge::agi::{Limits, Verbatim, VerbatimReader};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// Small, so that the limit is met.
const LINE_BYTES_MAX: usize = 200;

#[derive(Debug, Arbitrary)]
struct Input {
    sizes: Vec<u8>,
    pieces: Vec<Piece>,
}

/// What chance alone would seldom write.
#[derive(Debug, Arbitrary)]
enum Piece {
    Bytes(Vec<u8>),
    LineFeed,
    Command,
    Digits,
    Failure,
    Function,
    Program,
    Words(u8),
    /// Of a line without end.
    Long(u16),
}

fuzz_target!(|input: Input| {
    let mut bytes = Vec::new();
    for piece in &input.pieces {
        match piece {
            Piece::Bytes(piece) => bytes.extend_from_slice(piece),
            Piece::LineFeed => bytes.push(b'\n'),
            Piece::Command => bytes.extend_from_slice(b"get  variable \"x\" \r\n"),
            Piece::Digits => bytes.extend_from_slice(b"GET DATA f 1 1024"),
            Piece::Function => bytes.extend_from_slice(b"GET FULL VARIABLE ${SHELL("),
            Piece::Program => bytes.extend_from_slice(b"EXEC System "),
            Piece::Failure => bytes.extend_from_slice(b" failure"),
            Piece::Words(count) => bytes.extend_from_slice("a ".repeat((*count).into()).as_bytes()),
            Piece::Long(count) => bytes.resize(bytes.len() + usize::from(*count), b'x'),
        }
    }
    let sizes: Vec<usize> = input.sizes.iter().map(|size| usize::from(*size).max(1)).collect();
    let whole = read(&bytes, &[usize::MAX]);
    let segmented = read(&bytes, if sizes.is_empty() { &[1] } else { &sizes });
    assert_eq!(whole, segmented, "{} bytes", bytes.len());
});

/// All that is passed on of `bytes`, given in segments of these sizes, up to the end of file.
fn read(mut bytes: &[u8], sizes: &[usize]) -> Vec<Verbatim> {
    let mut reader = VerbatimReader::new(Limits { line_bytes_max: LINE_BYTES_MAX }, Arc::default());
    let mut read = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (segment, rest) = bytes.split_at((*size).min(bytes.len()));
        bytes = rest;
        reader.push(segment);
        take(&mut reader, &mut read);
        assert!(reader.has_room(), "what is left without a line would be kept for ever");
    }
    reader.close();
    take(&mut reader, &mut read);
    assert!(reader.is_done());
    read
}

fn take(reader: &mut VerbatimReader, read: &mut Vec<Verbatim>) {
    while let Some(verbatim) = reader.next_line() {
        match &verbatim {
            Verbatim::Command { line, .. } | Verbatim::Failure(line) => {
                assert!(line.len() <= LINE_BYTES_MAX + 1 && !line.contains(&0));
                let end = line.iter().position(|byte| *byte == b'\n');
                assert_eq!(end, Some(line.len() - 1), "one line");
                let words: Vec<_> = line.split(|byte| b" \t\n".contains(byte)).collect();
                let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
                let is = |place: usize, name: &[u8]| {
                    words.get(place).is_some_and(|word| word.eq_ignore_ascii_case(name))
                };
                assert!(!(is(0, b"EXEC") && is(1, b"System")), "a program is run");
            }
            Verbatim::Refused { reply, .. } => assert_eq!(reply.last(), Some(&b'\n')),
        }
        read.push(verbatim);
    }
}
