//! The path and the query of an AGI URL, which a caller may have had a hand in.

#![no_main]

use agi_bridge::agi::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let request = Request::parse(script);
    assert!(request.path.starts_with('/'));
    assert!(!request.path.contains('?'));
    for (key, _) in &request.query {
        let first =
            request.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        assert_eq!(request.query_value(key), first);
    }
});
