//! What a manager port says, and what is said to it: no bytes break the reader, no segmentation changes what it reads, what it keeps
//! is bounded, and an action that is taken is read as it was written.

#![no_main]

use agi_bridge::ami::{Action, ActionId, Incoming, Limits, NoManager, Reader};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

/// Small, so that the limits are met.
const LIMITS: Limits = Limits { line_bytes_max: 64, headers_max: 8, message_bytes_max: 256 };

/// Of text that replaces bytes that are none, and of the headers themselves.
const KEPT_BYTES_MAX: usize = 4 * 256 + 1024;

#[derive(Debug, Arbitrary)]
struct Input {
    old: bool,
    sizes: Vec<u8>,
    pieces: Vec<Piece>,
    action: String,
    headers: Vec<(String, String)>,
}

/// What chance alone would seldom write.
#[derive(Debug, Arbitrary)]
enum Piece {
    Bytes(Vec<u8>),
    LineEnd,
    Success,
    Follows,
    Event,
    ActionId,
    Output,
    EndOfOutput,
}

fuzz_target!(|input: Input| {
    let mut bytes = match input.old {
        true => b"Asterisk Call Manager/2.10.0\r\n".to_vec(),
        false => b"Asterisk Call Manager/11.0.0\r\n".to_vec(),
    };
    for piece in &input.pieces {
        bytes.extend_from_slice(match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::LineEnd => b"\r\n",
            Piece::Success => b"Response: Success\r\n",
            Piece::Follows => b"Response: Follows\r\n",
            Piece::Event => b"Event: Hangup\r\n",
            Piece::ActionId => b"ActionID: 1\r\n",
            Piece::Output => b"Output: x\r\n",
            Piece::EndOfOutput => b"--END COMMAND--\r\n\r\n",
        });
    }
    let sizes: Vec<usize> = input.sizes.iter().map(|size| usize::from(*size).max(1)).collect();
    let whole = read(&bytes, &[usize::MAX], LIMITS);
    let cut = read(&bytes, if sizes.is_empty() { &[1] } else { &sizes }, LIMITS);
    assert_eq!(whole, cut);

    let Ok(mut action) = Action::new(&input.action) else { return };
    let mut wanted = 2;
    for (name, value) in &input.headers {
        if let Ok(longer) = action.clone().header(name, value) {
            action = longer;
            wanted += 1;
        }
    }
    let Ok(text) = action.encode(&ActionId::of(1)) else { return };
    assert!(text.split(|&byte| byte == b'\n').all(|line| line.len() < 1024));
    let bytes = [&b"Asterisk Call Manager/11.0.0\r\n"[..], &text].concat();
    let (read, _) = read(&bytes, &[usize::MAX], Limits::default());
    let [Incoming::Banner(_), Incoming::Message(message)] = &read[..] else { panic!("{read:?}") };
    assert_eq!(message.headers.len(), wanted);
});

/// All that is read of `bytes`, given in segments of these sizes.
fn read(mut bytes: &[u8], sizes: &[usize], limits: Limits) -> (Vec<Incoming>, Option<NoManager>) {
    let mut reader = Reader::new(limits);
    let mut read = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (segment, rest) = bytes.split_at((*size).min(bytes.len()));
        bytes = rest;
        reader.push(segment);
        loop {
            match reader.take() {
                Ok(None) => break,
                Ok(Some(incoming)) => {
                    if let (Incoming::Message(message), true) = (&incoming, limits == LIMITS) {
                        assert!(message.headers.size() <= KEPT_BYTES_MAX);
                    }
                    read.push(incoming);
                }
                Err(error) => return (read, Some(error)),
            }
        }
    }
    (read, None)
}
