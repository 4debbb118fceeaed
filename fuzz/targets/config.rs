//! Any text as a configuration: refused with faults that can be shown, or taken and written out again as one that is taken.

#![no_main]

use agi_bridge::config;
use libfuzzer_sys::fuzz_target;
use std::{iter::empty, path::Path};

fuzz_target!(|text: &str| {
    // Names of files lead outside of what is looked at here.
    if text.contains("file:") || text.contains("tls") {
        return;
    }
    let directory = Path::new("/nonexistent");
    match config::parse(Some(text), directory, empty()) {
        Ok(config) => {
            // Masked secrets aside, what is in force can be given back.
            let effective = config.effective_yaml();
            let again = config::parse(Some(&effective), directory, empty())
                .unwrap_or_else(|faults| panic!("{faults}\nof\n{effective}"));
            assert_eq!(again.effective_yaml(), effective);
        }
        Err(faults) => {
            assert!(faults.iter().count() > 0);
            assert!(!faults.to_string().is_empty());
        }
    }
});
