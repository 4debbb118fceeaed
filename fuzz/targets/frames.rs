//! What a WebSocket service or a worker puts into a frame: no bytes break the reader, and what it reads can be written and
//! read again as the same.

#![no_main]

use agi_bridge::{
    proto::{CallControl, WorkerReport},
    upstream::Format,
};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|frame: &[u8]| {
    for format in Format::ALL {
        if let Ok(control) = format.decode::<CallControl>(frame) {
            let again = Format::Proto.decode::<CallControl>(&control.encode_to_vec());
            // Through bytes, for NaN is not equal to itself.
            assert_eq!(again.expect("its own bytes").encode_to_vec(), control.encode_to_vec());
        }
        if let Ok(report) = format.decode::<WorkerReport>(frame) {
            let again = Format::Proto.decode::<WorkerReport>(&report.encode_to_vec());
            assert_eq!(again.expect("its own bytes").encode_to_vec(), report.encode_to_vec());
        }
    }
});
