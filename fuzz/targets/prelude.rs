//! What a stranger sends to the AGI port: no bytes, and no segmentation of them, break the reader or change what it reads.

#![no_main]

use agi_bridge::agi::{Prelude, PreludeError, PreludeReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (sizes, bytes) = input;
    if sizes.is_empty() {
        return;
    }
    let whole = read([bytes].into_iter());
    let mut rest = bytes;
    let segments = sizes.iter().cycle().map_while(|size| {
        let size = usize::from(*size).max(1).min(rest.len());
        let (segment, behind) = rest.split_at(size);
        rest = behind;
        (!segment.is_empty()).then_some(segment)
    });
    let segmented = read(segments);
    match (whole, segmented) {
        (Ok(Some(whole)), Ok(Some(segmented))) => {
            assert_eq!(whole.environment(), segmented.environment());
            assert!(whole.arguments().eq(segmented.arguments()));
            let request = whole.request();
            assert!(request.path.starts_with('/'));
            let channel = whole.channel();
            assert_eq!(channel, segmented.channel());
            assert!(!channel.name.contains('\n'));
        }
        (Ok(None), Ok(None)) => {}
        // Which limit is found first depends on how much comes at once.
        (Err(_), Err(_)) => {}
        (whole, segmented) => panic!("{whole:?}\nin segments: {segmented:?}"),
    }
});

fn read<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Result<Option<Prelude>, PreludeError> {
    let mut reader = PreludeReader::new();
    for segment in segments {
        if let Some(prelude) = reader.push(segment)? {
            return Ok(Some(prelude));
        }
    }
    Ok(None)
}
